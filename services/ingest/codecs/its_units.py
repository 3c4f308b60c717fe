"""Raw ETSI and SAE integers to SI: the sentinel first, then the range, then the scale.

Sources: ETSI TS 102 894-2 (common data dictionary, v1.3.1 and v2.4.1), ISO/TS 19091 DSRC; c-its.md 2.4, 2.6.
The SI value is a division of integers, so that 448412310 becomes 44.841231 and nothing beside it.
"""

from typing import Any, Final

from schemas.mobility import Position
from services.ingest.codecs.jsontext import finite
from services.ingest.codecs.trusted import unvalidated
from services.ingest.profiles import Unparseable

__all__ = [
    "ALTITUDE",
    "CURVATURE_V1",
    "CURVATURE_V2",
    "DSRC_ELEVATION",
    "DSRC_HEADING",
    "DSRC_SPEED",
    "LANE_WIDTH",
    "LATITUDE",
    "LONGITUDE",
    "LONGITUDINAL_ACCELERATION",
    "SPEED",
    "VEHICLE_LENGTH",
    "VEHICLE_WIDTH",
    "YAW_RATE",
    "Quantity",
    "ellipse_m",
    "fastest_mps",
    "heading_deg",
    "in_steps",
    "is_impossible_speed",
    "position_of",
    "whole",
]

_LARGEST_EXACT: Final = 2**53


def whole(raw: Any, name: str, low: int, high: int) -> int:
    """An integer of the message, also where it is written `12.0`.

    Raises:
        Unparseable: no integer, or outside `low..high`; the text names the field.
    """
    if type(raw) is float and raw.is_integer() and abs(raw) <= _LARGEST_EXACT:
        raw = int(raw)
    if type(raw) is not int or not low <= raw <= high:
        raise Unparseable("bad_value", f"{name}: must be an integer, {low} to {high}")
    return raw


def in_steps(value: Any, steps: int, name: str) -> int:
    """A number in SI as the integer of the ASN.1.

    Raises:
        Unparseable: no number, or larger than any element.
    """
    scaled = finite(value, name) * steps
    if not -_LARGEST_EXACT <= scaled <= _LARGEST_EXACT:
        raise Unparseable("bad_value", f"{name}: is larger than the format allows")
    return round(scaled)


class Quantity:
    """A field: its range, what stands for "unavailable" or "out of range", and its steps per unit."""

    __slots__ = ("_high", "_low", "_name", "_nothing", "_steps")

    def __init__(self, name: str, low: int, high: int, steps: int, nothing: tuple[int, ...]) -> None:
        """`low..high` is the whole range that the format allows, with its sentinels `nothing`."""
        self._name, self._low, self._high, self._steps = name, low, high, steps
        self._nothing = frozenset(nothing)

    def __call__(self, raw: Any) -> float | None:
        """The value in its unit; `None` if absent, unavailable or out of the range that can be said.

        Raises:
            Unparseable: no integer, or one that the format does not know.
        """
        if raw is None:
            return None
        if type(raw) is not int or not self._low <= raw <= self._high:
            raw = whole(raw, self._name, self._low, self._high)
        return None if raw in self._nothing else raw / self._steps


LATITUDE: Final = Quantity("latitude", -900000000, 900000001, 10_000_000, (900000001,))
LONGITUDE: Final = Quantity("longitude", -1800000000, 1800000001, 10_000_000, (1800000001,))
ALTITUDE: Final = Quantity("altitudeValue", -100000, 800001, 100, (800001,))
SPEED: Final = Quantity("speedValue", 0, 16383, 100, (16382, 16383))
LONGITUDINAL_ACCELERATION: Final = Quantity("longitudinalAccelerationValue", -160, 161, 10, (161,))
YAW_RATE: Final = Quantity("yawRateValue", -32766, 32767, 100, (32767,))
CURVATURE_V1: Final = Quantity("curvatureValue", -30000, 30001, 30_000, (30001,))
CURVATURE_V2: Final = Quantity("curvatureValue", -1023, 1023, 10_000, (1023,))
# A vehicle without length is one whose length nobody filled in.
VEHICLE_LENGTH: Final = Quantity("vehicleLengthValue", 0, 1023, 10, (0, 1022, 1023))
VEHICLE_WIDTH: Final = Quantity("vehicleWidth", 0, 62, 10, (0, 61, 62))
DSRC_SPEED: Final = Quantity("speed", 0, 8191, 50, (8191,))
DSRC_HEADING: Final = Quantity("heading", 0, 28800, 80, (28800,))
DSRC_ELEVATION: Final = Quantity("elevation", -4096, 61439, 10, (-4096,))
LANE_WIDTH: Final = Quantity("laneWidth", 0, 32767, 100, (0,))

_HEADING_UNAVAILABLE: Final = 3601
_NO_ELLIPSE: Final = 4094
"""Out of range; 4095 is unavailable."""
_FASTEST_MPS: Final = {1: 5.0, 2: 15.0, 6: 35.0, 8: 35.0}
"""Pedestrian, cyclist, bus, heavy truck (c-its.md 6)."""
_FASTEST_OTHER_MPS: Final = 70.0


def heading_deg(raw: Any) -> float | None:
    """Degrees from north, clockwise; 3600 is a legal way to say north in Release 1."""
    if raw is None:
        return None
    if type(raw) is not int or not 0 <= raw <= _HEADING_UNAVAILABLE:
        raw = whole(raw, "headingValue", 0, _HEADING_UNAVAILABLE)
    return None if raw == _HEADING_UNAVAILABLE else raw % 3600 / 10


def fastest_mps(station_type: int) -> float:
    """What no station of this type exceeds."""
    return _FASTEST_MPS.get(station_type, _FASTEST_OTHER_MPS)


def is_impossible_speed(speed_mps: float | None, station_type: int) -> bool:
    """Whether no station of this type goes that fast."""
    return speed_mps is not None and abs(speed_mps) > _FASTEST_MPS.get(station_type, _FASTEST_OTHER_MPS)


def ellipse_m(semi_major_raw: Any) -> float | None:
    """The longer half axis of the ellipse that holds a position with 95 %; `None` if the station does not tell."""
    return semi_major_raw / 100 if type(semi_major_raw) is int and 0 <= semi_major_raw < _NO_ELLIPSE else None


_POSITION_FIELDS: Final = set(Position.model_fields)


def position_of(latitude_raw: Any, longitude_raw: Any, altitude_m: float | None) -> Position | None:
    """A position from its raw coordinates; (0, 0) and a sentinel in either are no position.

    Raises:
        Unparseable: a coordinate that the format does not know.
    """
    latitude, longitude = LATITUDE(latitude_raw), LONGITUDE(longitude_raw)
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None
    values = {"latitude_deg": latitude, "longitude_deg": longitude, "altitude_m": altitude_m}
    return unvalidated(Position, values, _POSITION_FIELDS)
