"""Windows cut what is credited without losing or adding anything, at every hour of the year."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.points import milliseconds
from services.aggregator.registers import Segment
from services.aggregator.windows import Curve, WindowName, gas_day, local_day, window_at, windows_between

PARIS = ZoneInfo("Europe/Paris")
MINUTE = 60_000
DOUBTS: list[Literal["", "unknown", "unit_suspect"]] = ["", "", "unknown", "unit_suspect"]
HOUR = 60 * MINUTE


def _ms(text: str) -> int:
    return milliseconds(datetime.fromisoformat(text))


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


@pytest.mark.parametrize(
    ("noon", "start", "hours"),
    [
        ("2026-03-29T12:00+02:00", "2026-03-28T23:00Z", 23),
        ("2026-10-25T12:00+01:00", "2026-10-24T22:00Z", 25),
        ("2026-06-21T12:00+02:00", "2026-06-20T22:00Z", 24),
    ],
)
def test_a_local_day_has_23_24_or_25_hours(noon: str, start: str, hours: int) -> None:
    """46, 48 or 50 half hours, each of them on its own instant."""
    low, high = local_day(_ms(noon), PARIS)
    assert (_utc(low), (high - low) // HOUR) == (start, hours)
    halves = list(windows_between("30m", low, high, PARIS))
    assert len(set(halves)) == 2 * hours
    assert (halves[0][0], halves[-1][1]) == (low, high)
    assert all(one[1] == other[0] for one, other in pairwise(halves))


def test_both_hours_of_the_same_name_lie_in_the_day_and_the_missing_hour_does_not() -> None:
    """02:30 twice in October; 01:59 is followed by 03:00 in March."""
    october = local_day(_ms("2026-10-25T12:00+01:00"), PARIS)
    assert local_day(_ms("2026-10-25T00:30Z"), PARIS) == local_day(_ms("2026-10-25T01:30Z"), PARIS) == october
    march = local_day(_ms("2026-03-29T12:00+02:00"), PARIS)
    assert local_day(_ms("2026-03-29T00:59Z"), PARIS) == local_day(_ms("2026-03-29T01:00Z"), PARIS) == march


@pytest.mark.parametrize(
    ("at", "start", "hours"),
    [
        ("2026-02-03T05:59+01:00", "2026-02-02T05:00Z", 24),
        ("2026-02-03T06:00+01:00", "2026-02-03T05:00Z", 24),
        ("2026-03-28T12:00+01:00", "2026-03-28T05:00Z", 23),
        ("2026-10-25T05:59+01:00", "2026-10-24T04:00Z", 25),
        ("2026-10-25T06:00+01:00", "2026-10-25T05:00Z", 24),
    ],
)
def test_the_gas_day_runs_from_six_to_six(at: str, start: str, hours: int) -> None:
    """The day on which the clock changes ends at six the next morning: it begins on the Saturday."""
    low, high = gas_day(_ms(at), PARIS)
    assert (_utc(low), (high - low) // HOUR) == (start, hours)


@given(
    at=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    name=st.sampled_from(["30m", "1h", "1d", "gas_day"]),
    zone=st.sampled_from(["Europe/Paris", "Europe/Lisbon", "Asia/Kolkata", "America/Sao_Paulo", "Pacific/Apia"]),
)
def test_every_instant_lies_in_one_window_of_each_kind(at: datetime, name: WindowName, zone: str) -> None:
    """The window holds the instant, ends where the next begins, and is the same for its first and last millisecond."""
    at_ms = milliseconds(at)
    low, high = window_at(name, at_ms, ZoneInfo(zone))
    assert low <= at_ms < high
    assert window_at(name, low, ZoneInfo(zone)) == window_at(name, high - 1, ZoneInfo(zone)) == (low, high)
    assert window_at(name, high, ZoneInfo(zone))[0] == high


def test_energy_between_two_readings_is_spread_by_time() -> None:
    """1.2 kWh from 09:50 to 10:20: a third before ten, two thirds after."""
    curve = Curve([Segment(_ms("2026-01-12T09:50Z"), _ms("2026-01-12T10:20Z"), 1_200_000)])
    before = curve.window(_ms("2026-01-12T09:30Z"), _ms("2026-01-12T10:00Z"))
    after = curve.window(_ms("2026-01-12T10:00Z"), _ms("2026-01-12T10:30Z"))
    assert (before.value, after.value) == (400_000, 800_000)
    assert before.coverage == pytest.approx(1 / 3)
    assert after.coverage == pytest.approx(2 / 3)
    assert not before.estimated


def test_a_gap_is_estimated_where_a_bound_cuts_it_and_known_as_a_whole() -> None:
    """A three-hour gap of 2.4 kWh: each hour 0.8 and estimated; the day around it knows its energy."""
    hours = [Segment(n * HOUR, (n + 1) * HOUR, 300_000) for n in range(11)]
    curve = Curve([*hours, Segment(11 * HOUR, 14 * HOUR, 2_400_000, gap=True)])
    for hour in (11, 12, 13):
        part = curve.window(hour * HOUR, (hour + 1) * HOUR)
        assert (part.value, part.coverage, part.estimated, part.flags) == (800_000, 0, True, ("gap",))
    whole = curve.window(0, 14 * HOUR)
    assert (whole.value, whole.coverage, whole.estimated, whole.flags) == (5_700_000, 1, False, ("gap",))
    assert curve.window(0, 11 * HOUR).flags == ()


def test_a_bound_far_from_both_readings_is_estimated() -> None:
    """Interpolated when both neighbours are less than two hours away, else a flag (meters.md 7)."""
    for hours, estimated in ((2, False), (3, True)):
        window = Curve([Segment(0, hours * HOUR, 600_000)]).window(0, HOUR)
        assert window.estimated is estimated
        assert window.coverage == 1
    assert not Curve([Segment(0, 9 * HOUR, 0)]).window(0, HOUR).estimated


def test_what_is_unknown_is_neither_covered_nor_silent() -> None:
    """The time before a reset: nothing credited, no coverage, the flag of a gap."""
    curve = Curve([Segment(0, HOUR, 100), Segment(HOUR, 2 * HOUR, 0, gap=True, doubt="unknown")])
    window = curve.window(0, 2 * HOUR)
    assert (window.value, window.coverage, window.flags) == (100, 0.5, ("gap",))


def test_nothing_is_known_outside_of_all_segments() -> None:
    """No coverage and no flag."""
    assert Curve([Segment(0, HOUR, 100)]).window(HOUR, 2 * HOUR) == (HOUR, 2 * HOUR, 0, 0, False, ())
    assert Curve().window(0, HOUR).coverage == 0


@st.composite
def _segments(draw: st.DrawFn) -> list[Segment]:
    at_ms, segments = draw(st.integers(0, 10**6)), []
    for _ in range(draw(st.integers(0, 12))):
        at_ms += draw(st.sampled_from([0, 0, 1, HOUR]))
        end_ms = at_ms + draw(st.integers(1, 3 * HOUR))
        doubt = draw(st.sampled_from(DOUBTS))
        delta = 0 if doubt == "unknown" else draw(st.integers(0, 10**9))
        segments.append(Segment(at_ms, end_ms, delta, gap=draw(st.booleans()) or doubt == "unknown", doubt=doubt))
        at_ms = end_ms
    return segments


def _slowly(segments: Sequence[Segment], start_ms: int, end_ms: int) -> int:
    """The same as a window, in the words of its definition."""

    def credited(at_ms: int) -> int:
        return sum(s.delta * (min(at_ms, s.end_ms) - s.start_ms) // (s.end_ms - s.start_ms) for s in segments
                   if s.start_ms < at_ms)  # fmt: skip

    return credited(end_ms) - credited(start_ms)


@given(segments=_segments(), cuts=st.lists(st.integers(0, 50 * HOUR), min_size=2, max_size=20))
def test_windows_that_adjoin_add_up_exactly(segments: list[Segment], cuts: list[int]) -> None:
    """Wherever it is cut: the parts are the whole, in energy; and each agrees with its definition."""
    curve = Curve(segments)
    assert [curve[index] for index in range(-len(curve), 0)] == segments
    bounds = sorted({*cuts, 0, 60 * HOUR})
    parts = [curve.window(low, high) for low, high in pairwise(bounds)]
    assert [part.value for part in parts] == [_slowly(segments, low, high) for low, high in pairwise(bounds)]
    assert sum(part.value for part in parts) == sum(segment.delta for segment in segments)
    assert all(0 <= part.coverage <= 1 for part in parts)
    assert any("gap" in part.flags for part in parts) == any(segment.gap for segment in segments)


@given(segments=_segments(), days=st.integers(0, 800))
def test_the_half_hours_of_a_day_are_the_day(segments: list[Segment], days: int) -> None:
    """46, 48 or 50 of them, whatever the day: the sum is exact."""
    start, end = local_day(_ms("2025-01-01T12:00Z") + days * 24 * HOUR, PARIS)
    shift = start - HOUR
    curve = Curve([s._replace(start_ms=s.start_ms + shift, end_ms=s.end_ms + shift) for s in segments])
    halves = [curve.window(*bounds).value for bounds in windows_between("30m", start, end, PARIS)]
    hours = [curve.window(*bounds).value for bounds in windows_between("1h", start, end, PARIS)]
    assert sum(halves) == sum(hours) == curve.window(start, end).value
    assert len(halves) in {46, 48, 50}
    assert timedelta(milliseconds=end - start) == timedelta(minutes=30) * len(halves)
