"""Reading a row of Garonne's own history format: what was used from `start` to `end`, or an index at `time`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from schemas.base import Flag
from schemas.energy import Carrier, IntervalEnergy, MeterReading, Register, RegisterQuantity
from services.ingest.codecs import trusted
from services.ingest.codecs.csvrow import at, device_of, needed, number, read_row
from services.ingest.mapping import MappingProblem, read_target
from services.ingest.profiles import Context, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "garonne_csv"
_MOST: Final = 1e10
_POWER: Final = {"W": 1e-3, "kW": 1.0}
_DEFAULTS: Final = {"m3": "volume", "L": "volume"}
_QUANTITIES: Final = frozenset({"import_energy", "export_energy", "production", "consumption", "volume"})
_ESTIMATED: Final = {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}


def parse(message: Message, context: Context) -> tuple[IntervalEnergy | MeterReading, ...]:
    """Read one row.

    Raises:
        Unparseable: not a row, or a value that is missing, wrong or not believed.
    """
    row = read_row(message)
    device = device_of(message, FAMILY, row.get("device"))
    household, meter = context.names.household(device), context.names.meter(device)
    flags = _flags(row)
    if "time" in row:
        index = at(row["time"], "time", message, context)
        register, carrier = _register(row, hours=None)
        return (
            trusted.meter_reading(
                household=household,
                meter=meter,
                at=index._replace(flags=(*index.flags, *flags)),
                received_at=message.received_at,
                retained=message.retained,
                registers=(register,),
                carrier=carrier,
            ),
        )
    start, end = (at(needed(row, each), each, message, context) for each in ("start", "end"))
    if start.at >= end.at:
        raise Unparseable("bad_value", "end: must lie after start")
    register, carrier = _register(row, (end.at - start.at) / timedelta(hours=1))
    return (
        IntervalEnergy(
            household=household,
            meter=meter,
            carrier=carrier,
            observed_at=end.at,
            received_at=message.received_at,
            clock=end.clock,
            flags=(*end.flags, *flags),
            quantity=register.quantity,
            register_name=register.name,
            start=start.at,
            end=end.at,
            value=register.value,
            unit=register.unit,
        ),
    )


def _flags(row: Mapping[str, str]) -> tuple[Flag, ...]:
    said = row.get("estimated", "no").casefold()
    if said not in _ESTIMATED:
        raise Unparseable("bad_value", "estimated: must be yes or no")
    return ("estimated",) if _ESTIMATED[said] else ()


def _register(row: Mapping[str, str], hours: float | None) -> tuple[Register, Carrier]:
    """The value in the words of a site's mapping; mean power of an interval becomes energy."""
    unit, value = needed(row, "unit"), number(needed(row, "value"), "value")
    if unit in _POWER and hours is not None:
        unit, value = "kWh", value * _POWER[unit] * hours
    quantity: RegisterQuantity | str = row.get("quantity", _DEFAULTS.get(unit, "import_energy"))
    if quantity not in _QUANTITIES:
        raise Unparseable("bad_value", f"quantity: must be one of {', '.join(sorted(_QUANTITIES))}")
    if quantity == "volume" and "carrier" not in row:
        raise Unparseable("missing_field", "carrier: gas or water? a volume must say it")
    words = (quantity, row.get("register", "total"), unit, row.get("carrier", "electricity"))
    try:
        target = read_target(" ".join(words))
    except MappingProblem:
        raise Unparseable(
            "bad_value", "unit, register or carrier: see the page of this profile for the words"
        ) from None
    made = target.make(value * target.factor)
    if not isinstance(made, Register) or not 0 <= made.value <= _MOST:
        raise Unparseable("bad_value", "value: negative, or more than any meter shows")
    return made, target.carrier
