"""Sequences of messages give the energy that was really used, through the normaliser and the register algebra.

What is checked is what is stored in the end, so the messages are put in order of time first; that the order of
arrival does not matter is a property test of the aggregator.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.energy import MeterReading
from schemas.envelope import Event
from services.aggregator.points import milliseconds, readings_of
from services.aggregator.registers import MICRO, Limits, Reading, Segment, credit, limits_for
from services.aggregator.windows import Window, local_day, value_of, windows_between
from services.ingest.profiles import discover
from tests.cases import NAMES
from tests.conformance.cases import Sequence as Played
from tests.conformance.cases import find_sequences

SEQUENCES = [played for played in find_sequences() if "meters" in played.expected]
READABLE = [played for played in SEQUENCES if set(played.families) <= set(discover())]
TOLERANCE = 0.001
SeriesKey = tuple[str, str, str, str]
"""Carrier, meter, quantity, register name."""


def _events(played: Played) -> list[Event]:
    return [event for outcome in played.run() for event in outcome.events]


def _curves(events: Sequence[Event]) -> dict[SeriesKey, list[Segment]]:
    """What is credited, by register."""
    readings: dict[SeriesKey, dict[int, Reading]] = {}
    limits: dict[SeriesKey, Limits] = {}
    for event in events:
        if not isinstance(event.record, MeterReading):
            continue
        for (quantity, name, unit), register, reading in readings_of(event.record):
            key = (event.record.carrier, event.record.meter, quantity, name)
            limits[key] = limits_for(event.record.carrier, unit, register.modulus)
            known = readings.setdefault(key, {})
            known[reading.at_ms] = max(reading, known.get(reading.at_ms, reading))
    return {key: credit([known[at] for at in sorted(known)], limits[key])[1] for key, known in readings.items()}


def _window(segments: Sequence[Segment], start: datetime, end: datetime) -> Window:
    starts = [segment.start_ms for segment in segments]
    return value_of(segments, starts, milliseconds(start), milliseconds(end))


def _curve_of(curves: dict[SeriesKey, list[Segment]], meter: dict[str, Any], family: list[str]) -> list[Segment] | None:
    """The register that is meant: by the device's own number, else the only one there is."""
    own = {NAMES.meter(f"{each}:{meter['device']}") for each in family}
    fitting = {
        key: curve
        for key, curve in curves.items()
        if (key[0], key[2], key[3]) == (meter["carrier"], meter["quantity"], meter["register"])
    }
    exact = [curve for key, curve in fitting.items() if key[1] in own]
    return exact[0] if exact else next(iter(fitting.values())) if len(fitting) == 1 else None


def _expected_windows(meter: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from meter.get("windows", ())
    yield from meter.get("half_hours", ())
    for hour in meter.get("hours", ()):
        end = datetime.fromisoformat(hour["start"]) + timedelta(hours=1)
        yield {"tolerance": meter["windows"][0]["tolerance"], "end": end.isoformat(), **hour}


def _window_problem(segments: Sequence[Segment], expected: dict[str, Any]) -> str | None:
    start, end = datetime.fromisoformat(expected["start"]), datetime.fromisoformat(expected["end"])
    window = _window(segments, start, end)
    value, tolerance = window.value / MICRO, expected.get("tolerance", TOLERANCE)
    low, high = expected.get("range", (expected["value"] - tolerance, expected["value"] + tolerance))
    # One millionth is lost where the curve is cut between two readings.
    if not low - 2 / MICRO <= value <= high + 2 / MICRO:
        return f"{expected['start']} to {expected['end']}: {value}, not between {low} and {high}"
    if expected.get("quality") in ("gap", "estimated") and not window.estimated:
        return f"{expected['start']} to {expected['end']}: was never measured, and does not say so"
    if expected.get("quality") == "ok" and window.estimated:
        return f"{expected['start']} to {expected['end']}: is measured, but called estimated"
    return None


def _day_problem(segments: Sequence[Segment], day: dict[str, Any], zone: ZoneInfo) -> str | None:
    noon = datetime.fromisoformat(day["day"]).replace(hour=12, tzinfo=zone)
    start_ms, end_ms = local_day(milliseconds(noon), zone)
    if (end_ms - start_ms) / 3_600_000 != day["hours"]:
        return f"{day['day']}: has {(end_ms - start_ms) / 3_600_000} hours, not {day['hours']}"
    halves = list(windows_between("30m", start_ms, end_ms, zone))
    if len(halves) != day["half_hours"]:
        return f"{day['day']}: has {len(halves)} half hours, not {day['half_hours']}"
    value = value_of(segments, [segment.start_ms for segment in segments], start_ms, end_ms).value / MICRO
    if abs(value - day["value"]) > day.get("tolerance", TOLERANCE):
        return f"{day['day']}: {value}, not {day['value']}"
    return None


def test_sequences_without_a_profile_are_listed(record_property: Any) -> None:
    """What cannot be played yet is said aloud."""
    missing = [str(played) for played in SEQUENCES if played not in READABLE]
    record_property("sequences without a profile", ", ".join(missing))
    assert len(missing) + len(READABLE) == len(SEQUENCES)


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_the_energy_of_each_window_is_right(played: Played) -> None:
    """Windows, hours, half hours and local days of every register hold what was really used."""
    curves = _curves(_events(played))
    zone = ZoneInfo(played.expected.get("timezone", "UTC"))
    problems = []
    for meter in played.expected["meters"]:
        name = f"{meter['quantity']} {meter['register']} of {meter['device']}"
        curve = _curve_of(curves, meter, played.families)
        if curve is None:
            problems.append(f"{name}: no such register")
            continue
        found = [_window_problem(curve, expected) for expected in _expected_windows(meter)]
        found += [_day_problem(curve, day, zone) for day in meter.get("days", ())]
        problems.extend(f"{name}: {problem}" for problem in found if problem)
    problems.extend(_household_problems(played, curves))
    assert not problems, f"{played}:\n  " + "\n  ".join(problems)


def _household_problems(played: Played, curves: dict[SeriesKey, list[Segment]]) -> list[str]:
    """Where the home has several meters one after the other, their sum."""
    expected = played.expected.get("household", [])
    if not isinstance(expected, list):
        return []
    problems = []
    for each in expected:
        start, end = datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])
        totals = [curve for key, curve in curves.items() if key[2:] == ("import_energy", "total")]
        value = sum(_window(curve, start, end).value for curve in totals) / MICRO
        if abs(value - each["value"]) > each["tolerance"]:
            problems.append(f"household from {each['start']}: {value}, not {each['value']}")
    return problems


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_a_redelivery_is_the_same_event(played: Played) -> None:
    """As many identities as distinct messages, where the sequence counts them."""
    wanted = played.expected.get("distinct_messages")
    identities = {outcome.events[0].id for outcome in played.run()}
    assert wanted is None or len(identities) == wanted


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_doubts_about_the_clock_are_flagged(played: Played) -> None:
    """Late messages and wrong source clocks carry their flag."""
    for flag in played.expected.get("flags", ()):
        if flag["what"] in ("clock", "late"):
            flagged = [event for event in _events(played) if flag["what"] in event.record.flags]
            assert len(flagged) >= flag.get("messages", 1)
