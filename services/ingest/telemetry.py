"""Every event and metric of ingest, in one place. Labels are bounded: profiles, rules, reasons, kinds."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict

import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as Metric

from services.ingest.normalise import Outcome
from services.ingest.ports import Delivery
from services.runtime.telemetry import Health

__all__ = ["IngestTelemetry"]


class _In(TypedDict):
    registry: CollectorRegistry


class IngestTelemetry:
    """Counts in batches, logs what an operator must know, keeps health."""

    def __init__(self, registry: CollectorRegistry | None = None, health: Health | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.health = health or Health()
        self._log = structlog.get_logger("ingest")
        at = _In(registry=self.registry)
        self.received = Metric("garonne_ingest_messages_received", "Messages taken from the broker", ["profile"], **at)
        self.events = Metric("garonne_ingest_events", "Events made of messages", ["kind"], **at)
        self.rejected = Metric("garonne_ingest_rejected", "Messages refused", ["stage", "reason"], **at)
        self.ignored = Metric("garonne_ingest_ignored", "Messages ignored by a rule", ["profile", "rule"], **at)
        self.redelivered = Metric("garonne_ingest_redelivered", "Messages that the broker marked as sent again", **at)
        self.acknowledged = Metric("garonne_ingest_acknowledged", "Messages acknowledged to the broker", **at)
        self.in_flight = Gauge("garonne_ingest_in_flight", "Messages taken and not yet acknowledged", **at)
        self.oldest = Gauge("garonne_ingest_oldest_unacknowledged_seconds", "Age of the oldest of them", **at)
        self.connected = Gauge("garonne_ingest_connected", "1 while connected to the broker", **at)
        self.connections = Metric("garonne_ingest_connections", "Connections to the broker", **at)
        self.session_lost_total = Metric("garonne_ingest_session_lost", "Sessions that the broker forgot", **at)
        self.produce_failures = Metric("garonne_ingest_produce_failures", "Batches the event log could not take", **at)
        buckets = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
        self.produce_seconds = Histogram(
            "garonne_ingest_produce_seconds", "From a batch's normalisation to its storage", buckets=buckets, **at
        )
        self.health.ready("broker", "not connected yet")
        self.health.ready("event log", "not used yet")

    def normalised(self, deliveries: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
        """Count a batch."""
        for profile, number in Counter(outcome.profile or "none" for outcome in outcomes).items():
            self.received.labels(profile).inc(number)
        kinds = Counter(event.record.kind for outcome in outcomes for event in outcome.events)
        for kind, number in kinds.items():
            self.events.labels(kind).inc(number)
        if kinds["rejected"]:
            refused = Counter((each.stage, each.reason) for o in outcomes if (each := o.rejected) is not None)
            for (stage, reason), number in refused.items():
                self.rejected.labels(stage, reason).inc(number)
        for (profile, rule), number in Counter(
            (outcome.profile or "none", outcome.ignored.rule) for outcome in outcomes if outcome.ignored is not None
        ).items():
            self.ignored.labels(profile, rule).inc(number)
        again = sum(delivery.redelivered for delivery in deliveries)
        if again:
            self.redelivered.inc(again)

    def connection_made(self, *, resumed: bool) -> None:
        """The broker accepted the connection and the subscriptions."""
        self.connected.set(1)
        self.connections.inc()
        self.health.ready("broker")
        self._log.info("connected to the broker", session_resumed=resumed)

    def connection_lost(self, reason: str, retry_in_s: float) -> None:
        """The connection ended or could not be made."""
        self.connected.set(0)
        self.health.ready("broker", reason)
        self._log.warning("not connected to the broker", reason=reason, retry_in_s=round(retry_in_s, 2))

    def session_lost(self, missing_from: datetime, missing_until: datetime) -> None:
        """The broker forgot the session: messages in between may be missing."""
        self.session_lost_total.inc()
        self._log.error(
            "the broker forgot the session: messages may be missing",
            missing_from=missing_from.isoformat(),
            missing_until=missing_until.isoformat(),
        )

    def produce_failed(self, reason: str) -> None:
        """The event log did not take a batch; it is tried again and nothing is acknowledged."""
        self.produce_failures.inc()
        self.health.ready("event log", reason)
        self._log.warning("the event log does not take the batch; trying again", reason=reason)

    def produced(self, seconds: float) -> None:
        """The event log took a batch."""
        self.produce_seconds.observe(seconds)
        self.health.ready("event log")
