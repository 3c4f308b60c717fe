"""The core of an SAE J2735 basic safety message to a vehicle state.

Everything is raw: steps of 1e-7 degrees, 0.1 m, 0.02 m/s, 0.0125 degrees, 0.01 m/s², 1 cm. The layout of the bits
follows from the ranges of the elements; it was checked against the samples of jpo-ode, which hold the same message
as bits and as JSON. The yaw rate is left out: its sign was not verified against ETSI's.
"""

from typing import Any, Final, NamedTuple

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_signals import message_time
from services.ingest.codecs.its_tree import Arrival
from services.ingest.codecs.its_units import DSRC_ELEVATION, DSRC_HEADING, DSRC_SPEED, Quantity, position_of
from services.ingest.codecs.its_vehicle import vehicle_state
from services.ingest.profiles import Ignored, Unparseable

__all__ = ["Core", "core_of", "read_core"]

_ACCELERATION: Final = Quantity("accelSet.long", -2000, 2001, 100, (2001,))
_WIDTH: Final = Quantity("size.width", 0, 1023, 100, (0,))
_LENGTH: Final = Quantity("size.length", 0, 4095, 100, (0,))
_REVERSE: Final = 3
_UNKNOWN_STATION: Final = 0
_NO_SECOND: Final = 65_535


class Core(NamedTuple):
    """BSMcoreData, as far as it is kept; `None` where a JSON says nothing."""

    temporary_id: int
    second_ms: int
    latitude: Any
    longitude: Any
    elevation: Any
    transmission: int | None
    speed: Any
    heading: Any
    acceleration: Any
    is_braking: bool | None
    width: Any
    length: Any


def read_core(core: Core, arrival: Arrival) -> tuple[AnyRecord, ...] | Ignored:
    """The record of a message.

    Raises:
        Unparseable: an element is out of its range.
    """
    speed_mps = DSRC_SPEED(core.speed)
    if speed_mps and core.transmission == _REVERSE:
        speed_mps = -speed_mps
    return vehicle_state(
        arrival.message,
        arrival.context,
        station_id=core.temporary_id,
        station_type=_UNKNOWN_STATION,
        at=message_time(None, None if core.second_ms == _NO_SECOND else core.second_ms, arrival),
        position=position_of(core.latitude, core.longitude, DSRC_ELEVATION(core.elevation)),
        speed_mps=speed_mps,
        counts_tai=False,
        motion={
            "heading_deg": DSRC_HEADING(core.heading),
            "longitudinal_acceleration_mps2": _ACCELERATION(core.acceleration),
            "vehicle_length_m": _LENGTH(core.length),
            "vehicle_width_m": _WIDTH(core.width),
            "brake_pedal": core.is_braking,
        },
    )


_FIELDS: Final = (
    # name, bits, lowest value
    ("preamble", 3, 0),
    ("msgCnt", 7, 0),
    ("id", 32, 0),
    ("secMark", 16, 0),
    ("lat", 31, -900000000),
    ("long", 32, -1799999999),
    ("elev", 16, -4096),
    ("accuracy", 32, 0),
    ("transmission", 3, 0),
    ("speed", 13, 0),
    ("heading", 15, 0),
    ("angle", 8, -126),
    ("accelLong", 12, -2000),
    ("accelLat", 12, -2000),
    ("accelVert", 8, -127),
    ("accelYaw", 16, -32767),
    ("wheelBrakes", 5, 0),
    ("systems", 10, 0),
    ("width", 10, 0),
    ("length", 12, 0),
)
_BITS: Final = sum(bits for _, bits, _ in _FIELDS)
_BRAKES_UNAVAILABLE: Final = 0b10000


def core_of(octets: bytes) -> Core:
    """The core of a BasicSafetyMessage in UPER; what follows it is not read.

    Raises:
        Unparseable: shorter than the core.
    """
    if len(octets) * 8 < _BITS:
        raise Unparseable("truncated", "bsm: ends in its core data")
    number, left = int.from_bytes(octets, "big"), len(octets) * 8
    value = {}
    for name, bits, lowest in _FIELDS:
        left -= bits
        value[name] = (number >> left & (1 << bits) - 1) + lowest
    brakes = value["wheelBrakes"]
    return Core(
        temporary_id=value["id"],
        second_ms=value["secMark"],
        latitude=value["lat"],
        longitude=value["long"],
        elevation=value["elev"],
        transmission=value["transmission"],
        speed=value["speed"],
        heading=value["heading"],
        acceleration=value["accelLong"],
        is_braking=None if brakes & _BRAKES_UNAVAILABLE else bool(brakes),
        width=value["width"],
        length=value["length"],
    )
