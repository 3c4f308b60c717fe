"""From C-ITS messages to what happened: passages and hazards as the sequences of the samples expect them."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.base import Record
from schemas.mobility import IntersectionGeometry, RoadHazard, SignalState, VehicleState
from services.aggregator.mobility.fixes import fix_of
from services.aggregator.mobility.geometry import junction_of
from services.aggregator.mobility.hazards import active_at, hazards_of
from services.aggregator.mobility.passages import Passage, passages_of
from services.aggregator.mobility.signals import Signals
from services.aggregator.points import milliseconds
from tests.cases import NAMES
from tests.conformance.cases import Sequence as Played
from tests.conformance.test_mobility_sequences import ENDINGS, HAZARDS, JUNCTIONS

EVENT_STATES = {
    "stop-Then-Proceed": 2,
    "stop-And-Remain": 3,
    "pre-Movement": 4,
    "permissive-Movement-Allowed": 5,
    "protected-Movement-Allowed": 6,
    "permissive-clearance": 7,
    "protected-clearance": 8,
}
IMPOSSIBLE = 1e-6


def _records(played: Played) -> list[Record]:
    return [event.record for outcome in played.run() for event in outcome.events]


def _passages(played: Played, records: list[Record]) -> list[Passage]:
    geometry = max(
        (
            each
            for each in records
            if isinstance(each, IntersectionGeometry)
            and (each.intersection, each.revision) == (played.expected["intersection"], played.expected["revision"])
        ),
        key=lambda each: each.observed_at,
    )
    signals = Signals(
        each for each in records if isinstance(each, SignalState) and each.intersection == geometry.intersection
    )
    fixes = [fix for each in records if isinstance(each, VehicleState) and (fix := fix_of(each)) is not None]
    return passages_of(fixes, signals, junction_of(geometry))


def _of_station(passages: list[Passage], wanted: dict[str, Any]) -> Passage:
    at = datetime.fromisoformat(wanted["stop_line_at"])
    own = [each for each in passages if each.fixes[-1].vehicle == NAMES.vehicle(wanted["station_id"], at)]
    return min(own, key=lambda each: abs(each.stop_line_ms - milliseconds(at)))


@pytest.mark.parametrize("played", JUNCTIONS, ids=str)
def test_each_passage_is_as_expected(played: Played) -> None:
    """Lane, group, stop line, speed, state, stops, stopped and idle time, delay, arrival, amber, violation."""
    passages = _passages(played, _records(played))
    tolerances = played.expected["tolerances"]
    for wanted in played.expected["passages"]:
        passage = _of_station(passages, wanted)
        assert (passage.lane, passage.signal_group) == (wanted["lane"], wanted["signal_group"])
        assert passage.event_state == EVENT_STATES[wanted["event_state_at_stop_line"]]
        assert len(passage.stops) == wanted["stops"]
        assert (passage.arrival == "green") is wanted["arrival_on_green"]
        assert (passage.arrival == "amber") is wanted["amber_passage"]
        assert (passage.violation != "none") is wanted["red_light_violation"]
        figures = {
            "stop_line_at_s": (passage.stop_line_ms - milliseconds(_at(wanted["stop_line_at"]))) / 1000,
            "speed_mps": passage.speed_mps - wanted["speed_at_stop_line_mps"],
            "stopped_time_s": passage.stopped_s - wanted["stopped_time_s"],
            "idle_s": passage.idle_s - wanted["idle_s"],
            "delay_s": (passage.delay_s or 0) - wanted["delay_s"],
        }
        assert {name: off for name, off in figures.items() if abs(off) > tolerances[name] + IMPOSSIBLE} == {}
        assert passage.entry_ms is not None
        assert abs(passage.entry_ms - milliseconds(_at(wanted["entered_300m_at"]))) / 1000 <= tolerances["delay_s"]


@pytest.mark.parametrize("played", JUNCTIONS, ids=str)
def test_the_totals_are_as_expected(played: Played) -> None:
    """No passage, stop, violation or vehicle more than there was."""
    passages = _passages(played, _records(played))
    assert played.expected["totals"] == {
        "passages": len(passages),
        "stops": sum(len(each.stops) for each in passages),
        "arrivals_on_green": sum(each.arrival == "green" for each in passages),
        "amber_passages": sum(each.arrival == "amber" for each in passages),
        "red_light_violations": sum(each.violation != "none" for each in passages),
        "vehicles": len({each.fixes[-1].vehicle for each in passages}),
    }


@pytest.mark.parametrize("played", JUNCTIONS, ids=str)
def test_order_and_copies_change_no_passage(played: Played) -> None:
    """The messages shuffled, half of them twice, give the same passages to the last bit."""
    records, chance = _records(played), random.Random(5)  # noqa: S311
    shuffled = records + chance.sample(records, k=len(records) // 2)
    chance.shuffle(shuffled)
    assert _passages(played, shuffled) == _passages(played, records)


@pytest.mark.parametrize("played", HAZARDS, ids=str)
def test_each_hazard_lived_as_expected(played: Played) -> None:
    """Cause, begin, end and its kind, duration, updates and dissemination, whatever order the messages came in."""
    records = [each for each in _records(played) if isinstance(each, RoadHazard)]
    random.Random(6).shuffle(records)  # noqa: S311
    hazards = {each.action_id: each for each in hazards_of(records)}
    tolerance_s = played.expected["tolerance_s"]
    assert len(hazards) == played.expected["distinct_hazards"]
    for wanted in played.expected["hazards"]:
        hazard = hazards[NAMES.action(*map(int, wanted["action_id"].split(":")))]
        assert (hazard.cause_code, hazard.sub_cause_code) == (wanted["cause_code"], wanted["sub_cause_code"])
        assert abs((hazard.detected_at - _at(wanted["detected_at"])).total_seconds()) <= tolerance_s
        assert abs((hazard.ended_at - _at(wanted["ended_at"])).total_seconds()) <= tolerance_s
        ending = None if hazard.ending == "validity" else hazard.ending
        assert ENDINGS[ending] == wanted["end"]
        assert abs(hazard.duration_s - wanted["duration_s"]) <= tolerance_s
        assert hazard.updates == wanted["updates"]
        assert abs(hazard.dissemination_s - wanted["first_received_after_s"]) <= 0.01


@pytest.mark.parametrize("played", HAZARDS, ids=str)
def test_the_active_hazards_are_as_expected(played: Played) -> None:
    """At each instant that is asked for, those and no others."""
    hazards = hazards_of(each for each in _records(played) if isinstance(each, RoadHazard))
    for asked in played.expected["active"]:
        active = {each.action_id for each in active_at(hazards, _at(asked["at"]))}
        assert active == {NAMES.action(*map(int, each.split(":"))) for each in asked["action_ids"]}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
