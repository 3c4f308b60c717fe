"""A DENM of whatever encoding to a `RoadHazard` (ETSI EN 302 637-3 v1.3.1, TS 103 831; c-its.md 2.5).

The referenceTime of a repetition stays that of the event, so an old one is not late. What is dated before anything
could be (a clock that started at the epoch) keeps its date and is flagged: an end in the past is a hazard that is
over. A date ahead of reception is not believed, or it would be active for years.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

from schemas.base import Flag
from schemas.mobility import HazardNearby, Position, RoadHazard
from services.ingest.codecs import its_time
from services.ingest.codecs.its_tree import Arrival, Enumeration, Tree, child, first, integer, part
from services.ingest.codecs.its_units import ALTITUDE, SPEED, heading_deg, is_impossible_speed, position_of, whole
from services.ingest.profiles import Context, Unparseable

__all__ = ["Clock", "its_clock", "road_hazard"]

Clock = Callable[[Any, str, Arrival], int]
"""Unix milliseconds of an event time; arguments: the value, its name, the arrival."""

_LATEST_ITS: Final = 4_398_046_511_103
_DEFAULT_VALIDITY_S: Final = 600
_DEFAULT_REACH_M: Final = 500.0
_FURTHEST_M: Final = 1000.0
"""What vehicles do is looked at no further from an event than this."""
_TERMINATION: Final = Enumeration("termination", "isCancellation", "isNegation")
_ENDINGS: Final[tuple[Literal["cancellation", "negation"], ...]] = ("cancellation", "negation")
_DISTANCE: Final = Enumeration(
    "relevanceDistance",
    "lessThan50m",
    "lessThan100m",
    "lessThan200m",
    "lessThan500m",
    "lessThan1000m",
    "lessThan5km",
    "lessThan10km",
    "over10km",
)
_DISTANCES_M: Final = (50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0, 10_000.0, 10_000.0)
_DIRECTION: Final = Enumeration(
    "relevanceTrafficDirection", "allTrafficDirections", "upstreamTraffic", "downstreamTraffic", "oppositeTraffic"
)


def its_clock(value: Any, name: str, arrival: Arrival) -> int:
    """Event times as the standard has them: TimestampIts."""
    its_ms = whole(value, name, 0, _LATEST_ITS)
    return its_time.from_its(its_ms, tai=arrival.context.its_leap_seconds != "utc")


def road_hazard(denm: Tree, arrival: Arrival, clock: Clock = its_clock) -> tuple[RoadHazard, *tuple[HazardNearby, ...]]:
    """The record of a folded `DecentralizedEnvironmentalNotificationMessage`, and one for each junction in its reach.

    Raises:
        Unparseable: a mandatory element is missing, or an element is not what the standard allows.
    """
    management = child(denm, "management", "managementContainer")
    action = child(management, "actionID")
    station_type = integer(management, "stationType", 0, 255, default=0)
    validity_s = integer(management, "validityDuration", 0, 86_400, default=_DEFAULT_VALIDITY_S)
    detected_ms = _time(management, "detectionTime", arrival, clock)
    reference_ms = _time(management, "referenceTime", arrival, clock)
    received_at, context = arrival.message.received_at, arrival.context
    received_ms = its_time.milliseconds(received_at)
    newest_ms = received_ms + context.newest.total_seconds() * 1000
    oldest_ms = received_ms - context.oldest.total_seconds() * 1000
    flags: tuple[Flag, ...] = ()
    if not oldest_ms <= reference_ms <= newest_ms or not oldest_ms <= detected_ms <= newest_ms:
        flags = ("clock",)
    reference_ms, detected_ms = (received_ms if each > newest_ms else each for each in (reference_ms, detected_ms))
    termination = _TERMINATION(first(management, "termination"))
    ends_ms = detected_ms + 1000 * validity_s
    if termination is not None:
        ends_ms = min(ends_ms, reference_ms)
    event_speed_mps, described = _described(denm, management)
    if is_impossible_speed(event_speed_mps, station_type):
        flags = (*flags, "impossible_speed")
    originator = integer(action, "originatingStationID", 0, 0xFFFFFFFF)
    action_id = context.names.action(originator, integer(action, "sequenceNumber", 0, 0xFFFF))
    flags += _doubts(action_id, originator, reference_ms, described["position"], arrival)
    record = RoadHazard(
        observed_at=_at(reference_ms),
        received_at=received_at,
        clock="its",
        flags=flags,
        retained=arrival.message.retained,
        action_id=action_id,
        station_type=station_type,
        detection_time=_at(detected_ms),
        ends_at=_at(ends_ms),
        validity_s=validity_s,
        termination=None if termination is None else _ENDINGS[termination],
        event_speed_mps=event_speed_mps,
        **described,
    )
    return (record, *_nearby(record, context))


def _nearby(record: RoadHazard, context: Context) -> tuple[HazardNearby, ...]:
    """The same to the junctions at which vehicles may pass the event."""
    place = record.position
    if place is None or context.nearby is None:
        return ()
    reach_m = min(record.relevance_distance_m or _DEFAULT_REACH_M, _FURTHEST_M)
    said = {name: value for name, value in record if name in HazardNearby.model_fields and name != "kind"}
    return tuple(
        HazardNearby(zone=zone, **said) for zone in context.nearby(place.latitude_deg, place.longitude_deg, reach_m)
    )


def _doubts(
    action_id: str, originator: int, reference_ms: int, position: Position | None, arrival: Arrival
) -> tuple[Flag, ...]:
    """What contradicts the site, or what was heard before. Times are not corrected: they name the event."""
    context = arrival.context
    flags: tuple[Flag, ...] = ()
    if context.its_leap_seconds == "auto":
        sender = context.names.vehicle(originator, arrival.message.received_at)
        flags = ("leap_suspect",) if context.stations.is_naive(sender) else ()
    if context.stations.is_outdated(action_id, reference_ms):
        flags = (*flags, "replay")
    if position is not None and not context.is_in_site(position.latitude_deg, position.longitude_deg):
        flags = (*flags, "outside_site")
    return flags


def _time(management: Tree, name: str, arrival: Arrival, clock: Clock) -> int:
    value = first(management, name)
    if value is None:
        raise Unparseable("missing_field", f"{name}: is missing")
    return clock(value, name, arrival)


def _at(unix_ms: int) -> Any:
    at = its_time.instant(unix_ms)
    if at is None:
        raise Unparseable("implausible_time", "detectionTime, referenceTime: not in this calendar")
    return at


def _described(denm: Tree, management: Tree) -> tuple[float | None, dict[str, Any]]:
    """The speed of the event, and what else is said of it."""
    situation = part(denm, "situation", "situationContainer") or {}
    location = part(denm, "location", "locationContainer") or {}
    place = child(management, "eventPosition")
    cause, sub_cause = _cause(part(situation, "eventType"))
    distance = _DISTANCE(first(management, "relevanceDistance", "awarenessDistance"))
    interval_ms = integer(management, "transmissionInterval", 1, 10_000, default=0)
    quality = integer(situation, "informationQuality", 0, 7, default=0)
    return SPEED(_measured(location, "eventSpeed", "speedValue")), {
        "cause_code": cause,
        "sub_cause_code": sub_cause,
        "position": position_of(
            first(place, "latitude"),
            first(place, "longitude"),
            ALTITUDE(_measured(place, "altitude", "altitudeValue")),
        ),
        "event_heading_deg": heading_deg(_measured(location, "eventPositionHeading", "headingValue")),
        "relevance_distance_m": None if distance is None else _DISTANCES_M[distance],
        "relevance_direction": _DIRECTION(first(management, "relevanceTrafficDirection", "trafficDirection")),
        "information_quality": quality or None,
        "transmission_interval_s": interval_ms / 1000 if interval_ms else None,
    }


def _measured(tree: Tree, name: str, value_name: str) -> Any:
    """A value beside its confidence, or alone."""
    value = first(tree, name)
    return first(value, value_name, "value") if type(value) is dict else value


def _cause(event_type: Tree | None) -> tuple[int | None, int | None]:
    """Cause and sub cause; Release 2 writes the cause as a name that ends with its number."""
    if event_type is None:
        return None, None
    named = part(event_type, "ccAndScc")
    if named is None:
        cause = integer(event_type, "causeCode", 0, 255, "cause")
        return cause, integer(event_type, "subCauseCode", 0, 255, "subcause", default=0)
    for name, sub_cause in named.items():
        digits = name[len(name.rstrip("0123456789")) :]
        if digits and len(digits) <= 3:
            return whole(int(digits), "causeCode", 0, 255), whole(sub_cause, "subCauseCode", 0, 255)
    raise Unparseable("bad_value", "ccAndScc: must be a name that ends with the number of the cause")
