"""Reading Sinapsi Alfa: `[{"du", "pod", "data": [{"ts": "s", "1-0:1.8.0.255_3,0_2": "Wh", …}]}]`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe, epoch, receive_time
from services.ingest.codecs import obis, trusted
from services.ingest.codecs.jsontext import finite, read_array
from services.ingest.codecs.plainwords import Parts
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "it_sinapsi_alfa"
IDENTITIES: Final = ("pod", "du")
"""The delivery point, and the unit of Sinapsi: text, kept as a pseudonym only."""

_NAME: Final = re.compile(r"([0-9]+-[0-9]+:[0-9.]+)_([0-9]+),([0-9]+)_2")
"""Logical name, COSEM class and version, and the attribute: 2 is the value."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message.

    Raises:
        Unparseable: not an array of entries, or a known code whose value is no number.
    """
    entries = read_array(message.payload)
    records = tuple(record for entry in entries for record in _entry(entry, message, context))
    return records or Ignored("no-metering-code")


def _entry(entry: Any, message: Message, context: Context) -> Iterator[AnyRecord]:
    data = entry.get("data") if isinstance(entry, dict) else None
    if not isinstance(data, list):
        raise Unparseable("wrong_shape", "payload: an entry must be an object with an array 'data'")
    names = (entry.get(key) for key in IDENTITIES)
    identity = next((name for name in names if isinstance(name, str) and name), message.topic)
    for values in data:
        if not isinstance(values, dict):
            raise Unparseable("wrong_shape", "data: must hold objects")
        parts = _parts(values)
        for registers, gauges in parts.values():
            yield trusted.meter_reading(
                household=context.names.household(f"{FAMILY}:{identity}"),
                meter=context.names.meter(f"{FAMILY}:{identity}"),
                at=_at(values.get("ts"), message, context),
                received_at=message.received_at,
                retained=message.retained,
                registers=tuple(registers),
                gauges=tuple(gauges),
            )


def _parts(values: Mapping[str, Any]) -> Parts:
    parts = Parts()
    for key, value in values.items():
        match = _NAME.fullmatch(key)
        meaning = obis.electricity(obis.read_code(match[1])) if match else None
        if meaning is not None and value is not None and value != "":
            parts.add("electricity", meaning(_number(value, meaning.name), None))
    return parts


def _number(value: Any, name: str) -> float:
    """A number as text, or a number."""
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) is None:
            raise Unparseable("bad_value", f"{name}: must be a number, or a number as text")
        value = float(value)
    return finite(value, name)


def _at(text: Any, message: Message, context: Context) -> Reading:
    if text is None:
        return receive_time(message.received_at)
    reading = epoch(_number(text, "ts"))
    if reading is None:
        raise Unparseable("bad_value", "ts: must be seconds since 1970")
    return believe(reading, message.received_at, context)
