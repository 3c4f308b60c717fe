"""Vehicles and speeds by junction and minute: a function of the set of messages, also when the log is read again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.envelope import Event
from schemas.mobility import Position, VehicleState
from services.aggregator.points import milliseconds
from services.aggregator.ports import Incoming, Point
from services.aggregator.projection import Placed, Projection
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS, MARGIN_MS, MinuteFigures, Minutes, Sample, sample_of
from tests.fakes_aggregator import MemoryLog, MemoryStore

START = datetime(2026, 5, 11, 7, 30, tzinfo=UTC)
START_MS = milliseconds(START)
MINUTE = ("33:4101", START_MS)


def _vehicle(**changes: Any) -> VehicleState:
    return VehicleState(
        **{
            "observed_at": START,
            "received_at": START,
            "clock": "its",
            "zone": "33:4101",
            "vehicle": "v_0000000000000001",
            "station_type": 5,
            "position": Position(latitude_deg=44.84, longitude_deg=-0.58),
            "speed_mps": 10.0,
            **changes,
        }
    )


def _figures(samples: list[Sample]) -> MinuteFigures:
    minutes = Minutes(0)
    for sample in samples:
        minutes.add(sample)
    return minutes.figures(MINUTE)


def test_a_minute_counts_vehicles_once_and_means_over_vehicles() -> None:
    """One at 10 and 20 m/s, one at 5 m/s twice, one that says no speed: three vehicles, five messages, 10 m/s."""
    samples = [
        Sample("33:4101", "a", START_MS, 10.0),
        Sample("33:4101", "a", START_MS + 1000, 20.0),
        Sample("33:4101", "b", START_MS, 5.0),
        Sample("33:4101", "b", START_MS + 1000, 5.0),
        Sample("33:4101", "c", START_MS + 59_999, None),
    ]
    assert _figures(samples) == MinuteFigures("33:4101", START_MS, 3, 5, 10.0)


def test_a_minute_of_vehicles_without_speed_has_no_mean() -> None:
    """None is not standing still."""
    assert _figures([Sample("33:4101", "a", START_MS, None)]).mean_speed_mps is None
    assert _figures([Sample("33:4101", "a", START_MS, 0.0)]).mean_speed_mps == 0.0


@given(
    samples=st.lists(
        st.builds(
            Sample,
            st.just("33:4101"),
            st.sampled_from("abc"),
            st.integers(START_MS, START_MS + 5),
            st.sampled_from([None, 0.0, 8.33, 13.9]),
        ),
        min_size=1,
        max_size=20,
    ),
    seed=st.randoms(use_true_random=False),
)
def test_order_and_copies_do_not_change_a_minute(samples: list[Sample], seed: Any) -> None:
    """Of two messages of one vehicle and instant with other speeds, the faster one counts."""
    shuffled = [*samples, *samples[: len(samples) // 2]]
    seed.shuffle(shuffled)
    assert _figures(shuffled) == _figures(samples)


def test_a_copy_is_no_news_and_a_minute_with_news_is_named() -> None:
    """So that nothing is written for a redelivery."""
    minutes = Minutes(0)
    assert minutes.add(Sample("33:4101", "a", START_MS + 61_000, 3.0)) == ("33:4101", START_MS + 60_000)
    assert minutes.add(Sample("33:4101", "a", START_MS + 61_000, 3.0)) is None
    assert minutes.add(Sample("33:4101", "a", START_MS + 61_000, None)) is None
    assert minutes.add(Sample("33:4101", "a", START_MS + 61_000, 4.0)) is not None


@pytest.mark.parametrize("changes", [{"station_type": 1}, {"station_type": 15}, {"position": None}])
def test_pedestrians_roadside_units_and_the_lost_are_no_vehicles(changes: dict[str, Any]) -> None:
    """Only what drives, somewhere."""
    assert sample_of(_vehicle(), START_MS) is not None
    assert sample_of(_vehicle(**changes), START_MS) is None


def test_a_minute_is_known_while_every_message_about_it_is_in_memory() -> None:
    """Messages can come a margin before the minute; what was forgotten is read again."""
    minutes = Minutes()
    sample = Sample("33:4101", "a", START_MS, 1.0)
    assert not minutes.knows(sample)
    minutes.complete_from_ms = START_MS - MARGIN_MS
    assert minutes.knows(sample)
    minutes.complete_from_ms = START_MS - MARGIN_MS + 1
    assert not minutes.knows(sample)


def test_old_minutes_are_forgotten_and_said_to_be() -> None:
    """Memory holds the last half hour, and knows no more than it holds."""
    minutes = Minutes(0)
    for number in range(120):
        minutes.add(Sample("33:4101", "a", START_MS + number * 60_000, 1.0))
    minutes.forget(START_MS + 119 * 60_000)
    assert not minutes.knows(Sample("33:4101", "b", START_MS, 1.0))
    late = Sample("33:4101", "b", START_MS + 119 * 60_000, 1.0)
    assert minutes.knows(late)
    minutes.add(late)
    assert minutes.figures(("33:4101", START_MS + 119 * 60_000)).vehicles == 2


class _City:
    """A log of vehicles, and a process that reads it and can start anew."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.telemetry = AggregatorTelemetry()
        self.points: dict[tuple[str, int], dict[str, Any]] = {}
        self._read = 0
        self.restart()

    def restart(self) -> None:
        self._projection = Projection(self.log, MemoryStore(), ZoneInfo("Europe/Paris"), self.telemetry)

    async def take(self, *records: VehicleState) -> None:
        """One batch."""
        for record in records:
            event = Event(f"{self._read + len(self.log.records):032x}", "its_client_json", record)
            incoming = Incoming("garonne.mobility", 0, 0, record.zone.encode(), encode(event), 0)
            self.log.append(incoming._replace(timestamp_ms=milliseconds(record.received_at)))
        batch = self.log.records["garonne.mobility"][self._read :]
        self._read += len(batch)
        placed = [Placed(each, Event("0" * 32, "x", record)) for each, record in zip(batch, records, strict=True)]
        for point in (await self._projection.take(placed)).derived:
            if point.measurement == "traffic":
                self.points[_zone_and_time(point)] = dict(point.fields)


def _zone_and_time(point: Point) -> tuple[str, int]:
    return dict(point.tags)["zone"], point.time_ns // 1_000_000


def _at(seconds: float, vehicle: int, *, late_s: float = 0, zone: str = "33:4101") -> VehicleState:
    at = START + timedelta(seconds=seconds)
    return _vehicle(
        observed_at=at, received_at=at + timedelta(seconds=late_s), vehicle=f"v_{vehicle:016x}", zone=zone
    )  # fmt: skip


async def test_a_process_that_starts_anew_reads_the_minute_again() -> None:
    """Three vehicles, a restart, a fourth: four in the minute, not one; and another junction apart."""
    city = _City()
    await city.take(_at(1, 1), _at(2, 2), _at(3, 3), _at(3, 3, zone="33:4102"))
    city.restart()
    await city.take(_at(9, 4))
    assert city.points["33:4101", START_MS]["vehicles"] == 4
    assert city.points["33:4102", START_MS]["vehicles"] == 1


async def test_a_clock_that_runs_ahead_is_found_again() -> None:
    """Received nine minutes before the time it claims: after a restart the minute still has it."""
    city = _City()
    await city.take(_at(0, 1, late_s=-540))
    city.restart()
    await city.take(_at(5, 2))
    assert city.points["33:4101", START_MS]["vehicles"] == 2


async def test_what_is_hours_late_or_minutes_ahead_changes_nothing_and_is_counted() -> None:
    """Beyond six hours behind or ten minutes ahead no minute is touched, whatever is in memory."""
    city = _City()
    late_s, ahead_s = HORIZON_MS / 1000 + 1, MARGIN_MS / 1000 + 1
    await city.take(_at(0, 1), _at(1, 2, late_s=late_s), _at(2, 3, late_s=-ahead_s))
    assert city.points["33:4101", START_MS]["vehicles"] == 1
    assert city.telemetry.too_late._value.get() == 2


async def test_a_message_of_hours_ago_corrects_its_minute() -> None:
    """Five hours late, its minute long forgotten: read again, complete, and stored anew."""
    city = _City()
    await city.take(_at(1, 1), _at(2, 2))
    await city.take(*(_at(60 * minute, 3) for minute in range(1, 310)))
    await city.take(_at(5, 4, late_s=5 * 3600))
    assert city.points["33:4101", START_MS]["vehicles"] == 3
