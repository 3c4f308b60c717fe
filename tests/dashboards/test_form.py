"""Dashboards are well formed, complete, and rest on what is provisioned; metrics that they ask for exist."""

import copy
import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from scripts.dashboards import DASHBOARDS, dashboard_files, folder_uid
from scripts.dashboards.panels import Dashboard, Prom
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.telemetry import IngestTelemetry
from tests.dashboards.grafana import ROOT, data_sources, questions
from tests.dashboards.promql import parse

SCHEMA = Draft7Validator(json.loads((ROOT / "tests/dashboards/dashboard.schema.json").read_text("utf-8")))
UNITS = {
    "short", "none", "percent", "percentunit", "kwatth", "kwatt", "m3", "velocitykmh", "s", "mps", "cps", "massg",
}  # fmt: skip
"""Unit ids of @grafana/data 13.2.3 that the dashboards use (kpis.md 5.5)."""


@pytest.fixture(params=DASHBOARDS, ids=lambda board: board.uid)
def board(request: pytest.FixtureRequest) -> Dashboard:
    """Each dashboard in turn."""
    assert isinstance(request.param, Dashboard)
    return request.param


def test_the_committed_file_is_the_generated_one(board: Dashboard) -> None:
    """What Grafana reads is what is tested here; scripts/generate writes it."""
    for path, text in dashboard_files(ROOT):
        if path.stem == board.uid:
            assert path.read_text("utf-8") == text
            assert folder_uid(board.folder) == f"garonne-{path.parent.name}"
    files = {path.stem for path in (ROOT / "deploy/grafana/dashboards").rglob("*.json")}
    assert files == {each.uid for each in DASHBOARDS}


def test_a_dashboard_has_grafanas_form(board: Dashboard) -> None:
    """No unknown key, no wrong type, by the schema of Grafana's own types."""
    assert [error.message for error in SCHEMA.iter_errors(board.as_json())] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [(("graphTooltip",), 9), (("titel",), "x"), (("panels", 1, "gridPos", "w"), "wide"), (("panels", 1, "desc"), "x")],
)
def test_the_schema_notices_a_mistake(board: Dashboard, path: tuple[Any, ...], value: object) -> None:
    """This check can fail."""
    wrong = copy.deepcopy(board.as_json())
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert not SCHEMA.is_valid(wrong)


def test_every_panel_says_what_it_shows(board: Dashboard) -> None:
    """Title, description, a unit that Grafana has, thresholds, a data source that is provisioned."""
    sources = data_sources()
    titles = [panel.title for panel in board.panels]
    assert len(titles) == len(set(titles))
    for panel in board.panels:
        assert len(panel.description) > 30
        assert {panel.unit, *panel.units.values()} <= UNITS
        assert panel.thresholds.as_json()["steps"][0]["value"] is None
        values = [value for value, _ in panel.thresholds.steps]
        assert values == sorted(set(values))
        for number, query in enumerate(panel.queries):
            target = query.as_json("A")["datasource"]
            assert sources[target["uid"]]["type"] == target["type"]
            assert query.source == panel.queries[0].source, f"{panel.title}: query {number} asks another source"


def test_panels_stand_beside_each_other(board: Dashboard) -> None:
    """Within 24 columns, none over another, numbers unique."""
    places = [panel["gridPos"] for panel in board.as_json()["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    numbers = [panel["id"] for panel in board.as_json()["panels"]]
    assert len(numbers) == len(set(numbers))


def test_dashboards_are_told_apart() -> None:
    """A uid is for ever, and Grafana allows 8 to 40 characters; nobody edits a provisioned dashboard on the screen."""
    uids = [each.uid for each in DASHBOARDS]
    assert len(uids) == len(set(uids))
    assert all(re.fullmatch(r"[a-z0-9-]{8,40}", uid) for uid in uids)
    assert not any(each.as_json()["editable"] for each in DASHBOARDS)


def test_the_first_page_is_a_dashboard_that_is_there() -> None:
    """Grafana's home is one of ours."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["grafana"]
    home = compose["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    mounts = {volume["target"]: volume["source"] for volume in compose["volumes"] if isinstance(volume, dict)}
    provider = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/garonne.yaml").read_text("utf-8"))
    folder = next(each["options"]["path"] for each in provider["providers"] if home.startswith(each["options"]["path"]))
    mounted = folder.rpartition("/")[0]
    assert (ROOT / home.replace(mounted, mounts[mounted])).is_file()
    for each in provider["providers"]:
        files = ROOT / each["options"]["path"].replace(mounted, mounts[mounted])
        assert {path.stem for path in files.glob("*.json")} == {b.uid for b in DASHBOARDS if b.folder == each["folder"]}


def test_data_sources_hold_no_secret() -> None:
    """The token is read from a file at start; the file is a secret that compose gives to Grafana."""
    for source in data_sources().values():
        for value in source.get("secureJsonData", {}).values():
            assert re.fullmatch(r"(Token )?\$__file{/run/secrets/[a-z.-]+}", value)
        assert source["editable"] is False


def _samples() -> dict[str, set[str]]:
    """Names of samples with their labels, as the services expose them."""
    found: dict[str, set[str]] = {"up": {"job", "instance"}, "ALERTS": {"alertname", "alertstate", "severity"}}
    for telemetry in (IngestTelemetry(CollectorRegistry()), AggregatorTelemetry(CollectorRegistry())):
        for collector in telemetry.registry._collector_to_names:
            labels = set(getattr(collector, "_labelnames", ()))
            metrics: list[Metric] = list(collector.describe())  # type: ignore[attr-defined]
            for metric in metrics:
                suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(metric.type, ("",))
                found |= {metric.name + suffix: labels | {"le", "job", "instance"} for suffix in suffixes}
    return found


PROMETHEUS = [asked for asked in questions() if isinstance(asked.query, Prom)]


def metric_faults(expression: str, legend: str) -> list[str]:
    """What is wrong with the names in an expression and its legend."""
    samples, asked = _samples(), parse(expression)
    faults = [f"no metric {name}" for name in asked.metrics - samples.keys()]
    labels = set().union(*(samples.get(name, set()) for name in asked.metrics))
    faults += [f"no label {label}" for label in (asked.grouped | set(re.findall(r"{{(\w+)}}", legend))) - labels]
    faults += [
        f"{name} has no {label}" for name, its in asked.matched.items() for label in its - samples.get(name, set())
    ]
    faults += [f"{label} is not grouped by" for label in set(re.findall(r"{{(\w+)}}", legend)) - asked.grouped]
    faults += [f"no rate of {n}" for n in asked.metrics if n.endswith(("_total", "_bucket")) and n not in asked.ranged]
    return faults if asked.metrics else [*faults, "no metric at all"]


@pytest.mark.parametrize("asked", PROMETHEUS, ids=str)
def test_metrics_that_are_asked_for_exist(asked: Any) -> None:
    """Each metric and label of an expression is one that a service exposes; counters are asked for their rate."""
    assert metric_faults(asked.query.expression, asked.query.legend) == []


@pytest.mark.parametrize("asked", PROMETHEUS, ids=str)
def test_a_misspelt_metric_is_noticed(asked: Any) -> None:
    """This check can fail."""
    names = set(re.findall(r"\b(?:garonne_\w+|up|ALERTS)\b", asked.query.expression))
    for name in names:
        wrong = re.sub(rf"\b{name}\b", f"{name}_x", asked.query.expression)
        assert metric_faults(wrong, asked.query.legend) != []
