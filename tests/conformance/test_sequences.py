"""Sequences of messages give the energy that was really used, through the normaliser and the register algebra.

What is checked is what is stored in the end, so the messages are put in order of time first; that the order of
arrival does not matter is a property test of the aggregator.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.energy import MeterReading
from schemas.envelope import Event
from services.aggregator.history import RegisterHistory
from services.aggregator.meters import Meter, RegisterKey
from services.aggregator.points import milliseconds, readings_of
from services.aggregator.quantities import Amount, choose, solar
from services.aggregator.registers import MICRO, Reading, limits_for
from services.aggregator.windows import Window, local_day, windows_between
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


def _histories(events: Sequence[Event], zone: ZoneInfo) -> dict[SeriesKey, RegisterHistory]:
    """What is known of each register in the end."""
    said: dict[tuple[str, str], dict[RegisterKey, list[Reading]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        if isinstance(event.record, MeterReading):
            for key, reading in readings_of(event.record).items():
                said[event.record.carrier, event.record.meter][key].append(reading)
    histories = {}
    for (carrier, number), registers in said.items():
        meter = Meter(carrier, zone)
        meter.load(registers)
        for (quantity, name, _), history in meter.registers.items():
            histories[carrier, number, quantity, name] = history
    return histories


def _window(history: RegisterHistory, start: datetime, end: datetime) -> Window:
    return history.window(milliseconds(start), milliseconds(end))


def _history_of(
    histories: dict[SeriesKey, RegisterHistory], meter: dict[str, Any], family: list[str]
) -> RegisterHistory | None:
    """The register that is meant: by the device's own number, else the only one there is."""
    own = {NAMES.meter(f"{each}:{meter['device']}") for each in family}
    fitting = {
        key: history
        for key, history in histories.items()
        if (key[0], key[2], key[3]) == (meter["carrier"], meter["quantity"], meter["register"])
    }
    exact = [history for key, history in fitting.items() if key[1] in own]
    return exact[0] if exact else next(iter(fitting.values())) if len(fitting) == 1 else None


def _expected_windows(meter: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from meter.get("windows", ())
    yield from meter.get("half_hours", ())
    for hour in meter.get("hours", ()):
        end = datetime.fromisoformat(hour["start"]) + timedelta(hours=1)
        yield {"tolerance": meter["windows"][0]["tolerance"], "end": end.isoformat(), **hour}


def _window_problem(history: RegisterHistory, expected: dict[str, Any]) -> str | None:
    start, end = datetime.fromisoformat(expected["start"]), datetime.fromisoformat(expected["end"])
    window = _window(history, start, end)
    value, tolerance = window.value / MICRO, expected.get("tolerance", TOLERANCE)
    low, high = expected.get("range", (expected["value"] - tolerance, expected["value"] + tolerance))
    # One millionth is lost where the curve is cut between two readings.
    if not low - 2 / MICRO <= value <= high + 2 / MICRO:
        return f"{expected['start']} to {expected['end']}: {value}, not between {low} and {high}"
    wanted = expected.get("quality")
    if (wanted == "gap" and "gap" not in window.flags) or (wanted == "estimated" and not window.estimated):
        return f"{expected['start']} to {expected['end']}: was never measured, and does not say so"
    if wanted == "ok" and (window.estimated or window.flags or window.coverage < 1):
        return f"{expected['start']} to {expected['end']}: is measured, but called {window}"
    return None


def _day_problem(history: RegisterHistory, day: dict[str, Any], zone: ZoneInfo) -> str | None:
    noon = datetime.fromisoformat(day["day"]).replace(hour=12, tzinfo=zone)
    start_ms, end_ms = local_day(milliseconds(noon), zone)
    if (end_ms - start_ms) / 3_600_000 != day["hours"]:
        return f"{day['day']}: has {(end_ms - start_ms) / 3_600_000} hours, not {day['hours']}"
    halves = list(windows_between("30m", start_ms, end_ms, zone))
    if len(halves) != day["half_hours"]:
        return f"{day['day']}: has {len(halves)} half hours, not {day['half_hours']}"
    value = history.window(start_ms, end_ms).value / MICRO
    if abs(value - day["value"]) > day.get("tolerance", TOLERANCE):
        return f"{day['day']}: {value}, not {day['value']}"
    return None


def test_sequences_without_a_profile_are_listed(record_property: Any) -> None:
    """What cannot be played yet is said aloud."""
    missing = [str(played) for played in SEQUENCES if played not in READABLE]
    record_property("sequences without a profile", ", ".join(missing))
    assert len(missing) + len(READABLE) == len(SEQUENCES)


@cache
def _played(played: Played) -> tuple[list[Event], dict[SeriesKey, RegisterHistory]]:
    events = _events(played)
    return events, _histories(events, _zone(played))


def _zone(played: Played) -> ZoneInfo:
    return ZoneInfo(played.expected.get("timezone", "UTC"))


def _meters(played: Played) -> Iterator[tuple[str, dict[str, Any], RegisterHistory | None]]:
    """What is expected of each register, with the history that it is expected of."""
    for meter in played.expected["meters"]:
        name = f"{meter['quantity']} {meter['register']} of {meter['device']}"
        yield name, meter, _history_of(_played(played)[1], meter, played.families)


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_the_energy_of_each_window_is_right(played: Played) -> None:
    """Windows, hours, half hours and local days of every register hold what was really used."""
    problems = []
    for name, meter, history in _meters(played):
        if history is None:
            problems.append(f"{name}: no such register")
            continue
        found = [_window_problem(history, expected) for expected in _expected_windows(meter)]
        found += [_day_problem(history, day, _zone(played)) for day in meter.get("days", ())]
        problems.extend(f"{name}: {problem}" for problem in found if problem)
    problems.extend(_household_problems(played))
    assert not problems, f"{played}:\n  " + "\n  ".join(problems)


def _household_problems(played: Played) -> list[str]:
    """Where the home has several meters one after the other, their sum."""
    expected = played.expected.get("household", [])
    if not isinstance(expected, list):
        return []
    problems = []
    for each in expected:
        start, end = datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])
        histories = _played(played)[1].items()
        totals = [history for key, history in histories if key[2:] == ("import_energy", "total")]
        value = sum(_window(history, start, end).value for history in totals) / MICRO
        if abs(value - each["value"]) > each["tolerance"]:
            problems.append(f"household from {each['start']}: {value}, not {each['value']}")
    return problems


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_what_a_home_uses_is_counted_once(played: Played) -> None:
    """A total is never added to its tariffs or phases; own production counts, what is given away does not."""
    amounts: dict[str, dict[str, Amount]] = defaultdict(dict)
    for _, meter, history in _meters(played):
        window = meter["windows"][0]
        start, end = (datetime.fromisoformat(window[key]) for key in ("start", "end"))
        assert history is not None
        amounts[meter["quantity"]][meter["register"]] = Amount(_window(history, start, end).value / MICRO)
    sums = {quantity: chosen.amount.value for quantity, each in amounts.items() if (chosen := choose(each))}
    if "billing_kwh" in played.expected:
        assert abs(sums["import_energy"] - played.expected["billing_kwh"]) <= TOLERANCE
    home = played.expected.get("household")
    if isinstance(home, dict):
        day = solar(sums["import_energy"], sums["production"], sums["export_energy"])
        energies = ((day.consumption_kwh, "consumption_kwh"), (day.self_consumed_kwh, "self_consumed_kwh"))
        ratios = (
            (day.self_consumption, "self_consumption_ratio"),
            (day.self_sufficiency, "self_sufficiency_ratio"),
        )
        assert all(abs(value - home[name]) <= home["tolerance_kwh"] for value, name in energies)
        assert all(value and abs(value - home[name]) <= home["tolerance_ratio"] for value, name in ratios)


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_no_window_is_a_spike_or_negative(played: Played) -> None:
    """Whatever a sequence is about: no slot holds more than the meter can carry, none less than nothing."""
    for name, meter, history in _meters(played):
        if history is None:
            continue
        limits = limits_for(meter["carrier"], meter["unit"])
        start = min(datetime.fromisoformat(each["start"]) for each in meter["windows"])
        end = max(datetime.fromisoformat(each["end"]) for each in meter["windows"])
        whole = _window(history, start, end)
        for width in (timedelta(minutes=5), timedelta(hours=1)):
            slots = [
                _window(history, start + width * n, start + width * (n + 1)) for n in range((end - start) // width)
            ]
            most = limits.most(milliseconds(start + width) - milliseconds(start), limits.resolution)
            assert all(0 <= slot.value <= most for slot in slots), name
            assert sum(slot.value for slot in slots) <= whole.value
        for window in meter["windows"]:
            if window.get("quality") == "gap":
                _assert_spread(history, window)


def _assert_spread(history: RegisterHistory, window: dict[str, Any]) -> None:
    """The energy of a gap lies evenly over it: neither in one slot of it, nor in none."""
    start, end = datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"])
    whole = _window(history, start, end)
    for tenth in range(10):
        part = _window(history, start + (end - start) * tenth / 10, start + (end - start) * (tenth + 1) / 10)
        assert abs(part.value - whole.value / 10) <= whole.value / 50 + 2
        assert part.estimated


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_what_is_noticed_is_said(played: Played) -> None:
    """Glitches, resets, steps back, roll-overs, other units and gaps are marked where they are."""
    for flag in played.expected.get("flags", ()):
        histories = [h for _, m, h in _meters(played) if h and flag.get("register", m["register"]) == m["register"]]
        marks = [mark for history in histories for mark in history.marks(0, 2**62) if mark.what == flag["what"]]
        if "at" in flag:
            assert milliseconds(datetime.fromisoformat(flag["at"])) in [mark.at_ms for mark in marks]
        if "between" in flag:
            low, high = (milliseconds(datetime.fromisoformat(each)) for each in flag["between"])
            assert [mark for mark in marks if low <= mark.at_ms <= high]
        if flag["what"] == "suspect":
            assert len(marks) == flag["messages"]
        if flag["what"] == "unit_suspect":
            since = datetime.fromisoformat(flag["from"])
            assert milliseconds(since) in [mark.at_ms for mark in marks]
            assert all("unit_suspect" in _window(h, since, since + timedelta(minutes=5)).flags for h in histories)
        if flag["what"] == "gap":
            start, end = datetime.fromisoformat(flag["start"]), datetime.fromisoformat(flag["end"])
            assert any("gap" in _window(h, start, end).flags for h in histories)


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_a_redelivery_is_the_same_event(played: Played) -> None:
    """As many identities as distinct messages, where the sequence counts them."""
    wanted = played.expected.get("distinct_messages")
    identities = {outcome.events[0].id for outcome in played.run() if outcome.events}
    assert wanted is None or len(identities) == wanted


@pytest.mark.parametrize("played", READABLE, ids=str)
def test_doubts_about_the_clock_are_flagged(played: Played) -> None:
    """Late messages and wrong source clocks carry their flag."""
    for flag in played.expected.get("flags", ()):
        if flag["what"] in ("clock", "late"):
            flagged = [event for event in _events(played) if flag["what"] in event.record.flags]
            assert len(flagged) >= flag.get("messages", 1)
