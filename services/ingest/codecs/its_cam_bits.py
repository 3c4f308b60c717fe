"""The usual CAM in UPER by a table of its bits, an order of magnitude faster than a general decoder.

CAM dominates the load, and nearly all of them have the same containers. Here these are read by their fixed places,
which follow from the ranges of their elements (EN 302 637-2 v1.3.1 and v1.4.1, TS 102 894-2). Whatever is rarer, and
whatever is wrong (an extension, a value out of its range, missing or surplus bytes), is left to the decoder, which
decides and words the refusal: `None`. `tests/unit/test_its_cam_bits.py` holds both equal.
"""

from typing import Any, Final, NamedTuple

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_time import delta_time
from services.ingest.codecs.its_tree import Arrival
from services.ingest.codecs.its_units import (
    ALTITUDE,
    CURVATURE_V1,
    CURVATURE_V2,
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

__all__ = ["read_cam_bits"]

_Field = tuple[str, int, int]
"""Name, bits, the largest number that these bits may hold."""


def _head(curvature_bits: int, curvatures: int) -> tuple[_Field, ...]:
    """From the message's first bit to the end of what every vehicle's CAM has."""
    return (
        ("protocolVersion", 8, 2),
        ("messageID", 8, 2),
        ("stationID", 32, 0xFFFFFFFF),
        ("generationDeltaTime", 16, 0xFFFF),
        ("camParameters extended", 1, 0),
        ("containers", 2, 3),
        ("basicContainer extended", 1, 0),
        ("stationType", 8, 255),
        ("latitude", 31, 1800000001),
        ("longitude", 32, 3600000001),
        ("semiMajorConfidence", 12, 4095),
        ("semiMinorConfidence", 12, 4095),
        ("semiMajorOrientation", 12, 3601),
        ("altitudeValue", 20, 900001),
        ("altitudeConfidence", 4, 15),
        ("highFrequencyContainer: vehicle", 2, 0),
        ("options", 7, 127),
        ("headingValue", 12, 3601),
        ("headingConfidence", 7, 126),
        ("speedValue", 14, 16383),
        ("speedConfidence", 7, 126),
        ("driveDirection", 2, 2),
        ("vehicleLengthValue", 10, 1022),
        ("vehicleLengthConfidence", 3, 4),
        ("vehicleWidth", 6, 61),
        ("longitudinalAccelerationValue", 9, 321),
        ("longitudinalAccelerationConfidence", 7, 102),
        ("curvatureValue", curvature_bits, curvatures),
        ("curvatureConfidence", 3, 7),
        ("curvatureCalculationMode", 3, 2),
        ("yawRateValue", 16, 65533),
        ("yawRateConfidence", 4, 8),
    )


class _Layout(NamedTuple):
    """A head with the place of each field, counted from its end."""

    bits: int
    places: tuple[tuple[int, int, int], ...]
    curvature: Quantity
    lowest_curvature: int


def _layout(curvature_bits: int, lowest: int, highest: int, curvature: Quantity) -> _Layout:
    fields = _head(curvature_bits, highest - lowest)
    left = total = sum(bits for _, bits, _ in fields)
    places = []
    for _, bits, largest in fields:
        left -= bits
        places.append((left, (1 << bits) - 1, largest))
    return _Layout(total, tuple(places), curvature, lowest)


_LAYOUTS: Final = {
    1: _layout(16, -30000, 30001, CURVATURE_V1),
    2: _layout(11, -1023, 1023, CURVATURE_V2),
}
_BACKWARD: Final = 1
_LOW, _SPECIAL = 2, 1
_BRAKE_PEDAL: Final = 0b1000000
_OPTIONS: Final = (
    # what each bit of `options` announces: bits and largest number of its parts
    ((7, 127),),  # accelerationControl
    ((4, 15),),  # lanePosition
    ((10, 1023), (7, 126)),  # steeringWheelAngle
    ((9, 321), (7, 102)),  # lateralAcceleration
    ((9, 321), (7, 102)),  # verticalAcceleration
    ((3, 7),),  # performanceClass
)
_TOLLING_ZONE: Final = 1
_ACCELERATION_CONTROL: Final = 64


def read_cam_bits(pdu: bytes, protocol_version: int, arrival: Arrival) -> tuple[AnyRecord, ...] | Ignored | None:
    """The record of a CAM; `None` if the general decoder must look at it."""
    layout = _LAYOUTS.get(protocol_version)
    size = 8 * len(pdu)
    if layout is None or size < layout.bits:
        return None
    number = int.from_bytes(pdu, "big")
    head = number >> size - layout.bits
    raw = [head >> left & mask for left, mask, _ in layout.places]
    for value, place in zip(raw, layout.places, strict=True):
        if value > place[2]:
            return None
    rest = _Rest(number, size - layout.bits)
    motion = _behind(raw[16], raw[5], rest)
    if motion is None or rest.left >= 8:
        return None
    return _record(raw, layout, motion, arrival)


def _record(
    raw: list[int], layout: _Layout, motion: dict[str, Any], arrival: Arrival
) -> tuple[AnyRecord, ...] | Ignored:
    speed_mps = SPEED(raw[19])
    if speed_mps and raw[21] == _BACKWARD:
        speed_mps = -speed_mps
    motion["heading_deg"] = heading_deg(raw[17])
    motion["longitudinal_acceleration_mps2"] = LONGITUDINAL_ACCELERATION(raw[25] - 160)
    motion["yaw_rate_degps"] = YAW_RATE(raw[30] - 32766)
    motion["curvature_per_m"] = layout.curvature(raw[27] + layout.lowest_curvature)
    motion["vehicle_length_m"] = VEHICLE_LENGTH(raw[22] + 1)
    motion["vehicle_width_m"] = VEHICLE_WIDTH(raw[24] + 1)
    return vehicle_state(
        arrival.message,
        arrival.context,
        station_id=raw[2],
        station_type=raw[7],
        at=delta_time(raw[3], arrival.message.received_at, arrival.envelope_ms, arrival.context),
        position=position_of(raw[8] - 900000000, raw[9] - 1800000000, ALTITUDE(raw[13] - 100000)),
        speed_mps=speed_mps,
        motion=motion,
        ellipse=ellipse_m(raw[10]),
    )


class _Rest:
    """The bits behind the head."""

    __slots__ = ("_number", "left")

    def __init__(self, number: int, left: int) -> None:
        self._number = number
        self.left = left

    def take(self, bits: int) -> int:
        """The next bits; beyond the end the count of those left goes below zero."""
        self.left -= bits
        return self._number >> self.left & (1 << bits) - 1 if self.left >= 0 else 0


def _behind(options: int, containers: int, rest: _Rest) -> dict[str, Any] | None:
    """What the optional elements and containers say; `None` if one is rare, wrong or cut off."""
    motion: dict[str, Any] = {}
    if options & _TOLLING_ZONE:
        return None
    for place, parts in enumerate(_OPTIONS):
        if options & _ACCELERATION_CONTROL >> place:
            for bits, highest in parts:
                value = rest.take(bits)
                if value > highest:
                    return None
                if not place:
                    motion["brake_pedal"] = bool(value & _BRAKE_PEDAL)
    if containers & _LOW and not _low_frequency(motion, rest):
        return None
    if containers & _SPECIAL and not _public_transport(motion, rest):
        return None
    return motion if rest.left >= 0 else None


def _low_frequency(motion: dict[str, Any], rest: _Rest) -> bool:
    """Role, lights, path: its points are only stepped over, as their number tells where the message ends."""
    if rest.take(1):
        return False
    motion["vehicle_role"] = rest.take(4)
    rest.take(8)
    points = rest.take(6)
    if points > 40:
        return False
    for _ in range(points):
        has_time = rest.take(1)
        rest.take(36)
        if rest.take(15) > 25500:
            return False
        if has_time and (rest.take(1) or rest.take(16) == 65535 or rest.left < 0):
            return False
    return True


def _public_transport(motion: dict[str, Any], rest: _Rest) -> bool:
    """Whether the doors are open; other special vehicles, and activation data, are rare."""
    if rest.take(4) or rest.take(1):
        return False
    motion["embarkation"] = bool(rest.take(1))
    return True
