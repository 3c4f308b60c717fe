"""Alerts: each says what is wrong, how bad it is and where to read on, and asks for what is there."""

import re
from typing import Any

import pytest
import yaml

from scripts.dashboards import DASHBOARDS
from scripts.dashboards.alerts import ALERTS, Alert
from scripts.dashboards.panels import Prom
from tests.dashboards.grafana import ROOT, data_sources
from tests.dashboards.promql import PromqlProblem, parse
from tests.dashboards.test_form import PROMETHEUS, metric_faults

GRAFANA = yaml.safe_load((ROOT / "deploy/grafana/provisioning/alerting/garonne.yaml").read_text("utf-8"))
RULES = yaml.safe_load((ROOT / "deploy/prometheus/rules/garonne.yml").read_text("utf-8"))
SERVICES = [alert for alert in ALERTS if isinstance(alert.query, Prom)]


def _provisioned() -> list[dict[str, Any]]:
    return [rule for group in GRAFANA["groups"] for rule in group["rules"]]


def test_every_alert_is_provisioned_in_grafana_and_those_of_metrics_in_prometheus_too() -> None:
    """From one list: neither file has a rule that the other list does not know."""
    assert [rule["title"] for rule in _provisioned()] == [alert.name for alert in ALERTS]
    assert [rule["alert"] for rule in RULES["groups"][0]["rules"]] == [alert.name for alert in SERVICES]
    loaded = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text("utf-8"))["rule_files"]
    assert loaded == ["/etc/prometheus/rules/*.yml"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_where_to_read_on(alert: Alert) -> None:
    """A sentence, `critical` or `warning`, and an anchor in the runbook that is its name in small letters."""
    assert re.fullmatch(r"[A-Z][A-Za-z]+", alert.name)
    assert alert.summary.endswith(".")
    assert 30 < len(alert.summary) < 120
    assert alert.severity in {"critical", "warning"}
    assert alert.runbook == f"docs/runbook.md#{alert.name.lower()}"
    rule = next(each for each in _provisioned() if each["title"] == alert.name)
    assert rule["annotations"] == {"summary": alert.summary, "runbook_url": alert.runbook}
    assert rule["labels"]["severity"] == alert.severity


def test_alerts_cover_what_can_go_wrong() -> None:
    """Silence, lag, refusals, coverage, a lost session, health: each has its rule."""
    assert {alert.name for alert in ALERTS} >= {
        "Silence", "ProfileSilent", "JunctionSilent", "LagHigh", "RejectsHigh", "PointsRefused", "CoverageLow",
        "SessionLost", "AcknowledgementsStopped", "AggregatorStuck", "ServiceDown", "IndicatorsLate",
    }  # fmt: skip


@pytest.mark.parametrize("rule", _provisioned(), ids=lambda rule: rule["title"])
def test_a_rule_of_grafana_is_whole(rule: dict[str, Any]) -> None:
    """Its condition is one of its steps, each step rests on one before it, its data source is provisioned."""
    steps = {step["refId"]: step for step in rule["data"]}
    assert rule["condition"] in steps
    assert len(rule["uid"]) <= 40
    assert rule["noDataState"] in {"OK", "Alerting"}
    assert rule["execErrState"] == "Error"
    known: set[str] = set()
    for ref, step in steps.items():
        assert step["model"]["refId"] == ref
        if step["datasourceUid"] == "__expr__":
            assert step["model"]["expression"] in known
        else:
            assert data_sources()[step["datasourceUid"]]["type"] == step["model"]["datasource"]["type"]
            assert step["relativeTimeRange"]["from"] > step["relativeTimeRange"]["to"] >= 0
        known.add(ref)
    threshold = steps[rule["condition"]]["model"]["conditions"][0]["evaluator"]
    assert threshold["type"] in {"gt", "lt"}


def test_a_dollar_sign_reaches_influxdb() -> None:
    """Grafana takes `$` in provisioning files for a variable of the environment; two of them are one."""
    text = (ROOT / "deploy/grafana/provisioning/alerting/garonne.yaml").read_text("utf-8")
    assert "$$timeFilter" in text
    assert not re.search(r"(?<!\$)\$(?!\$)", text.replace("$$", ""))


@pytest.mark.parametrize("alert", SERVICES, ids=lambda alert: alert.name)
def test_an_expression_of_prometheus_is_one_and_asks_for_metrics_that_exist(alert: Alert) -> None:
    """It parses, and every metric and label of it is one that a service exposes."""
    parse(alert.expression())
    assert metric_faults(alert.expression(), "") == []
    for name in re.findall(r"\b(?:garonne_\w+|up)\b", alert.expression()):
        assert metric_faults(re.sub(rf"\b{name}\b", f"{name}_x", alert.expression()), "") != []


@pytest.mark.parametrize("asked", PROMETHEUS, ids=str)
def test_an_expression_of_a_panel_parses(asked: Any) -> None:
    """PromQL, and its labels are grouped by."""
    found = parse(asked.query.expression)
    assert set(re.findall(r"{{(\w+)}}", asked.query.legend)) <= found.grouped


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(rate(x[5m])",
        "sum by (a rate(x[5m])",
        "rate(x)",
        "x{a=b}",
        'x{a~"b"}',
        "sum(x) >",
        "quantile_over(x)",
        "x y",
    ],
)
def test_what_is_no_expression_is_noticed(wrong: str) -> None:
    """The parser can fail."""
    with pytest.raises(PromqlProblem):
        parse(wrong)


def test_metrics_are_those_of_the_reference() -> None:
    """docs/reference/metrics.md has every metric that a board or a rule asks for."""
    text = (ROOT / "docs/reference/metrics.md").read_text("utf-8")
    known = set(re.findall(r"`(garonne_\w+)`", text)) | {"up", "ALERTS"}
    boards = [q.expression for b in DASHBOARDS for p in b.panels for q in p.queries if isinstance(q, Prom)]
    asked = {name for each in [*boards, *(alert.expression() for alert in SERVICES)] for name in parse(each).metrics}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} <= known
