"""A CAM of whatever encoding to its record: naming, zone, plausibility.

Plausibility flags do not drop anything (c-its.md 6); only the zone's edge does, because it cuts trips.
"""

from typing import Any, Final

from schemas.base import Flag
from schemas.envelope import AnyRecord
from schemas.mobility import Position, VehicleState
from services.ingest.clock import Reading
from services.ingest.codecs.its_units import is_impossible_speed
from services.ingest.codecs.trusted import unvalidated
from services.ingest.profiles import Context, Ignored, Message

__all__ = ["OUTSIDE", "vehicle_state"]

OUTSIDE: Final = Ignored("outside-all-junctions")
NOWHERE: Final = "q:none"
"""The zone of a message without a position."""
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
    """
    zone = NOWHERE
    if position is not None:
        found = context.zones.at(position.latitude_deg, position.longitude_deg)
        if found is None:
            return OUTSIDE
        zone = found
    flags: tuple[Flag, ...] = at.flags
    if is_impossible_speed(speed_mps, station_type):
        flags = (*flags, "impossible_speed")
    values = _NOTHING.copy()
    values.update(motion)
    values["observed_at"] = at.at
    values["received_at"] = message.received_at
    values["clock"] = at.clock
    values["flags"] = flags
    values["retained"] = message.retained
    values["zone"] = zone
    values["vehicle"] = context.names.vehicle(station_id, at.at)
    values["station_type"] = station_type
    values["position"] = position
    values["speed_mps"] = speed_mps
    return (unvalidated(VehicleState, values, _FIELDS),)
