"""What the microscopic simulation (docs/adr/0028) showed: waiting at the line, between lanes, between messages."""

import random
from datetime import timedelta

import pytest

from schemas.mobility import SignalState
from services.aggregator.mobility.fixes import fix_of
from services.aggregator.mobility.geometry import junction_of
from services.aggregator.mobility.passages import Passage, passages_of
from services.aggregator.mobility.signals import Signals
from services.aggregator.points import milliseconds
from tests.junctions import START, Car, geometry, heard, signals

CHANCE = random.Random(7)  # noqa: S311 - repeatable
CYCLE_S, RED_FROM_S = 60.0, 28.0
_METRES_PER_DEGREE = 78_800


def _passage(car: Car, shown: list[SignalState], aside_m: float = 0.0) -> Passage:
    """Heard five times a second, without error but for some metres to the right."""
    fixes = [fix for each in heard([car], CHANCE, every=2, loss=0, jitter_m=0) if (fix := fix_of(each)) is not None]
    fixes = [each._replace(longitude_deg=each.longitude_deg + aside_m / _METRES_PER_DEGREE) for each in fixes]
    (passage,) = passages_of(fixes, Signals(shown), junction_of(geometry()))
    return passage


def _passing(crosses_s: float) -> Car:
    """At 10 m/s over the line."""
    car = Car(0, 0.0)
    car.trace = [(crosses_s + step / 10, -float(step), 10.0) for step in range(-150, 60)]
    return car


@pytest.mark.parametrize("beyond_m", [0.4, 1.2, 2.5])
def test_who_waits_a_little_beyond_the_line_crosses_it_when_setting_off(beyond_m: float) -> None:
    """A receiver that puts a waiting vehicle behind its line takes neither its delay nor its green from it."""
    arrives_s, goes_s = 35.0, CYCLE_S + 1.5
    car = Car(0, 0.0)
    car.trace = [(arrives_s + step / 10, -step - beyond_m, 10.0) for step in range(-150, 0)]
    standing = range(round(10 * (goes_s - arrives_s)))
    car.trace += [(arrives_s + step / 10, -beyond_m, 0.0) for step in standing]
    car.trace += [(goes_s + step / 10, -beyond_m - 0.01 * step**2, 0.2 * step) for step in range(60)]
    passage = _passage(car, signals(120, CHANCE, loss=0))
    assert passage.stop_line_ms == pytest.approx(milliseconds(START) + 1000 * goes_s, abs=800)
    assert (passage.arrival, passage.violation) == ("stopped", "none")
    assert passage.idle_s == pytest.approx(goes_s - arrives_s, abs=0.8)


def test_a_signal_that_was_to_change_is_not_known_until_it_is_heard_again() -> None:
    """Red until the full minute, and the messages after it lost: who crosses then is neither accused nor in green."""
    shown = [each for each in signals(120, CHANCE, loss=0) if not CYCLE_S <= _second(each) < CYCLE_S + 3]
    passage = _passage(_passing(CYCLE_S + 0.8), shown)
    assert (passage.arrival, passage.violation) == ("unknown", "none")


def test_a_signal_that_changes_later_than_foretold_is_known_once_it_is_heard_again() -> None:
    """The next message within two seconds says the same state: it lasted."""
    late = [each for each in signals(120, CHANCE, loss=0) if not CYCLE_S <= _second(each) < CYCLE_S + 1]
    still = late[round(CYCLE_S) - 1]
    late.append(still.model_copy(update={"observed_at": START + timedelta(seconds=CYCLE_S + 0.9)}))
    passage = _passage(_passing(CYCLE_S + 0.4), late)
    assert (passage.arrival, passage.violation) == ("red", "certain")


@pytest.mark.parametrize(("aside_m", "expected"), [(2.0, "uncertain"), (3.5, "certain")])
def test_between_two_lanes_of_which_one_has_green_nobody_is_accused_for_certain(aside_m: float, expected: str) -> None:
    """Lane 2 has red: a car 1.5 m from its middle may have been on lane 1; in its middle it was not."""
    passage = _passage(_passing(10.0), signals(60, CHANCE, loss=0), aside_m)
    assert (passage.lane, passage.violation) == (2, expected)


def test_between_two_lanes_that_both_have_red_a_violation_is_certain() -> None:
    """Whichever lane it was."""
    passage = _passage(_passing(RED_FROM_S + 10), signals(60, CHANCE, loss=0), 2.0)
    assert (passage.lane, passage.violation) == (2, "certain")


def _second(record: SignalState) -> float:
    return (record.observed_at - START).total_seconds()
