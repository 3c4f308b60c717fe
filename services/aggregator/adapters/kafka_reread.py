"""Reading part of a partition again, on a connection of its own and outside of the group."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.aggregator.adapters.kafka_close import close
from services.aggregator.ports import Incoming, Partition
from services.runtime.kafka import connection_options
from services.runtime.settings import KafkaSettings

__all__ = ["read_again"]

_PAGE: Final = 5000


async def read_again(
    settings: KafkaSettings, partition: Partition, timestamp_ms: int, until_offset: int, from_offset: int
) -> AsyncIterator[Sequence[Incoming]]:
    """From the first record received at or after `timestamp_ms`, up to (not with) `until_offset`.

    What lies before `from_offset` is left out.

    Raises:
        KafkaError, TimeoutError, OSError: Kafka does not answer.
    """
    place = TopicPartition(*partition)
    consumer = AIOKafkaConsumer(**connection_options(settings), enable_auto_commit=False, auto_offset_reset="none")
    try:
        async with asyncio.timeout(settings.delivery_timeout_s):
            await consumer.start()
        consumer.assign([place])
        found = (await consumer.offsets_for_times({place: timestamp_ms})).get(place)
        if found is None:
            return
        end = min(until_offset, (await consumer.end_offsets([place]))[place])
        consumer.seek(place, max(found.offset, from_offset))
        while await consumer.position(place) < end:
            batch = await _page(consumer, place, settings.delivery_timeout_s)
            records = [
                Incoming(each.topic, each.partition, each.offset, each.key or b"", each.value or b"", each.timestamp)
                for each in batch
                if each.offset < end
            ]
            if records:
                yield records
    finally:
        await close(consumer)


async def _page(consumer: AIOKafkaConsumer, place: TopicPartition, patience_s: float) -> Sequence[Any]:
    """The next records. aiokafka says nothing of a Kafka that is gone: it just brings none.

    Raises:
        TimeoutError: none for too long.
    """
    async with asyncio.timeout(patience_s):
        while True:
            before = await consumer.position(place)
            found = await consumer.getmany(place, timeout_ms=1000, max_records=_PAGE)
            batch: Sequence[Any] = found.get(place, ())
            if batch or await consumer.position(place) > before:
                return batch
