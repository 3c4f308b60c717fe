"""Message rates and availability of stations: right against known times, the same in any order, and of nobody."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.envelope import AnyRecord, Event, key_of, topic_of
from schemas.mobility import IntersectionGeometry, Position, SignalState, VehicleState
from services.aggregator.mobility.quality import BOUNDS
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import TAGS, milliseconds
from services.aggregator.ports import Incoming
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import Crash, MemoryLog, MemoryStore

START = datetime(2026, 5, 11, 7, 0, tzinfo=UTC)
ZONE = "33:4101"


def _when(at_s: float, late_s: float) -> dict[str, Any]:
    at = START + timedelta(milliseconds=round(1000 * at_s))
    return {"observed_at": at, "received_at": at + timedelta(seconds=late_s), "clock": "its"}


def _cam(at_s: float, vehicle: int = 1, *, station_type: int = 5, late_s: float = 0.1, **changes: Any) -> VehicleState:
    said = {"zone": ZONE, "vehicle": f"v_{vehicle:016x}", "station_type": station_type}
    return VehicleState(**{**_when(at_s, late_s), **said, **changes})


def _spat(at_s: float, late_s: float = 0.1) -> SignalState:
    return SignalState(**_when(at_s, late_s), intersection=ZONE)


def _map(at_s: float, late_s: float = 0.1) -> IntersectionGeometry:
    place = Position(latitude_deg=44.84, longitude_deg=-0.58)
    return IntersectionGeometry(**_when(at_s, late_s), intersection=ZONE, reference=place)


def _incoming(record: AnyRecord, number: int) -> Incoming:
    event = Event(f"{number:032x}", "its_client_json", record)
    return Incoming(topic_of(record), 0, 0, key_of(record).encode(), encode(event), milliseconds(record.received_at))


async def _run(log: MemoryLog, store: MemoryStore, batch: int) -> None:
    log.restart()
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    pipeline = Pipeline(log, store, sealing, AggregatorSettings(), ZoneInfo("Europe/Paris"), AggregatorTelemetry())
    while records := await log.poll(batch, 0.01):
        await pipeline.store(records)


def _of(store: MemoryStore) -> dict[Any, Any]:
    return {key: times for key, times in store.content.items() if key[0] == "station_quality"}


async def _stored(records: Sequence[AnyRecord], batch: int = 10_000) -> dict[Any, Any]:
    store = MemoryStore()
    await _run(MemoryLog([_incoming(each, number) for number, each in enumerate(records)]), store, batch)
    return _of(store)


async def _rows(records: Sequence[AnyRecord], message: str, station: str) -> list[dict[str, Any]]:
    """The fields of each minute, by time."""
    stored = await _stored(records)
    tags = (("message", message), ("station", station), ("zone", ZONE))
    return [row for _, row in sorted(stored["station_quality", tags].items())]


async def test_a_car_at_ten_hertz_has_its_intervals() -> None:
    """Two minutes of 100 ms: 600 messages each, mean interval 0.1 s, no violation; none before the first."""
    rows = await _rows([_cam(0.1 * number) for number in range(1200)], "cam", "car")
    assert [row["messages"] for row in rows] == [600, 600]
    assert [row["intervals"] for row in rows] == [599, 600]
    assert [round(row["interval_s"], 3) for row in rows] == [59.9, 60.0]
    assert [(row["too_short"], row["too_long"], row["stations"]) for row in rows] == [(0, 0, 1)] * 2


@pytest.mark.parametrize(
    ("gap_s", "too_short", "too_long", "intervals"),
    [(0.079, 1, 0, 1), (0.08, 0, 0, 1), (1.1, 0, 0, 1), (1.101, 0, 1, 1), (10.0, 0, 1, 1), (10.001, 0, 0, 0)],
)
async def test_a_violation_is_outside_of_the_bounds(
    gap_s: float, too_short: int, too_long: int, intervals: int
) -> None:
    """80 % of T_GenCamMin to 1.1 s (c-its.md 5); who was silent for more than ten seconds was elsewhere."""
    (row,) = await _rows([_cam(0), _cam(gap_s)], "cam", "car")
    assert (row["too_short"], row["too_long"], row["intervals"]) == (too_short, too_long, intervals)


async def test_intervals_are_of_the_sender_and_not_of_the_network() -> None:
    """A network that holds messages back, or delivers them twice and in disorder, makes no sender irregular."""
    chance = random.Random(4)  # noqa: S311
    sent = [_cam(number, late_s=chance.uniform(0, 30)) for number in range(50)]
    again = [each.model_copy(update={"received_at": each.received_at + timedelta(seconds=1)}) for each in sent]
    records = [*sent, *again]
    chance.shuffle(records)
    (row,) = await _rows(records, "cam", "car")
    assert (row["messages"], row["intervals"], row["interval_s"], row["too_long"]) == (50, 49, 49.0, 0)


async def test_the_availability_of_a_roadside_unit_is_what_it_was_heard_for() -> None:
    """SPATEM each second but for 100 s: a gap of 101 s, less the three that a message vouches for, is missing."""
    rows = await _rows([_spat(number) for number in range(300) if not 100 < number <= 200], "spatem", "roadside")
    # The first message vouches for the three seconds before it.
    assert sum(row["heard_s"] for row in rows) - 2 == 1 + 299 - (101 - 3)
    rows = await _rows([_map(10.0 * number) for number in range(6)], "mapem", "roadside")
    assert (rows[0]["heard_s"], rows[0]["too_long"]) == (60, 5)


async def test_types_of_stations_and_messages_are_told_apart() -> None:
    """Bus, car, roadside unit, one that the standard does not know, SPATEM, MAPEM: a series each."""
    records: list[AnyRecord] = [
        _cam(0),
        _cam(0, 2, station_type=6),
        _cam(0, 3, station_type=15),
        _cam(0, 4, station_type=99),
        _spat(0),
        _map(0),
    ]
    found = {(dict(tags)["message"], dict(tags)["station"]) for _, tags in await _stored(records)}
    assert found == {
        ("cam", "car"), ("cam", "bus"), ("cam", "roadside"), ("cam", "type_99"),
        ("spatem", "roadside"), ("mapem", "roadside"),
    }  # fmt: skip


async def test_what_says_no_time_of_its_own_has_no_rate() -> None:
    """A clock that is not believed, a replay, a retained message, one that came hours late."""
    doubtful = [_cam(1, flags=("clock",)), _cam(2, flags=("replay",)), _cam(3, retained=True), _cam(4, late_s=25_000)]
    assert await _stored(doubtful) == {}


async def test_no_point_names_a_station() -> None:
    """Tags are those of the table; no tag or field holds a pseudonym."""
    stored = await _stored([_cam(0.5 * number, number % 7) for number in range(100)])
    assert {tuple(name for name, _ in tags) for _, tags in stored} == {TAGS["station_quality"]}
    assert "v_0" not in repr(stored)


def test_each_bound_has_its_source() -> None:
    """What was not read in the standard itself says so."""
    assert all(each.source and not each.verified and each.low_ms < each.high_ms for each in BOUNDS.values())


@st.composite
def _messages(draw: st.DrawFn) -> list[AnyRecord]:
    """Stations over half an hour, with silence, over the bounds of minutes, some minutes or hours late."""
    records: list[AnyRecord] = []
    for _ in range(draw(st.integers(1, 30))):
        at_s = draw(st.sampled_from([0, 0, 50, 60, 110, 1750])) + draw(st.integers(0, 120)) / 10
        late_s = draw(st.sampled_from([0.1, 0.1, 0.5, 90, 1200, 9000]))
        kind = draw(st.integers(0, 3))
        records.append(_spat(at_s, late_s) if kind == 3 else _cam(at_s, kind, late_s=late_s))
    return records


@given(
    records=_messages(),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 8),
    crashes=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 8)), max_size=3),
)
@settings(max_examples=150, deadline=None)
async def test_order_copies_batches_and_crashes_change_nothing_that_is_stored(
    records: list[AnyRecord], seed: int, batch: int, crashes: list[tuple[int, int]]
) -> None:
    """Promise 2: any permutation with copies, in any batches, with kills between any two points: the same points."""
    chance = random.Random(seed)  # noqa: S311
    expected = await _stored(records)
    shuffled = records + chance.sample(records, k=len(records) // 3)
    chance.shuffle(shuffled)
    log, store = MemoryLog([_incoming(each, number) for number, each in enumerate(shuffled)]), MemoryStore()
    for points, other_batch in crashes:
        store.crash_after = points
        try:
            await _run(log, store, other_batch)
        except Crash:
            continue
    store.crash_after = None
    await _run(log, store, batch)
    assert _of(store) == expected


@pytest.mark.parametrize("batch", [1, 40])
async def test_memory_that_forgets_changes_nothing(batch: int) -> None:
    """A message an hour late, when its minute is long forgotten: the log is read again, and all is as in one batch."""
    chance = random.Random(8)  # noqa: S311
    records: list[AnyRecord] = [_cam(20.0 * number + chance.uniform(0, 9), number % 3) for number in range(300)]
    records += [_cam(61.0 * number, number % 3, late_s=5000) for number in range(20)]
    records.sort(key=lambda each: each.received_at)
    assert await _stored(records, batch) == await _stored(records)
