"""A CAM of whatever encoding to its record: naming, zone, plausibility.

Plausibility flags do not drop anything (c-its.md 6); only the zone's edge does, because it cuts trips.
"""

from datetime import timedelta
from typing import Any, Final

from schemas.base import Flag
from schemas.envelope import AnyRecord
from schemas.mobility import Position, VehicleState
from services.ingest.clock import Reading
from services.ingest.codecs.its_time import FRESH_MS, leaps_ms, milliseconds
from services.ingest.codecs.its_units import fastest_mps, is_impossible_speed
from services.ingest.codecs.trusted import unvalidated
from services.ingest.plausibility import Sighting
from services.ingest.profiles import Context, Ignored, Message

__all__ = ["OUTSIDE", "vehicle_state"]

OUTSIDE: Final = Ignored("outside-all-junctions")
NOWHERE: Final = "q:none"
"""The zone of a message without a position."""
_ROADSIDE_UNIT: Final = 15
_FIELDS: Final = set(VehicleState.model_fields)
_NOTHING: Final[dict[str, Any]] = {name: field.default for name, field in VehicleState.model_fields.items()}


def vehicle_state(  # noqa: PLR0913 - who, when, where, what
    message: Message,
    context: Context,
    *,
    station_id: int,
    station_type: int,
    at: Reading,
    position: Position | None,
    speed_mps: float | None,
    motion: dict[str, Any],
    ellipse: float | None = None,
    counts_tai: bool = True,
) -> tuple[AnyRecord, ...] | Ignored:
    """The record of a CAM or a BSM, or the rule that cuts it.

    Args:
        message: when it arrived, and whether it was retained.
        context: names and zones.
        station_id: 0..4294967295; goes no further than into a pseudonym.
        station_type: 0..255.
        at: when it was generated, in UTC.
        position: where; `None` if unavailable.
        speed_mps: negative when driving backwards.
        motion: the other fields of `VehicleState`, in its units, checked.
        ellipse: how sure the position is, in metres at 95 %; `None` if not told.
        counts_tai: whether its time is of TimestampIts, where senders forget the leap seconds.
    """
    zone = NOWHERE
    if position is not None:
        found = context.zones.at(position.latitude_deg, position.longitude_deg)
        if found is None:
            return OUTSIDE
        zone = found
    vehicle = context.names.vehicle(station_id, at.at)
    if counts_tai and context.its_leap_seconds == "auto":
        at = _leapt(at, vehicle, message, context)
    flags: tuple[Flag, ...] = at.flags
    if is_impossible_speed(speed_mps, station_type):
        flags = (*flags, "impossible_speed")
    place = None if position is None else (position.latitude_deg, position.longitude_deg)
    if place is not None and not context.is_in_site(*place):
        flags = (*flags, "outside_site")
    seen = Sighting(
        vehicle,
        message.payload,
        milliseconds(message.received_at),
        milliseconds(at.at),
        place,
        ellipse,
        0.0 if station_type == _ROADSIDE_UNIT else fastest_mps(station_type),
    )
    flags += context.stations.flags(seen)
    values = _NOTHING.copy()
    values.update(motion)
    values["observed_at"] = at.at
    values["received_at"] = message.received_at
    values["clock"] = at.clock
    values["flags"] = flags
    values["retained"] = message.retained
    values["zone"] = zone
    values["vehicle"] = vehicle
    values["station_type"] = station_type
    values["position"] = position
    values["speed_mps"] = speed_mps
    return (unvalidated(VehicleState, values, _FIELDS),)


def _leapt(at: Reading, vehicle: str, message: Message, context: Context) -> Reading:
    """The time of a sender that was found to leave leap seconds out of TimestampIts; else as it was read."""
    at_ms, received_ms = milliseconds(at.at), milliseconds(message.received_at)
    taken_ms = context.stations.leaps_ms(vehicle, received_ms - at_ms, leaps_ms(at_ms))
    if not taken_ms:
        return at
    flags = tuple(each for each in at.flags if each != "leap_suspect")
    if received_ms - at_ms - taken_ms <= FRESH_MS[1]:
        flags = tuple(each for each in flags if each not in {"stale", "clock_ambiguous"})
    return Reading(at.at + timedelta(milliseconds=taken_ms), at.clock, flags)
