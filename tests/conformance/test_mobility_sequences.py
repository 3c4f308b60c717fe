"""Sequences of C-ITS messages: nothing is refused, and the records say the life of each hazard."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.envelope import Event
from schemas.mobility import RoadHazard, SignalState, VehicleState
from services.ingest.profiles import discover
from tests.cases import NAMES
from tests.conformance.cases import Sequence as Played
from tests.conformance.cases import find_sequences

SEQUENCES = [
    played for played in find_sequences() if "meters" not in played.expected and set(played.families) <= set(discover())
]
HAZARDS = [played for played in SEQUENCES if "hazards" in played.expected]
JUNCTIONS = [played for played in SEQUENCES if "passages" in played.expected]
ENDINGS = {None: "validity", "cancellation": "isCancellation", "negation": "isNegation"}


def _events(played: Played) -> list[Event]:
    return [event for outcome in played.run() for event in outcome.events]


def _lives(events: Sequence[Event]) -> dict[str, list[RoadHazard]]:
    """The announcements of each event, by the time that they refer to."""
    lives: dict[str, list[RoadHazard]] = {}
    for event in events:
        if isinstance(event.record, RoadHazard):
            lives.setdefault(event.record.action_id, []).append(event.record)
    return {action: sorted(each, key=lambda record: record.observed_at) for action, each in lives.items()}


@pytest.mark.parametrize("played", SEQUENCES, ids=str)
def test_no_message_of_a_sequence_is_refused(played: Played) -> None:
    """Each message gives records, or is ignored by a rule."""
    outcomes = played.run()
    assert [outcome.rejected.detail for outcome in outcomes if outcome.rejected] == []
    assert len(outcomes) == played.expected["events"]


@pytest.mark.parametrize("played", HAZARDS, ids=str)
def test_the_records_say_the_life_of_each_hazard(played: Played) -> None:
    """The newest referenceTime wins, whatever came last: begin, end, kind of end, updates, first reception."""
    lives = _lives(_events(played))
    tolerance = timedelta(seconds=played.expected["tolerance_s"])
    assert len(lives) == played.expected["distinct_hazards"]
    for hazard in played.expected["hazards"]:
        life = lives[NAMES.action(*map(int, hazard["action_id"].split(":")))]
        newest = life[-1]
        assert abs(life[0].detection_time - datetime.fromisoformat(hazard["detected_at"])) <= tolerance
        assert abs(newest.ends_at - datetime.fromisoformat(hazard["ended_at"])) <= tolerance
        assert ENDINGS[newest.termination] == hazard["end"]
        announced = {record.observed_at for record in life if record.termination is None}
        assert len(announced) - 1 == hazard["updates"]
        first = min(record.received_at for record in life) - life[0].detection_time
        assert abs(first.total_seconds() - hazard["first_received_after_s"]) <= 0.01
        assert life[0].cause_code == hazard["cause_code"]


@pytest.mark.parametrize("played", HAZARDS, ids=str)
def test_the_records_say_which_hazards_are_active(played: Played) -> None:
    """From detection to the end that the newest announcement until then gave, at each instant that is asked for."""
    lives = _lives(_events(played))
    for asked in played.expected["active"]:
        at = datetime.fromisoformat(asked["at"])
        active = set()
        for action, life in lives.items():
            known = [record for record in life if record.observed_at <= at]
            if known and known[-1].detection_time <= at < known[-1].ends_at:
                active.add(action)
        assert active == {NAMES.action(*map(int, each.split(":"))) for each in asked["action_ids"]}


@pytest.mark.parametrize("played", JUNCTIONS, ids=str)
def test_the_records_join_vehicles_with_signals(played: Played) -> None:
    """At each stop line crossing, the vehicle is there at that speed, and its group shows the expected state."""
    events = _events(played)
    vehicles = [event.record for event in events if isinstance(event.record, VehicleState)]
    signals = [event.record for event in events if isinstance(event.record, SignalState)]
    for passage in played.expected["passages"]:
        at = datetime.fromisoformat(passage["stop_line_at"])
        vehicle = NAMES.vehicle(passage["station_id"], at)
        nearest = min(
            (record for record in vehicles if record.vehicle == vehicle), key=lambda each: abs(each.observed_at - at)
        )
        assert abs(nearest.observed_at - at) <= timedelta(seconds=1)
        assert nearest.speed_mps is not None
        assert abs(nearest.speed_mps - passage["speed_at_stop_line_mps"]) <= 2
        shown = max((record for record in signals if record.observed_at <= at), key=lambda each: each.observed_at)
        (group,) = (each for each in shown.groups if each.signal_group == passage["signal_group"])
        assert _is_state(group.event_state, passage)


def _is_state(event_state: int, passage: dict[str, Any]) -> bool:
    states = {"stop-And-Remain": 3, "protected-Movement-Allowed": 6, "protected-clearance": 8}
    return event_state == states[passage["event_state_at_stop_line"]]
