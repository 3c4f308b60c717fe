"""What every event log does, once, as SQLite file and as Kafka: ingest's sink writes, the aggregator's log reads."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from services.aggregator.adapters.kafka import KafkaLog
from services.aggregator.ports import Incoming, Log, LogUnavailable, Partition, Unavailable
from services.embedded.eventlog import SqliteLog, SqliteSink
from services.ingest import ports as writing
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.ports import Outgoing, Sink
from services.runtime.settings import KafkaSettings
from tests.servers.running import Kafka

ENERGY = "garonne.energy"
OpenLog = Callable[[], SqliteLog | KafkaLog]


async def read(log: Log, count: int) -> list[Incoming]:
    """Poll until `count` records came."""
    found: list[Incoming] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += await log.poll(1000, 1.0)
            log.lost()
    return found


def after(found: list[Incoming]) -> dict[Partition, int]:
    """The positions behind these records."""
    return {(each.topic, each.partition): each.offset + 1 for each in found}


def numbers(found: list[Incoming]) -> list[int]:
    """What the records say."""
    return sorted(int(each.value) for each in found)


class LogContract:
    """Each test gets an empty log: a `sink`, and `open_log` for a reader that begins where its group committed."""

    energy = ENERGY
    mobility = "garonne.mobility"

    def records(self, first: int, count: int, topic: str = "", keys: int = 5) -> list[Outgoing]:
        """Records of `keys` households; number and receive time rise together."""
        return [
            Outgoing(topic or self.energy, b"household-%d" % (i % keys), b"%d" % i, 1_700_000_000_000 + i)
            for i in range(first, first + count)
        ]

    async def test_records_come_back_whole_and_in_order_for_each_key(self, sink: Sink, open_log: OpenLog) -> None:
        """Topic, key, value, receive time; several batches and topics."""
        sent = [*self.records(0, 500), *self.records(500, 100, self.mobility)]
        await sink.send(sent[:300])
        await sink.send(sent[300:])
        async with open_log() as log:
            found = await read(log, 600)
        assert sorted((each.topic, each.key, each.value, each.timestamp_ms) for each in found) == sorted(sent)
        for key in {each.key for each in found}:
            of_key = [int(each.value) for each in found if each.key == key and each.topic == self.energy]
            assert of_key == sorted(of_key)

    async def test_nothing_committed_is_read_again_and_nothing_uncommitted_skipped(
        self, sink: Sink, open_log: OpenLog
    ) -> None:
        """A restart goes on at the committed offsets, whatever had been polled."""
        await sink.send(self.records(0, 100))
        async with open_log() as log:
            await log.commit(after(await read(log, 100)))
            await sink.send(self.records(100, 50))
            await read(log, 50)
        async with open_log() as log:
            assert numbers(await read(log, 50)) == list(range(100, 150))

    async def test_an_empty_poll_ends(self, sink: Sink, open_log: OpenLog) -> None:
        """Nothing new: an empty answer after the time given."""
        await sink.send(self.records(0, 1))
        async with open_log() as log:
            await read(log, 1)
            assert list(await log.poll(10, 0.05)) == []

    async def test_a_waiting_poll_gets_what_is_sent(self, sink: Sink, open_log: OpenLog) -> None:
        """The reader need not come back to see it."""
        await sink.send(self.records(0, 1))
        async with open_log() as log:
            await read(log, 1)
            waiting = asyncio.create_task(log.poll(10, 30.0))
            await asyncio.sleep(0)
            await sink.send(self.records(1, 1))
            assert numbers(list(await waiting)) == [1]

    async def test_since_reads_again_without_moving(self, sink: Sink, open_log: OpenLog) -> None:
        """From a receive time up to, not with, an offset; the group goes on where it was."""
        await sink.send(self.records(0, 200, keys=1))
        async with open_log() as log:
            found = await read(log, 200)
            partition, until = (found[0].topic, found[0].partition), found[150].offset
            again = [each async for part in log.since(partition, 1_700_000_000_100, until) for each in part]
            assert again == found[100:150]
            assert [part async for part in log.since(partition, 1_800_000_000_000, until)] == []
            await sink.send(self.records(200, 1, keys=1))
            assert numbers(await read(log, 1)) == [200]

    async def test_lag_counts_what_is_not_committed(self, sink: Sink, open_log: OpenLog) -> None:
        """All of it at first, none after the commit."""
        await sink.send(self.records(0, 40))
        async with open_log() as log:
            found = await read(log, 40)
            assert sum((await log.lag()).values()) == 40
            await log.commit(after(found))
            assert sum((await log.lag()).values()) == 0

    async def test_a_reject_is_appended(self, sink: Sink, open_log: OpenLog) -> None:
        """It stands in `garonne.rejected` with key, value and time."""
        await sink.send(self.records(0, 1))
        async with open_log() as log:
            await read(log, 1)
            await log.reject(b"device", b"why", 1_700_000_000_000)
            stored: list[Incoming] = []
            for partition in range(4):
                async for part in log.since(("garonne.rejected", partition), 0, 10):
                    stored += part
        assert [(each.key, each.value, each.timestamp_ms) for each in stored] == [
            (b"device", b"why", 1_700_000_000_000)
        ]


class TestSqlite(LogContract):
    """The embedded file."""

    @pytest.fixture
    async def sink(self, tmp_path: Path) -> AsyncIterator[Sink]:
        """A new file."""
        async with SqliteSink(tmp_path / "events.sqlite") as sink:
            yield sink

    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        """Reads that file."""
        return lambda: SqliteLog(tmp_path / "events.sqlite")

    async def test_a_small_limit_starves_no_topic(self, sink: Sink, open_log: OpenLog) -> None:
        """A topic with much to read lets the others have their turn."""
        await sink.send([*self.records(0, 100), *self.records(100, 1, "garonne.status")])
        async with open_log() as log:
            found = [each for _ in range(4) for each in await log.poll(5, 0.1)]
        assert {each.topic for each in found} == {self.energy, "garonne.status"}

    async def test_two_processes_append_without_gap_or_overlap(self, tmp_path: Path) -> None:
        """Two connections write at once: offsets are 0, 1, 2, … and every record is there."""
        async with (
            SqliteSink(tmp_path / "e") as one,
            SqliteSink(tmp_path / "e") as other,
            SqliteLog(tmp_path / "e") as log,
        ):
            await asyncio.gather(
                *(
                    sink.send(self.records(first + 10 * i, 10))
                    for i in range(20)
                    for first, sink in ((0, one), (1000, other))
                )
            )
            found = await read(log, 400)
        assert [each.offset for each in found] == list(range(400))
        assert numbers(found) == [*range(200), *range(1000, 1200)]

    async def test_a_file_that_cannot_be_is_unavailable_to_both_sides(self, tmp_path: Path) -> None:
        """Each port has its own `Unavailable`; nobody sees an error of SQLite."""
        (tmp_path / "folder").write_text("not a folder")
        async with SqliteSink(tmp_path / "folder" / "e") as sink, SqliteLog(tmp_path / "folder" / "e") as log:
            with pytest.raises(writing.Unavailable):
                await sink.send(self.records(0, 1))
            with pytest.raises(Unavailable):
                await log.poll(1, 0.1)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One server for the tests of this file."""
    with Kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.mark.servers
class TestKafka(LogContract):
    """Apache Kafka 4.1."""

    @pytest.fixture
    def settings(self, kafka: Kafka, request: pytest.FixtureRequest) -> KafkaSettings:
        """Topics and a group of this test alone."""
        name = request.node.name
        self.energy, self.mobility = f"{name}.energy", f"{name}.mobility"
        return KafkaSettings(bootstrap=kafka.bootstrap, group=name, delivery_timeout_s=20.0)

    @pytest.fixture
    async def sink(self, settings: KafkaSettings) -> AsyncIterator[Sink]:
        """Ingest's own."""
        sink = KafkaSink(settings)
        yield sink
        await sink.close()

    @pytest.fixture
    def open_log(self, settings: KafkaSettings) -> OpenLog:
        """A member of the group."""
        return lambda: KafkaLog(settings, topics=(self.energy, self.mobility))

    async def test_two_members_share_and_the_rest_takes_over(self, sink: Sink, open_log: OpenLog) -> None:
        """A second member takes partitions, which the first reports as lost; when it leaves they come back.

        Each record is delivered; those that nobody committed are delivered again to the new owner.
        """
        await sink.send(self.records(0, 200, keys=50))
        async with open_log() as one:
            first = await read(one, 200)
            await one.commit(after(first))
            async with open_log() as other:
                lost: frozenset[Partition] = frozenset()
                async with asyncio.timeout(60):
                    while not lost:
                        await asyncio.gather(one.poll(100, 0.2), other.poll(100, 0.2))
                        lost = one.lost()
                await one.commit(dict.fromkeys(lost, 0))  # no longer its own: no error, and no effect
                await sink.send(self.records(200, 200, keys=50))
                mine: list[Incoming] = []
                theirs: list[Incoming] = []
                async with asyncio.timeout(60):
                    while len(mine) + len(theirs) < 200:
                        mine += await one.poll(100, 0.2)
                        theirs += await other.poll(100, 0.2)
                assert numbers([*mine, *theirs]) == list(range(200, 400))
                assert theirs
                assert {(each.topic, each.partition) for each in theirs} <= lost
            again = await read(one, len(theirs))
            assert numbers(again) == numbers(theirs)

    async def test_a_rebalance_waits_for_the_batch_in_hand(self, sink: Sink, open_log: OpenLog) -> None:
        """Nobody else gets a record before its old owner has committed it: then nobody else gets it at all."""
        await sink.send(self.records(0, 100, keys=50))
        async with open_log() as one:
            held = await read(one, 100)
            async with open_log() as other:
                joining = asyncio.create_task(read(other, 1))
                await _until_rebalancing(one)
                assert not joining.done()
                await one.commit(after(held))
                while not one.lost():
                    assert list(await one.poll(100, 0.1)) == []
                await sink.send(self.records(100, 100, keys=50))
                theirs = await joining
                while len(theirs) < 100:
                    theirs += [*await one.poll(100, 0.1), *await other.poll(100, 0.1)]
        assert numbers(theirs) == list(range(100, 200))

    async def test_kafka_down_is_unavailable_and_back_later(
        self, kafka: Kafka, settings: KafkaSettings, sink: Sink
    ) -> None:
        """Every call says so, none cancels its caller; the same log goes on after the outage, delivers nothing twice.

        What could not be committed meanwhile is committed later, without being asked again.
        """
        await sink.send(self.records(0, 10))
        impatient = settings.model_copy(update={"delivery_timeout_s": 3.0, "session_timeout_s": 6.0})
        async with KafkaLog(impatient, topics=[self.energy]) as log:
            found = await read(log, 10)
            kafka.kill()
            try:
                for call in (log.commit(after(found)), log.reject(b"k", b"v", 1), log.lag(), _until_unavailable(log)):
                    with pytest.raises(LogUnavailable):
                        await call
            finally:
                kafka.start()
            await sink.send(self.records(10, 5))
            assert numbers(await read(log, 5)) == list(range(10, 15))
            await log.poll(10, 0.1)
            assert sum((await log.lag()).values()) == 5

    async def test_a_member_that_died_is_waited_for_without_joining_again_and_again(
        self, settings: KafkaSettings, sink: Sink
    ) -> None:
        """The group notices a killed member after its session timeout, which is longer than a call may take."""
        await sink.send(self.records(0, 10))
        quick = settings.model_copy(update={"delivery_timeout_s": 2.0, "session_timeout_s": 6.0})
        dead = KafkaLog(quick, topics=[self.energy])
        await read(dead, 10)
        assert dead._consumer is not None
        dead._consumer._coordinator._heartbeat_task.cancel()
        async with KafkaLog(quick, topics=[self.energy]) as log:
            assert numbers(await read(log, 10)) == list(range(10))
        await dead.close()


async def _until_rebalancing(log: SqliteLog | KafkaLog) -> None:
    """Until another member knocks at the group."""
    assert isinstance(log, KafkaLog)
    async with asyncio.timeout(60):
        while not log._rebalancing:  # noqa: ASYNC110 - aiokafka's own task sets it
            await asyncio.sleep(0.05)


async def _until_unavailable(log: KafkaLog) -> None:
    """A member that Kafka does not answer is quiet for as long as its session could last."""
    async with asyncio.timeout(60):
        while True:
            await log.poll(10, 0.1)
