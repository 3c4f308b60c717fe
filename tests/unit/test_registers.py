"""The register algebra, pattern by pattern of meters.md 4.2, with numbers worked by hand; then its properties."""

from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.aggregator.registers import MICRO, Credit, Limits, Mark, Reading, credit, limits_for

KWH = limits_for("electricity", "kWh")
MINUTE = 60_000
HOUR = 60 * MINUTE


def _run(values_kwh: Sequence[float], every_min: float = 5, limits: Limits = KWH) -> Credit:
    """Readings at a steady pace, from instant 0."""
    step_ms = round(every_min * MINUTE)
    return credit([Reading(n * step_ms, round(value * MICRO)) for n, value in enumerate(values_kwh)], limits)


def _kwh(run: Credit) -> float:
    return sum(segment.delta for segment in run.segments) / MICRO


def _line(start: float, step: float, count: int) -> list[float]:
    return [round(start + step * n, 6) for n in range(count)]


def _what(run: Credit) -> list[str]:
    return [mark.what for mark in run.marks]


def test_a_glitch_to_zero_costs_and_adds_nothing() -> None:
    """5508.8, five zeros, 5508.9, 5509.0: 0.2 kWh were used, and five readings are suspect."""
    run = _run([5508.8, 0, 0, 0, 0, 0, 5508.9, 5509.0])
    assert _kwh(run) == 0.2
    assert _what(run) == ["suspect"] * 5


def test_a_single_zero_is_a_glitch() -> None:
    """5508.8, 0, 5508.9: 0.1 kWh."""
    assert _kwh(_run([5508.8, 0, 5508.9])) == 0.1


def test_a_replaced_counter_credits_its_own_growth_and_says_that_a_part_is_unknown() -> None:
    """0.1 kWh before, 0.4 after a fall to zero: 0.5, and 5 minutes between of which nothing is known."""
    run = _run([5508.7, 5508.8, 0, 0.1, 0.2, 0.3, 0.4])
    assert _kwh(run) == 0.5
    unknown = [segment for segment in run.segments if segment.doubt == "unknown"]
    assert [(s.start_ms, s.end_ms, s.delta, s.gap) for s in unknown] == [(5 * MINUTE, 10 * MINUTE, 0, True)]
    assert Mark(10 * MINUTE, "reset") in run.marks


@pytest.mark.parametrize(("samples", "every_min", "credited"), [(4, 10, 0.0), (5, 3, 0.0), (5, 3.75, 0.4)])
def test_a_new_line_needs_five_readings_and_a_quarter_of_an_hour(
    samples: int, every_min: float, credited: float
) -> None:
    """Four readings over 30 minutes, or five over 12, are not believed; five over 15 are."""
    run = _run([500.0, *_line(0.0, 0.1, samples)], every_min)
    assert _kwh(run) == credited


def test_a_counter_that_is_flat_at_zero_is_never_believed_and_takes_no_room() -> None:
    """Dead at zero for a month: nothing credited, a chain of one stretch; back on its line, 3 kWh."""
    run = _run([5508.8, *[0.0] * 9000])
    assert _kwh(run) == 0
    assert run.state.chain is not None
    assert len(run.state.chain.segments) == 1
    back = credit([Reading(9001 * 5 * MINUTE, round(5511.8 * MICRO))], KWH, run.state)
    assert _kwh(back) == pytest.approx(3)
    assert back.segments[0].gap


def test_a_dip_of_the_last_digit_is_jitter() -> None:
    """5508.8, 5508.9, 5508.8, 5508.9, 5509.0: 0.2 kWh, and nothing is suspect."""
    run = _run([5508.8, 5508.9, 5508.8, 5508.9, 5509.0])
    assert _kwh(run) == 0.2
    assert run.marks == []


def test_a_register_that_stays_one_digit_below_for_hours_is_covered() -> None:
    """The mark stays, and time goes on: no gap grows while the device speaks."""
    run = _run([100.002, 100.003, *[100.002] * 60, 100.004])
    assert _kwh(run) == 0.002
    assert not any(segment.gap for segment in run.segments)
    assert max(s.end_ms - s.start_ms for s in run.segments) == 5 * MINUTE


def test_after_a_power_cut_the_counter_goes_on_from_what_was_saved() -> None:
    """Used 2.0, back by 2.0, used 2.5: 4.5 kWh (not 2.5, and nothing negative)."""
    before, after = _line(812.0, 0.1, 21), _line(812.0, 0.1, 26)
    run = _run([*before, *after])
    assert _kwh(run) == 4.5
    assert Mark(21 * 5 * MINUTE, "step_back") in run.marks


def test_a_roll_over_goes_on() -> None:
    """999 999.95 to 0.05 at a modulus of a million: 0.1, and 0.4 over all."""
    readings = [
        Reading(n * 10 * MINUTE, round(value * MICRO), modulus=10**6 * MICRO)
        for n, value in enumerate([999_999.75, 999_999.85, 999_999.95, 0.05, 0.15])
    ]
    run = credit(readings, KWH)
    assert _kwh(run) == 0.4
    assert run.marks == [Mark(30 * MINUTE, "rollover")]


@pytest.mark.parametrize(("before", "hours", "noticed"), [(985_000, 500, "suspect"), (995_000, 200, "rollover")])
def test_a_fall_from_below_99_percent_of_the_modulus_is_no_roll_over(before: int, hours: int, noticed: str) -> None:
    """15 000 kWh in 500 hours are possible, but the counter was not at its end: a reset, which has to prove itself."""
    readings = [Reading(0, before * MICRO, modulus=10**12), Reading(hours * HOUR, 50_000, modulus=10**12)]
    run = credit(readings, KWH)
    assert _what(run) == [noticed]
    assert _kwh(run) == (5000.05 if noticed == "rollover" else 0)


def test_two_registers_swapped_for_a_while_add_nothing() -> None:
    """22 239, then 28 298 for hours, then 22 239.5: 0.5 kWh (Zlinky_TIC#235), however flat the other one is."""
    run = _run([22_239.0, *[28_298.0] * 3, 22_239.5], 60)
    assert _kwh(run) == 0.5
    long = _run([22_239.0, *[28_298.0] * 500, 22_239.5], 60)
    assert _kwh(long) == 0.5


def test_time_alone_does_not_make_a_leap_true() -> None:
    """A register that shows 6 059 kWh more, and stands still for a week, is another one: nothing is credited."""
    run = _run([22_239.0, *[28_298.123] * 24 * 7, *_line(28_298.123, 0.2, 6)], 60)
    assert _kwh(run) == 1.0
    assert Mark(HOUR, "switch") in run.marks


def test_a_late_report_is_credited_as_soon_as_it_is_plausible() -> None:
    """0.9 kWh in 30 s is more than 36 kW give, but a minute later they may have been used."""
    run = _run([10.123, 10.123, 11.023, 11.023, 11.023], 0.5)
    assert _kwh(run) == pytest.approx(0.9)


def test_a_display_of_whole_kwh_moves_by_whole_kwh() -> None:
    """1 kWh within a minute on such a display is no leap; on a display with decimals it is."""
    assert _run([5508, 5508, 5509], 1).marks == []
    assert _kwh(_run([5508, 5508, 5509], 1)) == 1
    assert _what(_run([5508.123, 5508.123, 5509.123], 1)) == ["suspect"]


def test_another_unit_goes_on_and_is_flagged_until_it_changes_back() -> None:
    """0.18 kWh in kWh, 0.1 in Wh with the step between, 0.1 in kWh again: nothing lost, nothing times a thousand."""
    run = _run([*_line(5508.8, 0.02, 10), *_line(5_509_000, 20, 6), *_line(5509.12, 0.02, 6)])
    assert _kwh(run) == pytest.approx(0.42)
    changes = [mark.at_ms for mark in run.marks if mark.what == "unit_suspect"]
    assert changes == [10 * 5 * MINUTE, 16 * 5 * MINUTE]
    doubted = [s for s in run.segments if s.doubt == "unit_suspect"]
    assert (doubted[0].start_ms, doubted[-1].end_ms) == (9 * 5 * MINUTE, 16 * 5 * MINUTE)


def test_a_counter_near_its_beginning_is_not_taken_for_another_unit() -> None:
    """2 kWh to 28 kWh is ten times by accident: another register, its own growth counts in full."""
    run = _run([2.0, 28.05, *_line(28.15, 0.1, 6)])
    assert _kwh(run) == pytest.approx(0.6)


def test_a_long_silence_is_one_interval() -> None:
    """8 hours without a word, 3 kWh more: one segment that says so."""
    readings = [Reading(n * 5 * MINUTE, n * 100_000) for n in range(6)]
    run = credit([*readings, Reading(25 * MINUTE + 8 * HOUR, 3_500_000)], KWH)
    assert run.segments[-1] == (25 * MINUTE, 25 * MINUTE + 8 * HOUR, 3_000_000, True, "")


def test_a_silence_in_which_nothing_was_counted_is_no_gap() -> None:
    """The same index before and after: nothing was used, whoever looked."""
    readings = [Reading(n * 5 * MINUTE, 100_000) for n in range(6)]
    assert not credit([*readings, Reading(9 * HOUR, 100_000)], KWH).segments[-1].gap


def test_a_silent_register_of_a_meter_that_speaks_has_not_changed() -> None:
    """13 hours flat, then 0.02 kWh: all of it since the meter last left the register out."""
    quiet_ms = 13 * HOUR
    run = credit([Reading(0, 7 * MICRO), Reading(quiet_ms + 10 * MINUTE, 7_020_000, quiet_ms=quiet_ms)], KWH)
    assert run.segments == [(0, quiet_ms, 0, False, ""), (quiet_ms, quiet_ms + 10 * MINUTE, 20_000, False, "")]


def test_a_silence_that_cannot_have_been_for_want_of_change_is_a_gap() -> None:
    """9 kWh do not fit into the ten minutes since the meter spoke: the register's own topic was lost."""
    run = credit([Reading(0, 7_000_001), Reading(13 * HOUR, 16_000_001, quiet_ms=13 * HOUR - 10 * MINUTE)], KWH)
    assert run.segments == [(0, 13 * HOUR, 9_000_000, True, "")]


@pytest.mark.parametrize("first", [0.0, 5508.0, 99_999_999.0])
def test_the_first_reading_is_a_mark(first: float) -> None:
    """It credits nothing, whatever it shows."""
    assert _run([first]).segments == []
    assert _kwh(_run([first, *_line(40.0, 0.1, 6)])) in (0.5, pytest.approx(0.5))


def test_a_very_slow_register_has_no_gaps_at_its_own_pace() -> None:
    """One reading a day: after the first interval each is as usual; two missing days are a gap."""
    run = _run([10.0, 10.2, 10.4, 10.6, 10.8], 24 * 60, limits_for("water", "m3"))
    assert [segment.gap for segment in run.segments] == [True, False, False, False]
    after = credit([Reading(7 * 24 * HOUR, 11_400_000)], limits_for("water", "m3"), run.state)
    assert after.segments[-1].gap


def test_the_device_says_itself_that_its_counter_began_anew() -> None:
    """TotalStartTime after the last reading, and less on the counter: the new line counts at once."""
    readings = [
        Reading(0, 900 * MICRO, began_ms=-HOUR),
        Reading(5 * MINUTE, 50_000, began_ms=2 * MINUTE),
        Reading(10 * MINUTE, 80_000, began_ms=2 * MINUTE),
    ]
    run = credit(readings, KWH)
    assert run.segments == [
        (0, 5 * MINUTE, 0, True, "unknown"),
        (5 * MINUTE, 10 * MINUTE, 30_000, False, ""),
    ]
    assert run.marks == [Mark(5 * MINUTE, "reset")]


def test_a_counter_that_restarted_while_it_was_off_is_a_reset() -> None:
    """3 hours off, back at 0.01: the growth of the new line, the 3 hours unknown."""
    before = [Reading(n * 5 * MINUTE, round((182.5 + 0.02 * n) * MICRO)) for n in range(6)]
    after = [Reading(25 * MINUTE + 3 * HOUR + n * 5 * MINUTE, round((0.01 + 0.1 * n) * MICRO)) for n in range(6)]
    run = credit([*before, *after], KWH)
    assert _kwh(run) == pytest.approx(0.1 + 0.5)
    assert next(s for s in run.segments if s.doubt == "unknown").end_ms == 25 * MINUTE + 3 * HOUR


def test_jitter_does_not_break_a_new_line() -> None:
    """0.1, 0.2, 0.3, 0.2, 0.3, 0.4 after a reset: a line that grows by 0.3."""
    assert _kwh(_run([900.0, 0.1, 0.2, 0.3, 0.2, 0.3, 0.4])) == pytest.approx(0.3)


def test_no_more_than_the_contract_is_plausible() -> None:
    """3 kVA let 0.3 kWh through in five minutes with a fifth more; 0.4 kWh are suspect, though 36 kVA allow them."""
    contract = 3 * MICRO
    for rise, noticed in ((0.3, []), (0.4, ["suspect"])):
        readings = [Reading(0, 7_000_001), Reading(5 * MINUTE, 7_000_001 + round(rise * MICRO), per_hour=contract)]
        assert _what(credit(readings, KWH)) == noticed


@pytest.mark.parametrize(("carrier", "unit", "per_hour"), [("gas", "m3", 10), ("gas", "kWh", 120), ("water", "m3", 5)])
def test_gas_and_water_have_limits_of_their_own(carrier: str, unit: str, per_hour: float) -> None:
    """10 m3/h (or as much in kWh) and 5 m3/h, times 1.2."""
    limits = limits_for(carrier, unit)
    assert _kwh(_run([7.001, 7.001 + per_hour * 1.19], 60, limits)) == pytest.approx(per_hour * 1.19)
    assert _what(_run([7.001, 7.001 + per_hour * 1.21], 60, limits)) == ["suspect"]


@st.composite
def readings_of_a_bad_counter(draw: st.DrawFn) -> list[Reading]:
    """Growth, glitches, resets, leaps, other units, jitter, silences, roll-overs, words of the device."""
    at_ms, value = 0, draw(st.integers(0, 999_999_999)) * 1000
    readings = []
    for _ in range(draw(st.integers(1, 40))):
        at_ms += draw(st.sampled_from([MINUTE, 5 * MINUTE, 5 * MINUTE, 10 * MINUTE, HOUR, 9 * HOUR]))
        rise = draw(st.sampled_from([0, 1_000, 50_000, 120_000, 3_000_000, 20_000_000]))
        fault = draw(st.sampled_from(["", "", "", "", "reset", "back", "leap"]))
        value = {"": value + rise, "reset": 0, "back": max(0, value - 2_000_000), "leap": value + 6_059_000_000}[fault]
        shown = draw(st.sampled_from([value, value, value, value, 0, value * 1000, max(0, value - 1000)]))
        began_ms = draw(st.sampled_from([None, None, at_ms - MINUTE]))
        quiet_ms = draw(st.sampled_from([None, at_ms - MINUTE]))
        readings.append(Reading(at_ms, shown % 10**12, began_ms, 10**12, quiet_ms=quiet_ms))
    return readings


@given(readings=readings_of_a_bad_counter(), cut=st.integers(0, 40))
@settings(max_examples=400, deadline=None)
def test_whatever_a_counter_shows_what_is_credited_is_possible(readings: list[Reading], cut: int) -> None:
    """Segments never overlap, never fall, never exceed what the limits let through; a checkpoint changes nothing."""
    run = credit(readings, KWH)
    end_ms = readings[0].at_ms
    for segment in run.segments:
        assert end_ms <= segment.start_ms < segment.end_ms
        assert segment.delta >= 0
        end_ms = segment.end_ms
    steps = len(readings) * MICRO  # one display step each at most, a whole unit at most
    assert sum(s.delta for s in run.segments) <= KWH.most(readings[-1].at_ms - readings[0].at_ms, steps)
    first = credit(readings[:cut], KWH)
    second = credit(readings[cut:], KWH, first.state)
    assert (second.state, first.segments + second.segments, first.marks + second.marks) == run


@given(
    rises=st.lists(st.integers(0, 500_000), min_size=1, max_size=60),
    faults=st.dictionaries(st.integers(0, 60), st.sampled_from([0, 28_298_000_000, 7]), max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_sums_telescope_through_single_faults(rises: list[int], faults: dict[int, int]) -> None:
    """A good counter with wrong readings between, never two in a row: exactly the difference of its indices."""
    value, readings = 5_508_123_001, [Reading(0, 5_508_123_001)]
    for number, rise in enumerate(rises):
        value += rise
        if number in faults:
            readings.append(Reading((2 * number + 1) * 5 * MINUTE, faults[number]))
        readings.append(Reading((2 * number + 2) * 5 * MINUTE, value))
    assert sum(s.delta for s in credit(readings, KWH).segments) == value - 5_508_123_001


def _obvious(readings: Sequence[Reading]) -> int:
    """The rules of meters.md 4.2 once more, slow and in plain words, for a counter that keeps its unit.

    Shares nothing with the algebra but the limits: lists of values, searched from the start at every step.
    """
    accepted, total = readings[0], 0
    line: list[Reading] = []
    leaps = False
    for number, reading in enumerate(readings[1:], 2):
        digits = [10**6, 10**5, 10**4]
        step = next((d for d in digits if all(each.value % d == 0 for each in readings[:number])), 1000)

        def fits(one: Reading, other: Reading, patience_ms: int = 0, step: int = step) -> bool:
            hours = (other.at_ms - one.at_ms + patience_ms) / HOUR
            return one.value - step * (other.value > 0) <= other.value <= one.value + 36 * MICRO * 1.2 * hours + step

        if fits(accepted, reading) and not (line and leaps and fits(line[-1], reading)):
            total += max(0, reading.value - accepted.value)
            accepted, line = reading._replace(value=max(reading.value, accepted.value)), []
        elif line and fits(line[-1], reading):
            line.append(reading._replace(value=max(reading.value, line[-1].value)))
            grew = line[-1].value - line[0].value
            if len(line) >= 5 and line[-1].at_ms - line[0].at_ms >= 15 * MINUTE and grew:
                total, accepted, line = total + grew, line[-1], []
        else:
            line = [reading]
            # Judged when it happens, by what is known of the display then.
            leaps = reading.value > accepted.value and not fits(accepted, reading, 15 * MINUTE)
    return total


@st.composite
def _one_unit(draw: st.DrawFn) -> list[Reading]:
    """Growth, glitches, resets, leaps, jitter and silences, on displays of three to no decimals."""
    digit = draw(st.sampled_from([1000, 10_000, 100_000, MICRO]))
    at_ms, value = 0, draw(st.integers(0, 10_000)) * digit
    readings = [Reading(0, value)]
    for _ in range(draw(st.integers(1, 30))):
        at_ms += draw(st.sampled_from([MINUTE, 4 * MINUTE, 5 * MINUTE, 5 * MINUTE, HOUR, 200 * HOUR]))
        value += digit * draw(st.sampled_from([0, 1, 2, 100]))
        fault = draw(st.sampled_from(["", "", "", "", "", "reset", "back", "leap"]))
        value = {"": value, "reset": 0, "back": max(0, value - 2 * MICRO), "leap": value + 6059 * MICRO}[fault]
        readings.append(Reading(at_ms, draw(st.sampled_from([value] * 6 + [0, max(0, value - digit), 28_298 * MICRO]))))
    return readings


@given(readings=_one_unit())
@settings(max_examples=1000, deadline=None)
def test_a_second_reading_of_the_rules_credits_the_same(readings: list[Reading]) -> None:
    """Written down twice, in two ways: the energy is the same (values that could be another unit are left out)."""
    values = {reading.value for reading in readings}
    pairs = [(one, other) for one in values for other in values if other]
    units = (10, 100, 1000)
    assume(not any(-other // 50 <= one // u - other <= max(other // 50, MICRO) for one, other in pairs for u in units))
    assert sum(segment.delta for segment in credit(readings, KWH).segments) == _obvious(readings)
