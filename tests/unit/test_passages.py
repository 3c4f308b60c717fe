"""Passages against a simulated truth, and as a function of the set of messages."""

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.mobility import SignalState, VehicleState
from services.aggregator.mobility.emissions import COEFFICIENTS, burnt, specific_power_kw_per_t
from services.aggregator.mobility.fixes import fix_of
from services.aggregator.mobility.geometry import junction_of
from services.aggregator.mobility.passages import Passage, passages_of
from services.aggregator.mobility.points import passage_point
from services.aggregator.mobility.signals import Signals
from services.aggregator.mobility.slots import ZoneRecords, slots_of
from services.aggregator.mobility.stops import Moment, Stop, stops_of
from services.aggregator.points import milliseconds
from tests.junctions import LATITUDE_DEG, LIMIT_MPS, NORTH_M, START, Car, drive, geometry, heard, signals, state_at

LASTS_S = 600.0


def _passages(vehicles: Sequence[VehicleState], shown: Sequence[SignalState]) -> list[Passage]:
    fixes = [fix for each in vehicles if (fix := fix_of(each)) is not None]
    return passages_of(fixes, Signals(shown), junction_of(geometry()))


def _cars(chance: random.Random) -> list[Car]:
    cars: list[Car] = []
    enters_s = 0.0
    while (enters_s := enters_s + chance.uniform(4, 25)) < LASTS_S - 150:
        cars.append(Car(len(cars), enters_s, obeys=chance.random() > 0.1))
    drive(cars, LASTS_S)
    return cars


@pytest.mark.parametrize("seed", range(12))
def test_passages_agree_with_what_really_happened(seed: int) -> None:
    """Two messages a second with loss and half a metre of jitter: each car once, lane, time, delay, state, red runs."""
    chance = random.Random(seed)  # noqa: S311
    cars = _cars(chance)
    found = {each.fixes[-1].vehicle: each for each in _passages(heard(cars, chance), signals(LASTS_S, chance))}
    assert len(found) == len(cars) > 15
    for car in cars:
        passage = found[f"v_{car.number:016x}"]
        assert (passage.lane, passage.signal_group) == (1, 1)
        assert passage.stop_line_ms == pytest.approx(milliseconds(START) + 1000 * car.crossed_s, abs=800)
        assert passage.delay_s == pytest.approx(car.delay_s, abs=1.0)
        assert passage.idle_s == pytest.approx(car.stands_s, abs=1.5)
        assert len(passage.stops) >= (car.stands_s > 3.5)
        assert len(passage.stops) == 0 or car.stands_s > 1.5
    assert sum(each.violation == "none" for each in found.values()) > 0


@pytest.mark.parametrize("seed", range(12))
def test_certain_violations_happened_and_clear_ones_are_found(seed: int) -> None:
    """A crossing that was a second and more inside its red or green is told right; certain ones are never made up."""
    chance = random.Random(seed)  # noqa: S311
    cars = _cars(chance)
    found = {each.fixes[-1].vehicle: each for each in _passages(heard(cars, chance), signals(LASTS_S, chance))}
    for car in cars:
        passage = found[f"v_{car.number:016x}"]
        before, now, after = (state_at(car.crossed_s + off)[0] for off in (-1.5, 0.0, 1.0))
        if passage.violation == "certain":
            assert now == 3
        if before == now == after == 3 and passage.arrival != "unknown":
            assert passage.violation != "none"
        if before == now == after == 6:
            assert passage.arrival in {"green", "stopped", "unknown"}
            assert passage.violation == "none"


@given(seed=st.integers(0, 2**32), copies=st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_order_and_copies_change_nothing(seed: int, copies: int) -> None:
    """Whatever the order of the messages and however often each comes: the same passages to the last bit."""
    chance = random.Random(seed)  # noqa: S311
    cars = [Car(0, 5.0), Car(1, 12.0, obeys=False), Car(2, 30.0)]
    drive(cars, 150)
    vehicles, shown = heard(cars, chance), signals(150, chance)
    expected = _passages(vehicles, shown)
    assert len(expected) == 3
    vehicles += chance.choices(vehicles, k=copies)
    shown += chance.choices(shown, k=copies)
    chance.shuffle(vehicles)
    chance.shuffle(shown)
    assert _passages(vehicles, shown) == expected


def test_without_signals_nothing_is_said_of_green_and_red() -> None:
    """A passage keeps its delay, its arrival is unknown, and nobody is accused."""
    cars = [Car(0, 5.0, obeys=False)]
    drive(cars, 100)
    (passage,) = _passages(heard(cars, random.Random(1)), [])  # noqa: S311
    assert (passage.arrival, passage.violation, passage.event_state) == ("unknown", "none", None)
    assert passage.delay_s == pytest.approx(0, abs=1)


def test_a_vehicle_of_which_messages_are_doubted_makes_no_passage() -> None:
    """Flags of plausibility keep a message out of figures."""
    cars = [Car(0, 5.0)]
    drive(cars, 100)
    doubted = [each.model_copy(update={"flags": ("replay",)}) for each in heard(cars, random.Random(1))]  # noqa: S311
    assert _passages(doubted, signals(100, random.Random(1))) == []  # noqa: S311


def _moments(*speeds: tuple[float, float]) -> list[Moment]:
    return [Moment(*each) for each in speeds]


def test_a_stop_lasts_until_it_goes_and_a_short_one_is_none() -> None:
    """Below 1.4 m/s for three seconds, until above 2.8 m/s; two seconds below are no stop."""
    assert stops_of(_moments((0, 2.8), (2, 0), (6, 0), (8, 2.8), (9, 5))) == [Stop(1.0, 8.0)]
    assert stops_of(_moments((0, 2.8), (1, 0), (2, 0), (3, 2.8), (4, 5))) == []


def test_creeping_forward_in_a_queue_is_one_stop() -> None:
    """A speed between the two bounds does not end it."""
    assert len(stops_of(_moments((0, 5), (1, 0), (5, 0), (6, 2), (8, 0), (12, 0), (14, 5)))) == 1


def test_specific_power_has_the_published_check_value() -> None:
    """c-its.md 5: cruising at 50 km/h is 2.642 kW/t and 146.2 g of CO2 a kilometre."""
    assert specific_power_kw_per_t(LIMIT_MPS, 0) == pytest.approx(2.642, abs=5e-4)
    cruise = [(float(second), LIMIT_MPS) for second in range(73)]
    assert burnt(cruise).co2_g == pytest.approx(146.2, abs=0.1)


@pytest.mark.parametrize(("idle_s", "extra_g"), [(0, 30.9), (20, 50.3), (40, 69.7)])
def test_a_stop_costs_what_was_published(idle_s: int, extra_g: float) -> None:
    """c-its.md 5: 50-0-50 km/h at -2.0 and +1.5 m/s2 costs so much more than cruising the same way."""
    speeds = [LIMIT_MPS]
    while speeds[-1] > 0:
        speeds.append(max(0.0, speeds[-1] - 2.0))
    speeds += [0.0] * idle_s
    while speeds[-1] < LIMIT_MPS:
        speeds.append(min(LIMIT_MPS, speeds[-1] + 1.5))
    way_m = sum(speeds) - LIMIT_MPS
    extra = burnt([(float(second), speed) for second, speed in enumerate(speeds)]).co2_g - way_m * 0.14616
    assert extra == pytest.approx(extra_g, abs=0.1)


def test_what_lies_in_a_gap_is_not_estimated() -> None:
    """A gap of more than two seconds burns nothing that we know of."""
    known = burnt([(0.0, 0.0), (1.0, 0.0), (9.0, 0.0), (10.0, 0.0)])
    assert known.known_s == 2
    assert known.co2_g == pytest.approx(2 * 0.97)


def test_each_class_has_coefficients_of_its_own_and_says_whether_they_were_read() -> None:
    """A bus that stands burns more than a car; only the car's figures are verified, and each has a source."""
    stands = [(float(second), 0.0) for second in range(11)]
    car, bus = burnt(stands), burnt(stands, "bus")
    assert (car.known_s, bus.known_s, car.verified, bus.verified) == (10, 10, True, False)
    assert bus.co2_g > car.co2_g > 0
    for known in COEFFICIENTS.values():
        assert known.source
        assert len(known.bounds) + 1 == len(known.co2_g_per_s) == len(known.fuel_g_per_s)


def test_estimates_of_buses_are_kept_apart_from_those_of_cars() -> None:
    """A bus makes an unverified estimate, a car a verified one: no sum has both."""
    chance = random.Random(2)  # noqa: S311
    cars = [Car(0, 2.0)]
    drive(cars, 60.0)
    heard_of = heard(cars, chance)
    buses = [each.model_copy(update={"station_type": 6}) for each in heard_of]
    records = ZoneRecords()
    records.add_map(geometry())
    for shown in signals(60.0, chance):
        records.add_signal(shown)
    for number, each in enumerate((heard_of, buses)):
        for record in each:
            fix = fix_of(record.model_copy(update={"vehicle": f"v_{number:016x}"}))
            assert fix is not None
            records.add_fix(fix)
    sums: dict[str, dict[str, float]] = {}
    for vehicle in records.fixes:
        for slot in slots_of("33:4101", records, vehicle, records.minutes(vehicle)):
            fields = {name: float(value) for name, value in passage_point(slot).fields}
            before = sums.setdefault(slot.station, dict.fromkeys(fields, 0.0))
            sums[slot.station] = {name: before[name] + value for name, value in fields.items()}
    names = ("passages", "estimated", "unverified")
    assert {station: tuple(its[name] for name in names) for station, its in sums.items()} == {
        "car": (1, 1, 0),
        "bus": (1, 0, 1),
    }
    assert sums["car"]["co2_unverified_g"] == sums["bus"]["co2_estimated_g"] == 0


def test_lanes_of_one_approach_have_signals_of_their_own() -> None:
    """Straight on is green while the left turn beside it is red: each vehicle is judged by the group of its lane."""
    chance = random.Random(4)  # noqa: S311
    cars = [Car(0, 2.0, obeys=False)]
    drive(cars, 60.0)
    shown = signals(60.0, chance, loss=0.0)
    of_map = geometry()
    lanes = tuple(lane.model_copy(update={"ingress_approach": 1}) for lane in of_map.lanes)
    junction = junction_of(of_map.model_copy(update={"lanes": lanes}))
    east_deg = (5.3 - 1.8) / (NORTH_M * math.cos(math.radians(LATITUDE_DEG)))
    found = {}
    for lane, shift_deg in ((1, 0.0), (2, east_deg)):
        fixes = [fix for each in heard(cars, chance, loss=0.0, jitter_m=0.3) if (fix := fix_of(each)) is not None]
        moved = [fix._replace(longitude_deg=fix.longitude_deg + shift_deg) for fix in fixes]
        (found[lane],) = passages_of(moved, Signals(shown), junction)
    assert [found[lane].lane for lane in (1, 2)] == [1, 2]
    assert [(found[lane].approach, found[lane].signal_group) for lane in (1, 2)] == [(1, 1), (1, 2)]
    own, _ = state_at(cars[0].crossed_s)
    assert (found[1].event_state, found[2].event_state) == (own, 3)
