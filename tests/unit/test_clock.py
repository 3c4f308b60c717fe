"""Clocks: what a wall clock, a season letter and a receive time say together."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.clock import fake_utc_local, local_naive, tic_horodate, wall_clock_text
from services.ingest.profiles import Context
from tests.cases import NAMES, NoJunctions

PARIS = ZoneInfo("Europe/Paris")
ZONES = st.sampled_from([PARIS, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")])
INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text)


@given(at=INSTANTS, zone=ZONES)
def test_a_wall_clock_read_at_once_gives_its_instant(at: datetime, zone: ZoneInfo) -> None:
    """Whatever the zone, in the hour that occurs twice too, where the receive time decides."""
    local = at.astimezone(zone).replace(tzinfo=None)
    reading = local_naive(local, zone, at)
    in_doubt = reading.at - at in (timedelta(minutes=30), timedelta(hours=1)) and "clock_ambiguous" in reading.flags
    assert reading.at == at or (in_doubt and reading.at <= at + timedelta(minutes=10))


@pytest.mark.parametrize(("season", "hour"), [("E", 0), ("H", 1), ("e", 0), ("h", 1)])
def test_the_season_decides_the_hour_that_occurs_twice(season: str, hour: int) -> None:
    """And a small letter says that the meter does not trust its clock."""
    received_at = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    reading = tic_horodate(_local("2026-10-25T02:30:00"), season, PARIS, received_at)
    assert reading.at == datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
    assert reading.flags == (("clock_degraded",) if season.islower() else ())


@pytest.mark.parametrize("season", ["H", "E", " "])
def test_a_time_in_the_missing_hour_is_shifted_forward(season: str) -> None:
    """And flagged, whatever the season says."""
    received_at = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    reading = tic_horodate(_local("2026-03-29T02:30:00"), season, PARIS, received_at)
    assert (reading.at, reading.flags) == (received_at, ("clock_missing_hour",))


@pytest.mark.parametrize("dst", ["winter", "summer", "None"])
def test_the_season_changes_nothing_outside_that_hour(dst: str) -> None:
    """The gateway says summer for anything but `H`."""
    received_at = datetime(2026, 1, 12, 7, 15, tzinfo=UTC)
    reading = fake_utc_local(_local("2026-01-12T08:15:00"), dst, PARIS, received_at)
    assert (reading.at, reading.clock) == (received_at, "fake_utc_local")


@pytest.mark.parametrize(
    ("text", "clock", "flags"),
    [
        (None, "none", ()),
        ("2026-04-10T08:05:00", "local_naive", ()),
        ("2026-04-10T06:05:00Z", "iso_offset", ()),
        ("2026-04-10T08:05:00+02:00", "iso_offset", ()),
        ("2026-04-10", "none", ("clock",)),
        ("soon", "none", ("clock",)),
        (7, "none", ("clock",)),
        ("0001-01-01T00:00:00", "local_naive", ("clock",)),
        ("9999-12-31T23:59:59-12:00", "iso_offset", ("clock",)),
    ],
)
def test_a_time_as_text_is_read_or_the_receive_time_stands(text: object, clock: str, flags: tuple[str, ...]) -> None:
    """Local, with offset, absent, or no time at all."""
    received_at = datetime(2026, 4, 10, 6, 5, tzinfo=UTC)
    context = Context(names=NAMES, zones=NoJunctions(), timezone=PARIS)
    reading = wall_clock_text(text, received_at, context)
    assert (reading.at, reading.clock, reading.flags) == (received_at, clock, flags)
