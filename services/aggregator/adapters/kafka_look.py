"""Kafka as `garonne doctor` sees it: topics, how long they keep what, who is in the group, what comes from now on."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, KafkaError

from services.aggregator.adapters.kafka_close import close
from services.aggregator.ports import Incoming, LogUnavailable
from services.runtime.kafka import connection_options, knock
from services.runtime.settings import KafkaSettings

__all__ = ["KafkaTail", "Topics", "look_at_kafka"]

_FAULTS: Final = (KafkaError, TimeoutError, OSError)


class Topics(NamedTuple):
    """What Kafka shows of itself.

    Attributes:
        partitions: number of partitions by topic that this user may see.
        retention_ms: how long a topic keeps records, -1 for ever; a topic that may not be asked is left out.
        members: of the aggregator's group; `None` if that may not be asked.
    """

    partitions: Mapping[str, int]
    retention_ms: Mapping[str, int]
    members: int | None


async def look_at_kafka(settings: KafkaSettings) -> Topics:
    """Ask for topics, their retention and the members of the group.

    Raises:
        LogUnavailable: no answer, or Kafka does not let this user in.
    """
    try:
        async with asyncio.timeout(settings.delivery_timeout_s):
            admin = AIOKafkaAdminClient(**connection_options(settings))
            try:
                try:
                    await admin.start()
                except KafkaConnectionError:
                    await knock(settings)
                    raise
                names = [each for each in sorted(await admin.list_topics()) if each.startswith("garonne.")]
                described = await admin.describe_topics(names) if names else []
                partitions = {each["topic"]: len(each["partitions"]) for each in described}
                return Topics(partitions, await _retention(admin, names), await _members(admin, settings.group))
            finally:
                await admin.close()
    except _FAULTS as fault:
        raise LogUnavailable(_plain(fault)) from fault


async def _retention(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, each) for each in names]
    found: dict[str, int] = {}
    for answer in await admin.describe_configs(asked) if asked else ():
        for code, _text, _kind, topic, entries in answer.resources:
            values = {entry[0]: entry[1] for entry in entries}
            if not code and "retention.ms" in values:
                found[topic] = int(values["retention.ms"])
    return found


async def _members(admin: AIOKafkaAdminClient, group: str) -> int | None:
    try:
        (answer,) = await admin.describe_consumer_groups([group])
    except KafkaError:
        return None
    return sum(len(each[5]) for each in answer.groups)


class KafkaTail:
    """What is appended to some topics from the moment of entering on; outside of any group."""

    def __init__(self, settings: KafkaSettings, topics: Iterable[str]) -> None:
        self._settings = settings
        self._topics = tuple(topics)
        self._consumer: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        """Stand at the end of every partition.

        Raises:
            LogUnavailable: no answer, or these topics may not be read.
        """
        consumer = AIOKafkaConsumer(*self._topics, **connection_options(self._settings), enable_auto_commit=False)
        self._consumer = consumer
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                await consumer.start()
                parts = [
                    TopicPartition(topic, n)
                    for topic in self._topics
                    for n in consumer.partitions_for_topic(topic) or ()
                ]
                ends = await consumer.end_offsets(parts)
                consumer.unsubscribe()
                consumer.assign(parts)
                for part, end in ends.items():
                    consumer.seek(part, end)
        except _FAULTS as fault:
            await close(consumer)
            raise LogUnavailable(_plain(fault)) from fault
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await close(self._consumer)

    async def next(self, timeout_s: float) -> Sequence[Incoming]:
        """What came meanwhile; empty after `timeout_s` without anything.

        Raises:
            LogUnavailable: these topics may not be read.
        """
        assert self._consumer is not None, "enter it first"  # noqa: S101 - a mistake of the caller
        try:
            found = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000))
        except _FAULTS as fault:
            raise LogUnavailable(_plain(fault)) from fault
        return [
            Incoming(each.topic, each.partition, each.offset, each.key or b"", each.value or b"", each.timestamp)
            for batch in found.values()
            for each in batch
        ]


def _plain(fault: BaseException) -> str:
    return str(fault) or type(fault).__name__
