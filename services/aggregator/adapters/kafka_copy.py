"""Every record of the event log out of Kafka, and back into an empty one: key, value, time, headers, partition."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from services.aggregator.adapters.kafka_close import close, finish
from services.aggregator.ports import LogUnavailable, Partition
from services.runtime.kafka import RECORD_BYTES, connection_options
from services.runtime.settings import KafkaSettings

__all__ = ["Copied", "put_back", "put_group", "take_out"]

_FAULTS: Final = (KafkaError, TimeoutError, OSError)


class Copied(NamedTuple):
    """A record as Kafka has it; `value` is `None` for a tombstone."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


async def take_out(settings: KafkaSettings, topic: str, ends: Mapping[Partition, int]) -> AsyncIterator[list[Copied]]:
    """Everything of a topic that lies before `ends`, in order within each partition.

    Raises:
        LogUnavailable: no answer; what was yielded stands.
    """
    consumer = AIOKafkaConsumer(**connection_options(settings), enable_auto_commit=False, auto_offset_reset="none")
    try:
        async with asyncio.timeout(settings.delivery_timeout_s):
            await consumer.start()
        for place in [TopicPartition(*each) for each in ends if each[0] == topic]:
            consumer.assign([place])
            (first,) = (await consumer.beginning_offsets([place])).values()
            consumer.seek(place, first)
            while await consumer.position(place) < ends[place.topic, place.partition]:
                async with asyncio.timeout(settings.delivery_timeout_s):
                    found = await consumer.getmany(timeout_ms=1000, max_records=5000)
                batch = [
                    Copied(each.partition, each.offset, each.timestamp, each.key, each.value, each.headers)
                    for each in found.get(place, ())
                    if each.offset < ends[place.topic, place.partition]
                ]
                if batch:
                    yield batch
    except _FAULTS as fault:
        raise LogUnavailable(f"Kafka at {settings.bootstrap}: {str(fault) or type(fault).__name__}") from fault
    finally:
        await close(consumer)


async def put_back(settings: KafkaSettings, topic: str, records: Iterable[Sequence[Copied]]) -> None:
    """Append records to their partitions, in their order; every in-sync replica has them on return.

    Raises:
        LogUnavailable: not all of it is certainly there: empty the topic and begin anew.
    """
    producer = AIOKafkaProducer(
        **connection_options(settings), enable_idempotence=True, acks="all", max_request_size=RECORD_BYTES
    )
    try:
        await producer.start()
        for batch in records:
            waiting = [
                await producer.send(
                    topic,
                    each.value,
                    each.key,
                    partition=each.partition,
                    timestamp_ms=each.timestamp_ms,
                    headers=list(each.headers),
                )
                for each in batch
            ]
            await asyncio.gather(*waiting)
    except _FAULTS as fault:
        raise LogUnavailable(f"Kafka at {settings.bootstrap}: {str(fault) or type(fault).__name__}") from fault
    finally:
        await finish(producer.stop())


async def put_group(settings: KafkaSettings, positions: Mapping[Partition, int]) -> None:
    """Set where the aggregator's group stands; nobody may be in it.

    Raises:
        LogUnavailable: no answer, or somebody is in the group.
    """
    consumer = AIOKafkaConsumer(**connection_options(settings), group_id=settings.group, enable_auto_commit=False)
    places = {TopicPartition(*each): offset for each, offset in positions.items()}
    try:
        async with asyncio.timeout(settings.delivery_timeout_s):
            await consumer.start()
            consumer.assign(list(places))
            if places:
                await consumer.commit(places)
    except _FAULTS as fault:
        text = f"where the group {settings.group} stands cannot be set: {str(fault) or type(fault).__name__}"
        raise LogUnavailable(f"{text}; stop the aggregator first") from fault
    finally:
        await close(consumer)
