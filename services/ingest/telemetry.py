"""Every event and metric of ingest, in one place. Labels are bounded: profiles, rules, reasons, kinds, roots of topics.

Metrics are counted once per batch, nothing is logged per message, and no line holds a topic, a payload or an
identifier.
"""

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

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


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
        self.rejected = Metric("garonne_ingest_rejected", "Messages refused", ["profile", "stage", "reason"], **at)
        self.ignored = Metric("garonne_ingest_ignored", "Messages ignored by a rule", ["profile", "rule"], **at)
        self.topics = Metric(
            "garonne_ingest_topic_messages",
            "Messages by the first level of their topic, and what became of them",
            ["topic", "result"],
            **at,
        )
        self.redelivered = Metric("garonne_ingest_redelivered", "Messages that the broker marked as sent again", **at)
        self.dropped = Metric("garonne_ingest_dropped", "QoS 0 messages that came too fast to be taken", **at)
        self.acknowledged = Metric("garonne_ingest_acknowledged", "Messages acknowledged to the broker", **at)
        self.normalise_seconds = Metric("garonne_ingest_normalise_seconds", "Time spent normalising", **at)
        self.flagged = Metric("garonne_ingest_flagged", "Records with a quality flag", ["flag"], **at)
        self.leaps = Gauge(
            "garonne_ingest_leap_seconds_corrected", "Messages dated later, as their sender forgets leap seconds", **at
        )
        self.in_flight = Gauge("garonne_ingest_in_flight", "Messages taken and not yet acknowledged", **at)
        self.oldest = Gauge("garonne_ingest_oldest_unacknowledged_seconds", "Age of the oldest of them", **at)
        self.connected = Gauge("garonne_ingest_connected", "1 while connected to the broker", **at)
        self.connections = Metric("garonne_ingest_connections", "Connections made to the broker", **at)
        self.connection_failures = Metric("garonne_ingest_connection_failures", "Connections lost or refused", **at)
        self.session_lost_total = Metric("garonne_ingest_session_lost", "Sessions that the broker forgot", **at)
        self.produce_failures = Metric("garonne_ingest_produce_failures", "Batches the event log could not take", **at)
        self.produce_seconds = Histogram(
            "garonne_ingest_produce_seconds", "From a batch's normalisation to its storage", buckets=_BUCKETS_S, **at
        )
        self.reloads = Metric(
            "garonne_ingest_configuration_reloads",
            "Configurations read anew, and what became of them",
            ["result"],
            **at,
        )
        self.health.ready("broker", "not connected yet")
        self._log_works = True
        self._roots: frozenset[str] = frozenset()

    def expect(self, filters: Sequence[str]) -> None:
        """Topics are counted by the first levels that these filters name; all others together as `other`."""
        self._roots = frozenset(each.partition("/")[0] for each in filters) - {"", "+", "#"}

    def normalised(self, deliveries: Sequence[Delivery], outcomes: Sequence[Outcome], spent_s: float) -> None:
        """Count a batch, and the seconds that normalising it took."""
        self.normalise_seconds.inc(spent_s)
        for profile, number in Counter([outcome.profile or "none" for outcome in outcomes]).items():
            self.received.labels(profile).inc(number)
        kinds = Counter([event.record.kind for outcome in outcomes for event in outcome.events])
        for kind, number in kinds.items():
            self.events.labels(kind).inc(number)
        flags = Counter([flag for outcome in outcomes for event in outcome.events for flag in event.record.flags])
        for flag, number in flags.items():
            self.flagged.labels(flag).inc(number)
        if kinds["rejected"]:
            refused = Counter(
                (o.profile or "none", each.stage, each.reason) for o in outcomes if (each := o.rejected) is not None
            )
            for (profile, stage, reason), number in refused.items():
                self.rejected.labels(profile, stage, reason).inc(number)
        for (profile, rule), number in Counter(
            [(outcome.profile or "none", outcome.ignored.rule) for outcome in outcomes if outcome.ignored is not None]
        ).items():
            self.ignored.labels(profile, rule).inc(number)
        self._count_topics(deliveries, outcomes)
        if again := sum([delivery.redelivered for delivery in deliveries]):
            self.redelivered.inc(again)

    def _count_topics(self, deliveries: Sequence[Delivery], outcomes: Sequence[Outcome]) -> None:
        roots = [delivery.message.topic.partition("/")[0] for delivery in deliveries]
        for (root, result), number in Counter(zip(roots, [each.result for each in outcomes], strict=True)).items():
            self.topics.labels(root if root in self._roots else "other", result).inc(number)

    def events_made(self) -> int:
        """Events made of messages since the start, refusals included."""
        samples = [each for metric in self.events.collect() for each in metric.samples]
        return int(sum(each.value for each in samples if each.name.endswith("_total")))

    def connection_made(self, *, resumed: bool) -> None:
        """The broker accepted the connection and the subscriptions."""
        self.connected.set(1)
        self.connections.inc()
        self.health.ready("broker")
        self._log.info("connected to the broker", session_resumed=resumed)

    def connection_lost(self, reason: str, retry_in_s: float) -> None:
        """The connection ended or could not be made."""
        self.connected.set(0)
        self.connection_failures.inc()
        self.health.ready("broker", reason)
        self._log.warning("not connected to the broker", reason=reason, retry_in_s=round(retry_in_s, 2))

    def session_lost(self, missing_from: datetime, missing_until: datetime) -> None:
        """The broker forgot the session: messages in between may be missing. Told, but nothing is broken now."""
        self.session_lost_total.inc()
        self.health.note("session", f"messages may be missing from {missing_from:%F %T} to {missing_until:%F %T} UTC")
        self._log.error(
            "the broker forgot the session: messages may be missing; does it keep sessions over its restarts?",
            missing_from=missing_from.isoformat(),
            missing_until=missing_until.isoformat(),
        )

    def subscriptions_refused(self, number: int, reason: str) -> None:
        """The broker does not give some topic filters at QoS 1; 0 if it gives all."""
        if not number:
            self.health.ready("subscriptions")
            return
        text = f"the broker refuses {number} topic filters ({reason}); look at its ACL"
        self.health.ready("subscriptions", text)
        self._log.error("subscriptions refused", number=number, reason=reason)

    def consent_read(self) -> None:
        """The consent file was read, and holds from now on."""
        self.health.ready("consent file")
        self._log.info("the consent file was read: it holds from now on")

    def consent_faulty(self) -> None:
        """The consent file changed and cannot be read. What it said before holds; the log names no household."""
        self.health.ready("consent file", "it cannot be read, what it said before holds: run `garonne check`")
        self._log.error("the consent file cannot be read, what it said before holds: run `garonne check`")

    def configuration_read(self, at_next_start: Sequence[str]) -> None:
        """The configuration was read anew, and holds from now on, but for the keys of `at_next_start`."""
        self.reloads.labels("taken").inc()
        self.health.ready("configuration")
        self._log.info("the configuration was read: it holds from now on", at_next_start=list(at_next_start))

    def configuration_faulty(self, what: str) -> None:
        """The configuration was read anew and is wrong. What it said before holds; the log names no household."""
        self.reloads.labels("refused").inc()
        self.health.ready("configuration", f"{what}, what it said before holds: run `garonne check`")
        self._log.error("the new configuration is wrong, what it said before holds: run `garonne check`", what=what)

    def overflowed(self) -> None:
        """A QoS 0 message came faster than it could be taken."""
        self.dropped.inc()

    def produce_failed(self, reason: str) -> None:
        """The event log did not take a batch; it is tried again and nothing is acknowledged."""
        self.produce_failures.inc()
        self.health.ready("event log", reason)
        if self._log_works:
            self._log_works = False
            self._log.warning("the event log takes nothing; trying again, nothing is acknowledged", reason=reason)

    def produced(self, seconds: float) -> None:
        """The event log took a batch."""
        self.produce_seconds.observe(seconds)
        self.log_ready()

    def log_ready(self) -> None:
        """The event log answers."""
        self.health.ready("event log")
        if not self._log_works:
            self._log_works = True
            self._log.info("the event log takes batches again")
