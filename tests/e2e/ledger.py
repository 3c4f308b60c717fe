"""What must be in InfluxDB and in `garonne.rejected`, computed without any server, and what is."""

import asyncio
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from pydantic_core import from_json

from schemas.codec import encode
from schemas.envelope import Event, key_of, topic_of
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import raw_point
from services.aggregator.ports import BUCKETS, FieldValue, Incoming
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.assembly import build_normaliser
from services.ingest.profiles import Message
from services.runtime.settings import AggregatorSettings, Settings, read_settings
from tests.e2e.publisher import Acknowledged
from tests.e2e.site import Site, wait_until
from tests.fakes_aggregator import MemoryLog, MemoryStore

__all__ = [
    "Expected",
    "Identity",
    "Ledger",
    "energy_ids",
    "expected",
    "rejected_in",
    "settle",
    "stored_in",
    "until_committed",
    "values_of",
]

_ALWAYS = frozenset({"meter", "energy", "traffic", "checkpoint"})


class Identity(NamedTuple):
    """What makes a point one point."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    time_ns: int


Points = dict[Identity, dict[str, FieldValue]]


@dataclass(frozen=True)
class Expected:
    """Attributes: points by identity; refused payloads as they are sealed; messages; copies that devices sent."""

    points: Points
    refused: frozenset[bytes]
    messages: int
    copies: int
    vehicles: int


class Ledger(NamedTuple):
    """The account of a run."""

    sent: int
    stored: int
    vehicles: int
    rejected: int
    copies: int
    lost: list[Identity]
    double: list[Identity]
    wrong: list[Identity]
    windows: int

    def __str__(self) -> str:
        return (
            f"sent {self.sent} = stored {self.stored} + vehicles {self.vehicles} + rejected {self.rejected} "
            f"+ sent twice by the device {self.copies}; windows {self.windows}; "
            f"lost {len(self.lost)}, double {len(self.double)}, wrong {len(self.wrong)}"
        )


def expected(configuration: Path, messages: Sequence[Acknowledged]) -> Expected:
    """An uninterrupted computation of everything that was acknowledged, in the order in which it was."""
    settings = read_settings(configuration)
    normaliser, _ = build_normaliser(settings)
    outcomes = [normaliser(Message(*sent, at)) for sent, at in messages]
    events = [event for outcome in outcomes for event in outcome.events]
    refused = [outcome.rejected.sealed for outcome in outcomes if outcome.rejected is not None]
    log = [_incoming(event, offset) for offset, event in enumerate(events) if event.record.kind != "rejected"]
    store = asyncio.run(_computed(settings, log))
    points = {
        Identity(measurement, tags, time_ns): fields
        for (measurement, tags), rows in store.content.items()
        for time_ns, fields in rows.items()
    }
    raw = {point[:2] + point[3:] for event in events if (point := raw_point(event)) is not None}
    assert raw == {identity for identity in points if identity.measurement in {"meter", "device"}}
    kinds = Counter(event.record.kind for event in {event.id: event for event in events}.values())
    return Expected(
        points=points,
        refused=frozenset(refused),
        messages=len(messages),
        copies=len(messages) - len({message.sent for message in messages}),
        vehicles=kinds["vehicle_state"],
    )


def _incoming(event: Event, offset: int) -> Incoming:
    received_ms = int(event.record.received_at.timestamp() * 1000)
    return Incoming(topic_of(event.record), 0, offset, key_of(event.record).encode(), encode(event), received_ms)


async def _computed(settings: Settings, log: Iterable[Incoming]) -> MemoryStore:
    memory, store = MemoryLog(log), MemoryStore()
    sealing = Sealing(lambda _topic, content: content, "d_0000000000000000")
    telemetry = AggregatorTelemetry()
    pipeline = Pipeline(memory, store, sealing, AggregatorSettings(), ZoneInfo(settings.timezone), telemetry)
    while batch := await memory.poll(5000, 0):
        await pipeline.store(batch)
    assert memory.rejected == []
    return store


def stored_in(site: Site, measurements: Iterable[str] = _ALWAYS) -> Points:
    """Everything that InfluxDB holds, read by its HTTP API alone."""
    found: Points = {}
    for measurement in measurements:
        bucket = f"garonne_{BUCKETS[measurement]}"
        for name, tags in _series(site, measurement, bucket):
            where = " AND ".join(f"\"{key}\" = '{value}'" for key, value in tags)
            for row in site.influx.query(f'SELECT * FROM "{name}" WHERE {where}', bucket):  # noqa: S608 - our own names
                fields = {key: value for key, value in row.items() if value is not None and key not in dict(tags)}
                found[Identity(name, tags, fields.pop("time"))] = fields
    return found


def _series(site: Site, measurement: str, bucket: str) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Names and tags of the series of a measurement."""
    keys = [row["key"] for row in site.influx.query(f'SHOW SERIES FROM "{measurement}"', bucket)]
    return [
        (name, tuple(sorted((key, value) for key, _, value in (tag.partition("=") for tag in tags))))
        for name, *tags in (key.split(",") for key in keys)
    ]


def settle(site: Site, wanted: Expected) -> Ledger:
    """Compare; the caller has waited until nothing is on its way any more."""
    stored = stored_in(site, _ALWAYS | {each.measurement for each in wanted.points})
    missing = [identity for identity in wanted.points if identity not in stored]
    more = [identity for identity in stored if identity not in wanted.points]
    wrong = [
        identity for identity, fields in wanted.points.items() if identity in stored and stored[identity] != fields
    ]
    refused = rejected_in(site)
    meters = [identity for identity in stored if identity.measurement == "meter"]
    samples = [row["samples"] for identity, row in stored.items() if identity.measurement == "traffic"]
    return Ledger(
        sent=wanted.messages,
        stored=len(meters),
        vehicles=int(sum(float(each) for each in samples)),
        rejected=len(refused & wanted.refused),
        copies=wanted.copies,
        lost=missing,
        double=more,
        wrong=wrong,
        windows=len(stored) - len(meters),
    )


def until_committed(site: Site, patience_s: float = 90.0) -> None:
    """Wait until the group has committed everything in its topics, as Kafka itself says; a gauge may be of before.

    Raises:
        TimeoutError: it has not.
    """
    wait_until(lambda: asyncio.run(_uncommitted(site.kafka.bootstrap)) == 0, "all of the log is committed", patience_s)


async def _uncommitted(bootstrap: str, group: str = "garonne-aggregator") -> int:
    consumer, admin = AIOKafkaConsumer(bootstrap_servers=bootstrap), AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await consumer.start()
    await admin.start()
    try:
        topics = ("garonne.energy", "garonne.mobility", "garonne.citizen", "garonne.status")
        parts = [TopicPartition(topic, part) for topic in topics for part in range(4)]
        end = await consumer.end_offsets(parts)
        try:
            committed = await admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:  # a new Kafka, and no member has joined yet
            return -1
        return sum(end[part] - max(0, committed[part].offset if part in committed else 0) for part in parts)
    finally:
        await admin.close()
        await consumer.stop()


def rejected_in(site: Site) -> frozenset[bytes]:
    """What is sealed in `garonne.rejected`; the same bytes once, however often they came."""
    values = values_of(site.kafka.bootstrap, "garonne.rejected")
    return frozenset(b64decode(from_json(value)["data"]["sealed"]) for value in values)


def energy_ids(site: Site) -> set[str]:
    """The events about energy that Kafka holds, each once."""
    return {from_json(value)["id"] for value in values_of(site.kafka.bootstrap, "garonne.energy")}


def values_of(bootstrap: str, topic: str) -> list[bytes]:
    """Everything in a topic."""
    return asyncio.run(_values(bootstrap, topic))


async def _values(bootstrap: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = [TopicPartition(topic, part) for part in sorted(await consumer._client._wait_on_metadata(topic))]
        consumer.assign(parts)
        end = await consumer.end_offsets(parts)
        found: list[bytes] = []
        while any([await consumer.position(part) < end[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [record.value for record in records]
        return found
    finally:
        await consumer.stop()
