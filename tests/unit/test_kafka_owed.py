"""What a member owes to its group when another one has gone on meanwhile."""

from collections.abc import Mapping
from typing import cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.aggregator.adapters.kafka import KafkaLog
from services.runtime.settings import KafkaSettings

_PLACE = TopicPartition("garonne.energy", 0)


class _Consumer:
    """As aiokafka's: it has the partition, the group is at `there`, and an empty commit is a fault of the caller."""

    def __init__(self, there: int) -> None:
        self.there = there

    def assignment(self) -> set[TopicPartition]:
        """What is ours."""
        return {_PLACE}

    async def committed(self, place: TopicPartition) -> int:
        """Where the group is."""
        assert place == _PLACE
        return self.there

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """As aiokafka."""
        if not offsets:
            raise ValueError(offsets)
        self.there = offsets[_PLACE]


@pytest.mark.parametrize(("there", "after"), [(50, 50), (20, 30)])
async def test_a_commit_that_another_has_overtaken_is_left_out(there: int, after: int) -> None:
    """Back after a rebalance: the group is never set back, and nothing left to commit is no fault."""
    log, consumer = KafkaLog(KafkaSettings()), _Consumer(there)
    log._consumer = cast("AIOKafkaConsumer", consumer)
    log.assigned({_PLACE})
    await log.commit({(_PLACE.topic, _PLACE.partition): 30})
    assert consumer.there == after
    assert log._owed == {}
    assert log._lease.valid is (there < 30), "only what the group accepted is a sign of life"
