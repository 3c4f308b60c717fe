"""CAM of its-client: version 1.1.x (flat, confidences apart) and 2.x (`{value, confidence}`), told by their keys.

By far the most frequent message, so it is read directly. Raw integers as in the ASN.1; what a version does not
require and a message leaves out is unavailable. Source: schemas cam 1.1.0 to 2.4.0 of the its-client repository.
"""

from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_time import delta_time
from services.ingest.codecs.its_tree import Arrival, flags_set, fold
from services.ingest.codecs.its_units import (
    ALTITUDE,
    CURVATURE_V1,
    CURVATURE_V2,
    LONGITUDINAL_ACCELERATION,
    SPEED,
    VEHICLE_LENGTH,
    VEHICLE_WIDTH,
    YAW_RATE,
    ellipse_m,
    heading_deg,
    position_of,
    whole,
)
from services.ingest.codecs.its_vehicle import vehicle_state
from services.ingest.profiles import Ignored, Unparseable

__all__ = ["parse_cam"]

Body = dict[str, Any]
_EMPTY: Final[Body] = {}
_BACKWARD: Final = 1
_HIGHEST_ROLE: Final = 15
_STEEPEST_V2: Final = 1023


def parse_cam(body: Body, arrival: Arrival) -> tuple[AnyRecord, ...] | Ignored:
    """The record of the `message` of a CAM.

    Raises:
        Unparseable: a mandatory element is missing, or an element is against the schema.
    """
    try:
        basic, high = body["basic_container"], body["high_frequency_container"]
        place = basic["reference_position"]
        station_id, delta_ms = body["station_id"], body["generation_delta_time"]
        altitude = place.get("altitude")
        vehicle = high.get("basic_vehicle_container_high_frequency")
        if vehicle is None:
            vehicle = _EMPTY if "rsu_container_high_frequency" in high else high
        speed = vehicle.get("speed")
    except (KeyError, TypeError, AttributeError):
        raise _refusal(body) from None
    speed_mps = SPEED(_value(speed))
    if speed_mps and vehicle.get("drive_direction") == _BACKWARD:
        speed_mps = -speed_mps
    message, context = arrival.message, arrival.context
    return vehicle_state(
        message,
        context,
        station_id=whole(station_id, "station_id", 0, 0xFFFFFFFF),
        station_type=whole(basic.get("station_type", 0), "station_type", 0, 255),
        at=delta_time(
            whole(delta_ms, "generation_delta_time", 0, 0xFFFF), message.received_at, arrival.envelope_ms, context
        ),
        position=position_of(place.get("latitude"), place.get("longitude"), ALTITUDE(_value(altitude))),
        speed_mps=speed_mps,
        motion=_motion(vehicle, body) if vehicle else _EMPTY,
        ellipse=_ellipse(place, basic),
    )


def _motion(vehicle: Body, body: Body) -> dict[str, Any]:
    motion: dict[str, Any] = {
        "heading_deg": heading_deg(_value(vehicle.get("heading"))),
        "longitudinal_acceleration_mps2": LONGITUDINAL_ACCELERATION(_value(vehicle.get("longitudinal_acceleration"))),
        "yaw_rate_degps": YAW_RATE(_value(vehicle.get("yaw_rate"))),
        "curvature_per_m": _curvature(_value(vehicle.get("curvature"))),
        "vehicle_length_m": VEHICLE_LENGTH(_value(vehicle.get("vehicle_length"))),
        "vehicle_width_m": VEHICLE_WIDTH(_value(vehicle.get("vehicle_width"))),
    }
    controls = vehicle.get("acceleration_control")
    if controls is not None:
        motion["brake_pedal"] = _brake_pedal(controls)
    low = body.get("low_frequency_container")
    if low is not None:
        motion["vehicle_role"] = _role(low)
    special = body.get("special_vehicle_container")
    if special is not None:
        motion["embarkation"] = _embarkation(special)
    return motion


def _brake_pedal(controls: Any) -> bool:
    """Of an object of booleans (2.x), a bit string with bit 0 first (1.x), or a list of names."""
    if type(controls) is dict and type(controls.get("brake_pedal_engaged")) is bool:
        return bool(controls["brake_pedal_engaged"])
    return bool(flags_set(fold(controls), ("brakePedalEngaged",), "acceleration_control"))


def _value(element: Any) -> Any:
    """The raw value, alone or beside its confidence."""
    return element.get("value") if type(element) is dict else element


def _curvature(raw: Any) -> float | None:
    """Steps of 1/10000 per m. The text of 1.1.3 also names 30001, of a version with steps of 1/30000."""
    if type(raw) is int and abs(raw) > _STEEPEST_V2:
        return CURVATURE_V1(raw)
    return CURVATURE_V2(raw)


def _role(low: Any) -> int | None:
    if type(low) is not dict:
        raise Unparseable("wrong_shape", "low_frequency_container: must be an object")
    # The published schema 2.4.0 has two blanks at the end of this name.
    names = ("basic_vehicle_container_low_frequency", "basic_vehicle_container_low_frequency  ")
    container = next((low[name] for name in names if type(low.get(name)) is dict), low)
    role = container.get("vehicle_role")
    return None if role is None else whole(role, "vehicle_role", 0, _HIGHEST_ROLE)


def _embarkation(special: Any) -> bool | None:
    if type(special) is not dict:
        raise Unparseable("wrong_shape", "special_vehicle_container: must be an object")
    container = special.get("public_transport_container")
    status = container.get("embarkation_status") if type(container) is dict else None
    return status if type(status) is bool else None


def _ellipse(place: Body, basic: Body) -> float | None:
    """How sure the position is. A help for plausibility alone, so nothing is refused for it."""
    said = place.get("position_confidence_ellipse")
    if said is None and type(apart := basic.get("confidence")) is dict:
        said = apart.get("position_confidence_ellipse")
    if type(said) is not dict:
        return None
    return ellipse_m(said.get("semi_major", said.get("semi_major_confidence")))


def _refusal(body: Body) -> Unparseable:
    """What is missing, or is no object, of what every CAM has."""
    for name in ("station_id", "generation_delta_time", "basic_container", "high_frequency_container"):
        if name not in body:
            return Unparseable("missing_field", f"message.{name}: is missing")
    basic, high = body["basic_container"], body["high_frequency_container"]
    if type(basic) is not dict or type(high) is not dict:
        return Unparseable("wrong_shape", "message: basic_container, high_frequency_container: must be objects")
    if "reference_position" not in basic:
        return Unparseable("missing_field", "basic_container.reference_position: is missing")
    return Unparseable("wrong_shape", "reference_position and vehicle container: must be objects")
