"""Fields on topics of their own: their clock came before on another topic, and what did not change is not sent.

What is remembered: the instant of the last telegram and of the one before it, and the last value of each index. After
a restart the broker sends the retained topics again; until the clock has come the receive time stands.
"""

import re
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.energy import Carrier, Gauge, Register
from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.clock import Reading, believe, dsmr_ws, receive_time, wall_clock_text
from services.ingest.codecs import tic, trusted
from services.ingest.codecs.jsontext import finite, index
from services.ingest.codecs.units import scaled
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.dsmr_mqtt import fields

__all__ = ["NO_VALUE", "parse", "part_of", "reading_of"]

FAMILY: Final = "dsmr_mqtt"
FRESH: Final = timedelta(seconds=60)
"""How long the instant of a telegram is that of the values after it. A gas meter's moves only with its value."""
NO_VALUE: Final = frozenset(("", "none", "null"))
_NUMBER: Final = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?")
_TARIFFS: Final = {"1": "T1", "2": "T2", "0001": "T1", "0002": "T2"}


class _Clock(NamedTuple):
    """The instant of a telegram, that of the one before, and when it was received."""

    reading: Reading
    before: datetime | None
    received_at: datetime


class _Last(NamedTuple):
    """The last value of an index and its instant."""

    register: Register
    at: datetime


def parse(
    message: Message, context: Context, prefix: str, field: str, *, is_gas: bool
) -> tuple[AnyRecord, ...] | Ignored:
    """Read one field.

    Raises:
        Unparseable: neither a number nor, where one belongs, a time.
    """
    text = message.payload.decode("ascii", "replace").strip()
    if text.lower() in NO_VALUE:
        return Ignored("no-value")
    if field == fields.STATUS:
        return (_status(message, context, prefix, text),)
    if field in fields.CLOCKS:
        _remember_clock(text, field, message, context, prefix)
        return Ignored("clock-of-the-values")
    if field == fields.TARIFF and text in _TARIFFS:
        at = receive_time(message.received_at)
        return (reading_of(message, context, prefix, "electricity", at, states=_TARIFFS[text]),)
    known = (fields.GAS if is_gas else fields.READING).get(field)
    if known is None or (known.carrier == "gas" and _is_repeated(context, prefix, is_gas=is_gas)):
        return Ignored("no-metering-field" if known is None else "gas-is-in-the-telegram")
    return _value(message, context, prefix, known, part_of(known, text, field))


def _value(
    message: Message, context: Context, prefix: str, known: fields.Field, part: Register | Gauge
) -> tuple[AnyRecord, ...]:
    clock: _Clock | None = context.memory.recall((FAMILY, prefix, known.carrier))
    at = _at(clock, known.carrier, message, context)
    if not isinstance(part, Register):
        return (reading_of(message, context, prefix, known.carrier, at, ((), (part,))),)
    held = _held(part, clock, at, message, context)
    return tuple(
        reading_of(message, context, prefix, known.carrier, each, ((register,), ()))
        for register, each in (*held, (part, at))
    )


def _status(message: Message, context: Context, prefix: str, word: str) -> AnyRecord:
    """The last will of dsmr2mqtt."""
    return DeviceStatus(
        device=context.names.device(f"{FAMILY}:{prefix}"),
        observed_at=message.received_at,
        received_at=message.received_at,
        clock="none",
        retained=message.retained,
        availability=fields.AVAILABILITY.get(word, "unknown"),
    )


def _is_repeated(context: Context, prefix: str, *, is_gas: bool) -> bool:
    """Whether this is gas by `consumption/gas` while the telegram's own gas value is published too."""
    key = (FAMILY, prefix, "extra_device_delivered")
    if is_gas:
        return context.memory.recall(key) is not None
    context.memory.remember(key, value=True)
    return False


def part_of(field: fields.Field, value: Any, name: str) -> Register | Gauge:
    """A number, or a number as text (dsmr-reader), as register or gauge."""
    text = str(value)
    if type(value) is bool or _NUMBER.fullmatch(text) is None:
        raise Unparseable("bad_value", f"{name}: must be a number")
    factor = 1.0 if field.watts_if_whole and "." not in text else field.factor
    ours = finite(scaled(float(text), factor), name)
    return field.make(index(ours, name) if field.is_register else ours)


def reading_of(  # noqa: PLR0913, PLR0917 - what a reading is made of
    message: Message,
    context: Context,
    prefix: str,
    carrier: Carrier,
    at: Reading,
    parts: tuple[tuple[Register, ...], tuple[Gauge, ...]] = ((), ()),
    *,
    meter: str | None = None,
    states: str | None = None,
) -> AnyRecord:
    """A reading of the meter called `meter`, else of the one that the prefix and the carrier tell."""
    own = meter or (prefix if carrier == "electricity" else f"{prefix}/{carrier}")
    return trusted.meter_reading(
        household=context.names.household(f"{FAMILY}:{prefix}"),
        meter=context.names.meter(f"{FAMILY}:{own}"),
        at=at,
        received_at=message.received_at,
        retained=message.retained,
        registers=parts[0],
        gauges=parts[1],
        states=() if states is None else (tic.state("active_register", states),),
        carrier=carrier,
    )


def _remember_clock(text: str, field: str, message: Message, context: Context, prefix: str) -> None:
    key = (FAMILY, prefix, fields.CLOCKS[field])
    reading = dsmr_ws(text, context.timezone, message.received_at)
    if reading is None:
        reading = wall_clock_text(text, message.received_at, context)._replace(flags=())
    if reading.clock == "none":
        raise Unparseable("bad_value", f"{field}: must be a time")
    last: _Clock | None = context.memory.recall(key)
    if last is None or last.reading.at > reading.at:
        before = None
    else:
        before = last.before if last.reading.at == reading.at else last.reading.at
    context.memory.remember(key, _Clock(reading, before, message.received_at))


def _at(clock: _Clock | None, carrier: Carrier, message: Message, context: Context) -> Reading:
    if clock is None or (carrier == "electricity" and message.received_at - clock.received_at > FRESH):
        return receive_time(message.received_at)
    return believe(clock.reading, message.received_at, context)


def _held(
    part: Register, clock: _Clock | None, at: Reading, message: Message, context: Context
) -> tuple[tuple[Register, Reading], ...]:
    """What silence said: at the telegram before this one the index still had its former value.

    An equal payload is not published again, so an index that does not move at night is silent. Without this its first
    kWh of the morning would look as if it had been spread over the night.
    """
    key = (FAMILY, message.topic)
    last: _Last | None = context.memory.recall(key)
    context.memory.remember(key, _Last(part, at.at))
    if last is None or clock is None or clock.before is None or at.at != clock.reading.at:
        return ()
    if last.register.value == part.value or not last.at < clock.before < at.at:
        return ()
    return ((last.register, believe(Reading(clock.before, at.clock), message.received_at, context)),)
