"""A register's history: which windows change when a reading comes. That no order matters is shown in test_meters."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

from services.aggregator import history as under_test
from services.aggregator.history import Changed, RegisterHistory
from services.aggregator.points import milliseconds
from services.aggregator.registers import MICRO, Reading, credit, limits_for
from services.aggregator.voice import TooOld, Voice
from services.aggregator.windows import WINDOWS, Curve, WindowName, windows_between

PARIS = ZoneInfo("Europe/Paris")
KWH = limits_for("electricity", "kWh")
MINUTE = 60_000
HOUR = 60 * MINUTE
START = milliseconds(datetime.fromisoformat("2026-10-24T20:00Z"))
ALL: tuple[WindowName, ...] = (*WINDOWS, "gas_day")
Content = dict[tuple[str, int], Changed]


def _content(changes: Iterable[Changed]) -> Content:
    return {(changed.name, changed.window.start_ms): changed for changed in changes}


@contextmanager
def _short_memory(keep_ms: int = HOUR, trim_at: int = 4) -> Iterator[None]:
    """Forget after an hour and a few readings, so that small examples meet the paths of trimming."""
    with patch.object(under_test, "_KEEP_MS", keep_ms), patch.object(under_test, "_TRIM_AT", trim_at):
        yield


def test_a_late_reading_rewrites_the_windows_it_touches_and_no_others() -> None:
    """Hourly for a day; 10:30 comes late: the hours before and after it change, the evening does not."""
    history = RegisterHistory(KWH, PARIS)
    history.merge([Reading(START + n * HOUR, n * MICRO) for n in range(25)])
    changed = _content(history.merge([Reading(START + 10 * HOUR + 30 * MINUTE, 10_900_000)]))
    halves = {start: each.window.value for (name, start), each in changed.items() if name == "30m"}
    assert halves[START + 10 * HOUR] == 900_000
    assert halves[START + 10 * HOUR + 30 * MINUTE] == 100_000
    assert {start for name, start in changed if name == "30m"} <= {START + n * 30 * MINUTE for n in range(19, 23)}


def test_a_chain_that_is_confirmed_late_rewrites_the_windows_of_its_beginning() -> None:
    """A new line from 22:00 on is believed at 22:20: then the window of 22:00 gets its energy."""
    history = RegisterHistory(KWH, PARIS)
    stored: Content = {}
    values = [900.0, 900.1, 900.2, 0.0, 0.1, 0.2, 0.3, 0.4]
    for number, value in enumerate(values):
        at_ms = START + 2 * HOUR + (number - 3) * 5 * MINUTE
        stored.update(_content(history.merge([Reading(at_ms, round(value * MICRO))])))
        if number == 6:
            assert stored["30m", START + 2 * HOUR].window.value == 0
    assert stored["30m", START + 2 * HOUR].window.value == 400_000
    assert "reset" in stored["30m", START + 2 * HOUR].marks


def test_the_window_that_is_not_over_grows_with_each_reading() -> None:
    """A partial window is stored as far as it is known, and again when more is known."""
    history = RegisterHistory(KWH, PARIS)
    first = _content(history.merge([Reading(START, MICRO), Reading(START + 10 * MINUTE, 1_100_000)]))
    second = _content(history.merge([Reading(START + 20 * MINUTE, 1_300_000)]))
    assert first["30m", START].window.value == 100_000
    assert first["30m", START].window.coverage == pytest.approx(1 / 3)
    assert second["30m", START].window.value == 300_000
    assert second["30m", START].readings == 3


def test_of_two_readings_of_one_instant_the_larger_counts_whichever_comes_first() -> None:
    """0 and 100.3 at 20:10: a reading that was damaged, not a counter that fell."""
    readings = [Reading(START, 100_000_001), Reading(START + 10 * MINUTE, 0)]
    twin = Reading(START + 10 * MINUTE, 100_300_001)
    results = []
    for order in ([*readings, twin], [twin, *readings], [readings[1], twin, readings[0]]):
        history = RegisterHistory(KWH, PARIS)
        stored: Content = {}
        for reading in order:
            stored.update(_content(history.merge([reading])))
        results.append(stored)
    assert results[0] == results[1] == results[2]
    assert results[0]["1h", START].window.value == 300_000


def test_what_is_noticed_changes_with_the_first_reading_though_no_energy_does() -> None:
    """After 3 kWh a line from 1 kWh on is a step back; after 100 kWh at the same instant it is a reset."""
    history = RegisterHistory(KWH, PARIS)
    line = [Reading(START + (n + 1) * HOUR, 1_000_001 + n * 100_000) for n in range(6)]
    before = _content(history.merge([Reading(START, 3_000_001), *line]))
    after = _content(history.merge([Reading(START, 100_000_001)]))
    assert "step_back" in before["1h", START + HOUR].marks
    assert "reset" in after["1h", START + HOUR].marks


def test_a_meter_that_is_dead_at_zero_takes_no_room() -> None:
    """Weeks of zeros after 5508.8: memory is as short as for a living meter, and what comes back is asked for."""
    history = RegisterHistory(KWH, PARIS)
    for day in range(21):
        history.merge(
            [Reading(START + (day * 144 + n) * 10 * MINUTE, 0 if day + n else 5_508_800_000) for n in range(144)]
        )
        history.trim()
    assert len(history) <= 2 * 144 + 128
    with pytest.raises(TooOld):
        history.merge([Reading(START + 22 * 24 * HOUR, 5_509_000_000)])


def test_a_copy_changes_nothing() -> None:
    """A redelivered reading gives no window at all."""
    history = RegisterHistory(KWH, PARIS)
    readings = [Reading(START + n * 5 * MINUTE, n * 100_000) for n in range(10)]
    history.merge(readings)
    assert list(history.merge(readings)) == []


def test_what_is_forgotten_is_asked_for() -> None:
    """A reading of before the checkpoint is refused, so that the caller loads the whole series."""
    with _short_memory():
        history = RegisterHistory(KWH, PARIS)
        history.merge([Reading(START + n * HOUR, n * 100_000) for n in range(100)])
        history.trim()
        assert len(history) < 50
        assert history.cut_ms is not None
        with pytest.raises(TooOld):
            history.merge([Reading(START + 30 * MINUTE, 50_000)])


def test_the_first_windows_after_the_checkpoint_keep_what_reaches_into_them() -> None:
    """A gap over the cut, and the gas day that began the evening before, are whole."""
    hours = [*range(48), *range(60, 72)]
    whole, short = RegisterHistory(KWH, PARIS, ALL), RegisterHistory(KWH, PARIS, ALL)
    readings = [Reading(START + n * HOUR, n * 100_000) for n in hours]
    expected = _content(whole.merge(readings))
    whole_late = _content(whole.merge([Reading(START + 60 * HOUR + MINUTE, 6_010_000)]))
    with _short_memory(keep_ms=11 * HOUR):
        short.merge(readings)
        short.trim()
        assert len(short) < len(readings)
        assert _content(short.merge([Reading(START + 60 * HOUR + MINUTE, 6_010_000)])) == whole_late
    assert {name for name, _ in expected} == set(ALL)


def test_a_register_that_is_left_out_has_not_changed() -> None:
    """Export flat from 17:00 to 06:30 while import speaks: 0.02 kWh belong to the last ten minutes."""
    voice = Voice()
    export = RegisterHistory(KWH, PARIS, voice=voice)
    night = range(0, 13 * HOUR + 30 * MINUTE + 1, 10 * MINUTE)
    voice.hear(START + at for at in night)
    export.merge([Reading(START, 2911_870_000), Reading(START + night[-1], 2911_890_000)])
    assert export.window(START, START + night[-2]).value == 0
    assert export.window(START, START + night[-2]).flags == ()
    assert export.window(START + night[-2], START + night[-1]).value == 20_000
    # Heard later, the same: the order of topics does not matter.
    late, voice = RegisterHistory(KWH, PARIS, voice=(later := Voice())), later
    late.merge([Reading(START, 2911_870_000), Reading(START + night[-1], 2911_890_000)])
    assert late.window(START, START + night[-2]).value > 0
    assert list(late.merge([], voice.hear(START + at for at in night)))
    assert late.window(START, START + night[-2]).value == 0


def test_the_curve_of_a_history_is_the_algebra_over_all_readings() -> None:
    """Nothing but the algebra decides what is credited."""
    readings = [Reading(START + n * 5 * MINUTE, n * 100_000) for n in range(300)]
    history = RegisterHistory(KWH, PARIS)
    for reading in readings:
        history.merge([reading])
    whole = Curve(credit(readings, KWH).segments)
    for bounds in windows_between("1h", START, START + 25 * HOUR, PARIS):
        assert history.window(*bounds) == whole.window(*bounds)
