"""Traffic by hour is the sum of its minutes as they are stored, whatever came when (promise 2)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.envelope import Event
from schemas.mobility import Position, VehicleState
from services.aggregator.hourly import HOUR_MS, hour_of, sum_of
from services.aggregator.points import hour_point, milliseconds, stored_minutes
from services.aggregator.ports import Incoming
from services.aggregator.projection import Placed, Projection
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import MinuteFigures
from tests.fakes_aggregator import MemoryLog, MemoryStore

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 5, 11, 6, tzinfo=UTC)
TOPIC = "garonne.mobility"


class _City:
    """A log of vehicles, a store, and a process between them that can start anew at any time."""

    def __init__(self) -> None:
        self.log, self.store = MemoryLog(), MemoryStore()
        self._read = 0
        self.restart()

    def restart(self) -> None:
        """What was in memory is gone."""
        self._projection = Projection(self.log, self.store, PARIS, AggregatorTelemetry())

    async def take(self, records: Sequence[VehicleState]) -> None:
        """One batch."""
        for record in records:
            at_ms = milliseconds(record.received_at)
            self.log.append(Incoming(TOPIC, 0, 0, record.zone.encode(), encode(Event("0" * 32, "x", record)), at_ms))
        batch = self.log.records[TOPIC][self._read :]
        self._read += len(batch)
        placed = [Placed(each, Event("0" * 32, "x", record)) for each, record in zip(batch, records, strict=True)]
        await self.store.write((await self._projection.take(placed)).derived)

    async def hours(self) -> dict[tuple[str, int], dict[str, float | int | str | bool]]:
        """What is stored of hours."""
        rows = await self.store.select("traffic_hour")
        return {(row.tags["zone"], row.time_ns): dict(row.fields) for row in rows}

    async def sums(self) -> dict[tuple[str, int], dict[str, float | int | str | bool]]:
        """What the stored minutes add up to, by a way that is slow and obvious."""
        found: dict[tuple[str, int], list[MinuteFigures]] = {}
        for minute in stored_minutes(await self.store.select("traffic", tags={"window": "1m"})):
            hour_ms = minute.start_ms - minute.start_ms % HOUR_MS  # Paris is whole hours from Greenwich
            found.setdefault((minute.zone, hour_ms), []).append(minute)
        points = [hour_point(sum_of(hour, minutes)) for hour, minutes in found.items()]
        return {(dict(point.tags)["zone"], point.time_ns): dict(point.fields) for point in points}


def _vehicle(minute: int, vehicle: int, zone: str, speed_mps: float | None, late_min: int) -> VehicleState:
    at = START + timedelta(minutes=minute, seconds=vehicle)
    return VehicleState(
        observed_at=at,
        received_at=at + timedelta(minutes=late_min),
        clock="its",
        zone=zone,
        vehicle=f"v_{vehicle:016x}",
        station_type=5,
        position=Position(latitude_deg=44.84, longitude_deg=-0.58),
        speed_mps=speed_mps,
    )


def test_an_hour_is_the_sum_of_its_minutes() -> None:
    """Three minutes, one of them without speeds: 6 vehicles, of which 4 with 2 at 10 and 2 at 4 m/s."""
    minutes = [
        MinuteFigures("33:1", 0, 2, 20, 10.0),
        MinuteFigures("33:1", 60_000, 2, 20, 4.0),
        MinuteFigures("33:1", 120_000, 2, 8, None),
    ]
    assert sum_of(("33:1", 0), minutes) == ("33:1", 0, 3, 6, 48, 4, 28.0, 2)
    assert sum_of(("33:1", 0), minutes[::-1]) == sum_of(("33:1", 0), minutes)


@pytest.mark.parametrize(
    ("at", "zone", "start"),
    [
        ("2026-05-11T08:59:59+02:00", "Europe/Paris", "2026-05-11T08:00:00+02:00"),
        ("2026-10-25T02:30:00+02:00", "Europe/Paris", "2026-10-25T02:00:00+02:00"),
        ("2026-10-25T02:30:00+01:00", "Europe/Paris", "2026-10-25T02:00:00+01:00"),
        ("2026-05-11T08:10:00+05:30", "Asia/Kolkata", "2026-05-11T08:00:00+05:30"),
        ("2026-05-11T08:50:00+05:45", "Asia/Kathmandu", "2026-05-11T08:00:00+05:45"),
    ],
)
def test_an_hour_is_one_of_the_clock_on_the_wall(at: str, zone: str, start: str) -> None:
    """Where the offset is half an hour too; and the doubled hour of October is two."""
    found = hour_of(milliseconds(datetime.fromisoformat(at)), ZoneInfo(zone))
    assert found == milliseconds(datetime.fromisoformat(start))


@settings(max_examples=60, deadline=None)
@given(
    said=st.lists(
        st.builds(
            _vehicle,
            st.integers(0, 400),
            st.integers(0, 4),
            st.sampled_from(["33:1", "33:2"]),
            st.sampled_from([None, 0.1, 8.33, 13.9]),
            st.sampled_from([-5, 0, 1, 90, 350]),
        ),
        min_size=1,
        max_size=40,
    ),
    sizes=st.lists(st.integers(1, 9), min_size=1),
    ends=st.sets(st.integers(0, 20)),
)
async def test_hours_agree_with_minutes_whatever_came_when(
    said: list[VehicleState], sizes: list[int], ends: set[int]
) -> None:
    """Any order and batches, messages of hours ago, a process that ends between batches: to the last bit."""
    city, plain = _City(), _City()
    left, number = list(said), 0
    while left:
        size = sizes[number % len(sizes)]
        await city.take(left[:size])
        left = left[size:]
        if number in ends:
            city.restart()
        number += 1
    await plain.take(said)
    assert await city.hours() == await city.sums()
    assert await city.hours() == await plain.hours()


async def test_a_late_message_corrects_an_hour_that_memory_has_forgotten() -> None:
    """Five hours late, and the process is a new one: the hour has all its minutes, the late vehicle too."""
    city = _City()
    await city.take([_vehicle(minute, 1, "33:1", 10.0, 0) for minute in range(310)])
    city.restart()
    await city.take([_vehicle(5, 2, "33:1", 4.0, 300)])
    first = (await city.hours())["33:1", milliseconds(START) * 1_000_000]
    assert first["vehicles"] == 61
    assert first["minutes"] == 60
    assert first["speed_sum_mps"] == pytest.approx(59 * 10 + 2 * 7.0)
