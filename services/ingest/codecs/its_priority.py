"""SREM and SSEM of whatever encoding: priority requests and their answers (ISO/TS 19091 DSRC; c-its.md 2.6)."""

import contextlib
from datetime import datetime
from typing import Any, Final, Literal

from schemas.mobility import PriorityRequest, PriorityStatus
from services.ingest.clock import Reading
from services.ingest.codecs import its_time
from services.ingest.codecs.its_signals import intersection_of, message_time
from services.ingest.codecs.its_tree import Arrival, Enumeration, Tree, child, first, integer, items, part
from services.ingest.codecs.its_units import DSRC_ELEVATION, DSRC_HEADING, DSRC_SPEED, position_of, whole
from services.ingest.profiles import Context, Ignored, Unparseable

__all__ = ["priority_requests", "priority_statuses"]

_REQUEST_TYPE: Final = Enumeration(
    "requestType", "priorityRequestTypeReserved", "priorityRequest", "priorityRequestUpdate", "priorityCancellation"
)
_REQUEST_TYPES: Final[tuple[Literal["unknown", "request", "update", "cancellation"], ...]] = (
    "unknown",
    "request",
    "update",
    "cancellation",
)
_ROLE: Final = Enumeration(
    "role",
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
_STATUS: Final = Enumeration(
    "status",
    "unknown",
    "requested",
    "processing",
    "watchOtherTraffic",
    "granted",
    "rejected",
    "maxPresence",
    "reserviceLocked",
)
_NO_SECOND: Final = 65_535
_ENTITY_BYTES: Final = 4


def priority_requests(srem: Tree, arrival: Arrival) -> tuple[PriorityRequest, ...] | Ignored:
    """A record for each request of a folded `SignalRequestMessage`.

    Raises:
        Unparseable: a mandatory element is missing, or an element is not what the standard allows.
    """
    at = _time(srem, arrival)
    requestor = child(srem, "requestor")
    pseudonym = arrival.context.names.vehicle(_station(first(requestor, "id")), at.at)
    role = _ROLE(first(part(requestor, "type") or {}, "role"))
    known = {"requestor": pseudonym, "role": role, **_whereabouts(requestor, arrival.context)}
    found = tuple(_request(each, arrival, at, known) for each in items(srem, "requests"))
    return found or Ignored("no-priority-request")


def _request(package: Tree, arrival: Arrival, at: Reading, known: dict[str, Any]) -> PriorityRequest:
    request = child(package, "request")
    request_type = _REQUEST_TYPE(first(request, "requestType"))
    duration_ms = integer(package, "duration", 0, _NO_SECOND, default=_NO_SECOND)
    return PriorityRequest(
        observed_at=at.at,
        received_at=arrival.message.received_at,
        clock=at.clock,
        flags=at.flags,
        retained=arrival.message.retained,
        intersection=intersection_of(request, arrival.context),
        request_id=integer(request, "requestID", 0, 255),
        request_type=_REQUEST_TYPES[request_type or 0],
        inbound_lane=_lane(request, "inBoundLane"),
        outbound_lane=_lane(request, "outBoundLane"),
        arrival_at=_arrival(package, at),
        duration_s=None if duration_ms == _NO_SECOND else duration_ms / 1000,
        **known,
    )


def _whereabouts(requestor: Tree, context: Context) -> dict[str, Any]:
    """Where the requestor was and how fast, in the units of SAE J2735: 0.02 m/s and 0.0125 degrees.

    A request is sent long before the junction. Outside of all zones it is kept, but not where it came from.
    """
    vector = part(requestor, "position") or {}
    place = part(vector, "position") or {}
    speed = first(vector, "speed")
    position = position_of(
        first(place, "lat", "latitude"),
        first(place, "long", "lon", "longitude"),
        DSRC_ELEVATION(first(place, "elevation")),
    )
    if position is not None and context.zones.at(position.latitude_deg, position.longitude_deg) is None:
        position = None
    return {
        "position": position,
        "speed_mps": DSRC_SPEED(first(speed, "speed") if type(speed) is dict else speed),
        "heading_deg": DSRC_HEADING(first(vector, "heading")),
    }


def priority_statuses(ssem: Tree, arrival: Arrival) -> tuple[PriorityStatus, ...] | Ignored:
    """A record for each answer of a folded `SignalStatusMessage`.

    Raises:
        Unparseable: a mandatory element is missing, or an element is not what the standard allows.
    """
    at = _time(ssem, arrival)
    found = tuple(
        _status(package, intersection_of(each, arrival.context), arrival, at)
        for each in items(ssem, "status")
        for package in items(each, "sigStatus")
    )
    return found or Ignored("no-priority-status")


def _status(package: Tree, intersection: str, arrival: Arrival, at: Reading) -> PriorityStatus:
    requester = part(package, "requester")
    status = _STATUS(first(package, "status"), 15)
    if status is None:
        raise Unparseable("missing_field", "status: is missing")
    return PriorityStatus(
        observed_at=at.at,
        received_at=arrival.message.received_at,
        clock=at.clock,
        flags=at.flags,
        retained=arrival.message.retained,
        intersection=intersection,
        requestor=None if requester is None else arrival.context.names.vehicle(_station(first(requester, "id")), at.at),
        request_id=None if requester is None else integer(requester, "request", 0, 255, "requestID"),
        status=status,
        inbound_lane=_lane(package, "inboundOn"),
    )


def _time(tree: Tree, arrival: Arrival) -> Reading:
    """When it was made. `second` is mandatory: 0 without a minute is one that nobody filled in."""
    minute = integer(tree, "timeStamp", 0, 527_040, default=-1)
    second = integer(tree, "second", 0, _NO_SECOND, default=_NO_SECOND)
    if minute < 0 and second == 0:
        second = _NO_SECOND
    return message_time(minute if minute >= 0 else None, None if second == _NO_SECOND else second, arrival)


def _arrival(package: Tree, at: Reading) -> datetime | None:
    """When the vehicle expects to be there; without its minute it says too little."""
    minute = integer(package, "minute", 0, 527_040, default=527_040)
    second = integer(package, "second", 0, _NO_SECOND, default=0)
    at_ms = its_time.minute_of_year(minute, second, its_time.milliseconds(at.at))
    return None if at_ms is None else its_time.instant(at_ms)


def _lane(tree: Tree, name: str) -> int | None:
    """The lane of an IntersectionAccessPoint; one that is said by approach or connection has none."""
    point = part(tree, name)
    lane = None if point is None else first(point, "lane")
    return None if lane is None else whole(lane, f"{name}.lane", 0, 255)


def _station(identifier: Any) -> int:
    """The number of a VehicleID: a stationID, or a TemporaryID of four bytes.

    Raises:
        Unparseable: neither.
    """
    if type(identifier) is dict:
        station = first(identifier, "stationID")
        identifier = first(identifier, "entityID") if station is None else station
    if type(identifier) is str and len(identifier) == 2 * _ENTITY_BYTES:
        with contextlib.suppress(ValueError):
            identifier = bytes.fromhex(identifier)
    if type(identifier) is bytes and len(identifier) == _ENTITY_BYTES:
        return int.from_bytes(identifier, "big")
    return whole(identifier, "id", 0, 0xFFFFFFFF)
