"""Where the delivery contract is played: fakes, the embedded broker and log, the real servers."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as mqtt
from aiokafka import AIOKafkaConsumer, TopicPartition
from paho.mqtt.enums import CallbackAPIVersion

from schemas.envelope import TOPICS
from services.embedded.broker import EmbeddedBroker
from services.embedded.eventlog import SqliteSink
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.adapters.mqtt import MqttSource
from services.ingest.ledger import Ledger
from services.ingest.pipeline import Pipeline
from services.ingest.ports import Sink, Source
from services.ingest.profiles import Message
from services.ingest.telemetry import IngestTelemetry
from services.runtime.settings import IngestSettings, KafkaSettings, MqttSettings
from tests.fakes import Failure, FakeSink, FakeSource, Flaky, Watched, counting_normaliser
from tests.servers.running import Kafka, Mosquitto

__all__ = ["TOPIC", "Connections", "Stage", "embedded", "fakes", "playing", "publish", "real"]

TOPIC = "counting/one"


@dataclass
class Stage:
    """What a world offers a test.

    Attributes:
        source: where the messages come out.
        sink: the event log, for writing.
        publish: publishes payloads at QoS 1; returns when the broker has acknowledged them.
        values: everything that the event log holds, in its order within a partition.
        ready: returns when what is published reaches the source.
    """

    source: Source
    sink: Sink
    publish: Callable[[Sequence[bytes]], Awaitable[None]]
    values: Callable[[], Awaitable[list[bytes]]]
    ready: Callable[[], Awaitable[None]]


@dataclass
class Connections:
    """Remembers what happened to the connection, and lets a test wait for it."""

    made: list[bool] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    gaps: list[tuple[datetime, datetime]] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    dropped: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def connection_made(self, *, resumed: bool) -> None:
        """Connected and subscribed."""
        self.made.append(resumed)
        self._changed.set()

    def connection_lost(self, reason: str, retry_in_s: float) -> None:
        """Not connected."""
        del retry_in_s
        self.lost.append(reason)
        self._changed.set()

    def session_lost(self, missing_from: datetime, missing_until: datetime) -> None:
        """The broker forgot."""
        self.gaps.append((missing_from, missing_until))

    def subscriptions_refused(self, number: int, reason: str) -> None:
        """The broker does not give some filters."""
        del reason
        self.refused.append(number)

    def overflowed(self) -> None:
        """A QoS 0 message was dropped."""
        self.dropped += 1

    async def until(self, holds: Callable[["Connections"], bool], patience_s: float = 60.0) -> None:
        """Wait until something holds; never is a failure."""
        async with asyncio.timeout(patience_s):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def first(self) -> None:
        """Wait for the first connection."""
        await self.until(lambda seen: bool(seen.made))


@contextmanager
def _publisher(port: int) -> Iterator[mqtt.Client]:
    """An independent client, connected."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


async def publish(
    port: int, payloads: Sequence[bytes], *, topic: str = TOPIC, qos: int = 1, retain: bool = False
) -> None:
    """Publish with paho-mqtt and wait for the broker's acknowledgements."""

    def work() -> None:
        with _publisher(port) as client:
            for sent in [client.publish(topic, each, qos=qos, retain=retain) for each in payloads]:
                sent.wait_for_publish(60)

    await asyncio.to_thread(work)


@asynccontextmanager
async def fakes(_folder: Path) -> AsyncIterator[Stage]:
    """Everything in memory."""
    source, sink = FakeSource(), FakeSink()

    async def send(payloads: Sequence[bytes]) -> None:
        source.publish([Message(TOPIC, each, datetime.now(UTC)) for each in payloads])

    async def values() -> list[bytes]:
        return [each.value for each in sink.log]

    async def ready() -> None:
        pass

    yield Stage(source, sink, send, values, ready)


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Stage]:
    """The broker in the wheel and the event log in SQLite."""
    path, events = folder / "events.sqlite", Connections()

    async def values() -> list[bytes]:
        with closing(sqlite3.connect(path)) as connection:
            tables = [f"records_{number}" for (number,) in connection.execute("SELECT id FROM topic").fetchall()]
            return [
                value
                for table in tables
                for (value,) in connection.execute(f"SELECT value FROM {table}").fetchall()  # noqa: S608 - our own names
            ]

    with EmbeddedBroker() as broker:
        async with SqliteSink(path) as sink:
            source = MqttSource(MqttSettings(port=broker.port_v5), ("counting/+",), events)
            yield Stage(source, sink, lambda payloads: publish(broker.port_v3, payloads), values, events.first)


@asynccontextmanager
async def real(mosquitto: Mosquitto, kafka: Kafka) -> AsyncIterator[Stage]:
    """Mosquitto and Kafka; only what is written from now on counts."""
    settings, events = KafkaSettings(bootstrap=kafka.bootstrap), Connections()
    sink = KafkaSink(settings)
    await sink.start()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, enable_auto_commit=False)
    await consumer.start()
    parts = [TopicPartition(topic, part) for topic in sorted(set(TOPICS.values())) for part in range(4)]
    consumer.assign(parts)
    await consumer.seek_to_end(*parts)
    for part in parts:
        await consumer.position(part)

    async def values() -> list[bytes]:
        end = await consumer.end_offsets(parts)
        found = []
        while any([await consumer.position(part) < end[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [record.value for record in records]
        return found

    client_id = f"ingest-{datetime.now(UTC).timestamp()}"
    source = MqttSource(MqttSettings(port=mosquitto.port, client_id=client_id), ("counting/+",), events)
    try:
        yield Stage(source, sink, lambda payloads: publish(mosquitto.port, payloads), values, events.first)
    finally:
        await consumer.stop()
        await sink.close()


@asynccontextmanager
async def playing(stage: Stage, script: Iterator[Failure]) -> AsyncIterator[tuple[Watched, Flaky]]:
    """Ingest at work on a stage, with failures by script; stopped in good order at the end."""
    normaliser, stop = counting_normaliser(), asyncio.Event()
    sink = Flaky(stage.sink, script)
    async with Watched(stage.source, sink, normaliser) as source, asyncio.TaskGroup() as group:
        settings = IngestSettings(batch=32, linger_s=0.005)
        ledger = Ledger(normaliser.device("ingest:test"))
        pipeline = Pipeline(source, sink, normaliser, settings, IngestTelemetry(), ledger=ledger)
        group.create_task(pipeline.run(stop))
        try:
            await stage.ready()
            yield source, sink
        finally:
            stop.set()
