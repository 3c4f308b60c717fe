"""The operator's page: is anything lost, late, refused, slow? From the services' own metrics."""

from typing import Final

from scripts.dashboards.panels import Dashboard, Panel, Prom, Row, Steps
from scripts.dashboards.shapes import lines

__all__ = ["platform"]

_WINDOW: Final = "[$__rate_interval]"
_YES: Final = Steps("red", ((1, "green"),))
_NO: Final = Steps("green", ((1, "red"),))
_LAG: Final = Steps("green", ((10_000, "orange"), (100_000, "red")))
_AGE: Final = Steps("green", ((10, "orange"), (60, "red")))


def _rate(metric: str, by: str = "") -> str:
    return f"sum {f'by ({by}) ' if by else ''}(rate({metric}{_WINDOW}))"


def _quantile(metric: str, share: float) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{_WINDOW})))"


def _day(*metrics: str) -> str:
    """Sums of the last 24 hours, added up."""
    return " + ".join(f"sum(increase({metric}[24h]))" for metric in metrics)


def _stat(title: str, description: str, unit: str, expression: str, thresholds: Steps) -> Panel:
    return Panel("stat", title, description, unit, (Prom(expression, now=True),), 4, 4, thresholds=thresholds)


def _flow(title: str, description: str, unit: str, *named: tuple[str, str], stacked: bool = False) -> Panel:
    """Curves of expressions with their legends."""
    return lines(title, description, unit, *(Prom(expression, legend) for expression, legend in named), stacked=stacked)


def _by(title: str, description: str, unit: str, metric: str, *labels: str) -> Panel:
    """One counter, per second, stacked by its labels."""
    legend = ": ".join("{{" + label + "}}" for label in labels)
    return _flow(title, description, unit, (_rate(metric, ", ".join(labels)), legend), stacked=True)


def _now() -> list[Panel]:
    return [
        _stat("Services up", "Services that answer the scraper; two are expected.", "none",
              'sum(up{job=~"ingest|aggregator"})', Steps("red", ((2, "green"),))),
        _stat("Connected", "1 while ingest is connected to the MQTT broker.", "none",
              "min(garonne_ingest_connected)", _YES),
        _stat("Oldest unacknowledged", "Age of the oldest message taken and not acknowledged; red after a minute.", "s",
              "max(garonne_ingest_oldest_unacknowledged_seconds)", _AGE),
        _stat("Lag", "Records in Kafka that are not in InfluxDB yet.", "short", "sum(garonne_aggregator_lag)", _LAG),
        _stat("Sessions lost", "Times in a day that the broker forgot our session: messages may be missing.", "none",
              "sum(increase(garonne_ingest_session_lost_total[24h]))", _NO),
        _stat("Points refused", "Points in a day that InfluxDB will never take; they are in garonne.rejected.", "none",
              "sum(increase(garonne_aggregator_refused_total[24h]))", _NO),
    ]  # fmt: skip


def _moving() -> list[Panel]:
    received, acknowledged = "garonne_ingest_messages_received_total", "garonne_ingest_acknowledged_total"
    return [
        _by("Messages from the broker, by profile",
            "Messages taken per second; a profile that falls to nothing is a silent gateway.", "mps",
            received, "profile"),
        _flow("Received, acknowledged, read, stored",
              "The four steps from the broker to InfluxDB; a gap between two of them is where things wait.", "cps",
              (_rate(received), "messages received"), (_rate(acknowledged), "messages acknowledged"),
              (_rate("garonne_aggregator_events_total"), "events read"),
              (_rate("garonne_aggregator_points_total"), "points stored")),
        _by("Events, by kind", "Events per second that ingest made of messages.", "cps",
            "garonne_ingest_events_total", "kind"),
        _by("Points stored, by measurement", "Points per second that InfluxDB has taken.", "cps",
            "garonne_aggregator_points_total", "measurement"),
        lines("Lag by topic", "Records that wait for the aggregator.", "short",
              Prom("sum by (topic) (garonne_aggregator_lag)", "{{topic}}"), thresholds=_LAG),
        lines("Oldest unacknowledged, by process",
              "Age of the oldest message taken and not acknowledged, and of the batch in the aggregator's hand.", "s",
              Prom("max by (instance) (garonne_ingest_oldest_unacknowledged_seconds)", "{{instance}}"),
              Prom("max by (instance) (garonne_aggregator_stuck_seconds)", "{{instance}}, batch"), thresholds=_AGE),
    ]  # fmt: skip


def _ledger() -> list[Panel]:
    taken, done = "garonne_ingest_messages_received_total", "garonne_ingest_acknowledged_total"
    return [
        _stat("Taken in a day", "Messages taken from the broker in 24 hours.", "short", _day(taken), Steps("blue")),
        _stat("Not accounted for yet", "Taken in 24 hours less acknowledged: what is in flight, and redeliveries.",
              "short", f"{_day(taken)} - {_day(done)}", Steps("green", ((10_000, "orange"),))),
        _stat("Refused in a day", "Messages refused in 24 hours; each keeps its bytes in garonne.rejected.", "short",
              _day("garonne_ingest_rejected_total"), Steps("green", ((1, "orange"),))),
        _stat("Ignored in a day", "Messages that a named rule left out in 24 hours.", "short",
              _day("garonne_ingest_ignored_total"), Steps("blue")),
        _stat("Duplicates in a day", "Events read twice within a short while, stored once.", "short",
              _day("garonne_aggregator_duplicates_total"), Steps("blue")),
        _stat("Too late in a day", "Vehicle messages too late for their minute, and records that are no event.",
              "short", _day("garonne_aggregator_too_late_total", "garonne_aggregator_undecodable_total"), _NO),
        lines("Alerts that fire", "Each rule of the runbook that is true now; the height says how many times.", "none",
              Prom('sum by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"), width=24, stacked=True),
    ]  # fmt: skip


def _refused() -> list[Panel]:
    return [
        _by("Messages by topic and what became of them",
            "By the first level of the topic; topics that no configured filter names are together.", "mps",
            "garonne_ingest_topic_messages_total", "topic", "result"),
        _by("Messages refused, by profile, stage and reason",
            "Each keeps its bytes in garonne.rejected. A new reason is a device that was changed.", "mps",
            "garonne_ingest_rejected_total", "profile", "stage", "reason"),
        _by("Messages ignored, by rule", "Messages that a profile knows and leaves out on purpose.", "mps",
            "garonne_ingest_ignored_total", "profile", "rule"),
        _flow("Sent again, dropped, too late, known",
              "Redeliveries after a reconnect cost time only; what is dropped came at QoS 0 and too fast.", "cps",
              (_rate("garonne_ingest_redelivered_total"), "sent again by the broker"),
              (_rate("garonne_ingest_dropped_total"), "dropped (QoS 0)"),
              (_rate("garonne_aggregator_too_late_total"), "too late for their minute"),
              (_rate("garonne_aggregator_duplicates_total"), "known before"),
              (_rate("garonne_aggregator_undecodable_total"), "no event (in garonne.rejected)")),
        _flow("Partners that did not answer",
              "Failures per second of broker, Kafka and InfluxDB; nothing is committed meanwhile.", "cps",
              (_rate("garonne_ingest_connection_failures_total"), "broker"),
              (_rate("garonne_ingest_connections_total"), "broker, connected again"),
              (_rate("garonne_ingest_produce_failures_total"), "Kafka, for ingest"),
              (_rate("garonne_aggregator_failures_total"), "Kafka or InfluxDB, for the aggregator")),
    ]  # fmt: skip


def _speed() -> list[Panel]:
    kafka, influx = "garonne_ingest_produce_seconds", "garonne_aggregator_write_seconds"
    return [
        _flow("Latency",
              "Half and nearly all of the batches: from normalised to safe in Kafka, and one write to InfluxDB.", "s",
              (_quantile(kafka, 0.5), "Kafka, median"), (_quantile(kafka, 0.99), "Kafka, 99 %"),
              (_quantile(influx, 0.5), "InfluxDB, median"), (_quantile(influx, 0.99), "InfluxDB, 99 %")),
        _flow("In flight", "Messages taken and not acknowledged, by process; never more than the receive maximum.",
              "short", ("sum by (instance) (garonne_ingest_in_flight)", "{{instance}}")),
        lines("Work of normalising", "Seconds of processor per second spent normalising; near 1, start another.",
              "percentunit", Prom(_rate("garonne_ingest_normalise_seconds_total"), "normalising"),
              thresholds=Steps("green", ((0.7, "orange"), (0.9, "red")))),
        _flow("Memory of the aggregator",
              "Readings kept in memory; series read back and logs read again show restarts and late messages.", "short",
              ("sum(garonne_aggregator_kept_readings)", "readings kept"),
              (_rate("garonne_aggregator_loaded_total"), "series read back, per second"),
              (_rate("garonne_aggregator_reread_total"), "logs read again, per second")),
    ]  # fmt: skip


def platform() -> Dashboard:
    """The operator's page."""
    return Dashboard(
        uid="garonne-platform",
        folder="Platform",
        title="Platform",
        description="Flow, lag, refusals and latency of Garonne's own services. Everything green: nothing is lost.",
        since="now-6h",
        refresh="30s",
        content=(
            Row("Now"), *_now(), Row("Flow"), *_moving(), Row("Ledger"), *_ledger(),
            Row("Refused and repeated"), *_refused(), Row("Speed"), *_speed(),
        ),
    )  # fmt: skip
