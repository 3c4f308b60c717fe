"""The Kafka sink against a real Kafka: down at the start, silent, restarted; partitions, times, large records."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.partitioner import DefaultPartitioner

from services.ingest.adapters.kafka import KafkaSink
from services.ingest.ports import Outgoing, Unavailable
from services.runtime.kafka import TooFewBrokers, _topic, ensure_topics
from services.runtime.settings import KafkaSettings
from tests.servers.running import Kafka

pytestmark = pytest.mark.servers

_TOPIC = "garonne.energy"
_TIME_MS = 1_768_201_200_123


def _records(number: int, start: int = 0) -> list[Outgoing]:
    return [
        Outgoing(_TOPIC, b"h_%d" % (each % 50), b"value %d" % each, _TIME_MS + each) for each in range(start, number)
    ]


@asynccontextmanager
async def _sink(kafka: Kafka, delivery_timeout_s: float = 30.0) -> AsyncIterator[KafkaSink]:
    sink = KafkaSink(KafkaSettings(bootstrap=kafka.bootstrap, delivery_timeout_s=delivery_timeout_s))
    try:
        yield sink
    finally:
        await sink.close()


async def _stored(kafka: Kafka, topic: str = _TOPIC) -> Sequence[ConsumerRecord]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        parts = [TopicPartition(topic, part) for part in sorted(await consumer._client._wait_on_metadata(topic))]
        consumer.assign(parts)
        end = await consumer.end_offsets(parts)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(part) < end[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return found
    finally:
        await consumer.stop()


async def _until_sent(sink: KafkaSink, batch: Sequence[Outgoing]) -> int:
    """Send until it is stored, as the pipeline does; gives the refusals before."""
    refused = 0
    async with asyncio.timeout(90):
        while True:
            try:
                await sink.send(batch)
            except Unavailable:
                refused += 1
            else:
                return refused


async def test_what_was_received_while_the_clock_was_ahead_is_stored_when_it_is_right_again(kafka: Kafka) -> None:
    """Kafka refuses what is more than an hour ahead: the record says now, its event when it was received."""
    topic, ahead_ms = "garonne.status", int((time.time() + 7200) * 1000)
    async with _sink(kafka) as sink:
        await sink.send([Outgoing(topic, b"clock", b"from the future", ahead_ms)])
    (record,) = [each for each in await _stored(kafka, topic) if each.key == b"clock"]
    assert record.value == b"from the future"
    assert record.timestamp <= time.time() * 1000


async def test_a_batch_is_placed_as_kafka_places_it_in_order_with_its_times(tmp_path: Path) -> None:
    """Four partitions, murmur2 of the key, order within a key, timestamp = receive time; large records too."""
    with Kafka(tmp_path, partitions=1) as kafka:
        async with _sink(kafka) as sink:
            await asyncio.gather(sink.send(_records(3000)), sink.send([]))
            await sink.send([Outgoing("garonne.rejected", b"d_1", bytes(950_000), _TIME_MS)] * 2)
        stored = await _stored(kafka)
        assert {record.partition for record in stored} == {0, 1, 2, 3}
        placed = DefaultPartitioner()
        assert all(record.partition == placed(record.key, [0, 1, 2, 3], []) for record in stored)
        assert sorted(_records(3000), key=lambda each: each.timestamp_ms) == sorted(
            (Outgoing(_TOPIC, record.key, record.value, record.timestamp) for record in stored),
            key=lambda each: each.timestamp_ms,
        )
        for key in {record.key for record in stored}:
            times = [record.timestamp for record in stored if record.key == key]
            assert times == sorted(times)
        assert len(await _stored(kafka, "garonne.rejected")) == 2


@pytest.mark.slow
async def test_kafka_may_be_down_at_the_start_and_go_down_later(tmp_path: Path) -> None:
    """Not there, then there, then killed, then there again: refusals in between, everything stored, no task left."""
    kafka = Kafka(tmp_path)
    before = len(asyncio.all_tasks())
    async with _sink(kafka, delivery_timeout_s=3) as sink:
        with pytest.raises(Unavailable, match=f"no Kafka answers at {kafka.bootstrap}"):
            await sink.start()
        with kafka:
            await sink.send(_records(10))
            await asyncio.to_thread(kafka.kill)
            sending = asyncio.create_task(_until_sent(sink, _records(20, 10)))
            with pytest.raises(Unavailable):
                await sink.send(_records(30, 20))
            await asyncio.to_thread(kafka.start)
            assert await sending >= 1
            await _until_sent(sink, _records(30, 20))
            assert {record.value for record in await _stored(kafka)} == {each.value for each in _records(30)}
    gc.collect()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


@pytest.mark.slow
async def test_a_kafka_that_falls_silent_is_given_up_after_the_deadline(tmp_path: Path) -> None:
    """An idempotent producer would wait for ever; ours is thrown away and made anew, without a word of asyncio's."""
    before = len(asyncio.all_tasks())
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    with Kafka(tmp_path) as kafka:
        async with _sink(kafka, delivery_timeout_s=2) as sink:
            await _until_sent(sink, _records(10))
            kafka.pause()
            with pytest.raises(Unavailable):
                await sink.send(_records(20, 10))
            assert sink._producer is None
            kafka.resume()
            await _until_sent(sink, _records(20, 10))
            assert {record.value for record in await _stored(kafka)} == {each.value for each in _records(20)}
    gc.collect()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before
    assert complaints == []


async def test_the_record_outlives_a_week_and_single_vehicles_do_not_stay(tmp_path: Path) -> None:
    """Topics that Garonne makes have their own retention: Kafka's default would throw the record away."""
    with Kafka(tmp_path) as kafka:
        async with _sink(kafka) as sink:
            await sink.start()
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        try:
            asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in (_TOPIC, "garonne.mobility")]
            answers = await admin.describe_configs(asked)
        finally:
            await admin.close()
    kept = {
        name: int(value)
        for answer in answers
        for resource in answer.resources
        for name, value in ((resource[3], entry[1]) for entry in resource[4] if entry[0] == "retention.ms")
    }
    assert kept == {_TOPIC: 1098 * 86_400_000, "garonne.mobility": 72 * 3_600_000}


async def test_topics_that_cannot_have_their_copies_are_not_made_with_fewer(kafka: Kafka) -> None:
    """One broker and three copies: it says which key to look at, and Kafka does not make them on its own terms."""
    settings = KafkaSettings(bootstrap=kafka.bootstrap, replication=3)
    with pytest.raises(TooFewBrokers, match=r"3 copies.*kafka\.replication"):
        await ensure_topics(settings, ["garonne.three-copies"])
    await ensure_topics(settings.model_copy(update={"replication": 1}), ["garonne.three-copies"])


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_one_broker_may_be_away_and_what_is_acknowledged_survives_one_more(replication: int, in_sync: str) -> None:
    """The copies that must have a record before it is acknowledged: all but one, where there are more than one."""
    topic = _topic(KafkaSettings(replication=replication), "garonne.energy")
    assert topic.replication_factor == replication
    assert topic.topic_configs["min.insync.replicas"] == in_sync
