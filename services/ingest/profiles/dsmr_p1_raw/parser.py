"""Reading P1 telegrams: one reading of the electricity meter, and one of each M-Bus meter with its own instant."""

from collections.abc import Iterator
from typing import Final

from schemas.energy import Gauge, Register, State
from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe, dsmr_ws, receive_time
from services.ingest.codecs import obis, p1, tic, trusted
from services.ingest.codecs.jsontext import index
from services.ingest.codecs.obis import Code
from services.ingest.codecs.units import UNITS, scaled
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.dsmr_p1_raw import fields

__all__ = ["parse"]

FAMILY: Final = "dsmr_p1_raw"
CHANNELS: Final = (1, 2, 3, 4)


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read the telegrams of a payload.

    Raises:
        Unparseable: no telegram, encrypted, cut, a wrong CRC, or no value in it that is metered.
    """
    telegrams = p1.telegrams(message.payload)
    # Without a clock nobody knows how old those before the last are.
    chosen = [each for each in telegrams if _clock(each) or each is telegrams[-1]]
    records = tuple(record for each in chosen for record in _records(each, message, context))
    if not records:
        raise Unparseable("missing_field", "payload: a telegram without a register or a power")
    return records


def _clock(telegram: p1.Telegram) -> str | None:
    values = telegram.lines.get(Code(0, 0, fields.CLOCK))
    return values[0] if values else None


def _records(telegram: p1.Telegram, message: Message, context: Context) -> Iterator[AnyRecord]:
    text = _clock(telegram)
    reading = dsmr_ws(text, context.timezone, message.received_at) if text else None
    if reading is not None:
        at = believe(reading, message.received_at, context)
    else:
        at = receive_time(message.received_at)._replace(flags=("clock",) if text else ())
    home = _number(telegram, 0, obis.IDENTITIES) or message.topic
    registers, gauges = _electricity(telegram, message, context)
    states = _states(telegram)
    if registers or gauges:
        yield trusted.meter_reading(
            household=context.names.household(f"{FAMILY}:{home}"),
            meter=context.names.meter(f"{FAMILY}:{home}"),
            at=at,
            received_at=message.received_at,
            retained=message.retained,
            registers=tuple(registers),
            gauges=tuple(gauges),
            states=states,
        )
    for channel in CHANNELS:
        yield from _mbus(telegram, channel, home, message, context)


def _electricity(telegram: p1.Telegram, message: Message, context: Context) -> tuple[list[Register], list[Gauge]]:
    registers: list[Register] = []
    gauges: list[Gauge] = []
    for code, values in telegram.lines.items():
        meaning = obis.electricity(code)
        quantity = p1.quantity(values[-1]) if meaning else None
        if meaning is None or quantity is None:
            continue
        part = meaning(quantity.value, quantity.unit, modulus=quantity.modulus if meaning.is_register else None)
        if isinstance(part, Register):
            registers.append(part)
        elif code.cde == "1.7.0" and telegram.identification.startswith(fields.NET_POWER):
            gauges.append(_NET(part.value))
        elif code.cde != fields.PEAK:
            gauges.append(part)
        elif peak_at := _instant(values, message, context):
            gauges.append(trusted.dated(part, peak_at.at))
    return registers, gauges


_NET: Final = trusted.gauge("active_power", "net", "W")


def _instant(values: tuple[str, ...], message: Message, context: Context) -> Reading | None:
    """The instant in front of a value, if it is one that can be believed."""
    reading = dsmr_ws(values[0], context.timezone, message.received_at)
    if reading is None or "clock" in believe(reading, message.received_at, context).flags:
        return None
    return reading


def _states(telegram: p1.Telegram) -> tuple[State, ...]:
    tariff = telegram.lines.get(Code(0, 0, fields.TARIFF), ("",))[0]
    if tariff.isascii() and tariff.isdecimal() and 1 <= int(tariff) <= 4:
        return (tic.state("active_register", f"T{int(tariff)}"),)
    return ()


def _number(telegram: p1.Telegram, channel: int, codes: tuple[str, ...]) -> str | None:
    """A meter's own number: text, or text in hex (DSMR 5.0.2, 6.12); all zeros is none."""
    for cde in codes:
        text = telegram.lines.get(Code(0, channel, cde), ("",))[0].strip()
        if len(text) % 2 == 0:
            try:
                decoded = bytes.fromhex(text).decode("ascii")
            except ValueError:
                decoded = ""
            text = decoded if decoded.isprintable() and decoded else text
        if text.strip("0"):
            return text
    return None


def _mbus(telegram: p1.Telegram, channel: int, home: str, message: Message, context: Context) -> Iterator[AnyRecord]:
    """A gas, water, heat or cooling meter: its last value, with its own instant."""
    lines = telegram.lines
    values = next((lines[code] for cde in fields.MBUS_VALUES if (code := Code(0, channel, cde)) in lines), None)
    kind = lines.get(Code(0, channel, fields.DEVICE_TYPE), ("",))[0]
    carrier = fields.MBUS_CARRIERS.get(int(kind)) if kind.isascii() and kind.isdecimal() else None
    if values is None or len(values) < 2 or carrier is None:
        return
    # DSMR 2.2 and 3: (instant)(status)(minutes)(number)(code)(unit), and the value on the next line.
    quantity = p1.quantity(values[-1] if "*" in values[-1] else f"{values[-1]}*{values[-2]}")
    reading = dsmr_ws(values[0], context.timezone, message.received_at)
    if quantity is None or reading is None:
        return  # never read: there is no value yet
    register = _register(quantity)
    number = _number(telegram, channel, fields.MBUS_IDENTITIES)
    yield trusted.meter_reading(
        household=context.names.household(f"{FAMILY}:{home}"),
        meter=context.names.meter(f"{FAMILY}:{number or f'{home}/{channel}'}"),
        at=believe(reading, message.received_at, context),
        received_at=message.received_at,
        retained=message.retained,
        registers=(register,),
        carrier=carrier,
    )


def _register(quantity: p1.Quantity) -> Register:
    scale = UNITS.get(quantity.unit)
    if scale is None or scale.unit not in ("m3", "kWh"):
        raise Unparseable("bad_value", "24.2.1: neither a volume nor an energy")
    modulus = None if quantity.modulus is None else scaled(quantity.modulus, scale.factor)
    name = "volume" if scale.unit == "m3" else "import_energy"
    value = index(scaled(quantity.value, scale.factor), "24.2.1")
    return trusted.register(name, "total", scale.unit, modulus=modulus)(value)  # type: ignore[arg-type]  # one of two
