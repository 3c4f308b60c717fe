"""Alert rules: one list, from which Grafana's rules and Prometheus' rules are written.

Grafana evaluates all of them and sends the messages. Prometheus evaluates those about its own metrics too, so that the
Platform board shows them and an Alertmanager can take over. Each has its place in docs/runbook.md, under its name.
"""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from dataclasses import dataclass
from typing import Any, Final, Literal

from scripts.dashboards.panels import KPI, ROLLUP, SERVICES, Influx, Prom

__all__ = ["ALERTS", "FOLDER", "Alert", "grafana_rules", "prometheus_rules"]

Json = dict[str, Any]
Severity = Literal["critical", "warning"]

FOLDER: Final = "Platform"
_RUNBOOK: Final = "docs/runbook.md#"
_DAY_S: Final = 86_400


@dataclass(frozen=True)
class Alert:
    """A rule.

    Attributes:
        name: in one word; its anchor in the runbook is the same in small letters.
        severity: `critical` wakes somebody: data may be lost or is not flowing; `warning` waits for the morning.
        summary: what is wrong, in a sentence.
        query: gives one number for each series.
        when: the bound that a number must pass to fire.
        minutes: how long it must be so.
        silent: what no answer at all means.
        seconds: how far back an InfluxQL query looks.
        until: how long ago it ends: a day that has not ended is not judged.
    """

    name: str
    severity: Severity
    summary: str
    query: Influx | Prom
    when: tuple[Literal["gt", "lt"], float]
    minutes: int
    silent: Literal["OK", "Alerting"] = "OK"
    seconds: int = 600
    until: int = 0

    @property
    def runbook(self) -> str:
        """The place in the runbook."""
        return _RUNBOOK + self.name.lower()

    @property
    def uid(self) -> str:
        """Grafana's own name; at most 40 characters."""
        return f"garonne-{self.name.lower()}"

    def expression(self) -> str:
        """PromQL that is true while it fires."""
        assert isinstance(self.query, Prom)  # noqa: S101 - asked of those only
        sign, bound = {"gt": ">", "lt": "<"}[self.when[0]], self.when[1]
        return f"({self.query.expression}) {sign} {bound:g}"

    def as_grafana(self) -> Json:
        """The rule as Grafana provisions it: query, last value of each series, bound."""
        ask: Json = {**self.query.as_json("A"), "intervalMs": 60_000, "maxDataPoints": 1000}
        if isinstance(self.query, Prom):
            ask |= {"instant": True, "range": False}
        last: Json = {"refId": "B", "type": "reduce", "expression": "A", "reducer": "last"}
        last |= {"settings": {"mode": "dropNN"}, "datasource": {"type": "__expr__", "uid": "__expr__"}}
        bound: Json = {"refId": "C", "type": "threshold", "expression": "B"}
        bound |= {"conditions": [{"evaluator": {"type": self.when[0], "params": [self.when[1]]}}]}
        bound |= {"datasource": {"type": "__expr__", "uid": "__expr__"}}
        return {
            "uid": self.uid,
            "title": self.name,
            "condition": "C",
            "for": f"{self.minutes}m",
            "noDataState": self.silent,
            "execErrState": "Error",
            "labels": {"severity": self.severity, "service": "garonne"},
            "annotations": {"summary": self.summary, "runbook_url": self.runbook},
            "data": [
                {**self._node("A", self.query.source), "model": ask},
                {**self._node("B", "__expr__"), "model": last},
                {**self._node("C", "__expr__"), "model": bound},
            ],
        }

    def _node(self, ref: str, source: str) -> Json:
        return {"refId": ref, "relativeTimeRange": {"from": self.seconds, "to": self.until}, "datasourceUid": source}

    def as_prometheus(self) -> Json:
        """The rule as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression(),
            "for": f"{self.minutes}m",
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "runbook_url": self.runbook},
        }


def _metric(expression: str) -> Prom:
    return Prom(expression, source=SERVICES, now=True)


_RECEIVED: Final = "garonne_ingest_messages_received_total"
_REFUSED: Final = "garonne_ingest_rejected_total"

_SERVICES: Final = (
    Alert("ServiceDown", "critical", "A service of Garonne does not answer, or is not there at all.",
          _metric('sum(up{job=~"ingest|aggregator"}) or vector(0)'), ("lt", 2), 2, silent="Alerting"),
    Alert("BrokerDisconnected", "critical", "Ingest is not connected to the MQTT broker: messages wait there.",
          _metric("min(garonne_ingest_connected)"), ("lt", 1), 2),
    Alert("SessionLost", "critical",
          "The broker forgot the session of ingest: what was published meanwhile is missing; ask for it again.",
          _metric("sum(increase(garonne_ingest_session_lost_total[1h]))"), ("gt", 0), 0),
    Alert("AcknowledgementsStopped", "critical", "The oldest message waits for a minute: Kafka does not take it.",
          _metric("max(garonne_ingest_oldest_unacknowledged_seconds)"), ("gt", 60), 1),
    Alert("AggregatorStuck", "critical", "The aggregator has one batch in hand for five minutes: InfluxDB or Kafka.",
          _metric("max(garonne_aggregator_stuck_seconds)"), ("gt", 300), 1),
    Alert("Silence", "critical", "No message has come for a quarter of an hour, of any profile.",
          _metric(f"sum(increase({_RECEIVED}[15m])) or vector(0)"), ("lt", 1), 5),
    Alert("ProfileSilent", "warning", "A profile that published yesterday has published nothing for two hours.",
          _metric(f"sum by (profile) (increase({_RECEIVED}[26h])) > 0 unless "
                  f"sum by (profile) (increase({_RECEIVED}[2h])) > 0"), ("gt", 0), 10),
    Alert("LagHigh", "warning", "More than 100,000 records wait for the aggregator.",
          _metric("sum(garonne_aggregator_lag)"), ("gt", 100_000), 10),
    Alert("LagGrows", "warning", "The lag has grown for half an hour: the aggregator is slower than what comes in.",
          _metric("sum(deriv(garonne_aggregator_lag[30m]))"), ("gt", 1), 30),
    Alert("RejectsHigh", "warning", "More than one message in a hundred is refused: a device or its firmware changed.",
          _metric(f"sum(increase({_REFUSED}[1h])) / sum(increase({_RECEIVED}[1h]))"), ("gt", 0.01), 10),
    Alert("PointsRefused", "critical", "InfluxDB refuses points for good; they are in garonne.rejected.",
          _metric("sum(increase(garonne_aggregator_refused_total[1h]))"), ("gt", 0), 0),
    Alert("MessagesDropped", "warning", "Messages at QoS 0 come faster than they are taken, and are dropped.",
          _metric("sum(increase(garonne_ingest_dropped_total[1h]))"), ("gt", 0), 0),
    Alert("WritesSlow", "warning", "Nearly every hundredth write to InfluxDB takes longer than ten seconds.",
          _metric("histogram_quantile(0.99, sum by (le) (rate(garonne_aggregator_write_seconds_bucket[15m])))"),
          ("gt", 10), 15),
)  # fmt: skip

_DAYS: Final = "\"window\" = '1d' AND \"quantity\" = 'import_energy' AND $timeFilter"

_CITY: Final = (
    Alert("CoverageLow", "warning", "Less than three quarters of the families' time was measured in the last days.",
          Influx(f'SELECT mean("coverage") AS "coverage" FROM "energy" WHERE {_DAYS} GROUP BY "carrier"',
                 "$tag_carrier"),
          ("lt", 0.75), 60, silent="Alerting", seconds=4 * _DAY_S, until=_DAY_S),
    Alert("FamiliesMissing", "warning", "Fewer than ten families were measured yesterday: nothing can be told of them.",
          Influx(f'SELECT count("days") AS "families" FROM (SELECT count("energy_kwh") AS "days" FROM "energy" '
                 f'WHERE {_DAYS} GROUP BY "household")', "families"),
          ("lt", 10), 60, silent="Alerting", seconds=2 * _DAY_S, until=_DAY_S),
    Alert("JunctionSilent", "warning", "A junction that was heard in the last week has been silent for a day.",
          Influx('SELECT sum("minutes") AS "minutes" FROM "traffic_hour" WHERE $timeFilter '
                 'GROUP BY time(1d, now()), "zone" fill(0)', "$tag_zone"),
          ("lt", 1), 60, seconds=7 * _DAY_S),
    Alert("IndicatorsLate", "warning", "No indicator was told of a period that ended in the last 35 days.",
          Influx('SELECT count("assessed") AS "told" FROM "kpi" WHERE $timeFilter', "told", KPI),
          ("lt", 1), 60, silent="Alerting", seconds=35 * _DAY_S),
)  # fmt: skip

ALERTS: Final[tuple[Alert, ...]] = (*_SERVICES, *_CITY)


def grafana_rules() -> Json:
    """The file that Grafana provisions."""
    groups = (("services", "1m", _SERVICES), ("city", "15m", _CITY))
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": name,
                "folder": FOLDER,
                "interval": interval,
                "rules": [alert.as_grafana() for alert in alerts],
            }
            for name, interval, alerts in groups
        ],
    }


def prometheus_rules() -> Json:
    """The file that Prometheus reads."""
    return {"groups": [{"name": "garonne", "rules": [alert.as_prometheus() for alert in _SERVICES]}]}


assert {alert.query.source for alert in ALERTS} <= {ROLLUP, KPI, SERVICES}  # noqa: S101 - a slip is seen at once
