"""The event log on Kafka: a member of a group that commits only what the aggregator says is stored.

Why these times: the heartbeat runs in the same event loop as the aggregator's batches, so a long batch stops it.
With 45 s (the default of Kafka's own clients) no batch gets us evicted; 10 minutes between polls leave room for an
outage of InfluxDB; and a rebalance waits a minute for members to finish what they hold.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.helpers import create_ssl_context

from services.aggregator.ports import Incoming, Partition, Unavailable
from services.runtime.settings import KafkaSettings

__all__ = ["KafkaLog"]

_TOPICS: Final = ("garonne.energy", "garonne.mobility", "garonne.citizen", "garonne.status")
_REJECTED: Final = "garonne.rejected"
_SESSION_MS: Final = 45_000
_HEARTBEAT_MS: Final = 3_000
_BETWEEN_POLLS_MS: Final = 600_000
_REBALANCE_MS: Final = 60_000
_CLOSING_S: Final = 5.0
_PAGE: Final = 5000
_FAULTS: Final = (KafkaError, ConsumerStoppedError, TimeoutError, OSError)


class KafkaLog:
    """Reads as a member of the group `settings.group`; the port `Log`.

    No offset is delivered twice to one `KafkaLog` unless its partition was reported by `lost()` in between: after a
    rebalance, Kafka would begin again at the committed offset, and the aggregator still holds what lies behind it.

    Args:
        settings: Address, group, security.
        topics: What to read; they must exist, or be made by the broker.
    """

    def __init__(self, settings: KafkaSettings, *, topics: Sequence[str] = _TOPICS):
        self._settings = settings
        self._topics = tuple(topics)
        self._consumer: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._next: dict[TopicPartition, int] = {}
        self._unchecked: set[TopicPartition] = set()
        self._lost: set[TopicPartition] = set()
        self._held: list[Incoming] = []

    async def __aenter__(self) -> Self:
        """Connects when it is first needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the group."""
        await self.close()

    async def close(self) -> None:
        """Leave the group and disconnect; safe to call twice."""
        await self._discard_consumer()
        await self._discard_producer()

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        """The next records; empty after `timeout_s` without any, or when partitions were lost: ask `lost()` then.

        Raises:
            Unavailable: Kafka does not answer; the next call connects anew.
        """
        if self._held and not self._lost:
            held, self._held = self._held, []
            return held
        consumer = await self._ready()
        try:
            found = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=limit)
        except _FAULTS as fault:
            await self._discard_consumer()
            raise self._unavailable(fault) from fault
        records = [each for partition, batch in found.items() for each in self._new(partition, batch)]
        if self._lost:
            # What was kept of lost partitions must be forgotten before anything of them is used.
            self._held += records
            return []
        return records

    def _new(self, partition: TopicPartition, batch: Sequence[Any]) -> list[Incoming]:
        """What was not delivered before; notices whether somebody else went on in this partition meanwhile."""
        known = self._next.get(partition)
        if known is not None and partition in self._unchecked and batch[0].offset > known:
            self._lost.add(partition)
        self._unchecked.discard(partition)
        records = [
            Incoming(each.topic, each.partition, each.offset, each.key or b"", each.value or b"", each.timestamp)
            for each in batch
            if known is None or each.offset >= known
        ]
        if records:
            self._next[partition] = records[-1].offset + 1
        return records

    def lost(self) -> frozenset[Partition]:
        """Partitions that another member took over since the last call, also if they are ours again."""
        gone = frozenset((each.topic, each.partition) for each in self._lost)
        self._lost.clear()
        return gone

    def assigned(self, partitions: set[TopicPartition]) -> None:
        """Take note of a new assignment; called by aiokafka's listener."""
        for partition in set(self._next) - partitions:
            self._lost.add(partition)
            del self._next[partition]
        self._held = [each for each in self._held if TopicPartition(each.topic, each.partition) in partitions]
        self._unchecked = set(partitions)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Say that everything before these offsets is stored; those of lost partitions are left to their new owner.

        Raises:
            Unavailable: Kafka does not answer; nothing is lost, the records will be read again.
        """
        if self._consumer is None:
            return
        ours = self._consumer.assignment()
        offsets = {TopicPartition(*each): offset for each, offset in positions.items() if TopicPartition(*each) in ours}
        if not offsets:
            return
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                await self._consumer.commit(offsets)
        except (CommitFailedError, IllegalStateError):
            return  # taken over while we worked: the new owner stores the same points again
        except _FAULTS as fault:
            await self._discard_consumer()
            raise self._unavailable(fault) from fault

    async def since(
        self, partition: Partition, timestamp_ms: int, until_offset: int
    ) -> AsyncIterator[Sequence[Incoming]]:
        """Read again from the first record received at or after `timestamp_ms`, up to (not with) `until_offset`.

        Reads on a connection of its own, outside of the group.

        Raises:
            Unavailable: Kafka does not answer; what was yielded stands.
        """
        place = TopicPartition(*partition)
        consumer = AIOKafkaConsumer(**_connection(self._settings), enable_auto_commit=False, auto_offset_reset="none")
        try:
            await self._start(consumer)
            consumer.assign([place])
            found = (await consumer.offsets_for_times({place: timestamp_ms})).get(place)
            if found is None:
                return
            end = min(until_offset, (await consumer.end_offsets([place]))[place])
            consumer.seek(place, found.offset)
            while await consumer.position(place) < end:
                batch = (await consumer.getmany(place, timeout_ms=1000, max_records=_PAGE)).get(place, ())
                records = [
                    Incoming(
                        each.topic, each.partition, each.offset, each.key or b"", each.value or b"", each.timestamp
                    )
                    for each in batch
                    if each.offset < end
                ]
                if records:
                    yield records
        except _FAULTS as fault:
            raise self._unavailable(fault) from fault
        finally:
            with suppress(*_FAULTS):
                await consumer.stop()

    async def lag(self) -> Mapping[Partition, int]:
        """Records that are not committed, by assigned partition.

        Raises:
            Unavailable: Kafka does not answer.
        """
        consumer = await self._ready()
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                ours = sorted(consumer.assignment())
                first, end = await consumer.beginning_offsets(ours), await consumer.end_offsets(ours)
                stored = {each: await consumer.committed(each) for each in ours}
        except IllegalStateError:
            return {}  # a rebalance came in between
        except _FAULTS as fault:
            raise self._unavailable(fault) from fault
        return {
            (each.topic, each.partition): max(0, end[each] - (first[each] if stored[each] is None else stored[each]))
            for each in ours
        }

    async def reject(self, key: bytes, value: bytes, timestamp_ms: int) -> None:
        """Append an event to `garonne.rejected`; every in-sync replica has it on return.

        Raises:
            Unavailable: not certain that it is stored; once more is right, the event carries its identity.
        """
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                if self._producer is None:
                    producer = AIOKafkaProducer(**_connection(self._settings), enable_idempotence=True, acks="all")
                    self._producer = producer
                    await producer.start()
                await self._producer.send_and_wait(_REJECTED, value, key, timestamp_ms=timestamp_ms)
        except (*_FAULTS, AssertionError) as fault:
            await self._discard_producer()
            raise self._unavailable(fault) from fault

    async def _ready(self) -> AIOKafkaConsumer:
        if self._consumer is not None:
            return self._consumer
        consumer = AIOKafkaConsumer(
            **_connection(self._settings),
            group_id=self._settings.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            max_poll_interval_ms=_BETWEEN_POLLS_MS,
            rebalance_timeout_ms=_REBALANCE_MS,
        )
        consumer.subscribe(self._topics, listener=_Listener(self))
        self._consumer = consumer
        try:
            await self._start(consumer)
        except _FAULTS as fault:
            await self._discard_consumer()
            raise self._unavailable(fault) from fault
        return consumer

    async def _start(self, consumer: AIOKafkaConsumer) -> None:
        async with asyncio.timeout(self._settings.delivery_timeout_s):
            await consumer.start()

    async def _discard_consumer(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(*_FAULTS):
                await asyncio.wait_for(consumer.stop(), _CLOSING_S)

    async def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Its batches never expire: without a bound it would wait for Kafka.
            with suppress(*_FAULTS):
                await asyncio.wait_for(producer.stop(), _CLOSING_S)

    def _unavailable(self, fault: BaseException) -> Unavailable:
        where = self._settings.bootstrap
        return Unavailable(f"Kafka at {where}: {str(fault) or type(fault).__name__}; is it running, is it reachable?")


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """Tells the log of new assignments. The eager protocol revokes all first, so only the new set says what is lost."""

    def __init__(self, log: KafkaLog):
        self._log = log

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for `on_partitions_assigned`: most come back."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Compare with what was read so far."""
        self._log.assigned(set(assigned))


def _connection(settings: KafkaSettings) -> dict[str, Any]:
    """Address, TLS and SASL, as every aiokafka client takes them."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol != "PLAINTEXT":
        options["ssl_context"] = create_ssl_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    if settings.security_protocol == "SASL_SSL":
        options["sasl_mechanism"] = "SCRAM-SHA-512"
        options["sasl_plain_username"] = settings.username
        if settings.password_file is not None:
            options["sasl_plain_password"] = settings.password_file.read_text("utf-8").strip()
    return options
