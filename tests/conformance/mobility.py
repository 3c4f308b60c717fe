"""Facts on C-ITS messages, compared with the records that came out."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import hypot
from typing import Any, Final, NamedTuple

from schemas.base import Record
from schemas.envelope import Event
from schemas.mobility import (
    IntersectionGeometry,
    Lane,
    Position,
    PriorityRequest,
    PriorityStatus,
    RoadHazard,
    SignalGroupState,
    SignalState,
    VehicleState,
)
from services.ingest.codecs.its_map import Plane
from services.ingest.profiles import Names

__all__ = ["NOT_KEPT", "check"]

EXACT_TIME: Final = timedelta(milliseconds=1)
EXACT: Final = 1e-9
NODE_TOLERANCE_M: Final = 0.02
LENGTH_TOLERANCE_M: Final = 0.1
NOT_KEPT: Final = frozenset(
    (
        "btp_port",
        "drive_direction",
        "exterior_lights",
        "external_temperature",
        "lane_position",
        "lateral_acceleration",
        "linked_cause",
        "message_frame",
        "performance_class",
        "steering_wheel_angle",
        "vertical_acceleration",
    )
)
"""What a message also says, and no record of ours holds; `count` of path points is another."""
EVENT_STATES: Final = (
    "unavailable",
    "dark",
    "stop-Then-Proceed",
    "stop-And-Remain",
    "pre-Movement",
    "permissive-Movement-Allowed",
    "protected-Movement-Allowed",
    "permissive-clearance",
    "protected-clearance",
    "caution-Conflicting-Traffic",
)
COLOURS: Final = {"unknown": "unavailable"}
STATUSES: Final = (
    "unknown",
    "requested",
    "processing",
    "watchOtherTraffic",
    "granted",
    "rejected",
    "maxPresence",
    "reserviceLocked",
)
REQUEST_TYPES: Final = {
    "priorityRequest": "request",
    "priorityRequestUpdate": "update",
    "priorityCancellation": "cancellation",
}
ROLES: Final = (
    "basicVehicle",
    "publicTransport",
    "specialTransport",
    "dangerousGoods",
    "roadWork",
    "roadRescue",
    "emergency",
    "safetyCar",
    "none-unknown",
    "truck",
    "motorcycle",
    "roadSideSource",
    "police",
    "fire",
    "ambulance",
    "dot",
    "transit",
    "slowMoving",
    "stopNgo",
    "cyclist",
    "pedestrian",
    "nonMotorized",
    "military",
    "tram",
)
DISTANCES_M: Final = {"m": 1.0, "km": 1000.0}
TERMINATIONS: Final = {"isCancellation": "cancellation", "isNegation": "negation"}
DIRECTIONS: Final = ("all", "upstream", "downstream", "opposite")
VEHICLE: Final = {
    "altitude": "position.altitude_m",
    "speed": "speed_mps",
    "heading": "heading_deg",
    "longitudinal_acceleration": "longitudinal_acceleration_mps2",
    "yaw_rate": "yaw_rate_degps",
    "curvature": "curvature_per_m",
    "vehicle_length": "vehicle_length_m",
    "vehicle_width": "vehicle_width_m",
    "vehicle_role": "vehicle_role",
    "embarkation": "embarkation",
    "brake_pedal": "brake_pedal",
    "station_type": "station_type",
}
HAZARD: Final = {
    "altitude": "position.altitude_m",
    "speed": "event_speed_mps",
    "heading": "event_heading_deg",
    "termination": "termination",
    "validity": "validity_s",
    "detection_time": "detection_time",
    "information_quality": "information_quality",
    "transmission_interval": "transmission_interval_s",
    "station_type": "station_type",
}
REQUEST: Final = {"speed": "speed_mps", "heading": "heading_deg", "altitude": "position.altitude_m"}
GEOMETRY: Final = {"speed_limit": "speed_limit_mps", "lane_width": "lane_width_m"}
PLACES: Final = {VehicleState: "position", RoadHazard: "position", IntersectionGeometry: "reference"}


class Found(NamedTuple):
    """A value of ours, the record that it stands in, and what else of the fact does not fit."""

    value: Any
    record: Record
    problem: str | None = None


def check(fact: dict[str, Any], events: Sequence[Event], names: Names) -> str | None:
    """What is wrong with the events in view of the fact, in words; `None` if nothing is.

    Args:
        fact: one element of `expect`.
        events: what came of the messages that the fact is about.
        names: the pseudonyms under which the events were made.
    """
    quantity = fact["quantity"]
    if quantity in NOT_KEPT or (quantity == "count" and fact.get("register", "").startswith("path_points")):
        return None
    if quantity == "station_id" and not any(isinstance(event.record, VehicleState) for event in events):
        return None  # the sender of a message about a junction or a hazard is not kept
    found = [each for event in events for each in _candidates(fact, event.record, names)]
    if fact["value"] is None:
        return _made_up(fact, found)
    if not found:
        # A message that is refused says nothing at all, where that is a right answer too.
        return None if None in fact.get("also_accept", ()) else "no record of ours says this"
    problems = [_problem(fact, each) for each in found]
    return None if None in problems else "; ".join(each for each in problems if each)


def _made_up(fact: dict[str, Any], found: Sequence[Found]) -> str | None:
    """There is no such value: none of ours, unless it is flagged as the receive time that stands for it."""
    if fact["quantity"] == "hazard":
        values = [each.record.cause_code for each in found if isinstance(each.record, RoadHazard)]
    else:
        values = [each.value for each in found if "clock" not in each.record.flags]
    wrong = [each for each in values if each is not None]
    return f"nothing may be made up here, but there is {wrong[0]}" if wrong else None


def _candidates(fact: dict[str, Any], record: Record, names: Names) -> Iterator[Found]:
    quantity = fact["quantity"]
    if quantity == "generation_time":
        yield Found(record.observed_at, record)
    elif quantity == "position":
        yield from _positions(record)
    elif quantity == "intersection" and isinstance(record, SignalState | IntersectionGeometry):
        yield Found(record.intersection, record, _intersection_problem(fact, record))
    elif isinstance(record, VehicleState):
        yield from _vehicle(fact, record, names)
    elif isinstance(record, RoadHazard):
        yield from _hazard(fact, record, names)
    elif isinstance(record, SignalState) and quantity == "count" and fact.get("register") == "signal_groups":
        yield Found(len(record.groups), record)
    elif isinstance(record, SignalState) and quantity == "signal_state":
        yield from (_signal(fact, each, record) for each in record.groups if each.signal_group == fact["signal_group"])
    elif isinstance(record, IntersectionGeometry):
        yield from _geometry(fact, record)
    elif isinstance(record, PriorityRequest | PriorityStatus):
        yield from _priority(fact, record, names)


def _field(record: Any, path: str) -> Any:
    for name in path.split("."):
        record = None if record is None else getattr(record, name)
    return record


def _positions(record: Record) -> Iterator[Found]:
    place: Position | None = None
    if isinstance(record, IntersectionGeometry):
        place = record.reference
    elif isinstance(record, VehicleState | RoadHazard | PriorityRequest):
        place = record.position
    yield Found(None if place is None else [place.latitude_deg, place.longitude_deg], record)


def _vehicle(fact: dict[str, Any], record: VehicleState, names: Names) -> Iterator[Found]:
    quantity = fact["quantity"]
    if quantity == "station_id":
        right = record.vehicle == names.vehicle(fact["value"], record.observed_at)
        yield Found(fact["value"] if right else record.vehicle, record)
    elif quantity in VEHICLE:
        yield Found(_field(record, VEHICLE[quantity]), record)


def _hazard(fact: dict[str, Any], record: RoadHazard, names: Names) -> Iterator[Found]:
    quantity = fact["quantity"]
    if quantity in ("hazard", "hazard_end"):
        yield Found(fact["value"], record, _hazard_problem(fact, record, names))
    elif quantity == "termination":
        yield Found(next((name for name, ours in TERMINATIONS.items() if ours == record.termination), None), record)
    elif quantity in HAZARD:
        yield Found(_field(record, HAZARD[quantity]), record)


def _hazard_problem(fact: dict[str, Any], record: RoadHazard, names: Names) -> str | None:
    action = fact["value"] if fact["quantity"] == "hazard_end" else fact.get("action_id")
    wanted: dict[str, Any] = {name: fact[name] for name in ("cause_code", "sub_cause_code") if name in fact}
    if action:
        wanted["action_id"] = names.action(*map(int, action.split(":")))
    if "ends_at" in fact:
        wanted["ends_at"] = datetime.fromisoformat(fact["ends_at"])
    if "termination" in fact or fact["quantity"] == "hazard_end":
        wanted["termination"] = TERMINATIONS[fact["termination"]]
    if "relevance_distance" in fact:
        *_, number, unit = fact["relevance_distance"].split()
        wanted["relevance_distance_m"] = float(number) * DISTANCES_M[unit]
    if "relevance_direction" in fact:
        wanted["relevance_direction"] = DIRECTIONS.index(fact["relevance_direction"])
    return _differences(wanted, record)


def _differences(wanted: dict[str, Any], record: Any) -> str | None:
    wrong = [
        f"{name} is {getattr(record, name)}, not {value}"
        for name, value in wanted.items()
        if getattr(record, name) != value
    ]
    return "; ".join(wrong) or None


def _intersection_problem(fact: dict[str, Any], record: SignalState | IntersectionGeometry) -> str | None:
    wanted = {name: fact[name] for name in ("revision",) if name in fact}
    if "status" in fact:
        wanted["status"] = tuple(fact["status"])
    return _differences(wanted, record)


def _signal(fact: dict[str, Any], group: SignalGroupState, record: SignalState) -> Found:
    wanted: dict[str, Any] = {"colour": COLOURS.get(fact["colour"], fact["colour"])}
    for name in ("min_end", "max_end", "likely_end"):
        if name in fact:
            wanted[name] = None if fact[name] is None else datetime.fromisoformat(fact[name])
    wanted |= {name: fact[name] for name in ("confidence_percent", "advisory_speed_mps") if name in fact}
    return Found(EVENT_STATES[group.event_state], record, _differences(wanted, group))


def _geometry(fact: dict[str, Any], record: IntersectionGeometry) -> Iterator[Found]:
    quantity = fact["quantity"]
    if quantity == "count" and fact.get("register") == "lanes":
        yield Found(len(record.lanes), record)
    elif quantity == "lane":
        for lane in record.lanes:
            if str(lane.lane_id) == fact["register"]:
                yield Found(_direction(lane), record, _lane_problem(fact, lane, record))
    elif quantity in GEOMETRY:
        yield Found(_field(record, GEOMETRY[quantity]), record)


def _direction(lane: Lane) -> str | None:
    return "ingress" if lane.ingress_approach is not None else "egress" if lane.egress_approach is not None else None


def _lane_problem(fact: dict[str, Any], lane: Lane, record: IntersectionGeometry) -> str | None:
    if "connects_to" in fact and not any(
        each.lane == fact["connects_to"] and each.signal_group == fact.get("signal_group", each.signal_group)
        for each in lane.connections
    ):
        return f"no connection to {fact['connects_to']} under group {fact.get('signal_group')}"
    plane = Plane.at(record.reference.latitude_deg, record.reference.longitude_deg)
    nodes = [plane.offset(each.latitude_deg, each.longitude_deg) for each in lane.nodes]
    if "stop_line_offset_m" in fact:
        east, north = fact["stop_line_offset_m"]
        if not nodes or hypot(nodes[0][0] - east, nodes[0][1] - north) > NODE_TOLERANCE_M:
            return f"the first node is at {nodes[:1]}, not {(east, north)}"
    if "length_m" in fact:
        length = sum(hypot(a[0] - b[0], a[1] - b[1]) for a, b in itertools.pairwise(nodes))
        if abs(length - fact["length_m"]) > LENGTH_TOLERANCE_M:
            return f"the length is {length}, not {fact['length_m']}"
    return None


def _priority(fact: dict[str, Any], record: PriorityRequest | PriorityStatus, names: Names) -> Iterator[Found]:
    quantity = fact["quantity"]
    wanted: dict[str, Any] = {
        name: fact[name]
        for name in ("intersection", "request_id", "inbound_lane", "outbound_lane", "duration_s")
        if name in fact
    }
    if "requester" in fact:
        wanted["requestor"] = names.vehicle(fact["requester"], record.observed_at)
    if isinstance(record, PriorityStatus):
        if quantity == "priority_status":
            yield Found(STATUSES[record.status], record, _differences(wanted, record))
        return
    if quantity in REQUEST:
        yield Found(_field(record, REQUEST[quantity]), record)
    elif quantity == "priority_request":
        if "role" in fact:
            wanted["role"] = ROLES.index(fact["role"])
        if "arrival" in fact:
            wanted["arrival_at"] = datetime.fromisoformat(fact["arrival"])
        said = next((name for name, ours in REQUEST_TYPES.items() if ours == record.request_type), None)
        yield Found(said, record, _differences(wanted, record))


def _problem(fact: dict[str, Any], found: Found) -> str | None:
    return found.problem or _time_problem(fact, found.record) or _value_problem(fact, found)


def _time_problem(fact: dict[str, Any], record: Record) -> str | None:
    if "observed_at" in fact:
        wanted = [fact["observed_at"], *fact.get("also_accept_observed_at", ())]
        times = _times(fact, record)
        if not any(abs(at - datetime.fromisoformat(each)) <= EXACT_TIME for each in wanted for at in times):
            return f"observed_at is {times[0].isoformat()}, not {' or '.join(wanted)}"
    if "quality" in fact and not any(flag.startswith(fact["quality"]) for flag in record.flags):
        return f"the flag {fact['quality']} is missing (flags: {record.flags})"
    return None


def _times(fact: dict[str, Any], record: Record) -> list[datetime]:
    """The times that a fact can mean: a hazard is since its detection, its end is at the reference time."""
    if not isinstance(record, RoadHazard) or fact["quantity"] == "hazard_end":
        return [record.observed_at]
    if fact["quantity"] == "hazard":
        return [record.detection_time]
    return [record.detection_time, record.observed_at]


def _value_problem(fact: dict[str, Any], found: Found) -> str | None:
    accepted = [each for each in (fact["value"], *fact.get("also_accept", ())) if each is not None]
    if any(_is_same(found.value, each, fact.get("tolerance", EXACT)) for each in accepted):
        return None
    return f"the value is {found.value!r}, not {' or '.join(map(repr, accepted))}"


def _is_same(ours: Any, wanted: Any, tolerance: float) -> bool:
    if ours is None:
        return False
    if isinstance(ours, datetime):
        return abs(ours - datetime.fromisoformat(wanted)) <= EXACT_TIME
    if isinstance(wanted, list):
        return all(abs(a - b) <= tolerance for a, b in zip(ours, wanted, strict=True))
    if isinstance(wanted, str) or isinstance(ours, str):
        return bool(ours == wanted)
    return bool(abs(ours - wanted) <= tolerance)
