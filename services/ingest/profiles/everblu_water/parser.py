"""Reading EverBlu Cyble readers: one value a topic, or JSON; litres since the meter was mounted."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.energy import Gauge, Register
from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe, epoch, receive_time
from services.ingest.codecs import trusted
from services.ingest.codecs.jsontext import finite, index, read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "everblu_water"
VOLUME: Final = "liters"
_METRES: Final = trusted.register("volume", "total", "m3")
COUNTS: Final[Mapping[str, Callable[[float], Gauge]]] = {
    **dict.fromkeys(("battery", "battery_month", "battery_left"), trusted.gauge("count", "battery_months", "1")),
    **dict.fromkeys(("num_readings", "reads", "reads_counter", "counter"), trusted.gauge("count", "readings", "1")),
}
"""Months left in the battery, and how often the module was read; names differ by fork."""

_NUMBER: Final = re.compile(r"[0-9]{1,10}(\.[0-9]{1,6})?")
_SERIAL: Final = re.compile(r"cyble[-/](?:[0-9]{2}-)?([0-9]{3,10})\b")


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message.

    Raises:
        Unparseable: a value that is no number, or JSON without litres.
    """
    place, _, last = message.topic.rpartition("/")
    if message.payload.lstrip().startswith(b"{"):
        return _json(message, context, place)
    if last != VOLUME and last not in COUNTS:
        return Ignored("no-metering-field")
    text = message.payload.decode("ascii", "replace").strip()
    if _NUMBER.fullmatch(text) is None:
        raise Unparseable("bad_value", f"{last}: must be a number")
    at = receive_time(message.received_at)
    return (_reading(message, context, _identity(place), at, {last: float(text)}),)


def _json(message: Message, context: Context, place: str) -> tuple[AnyRecord, ...] | Ignored:
    values = read_object(message.payload)
    kept = {
        key: finite(value, key)
        for key, value in values.items()
        if (key == VOLUME or key in COUNTS) and value is not None
    }
    if not kept:
        raise Unparseable("missing_field", "payload: has no 'liters'")
    serial = values.get("serial")
    identity = serial if isinstance(serial, str) and serial else _identity(place)
    return (_reading(message, context, identity, _at(values.get("ts"), message, context), kept),)


def _identity(place: str) -> str:
    """The serial number in the topic (`cyble-20-0000211-esp`), else the topic."""
    match = _SERIAL.search(place)
    return match[1] if match else place


def _at(seconds: Any, message: Message, context: Context) -> Reading:
    if seconds is None:
        return receive_time(message.received_at)
    reading = epoch(finite(seconds, "ts"))
    if reading is None:
        raise Unparseable("bad_value", "ts: must be seconds since 1970")
    return believe(reading, message.received_at, context)


def _reading(message: Message, context: Context, identity: str, at: Reading, values: Mapping[str, float]) -> AnyRecord:
    registers: tuple[Register, ...] = ()
    if VOLUME in values:
        if values[VOLUME] < 0:
            raise Unparseable("bad_value", "liters: must not be negative")
        registers = (_METRES(index(values[VOLUME] / 1000, VOLUME)),)
    return trusted.meter_reading(
        household=context.names.household(f"{FAMILY}:{identity}"),
        meter=context.names.meter(f"{FAMILY}:{identity}"),
        at=at,
        received_at=message.received_at,
        retained=message.retained,
        registers=registers,
        gauges=tuple(COUNTS[key](value) for key, value in values.items() if key != VOLUME),
        carrier="water",
    )
