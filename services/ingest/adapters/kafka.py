"""The `Sink` port on Kafka: aiokafka's batch interface, idempotent, acks=all, one batch per partition and call.

An idempotent aiokafka producer never gives a batch up, and some of its faults are for good (an out-of-order sequence,
a fenced epoch). So each call has a deadline of our own, and a producer that failed or was too slow is thrown away,
tasks and sockets with it, and made anew at the next call. What it may have written after all is written again: the
same event has the same id.

A record is never told to be from later than now: Kafka refuses what is more than an hour ahead, and a batch that was
received while this machine's clock was wrong could not be stored when the clock is right again.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from schemas.envelope import TOPICS
from services.ingest.ports import Outgoing, Unavailable
from services.runtime.kafka import connection_options, ensure_topics
from services.runtime.settings import KafkaSettings

__all__ = ["KafkaSink"]

_BATCH_BYTES: Final = 900_000
_CLOSE_TIMEOUT_S: Final = 2.0
_FAULTS: Final = (KafkaError, TimeoutError, OSError, AssertionError)
"""aiokafka asserts that a partition is in its metadata, which is not so while a topic is being made anew."""


class KafkaSink:
    """The `Sink` port. A producer that failed is closed and made anew at the next call."""

    def __init__(self, settings: KafkaSettings, *, create_topics: bool = True) -> None:
        """Set up; nothing is connected yet.

        Args:
            settings: where Kafka is and how long it may take.
            create_topics: make missing topics (`kafka.partitions` each); a cluster that forbids it is left alone.
        """
        self._settings = settings
        self._create = create_topics
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect and make missing topics; `send` does it too if this failed or was not called.

        Raises:
            Unavailable: Kafka does not answer now.
        """
        await self._ready()

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Store a batch; returns when every in-sync replica has it.

        Raises:
            Unavailable: not certain that all of it is stored.
        """
        producer = await self._ready()
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                await _send(producer, batch)
        except _FAULTS as fault:
            await self._discard(producer)
            raise Unavailable(f"Kafka at {self._settings.bootstrap}: {_plain(fault)}") from fault

    async def close(self) -> None:
        """Disconnect. What `send` has returned for is stored; nothing else was promised."""
        if self._producer is not None:
            await self._discard(self._producer)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                try:
                    async with asyncio.timeout(self._settings.delivery_timeout_s):
                        self._producer = await self._started()
                except _FAULTS as fault:
                    where = self._settings.bootstrap
                    raise Unavailable(f"no Kafka answers at {where}: {_plain(fault)}") from fault
            return self._producer

    async def _started(self) -> AIOKafkaProducer:
        options = connection_options(self._settings)
        timeout_ms = int(self._settings.delivery_timeout_s * 1000)
        if self._create:
            await ensure_topics(self._settings, TOPICS.values())
        producer = AIOKafkaProducer(
            **options,
            enable_idempotence=True,
            acks="all",
            compression_type=None if self._settings.compression == "none" else self._settings.compression,
            max_batch_size=_BATCH_BYTES,
            request_timeout_ms=timeout_ms,
        )
        try:
            await producer.start()
        except BaseException:
            await _throw_away(producer)
            raise
        return producer

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        await _throw_away(producer)


async def _send(producer: AIOKafkaProducer, batch: Sequence[Outgoing]) -> None:
    waiting = []
    now_ms = int(time.time() * 1000)
    for (topic, partition), records in (await _divided(producer, batch)).items():
        builder = producer.create_batch()
        for _topic, key, value, received_ms in records:
            timestamp_ms = min(received_ms, now_ms)
            if builder.append(timestamp=timestamp_ms, key=key, value=value) is None:
                waiting.append(await producer.send_batch(builder, topic, partition=partition))
                builder = producer.create_batch()
                builder.append(timestamp=timestamp_ms, key=key, value=value)
        builder.close()
        waiting.append(await producer.send_batch(builder, topic, partition=partition))
    await asyncio.gather(*waiting)


async def _divided(producer: AIOKafkaProducer, batch: Sequence[Outgoing]) -> dict[tuple[str, int], list[Outgoing]]:
    """The batch by topic and partition, in order within each."""
    divided: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
    partitions: dict[str, list[int]] = {}
    for record in batch:
        known = partitions.get(record.topic)
        if known is None:
            known = partitions[record.topic] = sorted(await producer.partitions_for(record.topic))
        divided[record.topic, known[_placed(record.key) % len(known)]].append(record)
    return divided


@lru_cache(maxsize=262_144)
def _placed(key: bytes) -> int:
    """Where Kafka's own producers place a key (murmur2, positive); remembered, for it is pure Python here."""
    return int(murmur2(key)) & 0x7FFF_FFFF


async def _throw_away(producer: AIOKafkaProducer) -> None:
    """Close a producer without waiting for what it still wants to send: its `stop` waits until Kafka takes it."""
    producer._closed = True  # noqa: SLF001 - else it complains that nobody called `stop`
    task = producer._sender.sender_task  # noqa: SLF001
    if task is not None:
        # It stumbles over a producer without transactions whose sender ends with an exception.
        task.remove_done_callback(producer._sender._fail_all)  # noqa: SLF001
    accumulator = producer._message_accumulator  # noqa: SLF001
    left = [*chain.from_iterable(accumulator._batches.values()), *accumulator._pending_batches]  # noqa: SLF001
    accumulator.fail_all(KafkaError("given up"))
    for future in [each for batch in left for each in (batch.future, batch._drain_waiter)]:  # noqa: SLF001
        # Nobody waits for most of these, and asyncio would complain of each.
        if future.done() and not future.cancelled():
            future.exception()
    with suppress(*_FAULTS):
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await producer.client.close()
    if task is not None:
        task.cancel()
        await asyncio.wait({task}, timeout=_CLOSE_TIMEOUT_S)
        if task.done() and not task.cancelled():
            task.exception()


def _plain(fault: BaseException) -> str:
    return str(fault) or type(fault).__name__
