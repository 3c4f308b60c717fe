"""Promise 2: what the store holds is a function of the records in the log, not of their order, copies or restarts."""

import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.energy import IntervalEnergy, MeterReading, Register
from schemas.envelope import Event, key_of, topic_of
from schemas.mobility import Position, VehicleState
from services.aggregator import history, intervals
from services.aggregator import pipeline as pipeline_module
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Incoming, Partition
from services.aggregator.projection import Projection
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import Crash, MemoryLog, MemoryStore

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)  # the night before the clock goes back


class Partitions(MemoryLog):
    """Three partitions a topic, by key; the process can end before a commit, and lose partitions between batches."""

    def __init__(self, records: Iterable[Incoming] = (), *, chance: random.Random | None = None) -> None:
        self._chance = chance
        super().__init__(records)
        self.crash_on_commit: int | None = None

    def append(self, record: Incoming) -> None:
        """Put a record at the end of its partition."""
        number = record.key[-1] % 3
        lane = self.records.setdefault(f"{record.topic}#{number}", [])
        lane.append(record._replace(offset=len(lane), partition=number))

    def lost(self) -> frozenset[Partition]:
        """Now and then another member had a partition for a moment."""
        partitions = {(lane[0].topic, lane[0].partition) for lane in self.records.values() if lane}
        chance = self._chance
        return frozenset(each for each in sorted(partitions) if chance is not None and chance.random() < 0.2)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Keep the positions, unless the process ends here."""
        if self.crash_on_commit is not None:
            self.crash_on_commit -= 1
            if self.crash_on_commit < 0:
                self.crash_on_commit = None
                raise Crash
        for (topic, partition), offset in positions.items():
            self.committed[f"{topic}#{partition}"] = offset

    def since(self, partition: Partition, timestamp_ms: int, until_offset: int) -> AsyncIterator[Sequence[Incoming]]:
        """The lane of the partition."""
        return super().since((f"{partition[0]}#{partition[1]}", 0), timestamp_ms, until_offset)


def _incoming(event: Event) -> Incoming:
    received_ms = int(event.record.received_at.timestamp() * 1000)
    return Incoming(topic_of(event.record), 0, 0, key_of(event.record).encode(), encode(event), received_ms)


def reading(  # noqa: PLR0917 - what a meter can say
    number: int, minutes: int, wh: int, meter: int = 0, register: str = "total", modulus: float | None = 1e6
) -> Incoming:
    """A Linky's index at a time after `START`."""
    at = START + timedelta(minutes=minutes)
    record = MeterReading(
        household=f"h_{meter:016x}",
        meter=f"m_{meter:016x}",
        carrier="electricity",
        observed_at=at,
        received_at=at + timedelta(seconds=1),
        clock="tic_horodate",
        registers=(Register(quantity="import_energy", name=register, value=wh / 1000, unit="kWh", modulus=modulus),),
    )
    return _incoming(Event(f"{number:032x}", "linky", record))


def interval(number: int, starts: int, lasts: int, wh: int, said: int, *, estimated: bool = False) -> Incoming:
    """What a load curve says of some minutes after `START`, and when it was said."""
    start, said_at = START + timedelta(minutes=starts), START + timedelta(days=9, minutes=said)
    record = IntervalEnergy(
        household=f"h_{0:016x}",
        meter=f"m_{0:016x}",
        carrier="electricity",
        observed_at=start + timedelta(minutes=lasts),
        received_at=said_at,
        clock="iso_offset",
        flags=("estimated",) if estimated else (),
        quantity="import_energy",
        register_name="total",
        start=start,
        end=start + timedelta(minutes=lasts),
        value=wh / 1000,
        unit="kWh",
    )
    return _incoming(Event(f"{number:032x}", "enedis_csv", record))


def _vehicle(number: int, seconds: int, vehicle: int, speed: float | None, late_s: int = 0) -> Incoming:
    at = START + timedelta(seconds=seconds)
    record = VehicleState(
        observed_at=at,
        received_at=at + timedelta(seconds=late_s),
        clock="its",
        zone=f"33:410{vehicle % 3}",
        vehicle=f"v_{vehicle:016x}",
        station_type=5,
        position=Position(latitude_deg=44.84, longitude_deg=-0.58),
        speed_mps=speed,
    )
    return _incoming(Event(f"{number:032x}", "its_client_json", record))


@st.composite
def _logs(draw: st.DrawFn) -> list[Incoming]:
    """Counters with growth, glitches, resets, gaps and two values of one instant; vehicles with late messages."""
    records = []
    minutes, wh = 0, draw(st.integers(0, 999_999_000))
    for number in range(draw(st.integers(1, 25))):
        minutes += draw(st.sampled_from([0, 1, 5, 5, 5, 10, 30, 200, 2000]))
        wh = draw(st.sampled_from([wh, wh + 50, wh + 120, wh + 700, max(0, wh - 2000), 40, 0, wh * 1000]))
        shown = wh % 1_000_000_000
        records.append(
            reading(
                number,
                minutes,
                shown,
                draw(st.integers(0, 1)),
                draw(st.sampled_from(["total", "HC"])),
                draw(st.sampled_from([1e6, 1e6, None])),
            )
        )
    for number in range(draw(st.integers(0, 12))):  # overlapping, corrected, said again, too much for a home
        starts, lasts = 30 * draw(st.sampled_from([-3, 0, 0, 1, 47, 120])), draw(st.sampled_from([30, 30, 60, 1440]))
        wh, said = draw(st.sampled_from([0, 501, 999, 90_000])), draw(st.integers(0, 2))
        records.append(interval(200 + number, starts, lasts, wh, said, estimated=draw(st.booleans())))
    for number in range(draw(st.integers(0, 15))):
        seconds, late_s = draw(st.integers(0, 600)), draw(st.sampled_from([0, 0, 1, 90, 7200, 30_000, -300, -900]))
        speed = draw(st.sampled_from([None, 0.0, 8.33, 13.9]))
        records.append(_vehicle(100 + number, seconds, draw(st.integers(0, 4)), speed, late_s))
    return records


async def _run(log: MemoryLog, store: MemoryStore, batch: int) -> None:
    """One process: until everything is read."""
    log.restart()
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    projection = Projection(log, store, PARIS, AggregatorTelemetry())
    with patch.object(pipeline_module, "Projection", lambda *_: projection):
        pipeline = Pipeline(log, store, sealing, AggregatorSettings(), PARIS, AggregatorTelemetry())
    while records := await log.poll(batch, 0.01):
        projection.forget(log.lost())
        await pipeline.store(records)


async def _stored(records: Sequence[Incoming], batch: int = 1000) -> dict[Any, Any]:
    store = MemoryStore()
    await _run(MemoryLog(records), store, batch)
    return store.content


@given(
    records=_logs(),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 12),
    crashes=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5), st.integers(1, 12)), max_size=4),
)
@settings(max_examples=300, deadline=None)
async def test_order_copies_batches_and_crashes_do_not_change_what_is_stored(
    records: list[Incoming], seed: int, batch: int, crashes: list[tuple[int, int, int]]
) -> None:
    """The log as it came, in one batch, gives the same points as any permutation of it with copies and kills.

    Three partitions that are lost and come back, batches of other sizes after each kill, and a memory so short that
    almost every late reading makes it load the series again.
    """
    expected = await _stored(records)
    chance = random.Random(seed)  # noqa: S311
    shuffled = records + chance.sample(records, k=len(records) // 2)
    chance.shuffle(shuffled)
    log, store = Partitions(shuffled, chance=chance), MemoryStore()
    with (
        patch.object(history, "_KEEP_MS", 3_600_000),
        patch.object(history, "_TRIM_AT", 4),
        patch.object(intervals, "_KEEP_MS", 3_600_000),
        patch.object(intervals, "_TRIM_AT", 2),
    ):
        for points, commits, other_batch in crashes:
            store.crash_after, log.crash_on_commit = points, commits
            try:
                await _run(log, store, other_batch)
            except Crash:
                continue
        store.crash_after = log.crash_on_commit = None
        await _run(log, store, batch)
    assert store.content == expected


async def test_a_store_that_does_not_answer_for_a_while_loses_nothing() -> None:
    """The same batch is tried until it is stored, and is committed once."""
    records = [reading(number, number * 5, number * 100) for number in range(20)]
    log, store = MemoryLog(records), MemoryStore()
    store.unavailable = 3
    with pytest.raises(Exception, match="scripted"):
        await _run(log, store, 7)
    assert log.committed == {}
    for _ in range(4):
        try:
            await _run(log, store, 7)
        except Exception as fault:  # noqa: BLE001
            assert "scripted" in str(fault)  # noqa: PT017
    assert store.content == await _stored(records)
    assert log.committed == {"garonne.energy": 20}


async def test_days_of_readings_behind_the_checkpoint_are_loaded_when_a_late_one_comes() -> None:
    """A reading of three weeks ago corrects its windows exactly, although memory has forgotten them."""
    hourly = [reading(number, number * 15, number * 100) for number in range(3000)]
    late = [hourly.pop(index) for index in (900, 400, 399, 60, 59)]
    in_order = sorted([*hourly, *late], key=lambda record: record.timestamp_ms)
    log, store = MemoryLog(hourly), MemoryStore()
    await _run(log, store, 500)
    for record in late:
        log.append(record)
    await _run(log, store, 2)
    assert store.content == await _stored(in_order)


async def test_a_record_that_is_no_event_is_rejected_and_its_neighbours_are_stored() -> None:
    """Garbage in the log stops nothing."""
    good = reading(1, 0, 100)
    log, store = MemoryLog([good, good._replace(value=b"garbage"), reading(2, 5, 200)]), MemoryStore()
    await _run(log, store, 10)
    assert len(log.rejected) == 1
    assert store.content == await _stored([good, reading(2, 5, 200)])
