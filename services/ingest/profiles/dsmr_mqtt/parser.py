"""Reading dsmr-reader, SmartGateways and dsmr2mqtt: fields on topics of their own (`split`), or JSON."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe, epoch, receive_time, wall_clock_text
from services.ingest.codecs.jsontext import finite, read_object
from services.ingest.codecs.plainwords import Parts
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.dsmr_mqtt import fields, split
from services.ingest.profiles.dsmr_mqtt.split import part_of, reading_of

__all__ = ["parse"]

GROUPS: Final = (("consumption", "gas"), ("reading",), ("meter-stats",))
"""Levels between what the user chose and the name of the field."""


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message.

    Raises:
        Unparseable: a value that is no number, or JSON without a single key of these programs.
    """
    *levels, field = message.topic.split("/")
    if levels and levels[-1] in fields.DERIVED and field != fields.TARIFF:
        return Ignored("derived-total")
    group = next((each for each in GROUPS if tuple(levels[-len(each) :]) == each), ())
    prefix = "/".join(levels[: len(levels) - len(group)]) or message.topic
    is_gas = group == ("consumption", "gas")
    if message.payload.lstrip().startswith(b"{"):
        return tuple(_json(message, context, prefix, is_gas=is_gas)) or Ignored("no-metering-field")
    return split.parse(message, context, prefix, field, is_gas=is_gas)


def _json(message: Message, context: Context, prefix: str, *, is_gas: bool) -> Iterator[AnyRecord]:
    values = read_object(message.payload)
    known = {**fields.READING, **fields.DSMR2MQTT, **(fields.GAS if is_gas else {})}
    if not any(key in known for key in values):
        raise Unparseable("wrong_shape", "payload: has no key of dsmr-reader or dsmr2mqtt")
    parts = Parts()
    for key, value in values.items():
        if key in known and value is not None and str(value).lower() not in split.NO_VALUE:
            field = known[key]
            parts.add(field.carrier, part_of(field, value, key))
    serial = values.get("serial")
    for carrier, (registers, gauges) in parts.items():
        at = _at(values, carrier, message, context)
        # dsmr2mqtt says a serial on each topic; dsmr-reader says none.
        meter = serial if isinstance(serial, str) and serial else None
        yield reading_of(message, context, prefix, carrier, at, (tuple(registers), tuple(gauges)), meter=meter)


def _at(values: Mapping[str, Any], carrier: str, message: Message, context: Context) -> Reading:
    """The instant of a carrier's values: its own, else that of the telegram."""
    names = [name for name, of in fields.CLOCKS.items() if of == carrier] + ["timestamp"]
    value = next((values[name] for name in names if values.get(name) is not None), None)
    if type(value) is int or type(value) is float:
        reading = epoch(finite(value, "timestamp"))
        return receive_time(message.received_at) if reading is None else believe(reading, message.received_at, context)
    return wall_clock_text(value, message.received_at, context)
