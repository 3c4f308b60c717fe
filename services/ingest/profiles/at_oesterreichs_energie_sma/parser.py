"""Reading the Austrian adapter: `{"1-0:1.8.0": {"value": Wh, "time": s}, …, "api_version": "v1"}`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe, epoch, receive_time
from services.ingest.codecs import obis, trusted
from services.ingest.codecs.jsontext import finite, read_object
from services.ingest.codecs.plainwords import Parts
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "at_oesterreichs_energie_sma"


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message.

    A message with nothing but the meter's number is a reading without registers: the meter is there.

    Raises:
        Unparseable: not JSON, no OBIS code in it, or a value that is no number.
    """
    values = read_object(message.payload)
    codes = {key: entry for key, entry in values.items() if obis.read_code(key) is not None}
    if not codes:
        raise Unparseable("wrong_shape", "payload: has no OBIS code")
    groups = _by_time(codes) or {None: Parts(electricity=([], []))}
    return tuple(_readings(groups, message, context))


def _by_time(codes: Mapping[str, Any]) -> dict[float | None, Parts]:
    """Registers and gauges by their time; in the adapter's own units, Wh and W."""
    groups: dict[float | None, Parts] = {}
    for key, entry in codes.items():
        meaning = obis.electricity(obis.read_code(key))
        if meaning is None:
            continue
        if not isinstance(entry, dict):
            raise Unparseable("wrong_shape", f"{meaning.quantity} {meaning.name}: must be an object with 'value'")
        if entry.get("value") is None:
            continue
        time = entry.get("time")
        at_s = None if time is None else finite(time, "time", meaning.name)
        part = meaning(finite(entry["value"], "value", meaning.name), None)
        groups.setdefault(at_s, Parts()).add("electricity", part)
    return groups


def _readings(groups: Mapping[float | None, Parts], message: Message, context: Context) -> Iterator[AnyRecord]:
    device = f"{FAMILY}:{message.topic}"
    for at_s, parts in groups.items():
        registers, gauges = parts["electricity"]
        yield trusted.meter_reading(
            household=context.names.household(device),
            meter=context.names.meter(device),
            at=_at(at_s, message, context),
            received_at=message.received_at,
            retained=message.retained,
            registers=tuple(registers),
            gauges=tuple(gauges),
        )


def _at(at_s: float | None, message: Message, context: Context) -> Reading:
    if at_s is None:
        return receive_time(message.received_at)
    reading = epoch(at_s)
    if reading is None:
        return Reading(message.received_at, "none", ("clock",))
    return believe(reading, message.received_at, context)
