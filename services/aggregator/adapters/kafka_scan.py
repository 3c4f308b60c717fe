"""The port `Scan` on Kafka: short-lived connections, outside of any group."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import OffsetAndMetadata

from services.aggregator.adapters.kafka import KafkaLog
from services.aggregator.ports import Incoming, LogUnavailable, Partition
from services.runtime.kafka import connection_options
from services.runtime.settings import KafkaSettings

__all__ = ["KafkaScan"]

_LOOK_S: Final = 0.3
_FAULTS: Final = (KafkaError, TimeoutError, OSError)


class KafkaScan:
    """Reads whole topics."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._log = KafkaLog(settings)

    async def begins(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """The first offset that is still there, by partition."""
        return await self._offsets(topics, newest=False)

    async def ends(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """The offset that the next record will get, by partition."""
        return await self._offsets(topics, newest=True)

    async def _offsets(self, topics: Iterable[str], *, newest: bool) -> Mapping[Partition, int]:
        async with self._admin() as admin:
            parts = await _partitions(admin, topics)
        if not parts:
            return {}
        consumer = AIOKafkaConsumer(**connection_options(self._settings), enable_auto_commit=False)
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                await consumer.start()
                found = await (consumer.end_offsets(parts) if newest else consumer.beginning_offsets(parts))
        except _FAULTS as fault:
            raise self._unavailable(fault) from fault
        finally:
            await consumer.stop()
        return {(each.topic, each.partition): offset for each, offset in sorted(found.items())}

    async def read(
        self, until: Mapping[Partition, int], from_ms: int = 0, start: Mapping[Partition, int] | None = None
    ) -> AsyncIterator[Sequence[Incoming]]:
        """Everything before `until`, one partition after the other."""
        for partition, end in until.items():
            first = (start or {}).get(partition, 0)
            if first >= end:
                continue
            async for batch in self._log.since(partition, from_ms, end, first):
                yield batch

    async def committed(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """Where the group `kafka.group` stands."""
        async with self._admin() as admin:
            parts = await _partitions(admin, topics)
            known = await self._group_offsets(admin)
        return {
            (each.topic, each.partition): max(0, known[each].offset if each in known else 0) for each in sorted(parts)
        }

    async def expel(self) -> int:
        """Take every member out of the group `kafka.group`; each joins again at once, and forgets what it knew.

        Raises:
            LogUnavailable: no answer now.
        """
        group = self._settings.group
        async with self._admin() as admin:
            node = await admin.find_coordinator(group)
            (answer,) = await admin.describe_consumer_groups([group], node)
            members = [each[0] for described in answer.groups for each in described[5]]
            for member in members:
                await admin._send_request(LeaveGroupRequest(group, member), node)  # noqa: SLF001 - it has no call for it
        return len(members)

    async def _group_offsets(self, admin: AIOKafkaAdminClient) -> Mapping[TopicPartition, OffsetAndMetadata]:
        """The first question for a group makes a new Kafka set up where groups are kept: that takes a moment."""
        while True:  # `_admin` has the deadline
            try:
                found: Mapping[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(
                    self._settings.group
                )
            except (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError, GroupLoadInProgressError):
                await asyncio.sleep(_LOOK_S)
            else:
                return found

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(**connection_options(self._settings))
        try:
            async with asyncio.timeout(self._settings.delivery_timeout_s):
                await admin.start()
                yield admin
        except _FAULTS as fault:
            raise self._unavailable(fault) from fault
        finally:
            await admin.close()

    def _unavailable(self, fault: BaseException) -> LogUnavailable:
        where = self._settings.bootstrap
        return LogUnavailable(f"no Kafka answers at {where}: {str(fault) or type(fault).__name__}; is it running?")


async def _partitions(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    there = set(await admin.list_topics()) & set(topics)
    if not there:
        return []
    described = await admin.describe_topics(sorted(there))
    return [TopicPartition(each["topic"], part["partition"]) for each in described for part in each["partitions"]]
