"""Reading a row of an Enedis export: mean power or energy of a step, energy of a local day, or indexes."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from schemas.energy import IntervalEnergy, MeterReading, RegisterQuantity
from services.ingest.clock import Reading
from services.ingest.codecs import trusted
from services.ingest.codecs.csvrow import at, believed, device_of, needed, number, read_row
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "enedis_csv"
_PRM: Final = re.compile(r"\d{14}")
_PER_KWH: Final = {"Wh": 1000.0, "kWh": 1.0}
_TO_W: Final = {"W": 1.0, "kW": 1e3}
_STEPS_MIN: Final = (5, 10, 15, 30, 60)
_MOST_W: Final = 250_000.0
"""More than any home: 250 kVA is the largest connection at low voltage."""

_DIRECTIONS: Final[tuple[tuple[str, RegisterQuantity], ...]] = (
    ("prod", "export_energy"),
    ("inject", "export_energy"),
    ("cons", "import_energy"),
    ("soutir", "import_energy"),
)
_FRENCH_DATE: Final = re.compile(r"(\d{2})/(\d{2})/(\d{4})")
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INDEX_MODULUS: Final = 1e6
_INDEXES: Final = {
    "eas t": trusted.register("import_energy", "total", "kWh", modulus=_INDEX_MODULUS),
    **{
        f"eas f{n}": trusted.register("import_energy", f"supplier_{n:02}", "kWh", modulus=_INDEX_MODULUS)
        for n in range(1, 11)
    },
    **{
        f"eas d{n}": trusted.register("import_energy", f"distributor_{n:02}", "kWh", modulus=_INDEX_MODULUS)
        for n in range(1, 5)
    },
    "eai t": trusted.register("export_energy", "total", "kWh", modulus=_INDEX_MODULUS),
}
"""Named as the registers of the same meter that its gateway tells (`linky_teleinfo2mqtt`, `linky_tic_raw`)."""


class _Meter(NamedTuple):
    household: str
    meter: str
    quantity: RegisterQuantity


def parse(message: Message, context: Context) -> tuple[IntervalEnergy | MeterReading, ...] | Ignored:
    """Read one row.

    Raises:
        Unparseable: not a row, or a value that is missing or wrong.
    """
    row = read_row(message)
    prm = row.get("identifiant prm", row.get("prm"))
    if prm is not None and not _PRM.fullmatch(prm):
        raise Unparseable("bad_value", "identifiant prm: must have 14 digits")
    device = device_of(message, FAMILY, prm)
    meter = _Meter(context.names.household(device), context.names.meter(device), _direction(row))
    if not any(name in row for name in ("valeur", "valeur (en wh)", "valeur (en kwh)", "valeur (en w)", *_INDEXES)):
        return Ignored("no-value")  # a step that was not measured is no step of zero
    if any(name in row for name in _INDEXES):
        return (_index(row, meter, message, context),)
    if row.get("grandeur physique", "").casefold().startswith("puissance"):
        return Ignored("peak-power")
    return (_interval(row, meter, message, context),)


def _direction(row: Mapping[str, str]) -> RegisterQuantity:
    said = row.get("grandeur metier", row.get("type de donnees", "")).casefold()
    return next((quantity for word, quantity in _DIRECTIONS if word in said), "import_energy")


def _value(row: Mapping[str, str]) -> tuple[float, str]:
    for unit in ("Wh", "kWh", "W"):
        column = f"valeur (en {unit.lower()})"
        if column in row:
            return number(row[column], column), unit
    return number(needed(row, "valeur"), "valeur"), needed(row, "unite")


def _interval(row: Mapping[str, str], meter: _Meter, message: Message, context: Context) -> IntervalEnergy:
    value, unit = _value(row)
    start, end, name = _day(row, message, context) if "date" in row else _step(row, message, context)
    hours = (end.at - start) / timedelta(hours=1)
    mean_w = None
    if unit in _TO_W:
        mean_w = value * _TO_W[unit]
        energy_kwh = mean_w * hours / 1000
    elif unit in _PER_KWH:
        energy_kwh = value / _PER_KWH[unit]
    else:
        raise Unparseable("bad_value", "unite: must be W, kW, Wh or kWh")
    if not 0 <= energy_kwh <= _MOST_W * hours / 1000:
        raise Unparseable("bad_value", "valeur: negative, or more than a home can use; look at its unit")
    return IntervalEnergy(
        household=meter.household,
        meter=meter.meter,
        carrier="electricity",
        observed_at=end.at,
        received_at=message.received_at,
        clock=end.clock,
        flags=end.flags,
        quantity=meter.quantity,
        register_name=name,
        start=start,
        end=end.at,
        value=energy_kwh,
        unit="kWh",
        mean_power_w=mean_w,
    )


def _step(row: Mapping[str, str], message: Message, context: Context) -> tuple[datetime, Reading, str]:
    """A step of the load curve. Its time is its end, unless the row says `borne` = `debut`."""
    reading = at(needed(row, "horodate"), "horodate", message, context)
    said = needed(row, "pas en minutes", "pas").removeprefix("PT").removesuffix("M")
    if said not in {str(each) for each in _STEPS_MIN}:
        raise Unparseable("bad_value", f"pas en minutes: must be one of {', '.join(map(str, _STEPS_MIN))}")
    step = timedelta(minutes=int(said))
    if row.get("borne", "fin") == "debut":
        end = believed(Reading(reading.at + step, reading.clock, reading.flags), "horodate", message, context)
        return reading.at, end, "total"
    return reading.at - step, reading, "total"


def _day(row: Mapping[str, str], message: Message, context: Context) -> tuple[datetime, Reading, str]:
    """A local day of 23, 24 or 25 hours."""
    text = row["date"]
    french = _FRENCH_DATE.fullmatch(text)
    iso = f"{french[3]}-{french[2]}-{french[1]}" if french else text
    try:
        day = date.fromisoformat(iso) if _ISO_DATE.fullmatch(iso) else None
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 9000:
        raise Unparseable("bad_value", "date: must be a day, 2026-01-12 or 12/01/2026")
    start, end = (
        datetime.combine(each, time(), context.timezone).astimezone(UTC) for each in (day, day + timedelta(days=1))
    )
    return start, believed(Reading(end, "local_naive"), "date", message, context), "day"


def _index(row: Mapping[str, str], meter: _Meter, message: Message, context: Context) -> MeterReading:
    """Indexes in Wh: registers as those that the meter itself shows."""
    unit = row.get("unite", "Wh")
    if unit not in _PER_KWH:
        raise Unparseable("bad_value", "unite: an index is in Wh or kWh")
    registers = []
    for name, make in _INDEXES.items():
        if name in row:
            value = number(row[name], name) / _PER_KWH[unit]
            if not 0 <= value < _INDEX_MODULUS:
                raise Unparseable("bad_value", f"{name}: an index has nine digits of Wh")
            registers.append(make(value))
    return trusted.meter_reading(
        household=meter.household,
        meter=meter.meter,
        at=at(needed(row, "horodate"), "horodate", message, context),
        received_at=message.received_at,
        retained=message.retained,
        registers=tuple(registers),
    )
