"""Hours and days of junctions are the sums of their minutes, to the last bit, and count vehicles without naming any."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.mobility.hours import crowd_bit
from services.aggregator.points import milliseconds
from services.aggregator.ports import FieldValue, Point
from services.aggregator.rollups import Crowd, Rollups
from tests.fakes_aggregator import MemoryStore

PARIS = ZoneInfo("Europe/Paris")
START_MS = milliseconds(datetime(2026, 3, 28, 20, tzinfo=UTC))
"""The evening before the clocks change: the day after it has 23 hours."""

ADDED = ("passages", "stops", "delay_s", "delay_known", "idle_s", "advice_known", "arrival_green", "violations")


def passage(minute: int, vehicle: int, delay_s: float, *, station: str = "car", advised: bool = False) -> Point:
    """A vehicle that passed in a minute: its point, as `mobility.points` makes it."""
    fields: dict[str, FieldValue] = {
        "passages": 1,
        "first_passages": 1,
        "stops": vehicle % 3,
        "delay_s": delay_s,
        "delay_known": 1,
        "idle_s": delay_s / 3,
        "advice_known": int(advised),
        "arrival_green": vehicle % 2,
        "violations": 0,
    }
    tags = (("approach", str(vehicle % 4)), ("signal_group", "1"), ("station", station), ("zone", "33:4101"))
    return Point("passage", tags, tuple(sorted(fields.items())), (START_MS + minute * 60_000) * 1_000_000 + vehicle)


def crowds_of(points: Sequence[Point]) -> dict[Crowd, int]:
    """The bits of the vehicles, whose numbers stand in the last digits of the times."""
    crowds: dict[Crowd, int] = defaultdict(int)
    for point in points:
        at_ms, vehicle = divmod(point.time_ns, 1_000_000)
        tags = dict(point.tags)
        key = (point.measurement, tags["zone"], at_ms - at_ms % 3_600_000, tags["station"])
        crowds[key] |= crowd_bit(tags["zone"], f"v_{vehicle}")
    return crowds


async def rolled(batches: Sequence[Sequence[Point]], restarts: frozenset[int] = frozenset()) -> MemoryStore:
    """A store that got these batches, and new memory before some of them."""
    store = MemoryStore()
    rollups = Rollups(store, PARIS)
    for number, batch in enumerate(batches):
        if number in restarts:
            rollups = Rollups(store, PARIS)
        sums = await rollups.take(batch, crowds_of(batch))
        await store.write([*batch, *sums])
    return store


def windows(store: MemoryStore, window: str) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Rows of one window by group, advice and time."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for (name, tags), times in store.content.items():
        its = dict(tags)
        if name == "mobility" and its["window"] == window:
            found |= {(its["group"], its["advice"], at): row for at, row in times.items()}
    return found


points_of_a_night = st.lists(
    st.builds(
        passage,
        st.integers(0, 900),
        st.integers(0, 40),
        st.floats(0, 300, allow_nan=False),
        station=st.sampled_from(["car", "bus"]),
        advised=st.booleans(),
    ),
    min_size=1,
    max_size=40,
)


@given(points=points_of_a_night, seed=st.integers(0, 2**32), size=st.integers(1, 10))
@settings(max_examples=60, deadline=None)
async def test_hours_and_days_are_the_sums_of_what_stands_in_the_minutes(
    points: list[Point], seed: int, size: int
) -> None:
    """In any order and batches, with copies, corrections and restarts: a slow sum over the stored minutes agrees."""
    chance = random.Random(seed)  # noqa: S311
    last = {(each.tags, each.time_ns): each for each in points}
    came = [*points, *chance.sample(points, k=len(points) // 2)]
    chance.shuffle(came)
    came += last.values()
    batches = [came[first : first + size] for first in range(0, len(came), size)]
    store = await rolled(batches, frozenset(chance.sample(range(len(batches)), k=len(batches) // 3)))
    assert windows(store, "1h") == windows(await rolled([list(last.values())]), "1h")
    for window in ("1h", "1d"):
        expected: dict[tuple[str, str, int], dict[str, float]] = defaultdict(lambda: dict.fromkeys(ADDED, 0.0))
        for point in last.values():
            at = datetime.fromtimestamp(point.time_ns // 1_000_000_000, PARIS)
            begins = at.replace(minute=0, second=0, microsecond=0)
            begins = begins.replace(hour=0, fold=0) if window == "1d" else begins
            fields, tags = dict(point.fields), dict(point.tags)
            for advice in ("none", "received"):
                row = expected[tags["station"], advice, int(begins.timestamp()) * 1_000_000_000]
                if advice == ("received" if fields["advice_known"] else "none"):
                    for name in ADDED:
                        # Sums are of thousandths, as stored.
                        row[name] += round(float(fields[name]) * 1000)
        found = windows(store, window)
        assert found.keys() == expected.keys()
        for key, row in expected.items():
            assert {name: found[key][name] for name in ADDED} == {name: row[name] / 1000 for name in ADDED}


@given(points=points_of_a_night)
@settings(max_examples=60, deadline=None)
async def test_vehicles_are_never_counted_too_many(points: list[Point]) -> None:
    """`heard` and `at_once` are at most the different vehicles of the hour: bits are shared, quarters are parts."""
    store = await rolled([points])
    truth: dict[tuple[str, int], set[int]] = defaultdict(set)
    for each in {(each.tags, each.time_ns): each for each in points}.values():
        at_ms, vehicle = divmod(each.time_ns, 1_000_000)
        truth[dict(each.tags)["station"], (at_ms - at_ms % 3_600_000) * 1_000_000].add(vehicle)
    for (group, _, at), row in windows(store, "1h").items():
        assert 1 <= row["heard"] <= len(truth[group, at])


async def test_the_same_vehicle_all_day_is_one_vehicle() -> None:
    """A bus that passes every hour is one, however often; five cars are five."""
    bus = [passage(60 * hour, 7, 1.0, station="bus") for hour in range(10)]
    cars = [passage(30, vehicle, 1.0) for vehicle in (1, 2, 3, 4, 5)]
    assert len({crowd_bit("33:4101", f"v_{vehicle}") for vehicle in (1, 2, 3, 4, 5)}) == 5
    days = windows(await rolled([bus, cars]), "1d")
    assert {row["heard"] for (group, _, _), row in days.items() if group == "bus"} == {1}
    assert {row["heard"] for (group, _, _), row in days.items() if group == "car"} == {5}


async def test_no_bit_of_a_day_is_kept() -> None:
    """The bits of an hour are there so that more can be added; a day has their number alone."""
    days = windows(await rolled([[passage(0, 1, 1.0)]]), "1d")
    assert all("crowd" not in row for row in days.values())


async def test_a_day_of_23_hours_is_one_day() -> None:
    """The night in which the clocks go forward: what comes after the change counts to the new day."""
    midnight = datetime(2026, 3, 29, tzinfo=PARIS)
    minutes = [
        round((midnight + timedelta(hours=hours) - datetime(2026, 3, 28, 21, tzinfo=PARIS)) / timedelta(minutes=1))
        for hours in (0, 4)
    ]
    days = windows(await rolled([[passage(minute, 1, 2.0) for minute in minutes]]), "1d")
    assert {at: row["passages"] for (_, advice, at), row in days.items() if advice == "none"} == {
        int(midnight.timestamp()) * 1_000_000_000: 2
    }
