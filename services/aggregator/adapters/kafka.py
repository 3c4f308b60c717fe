"""The event log on Kafka: a member of a group that commits only what the aggregator says is stored.

Why these times: the heartbeat runs in the same event loop as the aggregator's batches, so a long batch stops it.
With 45 s (`kafka.session_timeout_s`, the default of Kafka's own clients) no batch gets us evicted; 10 minutes between
polls leave room for an outage of InfluxDB; and a rebalance waits for members to store what they hold, for 40 s of the
minute that Kafka gives them: else the old owner of a partition could write windows over those of the new one, which
knows more.

Joining is not waited for: it takes until the group has noticed that a member died. Nor is a member that Kafka does not
answer thrown away before its session is over: the new one would wait for the old one's end.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError

from services.aggregator.adapters.kafka_close import close, finish
from services.aggregator.adapters.kafka_lease import Lease
from services.aggregator.adapters.kafka_reread import read_again
from services.aggregator.ports import Incoming, LogUnavailable, Partition
from services.runtime.kafka import RECORD_BYTES, connection_options, ensure_topics
from services.runtime.settings import KafkaSettings

__all__ = ["KafkaLog"]

_TOPICS: Final = ("garonne.energy", "garonne.mobility", "garonne.citizen", "garonne.status")
_REJECTED: Final = "garonne.rejected"
_HEARTBEATS: Final = 15
"""Heartbeats in the time after which Kafka gives us up."""
_BETWEEN_POLLS_MS: Final = 600_000
_REBALANCE_MS: Final = 60_000
_HOLD_S: Final = 40.0
_REBALANCE_LOOK_S: Final = 1.0
_QUESTIONS: Final = 3
"""Of a process that stands still again and again while it waits for the answer."""
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
        self._owed: dict[TopicPartition, int] = {}
        self._connected = False
        self._failing_since: float | None = None
        self._empty_handed = asyncio.Event()
        self._empty_handed.set()
        self._rebalancing = False
        self._joining = False
        self._named: str | None = None
        self._lease = Lease(settings.session_timeout_s)

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
        self._empty_handed.set()
        await self._discard_consumer()
        await self._discard_producer()

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        """The next records; empty after `timeout_s` without any, or when partitions were lost: ask `lost()` then.

        Raises:
            Unavailable: Kafka does not answer; the next call connects anew.
        """
        self._empty_handed.set()
        if self._held and not self._lost and not self._rebalancing:
            held, self._held = self._held, []
            self._empty_handed.clear()
            return held
        consumer = await self._ready()
        found: dict[TopicPartition, list[Any]] = {}
        try:
            await self._settle(consumer)
            # Without a bound it waits for the end of a rebalance.
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s + _REBALANCE_LOOK_S):
                    found = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=limit)
        except _FAULTS as fault:
            raise await self._failed(fault) from fault
        records = [each for partition, batch in found.items() for each in self._new(partition, batch)]
        if self._lost:
            # What was kept of lost partitions must be forgotten before anything of them is used.
            self._held += records
            return []
        if records:
            self._empty_handed.clear()
        return records

    def _new(self, partition: TopicPartition, batch: Sequence[Any]) -> list[Incoming]:
        """What was not delivered before; notices whether somebody else went on in this partition meanwhile."""
        known = self._next.get(partition)
        if known is not None and partition in self._unchecked and batch[0].offset > known:
            self._lost.add(partition)
            self._owed.pop(partition, None)
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

    async def revoked(self) -> None:
        """Wait until what was delivered is committed; called by aiokafka's listener before it joins again."""
        self._rebalancing = True
        with suppress(TimeoutError):
            async with asyncio.timeout(_HOLD_S):
                await self._empty_handed.wait()
        self._joining = True
        self._lease.end()

    def assigned(self, partitions: set[TopicPartition]) -> None:
        """Take note of a new assignment; called by aiokafka's listener.

        A member that was taken out of the group has another name in it now, and nothing that it knows is certain.
        """
        self._rebalancing = self._joining = False
        name = self._name_in_group()
        expelled = self._named is not None and name != self._named
        self._named = name
        kept = set() if expelled else partitions
        for partition in set(self._next) - kept:
            self._lost.add(partition)
            self._owed.pop(partition, None)
            del self._next[partition]
        self._held = [each for each in self._held if TopicPartition(each.topic, each.partition) in kept]
        self._unchecked = set(partitions)

    def _name_in_group(self) -> str | None:
        coordinator = getattr(self._consumer, "_coordinator", None)
        return getattr(coordinator, "member_id", None)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Say that everything before these offsets is stored; those of lost partitions are left to their new owner.

        What cannot be said while the group is rebalancing, or the connection made anew, is said by a later `poll`.

        Raises:
            Unavailable: Kafka does not answer; nothing is lost, the records will be read again.
        """
        self._owed.update({TopicPartition(*each): offset for each, offset in positions.items()})
        if self._consumer is None:
            return
        try:
            await self._settle(self._consumer)
        except _FAULTS as fault:
            raise await self._failed(fault) from fault
        self._empty_handed.set()

    async def holds(self, starts: Mapping[Partition, int]) -> bool:
        """Whether a batch that begins at these offsets is still ours. The group is asked when its last answer is old.

        Nothing is waited for between the last look at the clock and the return.

        Raises:
            Unavailable: Kafka does not answer, or too late each time.
        """
        for _ in range(_QUESTIONS):
            if self._lease.valid:
                return not self._lost & {TopicPartition(*each) for each in starts}
            asked_s = self._lease.now_s()
            if not await self._ask(starts):
                return False
            self._lease.grant(asked_s)
        if self._lease.valid:
            return not self._lost & {TopicPartition(*each) for each in starts}
        raise self._unavailable(TimeoutError("its answers come too late to be good for anything"))

    async def _ask(self, starts: Mapping[Partition, int]) -> bool:
        """Commit where the batch begins: the group takes that of a member alone.

        It connects if need be, for nobody polls meanwhile.
        """
        consumer = await self._ready()
        places = {TopicPartition(*each): offset for each, offset in starts.items()}
        if self._joining or self._lost & places.keys():
            return False
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                beyond = [each for each, start in places.items() if (await consumer.committed(each) or 0) > start]
                self._lost.update(beyond)
                for each in beyond:  # another went on there: it is read again from where that one is
                    self._next.pop(each, None)
                if beyond or not places.keys() <= consumer.assignment():
                    return False
                await consumer.commit(places)
        except (CommitFailedError, IllegalStateError):
            return False
        except _FAULTS as fault:
            raise await self._failed(fault) from fault
        return not self._joining

    async def _settle(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what is owed for partitions that are ours; never back behind what another member committed."""
        offsets = {each: offset for each, offset in self._owed.items() if each in consumer.assignment()}
        if not offsets:
            return
        # Taken over while we worked: the new owner stores the same points again, or we are told to commit later.
        with suppress(CommitFailedError, IllegalStateError):
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                for each in self._unchecked & set(offsets):
                    if (await consumer.committed(each) or 0) > offsets[each]:
                        del offsets[each], self._owed[each]
                asked_s = self._lease.now_s()
                if offsets:  # aiokafka takes no empty commit
                    await consumer.commit(offsets)
            if offsets and not self._joining:
                self._lease.grant(asked_s)
            self._failing_since = None
            self._owed = {each: offset for each, offset in self._owed.items() if offsets.get(each) != offset}

    async def since(
        self, partition: Partition, timestamp_ms: int, until_offset: int, from_offset: int = 0
    ) -> AsyncIterator[Sequence[Incoming]]:
        """Read again from the first record received at or after `timestamp_ms`, up to (not with) `until_offset`.

        What lies before `from_offset` is left out. Reads on a connection of its own, outside of the group.

        Raises:
            Unavailable: Kafka does not answer; what was yielded stands.
        """
        try:
            async for records in read_again(self._settings, partition, timestamp_ms, until_offset, from_offset):
                yield records
        except _FAULTS as fault:
            raise self._unavailable(fault) from fault

    async def lag(self) -> Mapping[Partition, int]:
        """Records that are not committed, by assigned partition.

        May be called while another task polls or commits; it is `poll` that connects.

        Raises:
            Unavailable: Kafka does not answer.
        """
        consumer = self._consumer
        if consumer is None or not self._connected:
            raise self._unavailable(ConnectionError("not connected"))
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                ours = sorted(consumer.assignment())
                if not ours:
                    await consumer.topics()  # only to hear an answer
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
                    producer = AIOKafkaProducer(
                        **connection_options(self._settings),
                        enable_idempotence=True,
                        acks="all",
                        max_request_size=RECORD_BYTES,
                    )
                    self._producer = producer
                    await producer.start()
                await self._producer.send_and_wait(_REJECTED, value, key, timestamp_ms=timestamp_ms)
        except (*_FAULTS, AssertionError) as fault:
            await self._discard_producer()
            raise self._unavailable(fault) from fault

    async def _ready(self) -> AIOKafkaConsumer:
        if self._consumer is not None:
            return self._consumer
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                options = connection_options(self._settings)
                await ensure_topics(self._settings, (*self._topics, _REJECTED))
                self._consumer = self._member(options)
                await self._consumer.start()
        except _FAULTS as fault:
            await self._discard_consumer()
            raise self._unavailable(fault) from fault
        self._consumer.subscribe(self._topics, listener=_Listener(self))
        self._connected = True
        return self._consumer

    def _member(self, options: dict[str, Any]) -> AIOKafkaConsumer:
        session_ms = int(self._settings.session_timeout_s * 1000)
        return AIOKafkaConsumer(
            **options,
            group_id=self._settings.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // _HEARTBEATS,
            max_poll_interval_ms=_BETWEEN_POLLS_MS,
            rebalance_timeout_ms=_REBALANCE_MS,
        )

    async def _failed(self, fault: BaseException) -> LogUnavailable:
        """Keep the member until its session must be over; it reconnects by itself."""
        now_s = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now_s
        if not isinstance(fault, TimeoutError) or now_s - self._failing_since > self._settings.session_timeout_s:
            self._failing_since = None
            await self._discard_consumer()
        return self._unavailable(fault)

    async def _discard_consumer(self) -> None:
        consumer, self._consumer, self._connected = self._consumer, None, False
        self._rebalancing = self._joining = False
        self._named = None
        self._lease.end()
        if consumer is not None:
            await close(consumer)

    async def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # Its batches never expire: without a bound it would wait for Kafka.
            await finish(producer.stop())
            await finish(producer.client.close())

    def _unavailable(self, fault: BaseException) -> LogUnavailable:
        where = self._settings.bootstrap
        return LogUnavailable(
            f"Kafka at {where}: {str(fault) or type(fault).__name__}; is it running, is it reachable?"
        )


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """Tells the log of new assignments. The eager protocol revokes all first, so only the new set says what is lost."""

    def __init__(self, log: KafkaLog):
        self._log = log

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """All of them each time; most come back."""
        del revoked
        await self._log.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Compare with what was read so far."""
        self._log.assigned(set(assigned))
