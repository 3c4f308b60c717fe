"""Who stands and is not heard for a while stood all the same; who moved meanwhile did not (docs/adr/0023)."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.aggregator.mobility.fixes import Fix, fix_of
from services.aggregator.mobility.geometry import junction_of
from services.aggregator.mobility.passages import Passage, passages_of
from services.aggregator.mobility.signals import Signals
from services.aggregator.mobility.slots import ZoneRecords, slots_of
from services.aggregator.mobility.stops import Moment, Stop, slow_s, stops_of
from services.aggregator.points import milliseconds
from tests.junctions import START, ZONE, Car, geometry, heard, signals

START_MS = milliseconds(START)
STANDS_S, WAITS_M = 60.0, 20.0
ARRIVES_S, SETS_OFF_S = 14.0, 74.0


def _waiting() -> Car:
    """280 m at 20 m/s, a minute at 20 m before the line, and on at 2 m/s2; nothing between driving and standing."""
    car = Car(0, 0.0)
    driving = [(step / 10, 300.0 - 2 * step, 20.0) for step in range(140)]
    standing = [(ARRIVES_S + step / 10, WAITS_M, 0.0) for step in range(600)]
    going = [(SETS_OFF_S + step / 10, WAITS_M - 0.01 * step**2, 0.2 * step) for step in range(90)]
    car.trace = [*driving, *standing, *going]
    return car


def _fixes(silences: Sequence[tuple[float, float]] = (), jitter_m: float = 0.0, seed: int = 7) -> list[Fix]:
    """Once a second, but for what lies in a silence, in seconds from the start."""
    records = heard([_waiting()], random.Random(seed), every=10, loss=0, jitter_m=jitter_m)  # noqa: S311
    fixes = [fix for each in records if (fix := fix_of(each)) is not None]
    return [each for each in fixes if not any(low < (each.at_ms - START_MS) / 1000 < high for low, high in silences)]


def _passage(fixes: Sequence[Fix]) -> Passage:
    shown = signals(150, random.Random(7), loss=0)  # noqa: S311
    (passage,) = passages_of(fixes, Signals(shown), junction_of(geometry()))
    return passage


@pytest.mark.parametrize("silence_s", [6, 14, 18, 30])
def test_silence_while_it_stands_takes_nothing_from_the_stop(silence_s: int) -> None:
    """One stop, as long as if every message had been heard; and the approach before the silence is not cut off."""
    whole, found = _passage(_fixes()), _passage(_fixes([(20, 20 + silence_s)]))
    assert len(whole.stops) == 1
    assert (found.stops, found.stopped_s, found.idle_s) == (whole.stops, whole.stopped_s, whole.idle_s)
    assert found.idle_s == pytest.approx(STANDS_S, abs=1)
    assert (found.entry_ms, found.delay_s) == (whole.entry_ms, whole.delay_s)


def test_silence_of_more_than_half_a_minute_is_not_guessed_over() -> None:
    """Where it was meanwhile nobody knows: what was before it belongs to no approach."""
    found = _passage(_fixes([(20, 51)]))
    assert found.idle_s == pytest.approx(SETS_OFF_S - 51, abs=1)
    assert found.delay_s is None


def test_who_moved_up_during_a_silence_did_not_stand_through_it() -> None:
    """Slow at both ends, but a car's length nearer: neither stopped nor idle; at the same place both."""
    for nearer_m, expected_s in ((7.5, 6.0), (2.0, 16.0)):
        moments = [Moment(0, 0, 40), Moment(3, 0, 40), Moment(13, 0, 40 - nearer_m), Moment(16, 0, 40 - nearer_m)]
        assert slow_s(moments, 0.5) == expected_s
        assert sum(stop.end_s - stop.start_s for stop in stops_of(moments)) == expected_s


def test_what_is_heard_at_the_ends_of_a_silence_rolling_stood_between() -> None:
    """At 1 m/s at both ends and at one place: it is below 0.5 m/s for the ten seconds, and one stop of all of them."""
    moments = [Moment(0, 1.0, 30), Moment(10, 1.0, 30)]
    assert slow_s(moments, 0.5) == 10
    assert stops_of(moments) == [Stop(0, 10)]


@pytest.mark.parametrize("ends", [(Moment(0, 1.4, 9), Moment(10, 0, 9)), (Moment(0, 0, 9), Moment(10, 0))])
def test_nobody_stands_who_drives_or_whose_place_is_unknown(ends: tuple[Moment, Moment]) -> None:
    """One end above the bound, or without a place: nothing is bridged."""
    assert (slow_s(ends, 0.5), stops_of(ends)) == (0, [])


@given(seed=st.integers(0, 2**32), batch=st.integers(1, 60), late_ms=st.sampled_from([0, 3_000, 40_000, 200_000]))
@settings(max_examples=40, deadline=None)
def test_bridged_message_by_message_is_bridged_at_once(seed: int, batch: int, late_ms: int) -> None:
    """Whatever silences, order, copies and batches, what seemed lost coming late: the last word is the same."""
    chance = random.Random(seed)  # noqa: S311
    begins = [chance.uniform(5, 80) for _ in range(3)]
    fixes = _fixes(
        [(each, each + chance.choice([4, 8, 20, 29, 33])) for each in begins], chance.choice([0, 1, 2]), seed
    )
    shown = signals(150, random.Random(7), loss=0)  # noqa: S311
    expected = passages_of(fixes, Signals(shown), junction_of(geometry()))
    mixed = sorted(fixes * 2, key=lambda each: each.at_ms + chance.randint(0, late_ms))
    records, told = ZoneRecords(), dict[int, tuple[Passage, ...]]()
    records.add_map(geometry())
    for each in shown:
        records.add_signal(each)
    for begin in range(0, len(mixed), batch):
        for fix in mixed[begin : begin + batch]:
            records.add_fix(fix)
        for vehicle, minutes in records.changed(-(2**62)).items():
            for slot in slots_of(ZONE, records, vehicle, minutes):
                if slot.approach == 1:
                    told[slot.start_ms] = slot.passages
    found = [each for _, its in sorted(told.items()) for each in its]
    assert list(map(_shortened, found)) == [_shortened(each) for each in expected if each.approach == 1]


def _shortened(passage: Passage) -> Passage:
    """Without what goes on behind the line, of which no figure is made."""
    return passage._replace(fixes=(), exit_ms=0)
