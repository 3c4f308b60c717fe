"""A CAM in ASN.1 names, from a decoder or from JSON, to its record (EN 302 637-2 v1.3.1 and v1.4.1, TS 103 900)."""

from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_time import delta_time
from services.ingest.codecs.its_tree import Arrival, Enumeration, Tree, child, first, flags_set, integer, part
from services.ingest.codecs.its_units import (
    ALTITUDE,
    LONGITUDINAL_ACCELERATION,
    SPEED,
    VEHICLE_LENGTH,
    VEHICLE_WIDTH,
    YAW_RATE,
    Quantity,
    ellipse_m,
    heading_deg,
    position_of,
)
from services.ingest.codecs.its_vehicle import vehicle_state
from services.ingest.profiles import Ignored

__all__ = ["VEHICLE_ROLE", "read_cam"]

VEHICLE_ROLE: Final = Enumeration(
    "vehicleRole",
    "default",
    "publicTransport",
    "specialTransport",
    "dangerousGoods",
    "roadWork",
    "rescue",
    "emergency",
    "safetyCar",
    "agriculture",
    "commercial",
    "military",
    "roadOperator",
    "taxi",
    "reserved1",
    "reserved2",
    "reserved3",
)
_DRIVE_DIRECTION: Final = Enumeration("driveDirection", "forward", "backward", "unavailable")
_BACKWARD: Final = 1
_BRAKE_PEDAL: Final = ("brakePedalEngaged",)


def read_cam(station_id: int, cam: Tree, arrival: Arrival, curvature: Quantity) -> tuple[AnyRecord, ...] | Ignored:
    """The record of a folded `CoopAwareness`; a roadside unit has no vehicle container and so no speed.

    Args:
        station_id: of the header.
        cam: the message behind the header.
        arrival: when and how it came.
        curvature: its scale, which the protocol version decides.

    Raises:
        Unparseable: a mandatory element is missing, or an element is not what the standard allows.
    """
    parameters = child(cam, "camParameters")
    basic = child(parameters, "basicContainer")
    place = child(basic, "referencePosition")
    vehicle = part(child(parameters, "highFrequencyContainer"), "basicVehicleContainerHighFrequency") or {}
    speed_mps = SPEED(_measured(vehicle, "speed", "speedValue"))
    if speed_mps and _DRIVE_DIRECTION(first(vehicle, "driveDirection")) == _BACKWARD:
        speed_mps = -speed_mps
    return vehicle_state(
        arrival.message,
        arrival.context,
        station_id=station_id,
        station_type=integer(basic, "stationType", 0, 255, default=0),
        at=delta_time(
            integer(cam, "generationDeltaTime", 0, 0xFFFF),
            arrival.message.received_at,
            arrival.envelope_ms,
            arrival.context,
        ),
        position=position_of(
            first(place, "latitude"),
            first(place, "longitude"),
            ALTITUDE(_measured(place, "altitude", "altitudeValue")),
        ),
        speed_mps=speed_mps,
        motion={**_motion(vehicle, curvature), **_role(parameters)},
        ellipse=_ellipse(place),
    )


def _motion(vehicle: Tree, curvature: Quantity) -> dict[str, Any]:
    acceleration = _measured(vehicle, "longitudinalAcceleration", "longitudinalAccelerationValue")
    controls = first(vehicle, "accelerationControl")
    return {
        "heading_deg": heading_deg(_measured(vehicle, "heading", "headingValue")),
        "longitudinal_acceleration_mps2": LONGITUDINAL_ACCELERATION(acceleration),
        "yaw_rate_degps": YAW_RATE(_measured(vehicle, "yawRate", "yawRateValue")),
        "curvature_per_m": curvature(_measured(vehicle, "curvature", "curvatureValue")),
        "vehicle_length_m": VEHICLE_LENGTH(_measured(vehicle, "vehicleLength", "vehicleLengthValue")),
        "vehicle_width_m": VEHICLE_WIDTH(first(vehicle, "vehicleWidth")),
        "brake_pedal": None if controls is None else bool(flags_set(controls, _BRAKE_PEDAL, "accelerationControl")),
    }


def _role(parameters: Tree) -> dict[str, Any]:
    low = part(part(parameters, "lowFrequencyContainer") or {}, "basicVehicleContainerLowFrequency") or {}
    special = part(part(parameters, "specialVehicleContainer") or {}, "publicTransportContainer") or {}
    embarkation = first(special, "embarkationStatus")
    return {
        "vehicle_role": VEHICLE_ROLE(first(low, "vehicleRole")),
        "embarkation": embarkation if type(embarkation) is bool else None,
    }


def _measured(tree: Tree, name: str, value_name: str) -> Any:
    """A value beside its confidence."""
    value = first(tree, name)
    return first(value, value_name, "value") if type(value) is dict else value


def _ellipse(place: Tree) -> float | None:
    """How sure the position is. A help for plausibility alone, so nothing is refused for it."""
    said = first(place, "positionConfidenceEllipse")
    return ellipse_m(first(said, "semiMajorConfidence", "semiMajorAxisLength")) if type(said) is dict else None
