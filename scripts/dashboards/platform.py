"""The operator's page: is anything lost, late, refused, slow? From the services' own metrics."""

from typing import Final

from scripts.dashboards.panels import Dashboard, Panel, Prom, Row, Steps

__all__ = ["platform"]

_WINDOW: Final = "[$__rate_interval]"
_YES: Final = Steps("red", ((1, "green"),))
_NO: Final = Steps("green", ((1, "red"),))


def _rate(metric: str, by: str = "") -> str:
    return f"sum {f'by ({by}) ' if by else ''}(rate({metric}{_WINDOW}))"


def _quantile(metric: str, share: float) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{_WINDOW})))"


def _stat(title: str, description: str, unit: str, expression: str, thresholds: Steps) -> Panel:
    query = Prom(expression, now=True)
    return Panel("stat", title, description, unit, (query,), width=4, height=4, thresholds=thresholds)


def _now() -> list[Panel]:
    return [
        _stat("Services up", "Services that answer the scraper; two are expected.", "none",
              'sum(up{job=~"ingest|aggregator"})', Steps("red", ((2, "green"),))),
        _stat("Connected", "1 while ingest is connected to the MQTT broker.", "none",
              "min(garonne_ingest_connected)", _YES),
        _stat("Oldest unacknowledged", "Age of the oldest message taken and not acknowledged; red after a minute.", "s",
              "max(garonne_ingest_oldest_unacknowledged_seconds)", Steps("green", ((10, "orange"), (60, "red")))),
        _stat("Lag", "Records in Kafka that are not in InfluxDB yet.", "short",
              "sum(garonne_aggregator_lag)", Steps("green", ((10_000, "orange"), (100_000, "red")))),
        _stat("Sessions lost", "Times in a day that the broker forgot our session: messages may be missing.", "none",
              "sum(increase(garonne_ingest_session_lost_total[24h]))", _NO),
        _stat("Points refused", "Points in a day that InfluxDB will never take; they are in garonne.rejected.", "none",
              "sum(increase(garonne_aggregator_refused_total[24h]))", _NO),
    ]  # fmt: skip


def _flow() -> list[Panel]:
    return [
        Panel(
            "timeseries",
            "Messages from the broker, by profile",
            "Messages taken per second; a profile that falls to nothing is a silent gateway.",
            "mps",
            (Prom(_rate("garonne_ingest_messages_received_total", "profile"), "{{profile}}"),),
            stacked=True,
            least=0,
        ),
        Panel(
            "timeseries",
            "Received, acknowledged, read, stored",
            "The four steps from the broker to InfluxDB; a gap between two of them is where things wait.",
            "cps",
            (
                Prom(_rate("garonne_ingest_messages_received_total"), "messages received"),
                Prom(_rate("garonne_ingest_acknowledged_total"), "messages acknowledged"),
                Prom(_rate("garonne_aggregator_events_total"), "events read"),
                Prom(_rate("garonne_aggregator_points_total"), "points stored"),
            ),
            least=0,
        ),
        Panel(
            "timeseries",
            "Events, by kind",
            "Events per second that ingest made of messages.",
            "cps",
            (Prom(_rate("garonne_ingest_events_total", "kind"), "{{kind}}"),),
            stacked=True,
            least=0,
        ),
    ]


def _stored() -> list[Panel]:
    return [
        Panel(
            "timeseries",
            "Points stored, by measurement",
            "Points per second that InfluxDB has taken.",
            "cps",
            (Prom(_rate("garonne_aggregator_points_total", "measurement"), "{{measurement}}"),),
            stacked=True,
            least=0,
        ),
        Panel(
            "timeseries",
            "Lag by topic",
            "Records that wait for the aggregator.",
            "short",
            (Prom("sum by (topic) (garonne_aggregator_lag)", "{{topic}}"),),
            thresholds=Steps("green", ((10_000, "orange"), (100_000, "red"))),
            least=0,
        ),
    ]


def _refused() -> list[Panel]:
    return [
        Panel(
            "timeseries",
            "Messages refused, by stage and reason",
            "Each keeps its bytes in garonne.rejected. A new reason is a device that was changed.",
            "mps",
            (Prom(_rate("garonne_ingest_rejected_total", "stage, reason"), "{{stage}}: {{reason}}"),),
            stacked=True,
            least=0,
        ),
        Panel(
            "timeseries",
            "Messages ignored, by rule",
            "Messages that a profile knows and leaves out on purpose.",
            "mps",
            (Prom(_rate("garonne_ingest_ignored_total", "profile, rule"), "{{profile}}: {{rule}}"),),
            stacked=True,
            least=0,
        ),
        Panel(
            "timeseries",
            "Sent again, dropped, too late, known",
            "Redeliveries after a reconnect cost time only; what is dropped came at QoS 0 and too fast.",
            "cps",
            (
                Prom(_rate("garonne_ingest_redelivered_total"), "sent again by the broker"),
                Prom(_rate("garonne_ingest_dropped_total"), "dropped (QoS 0)"),
                Prom(_rate("garonne_aggregator_too_late_total"), "too late for their minute"),
                Prom(_rate("garonne_aggregator_duplicates_total"), "known before"),
                Prom(_rate("garonne_aggregator_undecodable_total"), "no event (in garonne.rejected)"),
            ),
            least=0,
        ),
        Panel(
            "timeseries",
            "Partners that did not answer",
            "Failures per second of broker, Kafka and InfluxDB; nothing is acknowledged or committed meanwhile.",
            "cps",
            (
                Prom(_rate("garonne_ingest_connection_failures_total"), "broker"),
                Prom(_rate("garonne_ingest_connections_total"), "broker, connected again"),
                Prom(_rate("garonne_ingest_produce_failures_total"), "Kafka, for ingest"),
                Prom(_rate("garonne_aggregator_failures_total"), "Kafka or InfluxDB, for the aggregator"),
            ),
            least=0,
        ),
    ]


def _speed() -> list[Panel]:
    return [
        Panel(
            "timeseries",
            "Latency",
            "Half and nearly all of the batches: from normalised to safe in Kafka, and one write to InfluxDB.",
            "s",
            (
                Prom(_quantile("garonne_ingest_produce_seconds", 0.5), "Kafka, median"),
                Prom(_quantile("garonne_ingest_produce_seconds", 0.99), "Kafka, 99 %"),
                Prom(_quantile("garonne_aggregator_write_seconds", 0.5), "InfluxDB, median"),
                Prom(_quantile("garonne_aggregator_write_seconds", 0.99), "InfluxDB, 99 %"),
            ),
            least=0,
        ),
        Panel(
            "timeseries",
            "In flight, the oldest, the batch in hand",
            "Messages taken and not acknowledged; seconds that the oldest of them and the aggregator's batch wait.",
            "short",
            (
                Prom("sum(garonne_ingest_in_flight)", "in flight"),
                Prom("max(garonne_ingest_oldest_unacknowledged_seconds)", "oldest, seconds"),
                Prom("max(garonne_aggregator_stuck_seconds)", "aggregator's batch, seconds"),
            ),
            least=0,
        ),
        Panel(
            "timeseries",
            "Work of normalising",
            "Seconds of processor per second spent normalising; near 1, start another process.",
            "percentunit",
            (Prom(_rate("garonne_ingest_normalise_seconds_total"), "normalising"),),
            thresholds=Steps("green", ((0.7, "orange"), (0.9, "red"))),
            least=0,
        ),
        Panel(
            "timeseries",
            "Memory of the aggregator",
            "Readings kept in memory; series read back and logs read again show restarts and late messages.",
            "short",
            (
                Prom("sum(garonne_aggregator_kept_readings)", "readings kept"),
                Prom(_rate("garonne_aggregator_loaded_total"), "series read back, per second"),
                Prom(_rate("garonne_aggregator_reread_total"), "logs read again, per second"),
            ),
            least=0,
        ),
    ]


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
            Row("Now"), *_now(), Row("Flow"), *_flow(), *_stored(), Row("Refused and repeated"), *_refused(),
            Row("Speed"), *_speed(),
        ),
    )  # fmt: skip
