"""Reading wmbusmeters: one flat JSON object a telegram, keys that end in their unit."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from schemas.base import Flag
from schemas.energy import Carrier, Gauge, Register, State
from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.clock import Reading, wall_clock_text
from services.ingest.codecs import tic, trusted
from services.ingest.codecs.jsontext import finite, index, read_object
from services.ingest.codecs.units import scaled
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.wmbusmeters import fields

__all__ = ["parse"]

FAMILY: Final = "wmbusmeters"
NO_SENSOR_DEGC: Final = 127
NO_TARGET: Final = (80_000, 2001)
"""A set-date volume and a year that mean: there was no set date yet."""
FEWEST_NINES: Final = 6


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one telegram, or the state of the bridge.

    Raises:
        Unparseable: not JSON, no id or medium, or a value that is no number.
    """
    if message.topic.endswith("/bridge/state"):
        return (_bridge(message, context),)
    if message.topic.endswith("_alarm"):
        return Ignored("alarm")
    values = read_object(message.payload)
    identity, media = values.get("id"), values.get("media")
    if not isinstance(identity, str) or not identity or not isinstance(media, str):
        raise Unparseable("missing_field", "id, media: a telegram must have both, as text")
    carrier = next((each for word, each in fields.CARRIERS if word in media.lower()), None)
    if carrier is None:
        return Ignored("no-metering-medium")
    return tuple(_records(values, f"{FAMILY}:{identity}", carrier, message, context)) or Ignored("no-metering-field")


def _bridge(message: Message, context: Context) -> DeviceStatus:
    word = message.payload.strip().lower()
    availability: Literal["online", "offline", "unknown"] = (
        "online" if word == b"online" else "offline" if word == b"offline" else "unknown"
    )
    return DeviceStatus(
        device=context.names.device(f"{FAMILY}:{message.topic}"),
        observed_at=message.received_at,
        received_at=message.received_at,
        clock="none",
        retained=message.retained,
        availability=availability,
    )


def _records(
    values: Mapping[str, Any], device: str, carrier: Carrier, message: Message, context: Context
) -> Iterator[AnyRecord]:
    states, flags = _status(values.get("status"))

    def reading(at: Reading, registers: list[Register], gauges: list[Gauge], states: tuple[State, ...]) -> AnyRecord:
        return trusted.meter_reading(
            household=context.names.household(device),
            meter=context.names.meter(device),
            at=at._replace(flags=(*at.flags, *flags)),
            received_at=message.received_at,
            retained=message.retained,
            registers=tuple(registers),
            gauges=tuple(gauges),
            states=states,
            carrier=carrier,
        )

    registers = list(_registers(values))
    gauges = list(_gauges(values, carrier))
    at = _instant(values, message, context)
    own = _own_instant(values, fields.TOTAL_CLOCKS, message, context)
    if own is not None and registers:
        yield reading(own, registers, [], states)
        registers, states = [], ()
    if registers or gauges or states:
        yield reading(at, registers, gauges, states)
    for key, (field, clocks) in fields.SET_DATES.items():
        value = _number(values, key)
        dated = _own_instant(values, clocks, message, context)
        if value is None or value == NO_TARGET[0] or dated is None:
            continue
        part = field.make(scaled(value, field.factor))
        if isinstance(part, Register):
            yield reading(dated, [part], [], ())


def _registers(values: Mapping[str, Any]) -> Iterator[Register]:
    for row in fields.TOTALS:
        for key, field in row:
            value = _number(values, key)
            if value is not None:
                yield from _made(field, value)
                break
    for key in values:
        tariff = fields.tariff_field(key)
        value = _number(values, key) if tariff is not None else None
        if tariff is not None and value is not None:
            yield from _made(tariff, value)


def _made(field: fields.Field, value: float) -> Iterator[Register]:
    part = field.make(scaled(value, field.factor))
    if isinstance(part, Register):
        yield part


def _number(values: Mapping[str, Any], key: str) -> float | None:
    """An index; none if it is absent, null, negative, or all nines."""
    value = values.get(key)
    if value is None:
        return None
    number = index(finite(value, key), key)
    digits = str(value).replace(".", "")
    all_nines = len(digits) >= FEWEST_NINES and not digits.strip("9")
    return None if number < 0 or all_nines else number


def _gauges(values: Mapping[str, Any], carrier: Carrier) -> Iterator[Gauge]:
    for key, value in values.items():
        field = fields.GAUGES.get(key)
        if key in fields.POWERS_KW and carrier != "electricity":
            field = fields.THERMAL
        if field is None or value is None or (key.endswith("_c") and value == NO_SENSOR_DEGC):
            continue
        part = field.make(finite(scaled(finite(value, key), field.factor), key))
        if isinstance(part, Gauge):
            yield part


def _status(status: Any) -> tuple[tuple[State, ...], tuple[Flag, ...]]:
    """The words of the meter on itself; those on the water are no fault of the device."""
    if not isinstance(status, str) or not status.strip():
        return (), ()
    words = status.split()
    fault: tuple[Flag, ...] = () if fields.USAGE.issuperset(words) else ("device_fault",)
    return (tic.state("status", " ".join(words)[:60]),), fault


def _instant(values: Mapping[str, Any], message: Message, context: Context) -> Reading:
    """`timestamp` is when the telegram was received, in UTC; the meter's clock only without it."""
    text = next((values[key] for key in ("timestamp", *fields.CLOCKS) if values.get(key)), None)
    return wall_clock_text(_with_t(text), message.received_at, context)


def _own_instant(
    values: Mapping[str, Any], keys: tuple[str, ...], message: Message, context: Context
) -> Reading | None:
    """A local instant or date (its first moment) of a value of its own; `None` if there is none to be believed."""
    text = next((values[key] for key in keys if values.get(key)), None)
    if not isinstance(text, str):
        return None
    reading = wall_clock_text(_with_t(text), message.received_at, context)
    if reading.clock == "none" or "clock" in reading.flags or reading.at.year < NO_TARGET[1]:
        return None
    return reading


def _with_t(text: Any) -> Any:
    """`2026-02-10 07:41` and `2026-02-10` in full; what is no text stays and is refused as a time."""
    if isinstance(text, str) and len(text) == len("2026-02-10"):
        return f"{text}T00:00"
    return text
