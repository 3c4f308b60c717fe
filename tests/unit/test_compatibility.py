"""Events that were written once stay readable."""

import json
import os
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from schemas.compatibility import breaks
from schemas.jsonschemas import json_schemas

ROOT = Path(__file__).resolve().parents[2]
READING = json_schemas()["meter_reading"]


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _schemas_at(commit: str) -> dict[str, Any]:
    names = _git("ls-tree", "--name-only", commit, "schemas/json/") or ""
    return {
        Path(name).stem: json.loads(_git("show", f"{commit}:{name}") or "{}")
        for name in names.split()
        if Path(name).stem in json_schemas() or Path(name).stem != "report.schema"
    }


@pytest.mark.parametrize("commit", ["HEAD", "HEAD~1"])
def test_todays_schemas_read_events_of_the_previous_ones(commit: str) -> None:
    """No record of the last commits would be refused by the schemas of today."""
    if _git("rev-parse", "--verify", commit) is None:
        assert not os.environ.get("CI") or commit != "HEAD", "CI needs the history of the project"
        return
    old = _schemas_at(commit)
    problems = {
        kind: breaks(schema, json_schemas()[kind]) if kind in json_schemas() else ["the kind is gone"]
        for kind, schema in old.items()
    }
    assert {kind: found for kind, found in problems.items() if found} == {}


def test_the_same_schema_breaks_nothing() -> None:
    """A record compared with itself has no break, whatever it refers to."""
    assert [breaks(schema, schema) for schema in json_schemas().values() if breaks(schema, schema)] == []


def _changed(change: str) -> dict[str, Any]:
    new = deepcopy(READING)
    properties = new["properties"]
    if change == "property gone":
        del properties["meter"]
    elif change == "required":
        new["required"].append("counter_since")
    elif change == "enum value gone":
        properties["carrier"]["enum"].remove("gas")
    elif change == "pattern":
        properties["household"]["pattern"] = "^h_[0-9a-f]{32}$"
    elif change == "default":
        properties["retained"]["default"] = True
    elif change == "type":
        properties["household"]["type"] = "integer"
    elif change == "nested":
        del new["$defs"]["Register"]["properties"]["modulus"]
    elif change == "alternative":
        properties["counter_since"]["anyOf"] = [{"type": "null"}]
    return new


@pytest.mark.parametrize(
    "change", ["property gone", "required", "enum value gone", "pattern", "default", "type", "nested", "alternative"]
)
def test_a_breaking_change_is_named(change: str) -> None:
    """Each way to break a reader is found."""
    assert breaks(READING, _changed(change)) != []


def test_new_optional_properties_and_values_are_no_break() -> None:
    """Schemas may grow."""
    new = deepcopy(READING)
    new["properties"]["carrier"]["enum"].append("hydrogen")
    new["properties"]["tenant"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    assert breaks(READING, new) == []
