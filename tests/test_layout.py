"""The house keeps its shape: sizes, names, one place for each thing."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from services.ingest.profiles import discover

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(path for root in ("services", "schemas", "scripts") for path in (ROOT / root).rglob("*.py"))
LARGEST_MODULE = 400
LARGEST_FUNCTION = 50
TWO_SCREENS = 160


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    """No module is longer than 400 lines, no function than 50 (without its docstring)."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= LARGEST_MODULE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            length = (node.end_lineno or 0) - body[0].lineno + 1
            assert length <= LARGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("service", ["ingest", "aggregator"])
def test_the_rules_of_delivery_stand_on_two_screens(service: str) -> None:
    """`pipeline.py` is what a reviewer reads to believe the promise."""
    assert (ROOT / "services" / service / "pipeline.py").read_text("utf-8").count("\n") <= TWO_SCREENS


def test_no_module_is_a_drawer_for_everything() -> None:
    """Nothing is called utils, common or helpers."""
    assert [path for path in MODULES if path.stem in {"utils", "util", "common", "helpers", "misc"}] == []


@pytest.mark.parametrize("name", sorted(discover()))
def test_a_profile_is_named_in_its_own_folder_only(name: str) -> None:
    """Adding a family touches one folder: no other module of ingest or the aggregator imports it by name."""
    needle = re.compile(rf"services\.ingest\.profiles\.{name}\b")
    allowed = ROOT / "services/ingest/profiles" / name
    guilty = [path for path in MODULES if allowed not in path.parents and needle.search(path.read_text("utf-8"))]
    assert guilty == []


def test_nothing_of_this_machine_is_written_down() -> None:
    """No tracked text names a path of somebody's machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    guilty = []
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if not name or not path.is_file() or path.name == "requirements.lock":
            continue
        content = path.read_bytes()
        if any(each in content for each in (b"/wo" + b"rk/", b"/ro" + b"ot/", b"/home/" + b"runner")):
            guilty.append(name)
    assert guilty == []
