"""Message by message is as at once: trails, crossings, signals, maps; and what a restart reads."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.envelope import Event, key_of, topic_of
from schemas.mobility import IntersectionGeometry, SignalState
from services.aggregator.junctions import Junctions
from services.aggregator.mobility.crossings import BACK_MS, crossings_of
from services.aggregator.mobility.fixes import Fix, fix_of
from services.aggregator.mobility.geometry import junction_of
from services.aggregator.mobility.maps import DAY_MS, MAP_MS, Maps
from services.aggregator.mobility.nearby import Nearby
from services.aggregator.mobility.signals import Signals
from services.aggregator.mobility.slots import Slot, ZoneRecords, slots_of
from services.aggregator.mobility.trails import Trail
from services.aggregator.points import milliseconds
from services.aggregator.ports import Incoming, Partition, Row
from services.aggregator.telemetry import AggregatorTelemetry
from tests.fakes_aggregator import MemoryLog, MemoryStore
from tests.junctions import START, ZONE, Car, drive, geometry, heard, signals

START_MS = milliseconds(START)
LASTS_S = 120.0


def _fixes(chance: random.Random, every: int = 5) -> list[Fix]:
    cars = [Car(0, 3.0), Car(1, 9.0, obeys=False)]
    drive(cars, LASTS_S)
    heard_of = heard(cars, chance, every=every, jitter_m=chance.choice([0.0, 0.5, 2.0]))
    return [fix for each in heard_of if (fix := fix_of(each)) is not None]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_trail_is_the_set_of_its_fixes_whatever_their_order(seed: int) -> None:
    """Shuffled, with copies and second voices: the same trail, and every number as it was put in."""
    chance = random.Random(seed)  # noqa: S311
    fixes = [each for each in _fixes(chance) if each.vehicle.endswith("0")]
    fixes += [each._replace(speed_mps=3.33) for each in chance.sample(fixes, k=5)]
    first, second = Trail(fixes[0].vehicle), Trail(fixes[0].vehicle)
    for each in fixes:
        first.add(each)
    again = fixes + fixes[:20]
    chance.shuffle(again)
    for each in again:
        second.add(each)
    assert list(first.fixes(0, len(first))) == list(second.fixes(0, len(second)))
    assert set(first.others) == set(second.others)
    assert set(first.fixes(0, len(first))) | set(first.others) == set(fixes)


@given(st.floats(-400, 400), st.floats(-400, 400))
def test_a_place_on_a_lane_is_that_of_the_map(east_m: float, north_m: float) -> None:
    """With directions made before, the same metres as from the nodes; and the grid leaves no lane out."""
    nearby = Nearby(junction_of(geometry()))
    for number, lane in enumerate(nearby.lanes):
        assert nearby.place(number, (east_m, north_m)) == pytest.approx(lane.place((east_m, north_m)), abs=1e-6)
    fix = Fix("v", 0, 0.0, 0.0, 0.0, None, 5, 0)
    wanted = [
        number
        for number, lane in enumerate(nearby.lanes)
        if (place := lane.place((east_m, north_m))).beside_m <= 5.0 and 0 < place.before_m <= lane.length_m + 100
    ]
    assert list(nearby.on(fix, (east_m, north_m))) == wanted


def _zone(fixes: list[Fix], shown: list[SignalState], batch: int) -> set[Slot]:
    """The newest slot of each vehicle, minute and approach, told batch by batch."""
    records, slots = ZoneRecords(), {}
    records.add_map(geometry())
    messages: list[Fix | SignalState] = [*fixes, *shown]
    for begin in range(0, len(messages), batch):
        for each in messages[begin : begin + batch]:
            if isinstance(each, Fix):
                records.add_fix(each)
            else:
                records.add_signal(each)
        for vehicle, minutes in records.changed(-(2**62)).items():
            for slot in slots_of(ZONE, records, vehicle, minutes):
                slots[slot.vehicle, slot.start_ms, slot.approach, slot.signal_group, slot.station] = _shortened(slot)
    return set(slots.values())


def _shortened(slot: Slot) -> Slot:
    """Without what goes on behind the line, of which no figure is made."""
    return slot._replace(passages=tuple(each._replace(fixes=(), exit_ms=0) for each in slot.passages))


@given(seed=st.integers(0, 2**32), batch=st.integers(1, 200), late=st.sampled_from([0, 2, 30, 10_000]))
@settings(max_examples=40, deadline=None)
def test_told_in_any_order_and_batches_the_minutes_are_those_of_one_batch(seed: int, batch: int, late: int) -> None:
    """In turn, some messages late, or all of them shuffled, vehicles before signals: the last word is the same."""
    chance = random.Random(seed)  # noqa: S311
    fixes, shown = _fixes(chance), signals(LASTS_S, chance)
    expected = _zone(fixes, shown, 10_000)
    assert sum(len(slot.passages) for slot in expected) == 2
    places = range(late * 10 + 1)
    mixed = [each for _, each in sorted(enumerate(fixes), key=lambda each: each[1].at_ms + 100 * chance.choice(places))]
    chance.shuffle(shown)
    assert _zone(mixed, shown, batch) == expected


@given(seed=st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_signals_that_come_late_are_as_if_they_had_come_in_time(seed: int) -> None:
    """Phases, what is shown at each instant, prediction errors: the same for any order, with copies."""
    chance = random.Random(seed)  # noqa: S311
    shown = signals(LASTS_S, chance, loss=0.3)
    shuffled = shown + shown[:10]
    chance.shuffle(shuffled)
    late = Signals()
    for each in shuffled:
        late.add(each)
    at_once = Signals(shown)
    assert [late.phases(group) for group in (1, 2)] == [at_once.phases(group) for group in (1, 2)]
    assert late.prediction_errors() == at_once.prediction_errors()
    for at_ms in range(START_MS, START_MS + 120_000, 700):
        assert late.at(1, at_ms) == at_once.at(1, at_ms)


def _moved(record: IntersectionGeometry, **times: timedelta) -> IntersectionGeometry:
    return record.model_copy(
        update={"observed_at": START + times["observed"], "received_at": START + times["received"]}
    )


def test_a_map_that_is_heard_once_holds_for_days() -> None:
    """An hour later, and a week later after a restart, the lanes are those of the one message."""
    maps, again = Maps(), Maps()
    point, changed_ms = maps.hear(geometry())
    assert point is not None
    assert changed_ms == START_MS - START_MS % MAP_MS
    again.load([Row(point.time_ns, dict(point.tags), dict(point.fields))])
    for known in (maps, again):
        for later_ms in (0, 3_600_000, 7 * DAY_MS):
            assert [each.junction for each in known.holding(START_MS + later_ms)] == [junction_of(geometry())]
        assert known.holding(START_MS - MAP_MS) == []


def test_a_map_is_told_once_a_day_and_a_new_one_is_believed_first() -> None:
    """Repetitions make no point; a new revision makes one, and comes first; a week on, the old one is gone."""
    maps = Maps()
    told = [maps.hear(_moved(geometry(), observed=at, received=at))[0] for at in map(_minutes, (0, 1, 14, 16, 300))]
    assert [each is not None for each in told] == [True, False, False, False, False]
    at = _minutes(60)
    point, changed_ms = maps.hear(_moved(geometry(revision=4), observed=at, received=at))
    assert point is not None
    assert changed_ms == START_MS + 3_600_000
    assert [each.junction.revision for each in maps.holding(START_MS + 3_600_000)] == [4, 3]
    days = timedelta(days=7)
    assert maps.hear(_moved(geometry(revision=4), observed=days, received=days))[0] is not None
    days = timedelta(days=8)
    assert [each.junction.revision for each in maps.holding(START_MS + 8 * DAY_MS)] == [4]


def _minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def test_a_retained_map_holds_from_its_reception_on() -> None:
    """It tells what is so now: that it was made last year does not make it too late, nor hold for last year."""
    maps = Maps()
    old = geometry(START - timedelta(days=300)).model_copy(update={"received_at": START, "retained": True})
    assert maps.hear(old)[1] == START_MS - START_MS % MAP_MS
    assert len(maps.holding(START_MS)) == 1
    assert maps.holding(START_MS - DAY_MS) == []


class _Asked(MemoryLog):
    """Remembers from when on it was read again."""

    def __init__(self, records: list[Incoming]) -> None:
        super().__init__(records)
        self.from_ms: list[int] = []

    def since(self, partition: Partition, timestamp_ms: int, until_offset: int) -> Any:
        """From when on."""
        self.from_ms.append(timestamp_ms)
        return super().since(partition, timestamp_ms, until_offset)


async def test_a_restart_reads_less_than_half_an_hour_again() -> None:
    """However long the log is: once, and no more than 25 minutes before the first message of the batch."""
    events = []
    for number in range(400):
        at = START + timedelta(seconds=15 * number)
        (record,) = heard([_standing()], random.Random(number), every=10_000, loss=0.0)  # noqa: S311
        moved = record.model_copy(update={"observed_at": at, "received_at": at})
        events.append(Event(f"{number:032x}", "its_client_json", moved))
    log = _Asked(
        [
            Incoming(topic_of(each.record), 0, 0, key_of(each.record).encode(), encode(each), _received_ms(each))
            for each in events
        ]
    )
    junctions = Junctions(log, AggregatorTelemetry(), store=MemoryStore())
    placed = list(zip(log.records["garonne.mobility"], events, strict=True))
    await junctions.take(placed[390:395])
    await junctions.take(placed[395:])
    (from_ms,) = log.from_ms
    assert BACK_MS < _received_ms(events[390]) - from_ms <= 25 * 60_000


def _standing() -> Car:
    car = Car(0, 0.0)
    car.trace.append((0.0, 10.0, 0.0))
    return car


def _received_ms(event: Event) -> int:
    return milliseconds(event.record.received_at)


def test_memory_is_given_back() -> None:
    """What lies before an instant leaves nothing behind: no vehicle, no minute, no signal."""
    chance = random.Random(3)  # noqa: S311
    records = ZoneRecords()
    records.add_map(geometry())
    for fix in _fixes(chance):
        records.add_fix(fix)
    for each in signals(LASTS_S, chance):
        records.add_signal(each)
    for vehicle, minutes in records.changed(-(2**62)).items():
        assert slots_of(ZONE, records, vehicle, minutes)
    assert records.spans
    records.forget(START_MS + 3_600_000)
    assert (records.vehicles, dict(records.spans), bool(records.signals), bool(records)) == ({}, {}, False, False)


def test_a_vehicle_of_which_nothing_was_heard_crossed_nothing() -> None:
    """No fixes, no crossings."""
    assert crossings_of([], junction_of(geometry())) == []
