"""Every event and metric of the aggregator, in one place."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TypedDict

import structlog
from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as Metric

from schemas.envelope import Event
from services.aggregator.ports import LogUnavailable, Partition, Refusal, Unavailable
from services.runtime.telemetry import Health

__all__ = ["AggregatorTelemetry"]

_LOG = "event log"
_STORE = "time series"
_REMEMBERED = 32_768


class _In(TypedDict):
    registry: CollectorRegistry


class _Recent:
    """The ids of the last events: a redelivery comes soon after what it repeats."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def known(self, ids: Sequence[str]) -> int:
        """How many of these were there already, or come twice among them; remembers them."""
        new = dict.fromkeys(ids)
        fresh = [each for each in new if each not in self._ids]
        self._ids.update(dict.fromkeys(fresh))
        for each in list(islice(self._ids, max(0, len(self._ids) - _REMEMBERED))):
            del self._ids[each]
        return len(ids) - len(fresh)


class AggregatorTelemetry:
    """Counts in batches, logs what an operator must know, keeps health."""

    def __init__(self, registry: CollectorRegistry | None = None, health: Health | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self.health = health or Health()
        self._log = structlog.get_logger("aggregator")
        at = _In(registry=self.registry)
        self.events = Metric("garonne_aggregator_events", "Events read from the log", ["kind"], **at)
        self.points = Metric("garonne_aggregator_points", "Points stored", ["measurement"], **at)
        self.refused = Metric("garonne_aggregator_refused", "Points refused for good", ["reason"], **at)
        self.undecodable = Metric("garonne_aggregator_undecodable", "Records that are no event", **at)
        self.duplicates = Metric("garonne_aggregator_duplicates", "Events read twice within a short while", **at)
        self.too_late = Metric("garonne_aggregator_too_late", "Vehicle messages too late for their minute", **at)
        self.reread = Metric("garonne_aggregator_reread", "Times that the log was read again for late messages", **at)
        self.loaded = Metric("garonne_aggregator_loaded", "Series read back from the raw bucket", **at)
        self.lag = Gauge("garonne_aggregator_lag", "Records that wait", ["topic", "partition"], **at)
        self.stuck = Gauge("garonne_aggregator_stuck_seconds", "Since the batch in hand was asked for", **at)
        self.kept = Gauge("garonne_aggregator_kept_readings", "Readings kept in memory", **at)
        self.failures = Metric("garonne_aggregator_failures", "Times a partner did not answer", ["partner"], **at)
        buckets = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
        self.write_seconds = Histogram("garonne_aggregator_write_seconds", "Storing a batch", buckets=buckets, **at)
        self.health.ready(_LOG, "not asked yet")
        self.health.ready(_STORE, "not asked yet")
        self._silent: set[str] = set()
        self._recent = _Recent()

    def read(self, records: int, events: Sequence[Event]) -> None:
        """A batch was read and stored: so many records, and the events that they were."""
        self._answers(_LOG)
        for kind, number in Counter([event.record.kind for event in events]).items():
            self.events.labels(kind).inc(number)
        self.undecodable.inc(records - len(events))
        self.duplicates.inc(self._recent.known([event.id for event in events]))

    def wrote(self, measurements: Counter[str], refusals: Sequence[Refusal], seconds: float) -> None:
        """Points were stored, some refused."""
        self.store_ready()
        self.write_seconds.observe(seconds)
        for measurement, number in measurements.items():
            self.points.labels(measurement).inc(number)
        for reason, number in Counter(refusal.reason for refusal in refusals).items():
            self.refused.labels(reason).inc(number)
            self._log.error("points refused for good; they are in garonne.rejected", reason=reason, number=number)

    def unavailable(self, fault: Unavailable) -> None:
        """A partner does not answer; the batch is tried again and nothing is committed. Logged once until it does."""
        partner = _LOG if isinstance(fault, LogUnavailable) else _STORE
        self.failures.labels(partner).inc()
        self.health.ready(partner, str(fault))
        if partner not in self._silent:
            self._silent.add(partner)
            self._log.warning("no answer; trying again, nothing is committed", partner=partner, reason=str(fault))

    def store_ready(self) -> None:
        """The time series answers."""
        self._answers(_STORE)

    def _answers(self, partner: str) -> None:
        self.health.ready(partner)
        if partner in self._silent:
            self._silent.discard(partner)
            self._log.info("answers again", partner=partner)

    def lagging(self, lag: Mapping[Partition, int]) -> None:
        """How many records wait, in the partitions that are ours now."""
        self._answers(_LOG)
        self.lag.clear()
        for (topic, partition), number in lag.items():
            self.lag.labels(topic, partition).set(number)
