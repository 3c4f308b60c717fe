"""The event log from outside, Kafka and SQLite alike: bounds, whole topics, parts of them, where the group stands."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.aggregator.adapters.kafka import KafkaLog
from services.aggregator.adapters.kafka_scan import KafkaScan
from services.aggregator.ports import Incoming, Log, LogUnavailable, Partition
from services.aggregator.scanning import EVENTS, Scan
from services.embedded.eventlog import SqliteLog, SqliteSink
from services.embedded.scan import SqliteScan
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.ports import Outgoing, Sink
from services.runtime.settings import KafkaSettings
from tests.servers.running import Kafka, free_port

_AT_MS = 1_768_201_200_000
_GROUP = "garonne-aggregator"


@dataclass
class _World:
    sink: Sink
    log: Log
    scan: Scan


@asynccontextmanager
async def _embedded(folder: Path) -> AsyncIterator[_World]:
    path = folder / "events.sqlite"
    async with SqliteSink(path) as sink, SqliteLog(path, _GROUP) as log:
        yield _World(sink, log, SqliteScan(path, _GROUP))


@asynccontextmanager
async def _kafka(folder: Path) -> AsyncIterator[_World]:
    with Kafka(folder) as server:
        settings = KafkaSettings(bootstrap=server.bootstrap, session_timeout_s=6.0)
        sink = KafkaSink(settings)
        try:
            async with KafkaLog(settings) as log:
                yield _World(sink, log, KafkaScan(settings))
        finally:
            await sink.close()


_WORLDS = [
    pytest.param(_embedded, id="embedded"),
    pytest.param(_kafka, id="kafka", marks=pytest.mark.servers),
]


def _batch(first: int, number: int) -> list[Outgoing]:
    """One minute apart."""
    return [
        Outgoing("garonne.energy", b"h_%d" % (each % 7), b"%d" % each, _AT_MS + 60_000 * each)
        for each in range(first, first + number)
    ]


async def _read(
    scan: Scan, until: dict[Partition, int], from_ms: int = 0, start: dict[Partition, int] | None = None
) -> list[Incoming]:
    return [each async for batch in scan.read(until, from_ms, start) for each in batch]


def _numbers(records: Sequence[Incoming]) -> list[int]:
    return sorted(int(each.value) for each in records)


@pytest.mark.parametrize("world", _WORLDS)
async def test_everything_up_to_an_end_is_read_once_and_in_order(world: object, tmp_path: Path) -> None:
    """What comes later is not; parts can be left out, by offset and by time; topics that are not there are empty."""
    assert callable(world)
    async with world(tmp_path) as at:
        await at.sink.send(_batch(0, 100))
        ends = dict(await at.scan.ends([*EVENTS, "garonne.nothing"]))
        await at.sink.send(_batch(100, 50))
        everything = await _read(at.scan, ends)
        assert _numbers(everything) == list(range(100))
        assert sum(ends.values()) == 100
        for key in {each.key for each in everything}:
            own = [int(each.value) for each in everything if each.key == key]
            assert own == sorted(own)
        later = dict(await at.scan.ends(EVENTS))
        assert _numbers(await _read(at.scan, later, start=ends)) == list(range(100, 150))
        assert _numbers(await _read(at.scan, later, _AT_MS + 60_000 * 120)) == list(range(120, 150))
        assert set((await at.scan.begins(EVENTS)).values()) == {0}
        assert not [topic for topic, _ in ends if topic == "garonne.nothing"]


@pytest.mark.parametrize("world", _WORLDS)
async def test_where_the_group_stands_is_what_it_committed(world: object, tmp_path: Path) -> None:
    """Nothing before it began; looking does not disturb it."""
    assert callable(world)
    async with world(tmp_path) as at:
        await at.sink.send(_batch(0, 40))
        assert sum((await at.scan.committed(EVENTS)).values()) == 0
        taken: list[Incoming] = []
        while len(taken) < 40:
            taken += await at.log.poll(1000, 0.5)
        await at.log.commit({(each.topic, each.partition): each.offset + 1 for each in taken})
        committed = await at.scan.committed(EVENTS)
        assert {part: offset for part, offset in committed.items() if offset} == {
            part: offset for part, offset in (await at.scan.ends(EVENTS)).items() if offset
        }
        await at.sink.send(_batch(40, 10))
        more: list[Incoming] = []
        while len(more) < 10:
            more += await at.log.poll(1000, 0.5)
        assert _numbers(more) == list(range(40, 50))


async def test_a_log_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    """No file is made by looking; no Kafka is waited for longer than the configuration says."""
    with pytest.raises(LogUnavailable, match="there is no event log"):
        await SqliteScan(tmp_path / "events.sqlite", _GROUP).ends(EVENTS)
    assert not (tmp_path / "events.sqlite").exists()
    nowhere = KafkaScan(KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}", delivery_timeout_s=2.0))
    with pytest.raises(LogUnavailable, match="no Kafka answers at"):
        await nowhere.ends(EVENTS)
