"""Reading vanetza-nap: `{"fields": {"header": …, "cam": …}, "timestamp": seconds, …}`.

Values are divided to SI, except the sentinels, which stay raw (`"speedValue": 16383.0`). They are put back to the
raw integers of the ASN.1, so that there is one reading of them; no SI value can be mistaken for a sentinel.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.codecs import its_time
from services.ingest.codecs.its_cam import read_cam
from services.ingest.codecs.its_hazard import its_clock, road_hazard
from services.ingest.codecs.its_map import intersection_geometries
from services.ingest.codecs.its_pdu import not_kept
from services.ingest.codecs.its_priority import priority_requests, priority_statuses
from services.ingest.codecs.its_signals import signal_states
from services.ingest.codecs.its_tree import Arrival, Tree, child, fold, integer
from services.ingest.codecs.its_units import CURVATURE_V2, in_steps
from services.ingest.codecs.its_uper import MESSAGES
from services.ingest.codecs.jsontext import read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

_STEPS: Final[Mapping[str, tuple[int, int]]] = {
    # element: steps per unit, raw sentinel
    "latitude": (10_000_000, 900000001),
    "longitude": (10_000_000, 1800000001),
    "altitudevalue": (100, 800001),
    "headingvalue": (10, 3601),
    "speedvalue": (100, 16383),
    "vehiclelengthvalue": (10, 1023),
    "vehiclewidth": (10, 62),
    "heading": (10, 3601),
    "eventpositionheading": (10, 3601),
    "longitudinalacceleration": (10, 161),
    "longitudinalaccelerationvalue": (10, 161),
    "yawratevalue": (100, 32767),
}
_DAY_MS: Final = 86_400_000
Reader = Callable[[Tree, Arrival], tuple[AnyRecord, ...] | Ignored]


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message.

    Raises:
        Unparseable: not JSON, not of this shape, or against the standard.
    """
    tree = fold(read_object(message.payload))
    fields = child(tree, "fields")
    timestamp = tree.get("timestamp")
    arrival = Arrival(message, context, None if timestamp is None else in_steps(timestamp, 1000, "timestamp"))
    for name, reader in _READERS.items():
        if name in fields:
            return reader(fields, arrival)
    return _other(fields)


def _other(fields: Tree) -> Ignored:
    number = integer(child(fields, "header"), "messageID", 0, 255)
    if number not in MESSAGES:
        raise Unparseable("wrong_shape", "header.messageID: no message of the standards")
    return not_kept(MESSAGES[number])


def _cam(fields: Tree, arrival: Arrival) -> tuple[AnyRecord, ...] | Ignored:
    station_id = integer(child(fields, "header"), "stationID", 0, 0xFFFFFFFF)
    return read_cam(station_id, _raw(child(fields, "cam")), arrival, CURVATURE_V2)


def _denm(fields: Tree, arrival: Arrival) -> tuple[AnyRecord, ...] | Ignored:
    return road_hazard(_raw(child(fields, "denm")), arrival, _clock)


_READERS: Final[Mapping[str, Reader]] = {
    "cam": _cam,
    "denm": _denm,
    "spat": lambda fields, arrival: signal_states(child(fields, "spat"), arrival),
    "map": lambda fields, arrival: intersection_geometries(child(fields, "map"), arrival),
    "srm": lambda fields, arrival: priority_requests(child(fields, "srm"), arrival),
    "ssm": lambda fields, arrival: priority_statuses(child(fields, "ssm"), arrival),
}


def _raw(value: Any, name: str = "") -> Any:
    """A folded value with the integers of the ASN.1 where there were SI numbers.

    Release 2 calls many values `value`: the element around it tells which.
    """
    if type(value) is dict:
        return {key: _raw(each, name if key == "value" else key) for key, each in value.items()}
    if type(value) is list:
        return [_raw(each, name) for each in value]
    if name not in _STEPS or type(value) not in (int, float):
        return value
    steps, sentinel = _STEPS[name]
    return sentinel if value == sentinel else in_steps(value, steps, name)


def _clock(value: Any, name: str, arrival: Arrival) -> int:
    """Seconds: of Unix time if that is within a day of reception, else of TimestampIts."""
    unix_ms = in_steps(value, 1000, name)
    received_ms = its_time.milliseconds(arrival.message.received_at)
    return unix_ms if abs(unix_ms - received_ms) <= _DAY_MS else its_clock(unix_ms, name, arrival)
