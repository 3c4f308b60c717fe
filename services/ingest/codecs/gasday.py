"""A gas day of the operator GRDF: 06:00 to 06:00 local, with its energy, its volume and the index at its end."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.base import Flag
from schemas.energy import Gauge, IntervalEnergy, MeterReading, Register
from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe
from services.ingest.codecs import trusted
from services.ingest.codecs.jsontext import finite, index
from services.ingest.profiles import Context, Message, Unparseable

__all__ = ["LARGEST_DAY_M3", "GasMeter", "gas_day", "gas_meter"]

MEASURED: Final = ("MES", "Mesuré", "Mesurée")
LARGEST_DAY_M3: Final = 10.0 * 24
"""The largest meter of a home (G6) passes 10 m3/h."""

_DATE: Final = re.compile(r"(\d{2})/(\d{2})/(\d{4})")
_INDEX: Final = trusted.register("volume", "total", "m3")
_FACTOR: Final = trusted.gauge("conversion_factor", "day", "kWh/m3")
_TEMPERATURE: Final = trusted.gauge("external_temperature", "day", "degC")


class GasMeter(NamedTuple):
    """Pseudonyms of the home and its meter."""

    household: str
    meter: str


def gas_meter(device: str, context: Context) -> GasMeter:
    """The meter of a device, and its home."""
    return GasMeter(context.names.household(device), context.names.meter(device))


class _Day(NamedTuple):
    """A gas day: when it began, and its end with the doubts about it."""

    start: datetime
    end: Reading


def gas_day(day: Any, meter: GasMeter, message: Message, context: Context) -> list[AnyRecord]:
    """The records of a gas day; none of a day that is not over, or too far back to be believed.

    Args:
        day: what PyGazpar makes of the operator's files: `time_period` (dd/mm/yyyy), `energy_kwh`, `volume_m3`,
            `end_index_m3`, `converter_factor_kwh/m3`, `temperature_degC`, `type`.
        meter: whose day it is.
        message: that said it.
        context: of the profile.

    Raises:
        Unparseable: no object, no date, or a value that is no number.
    """
    if not isinstance(day, dict):
        raise Unparseable("wrong_shape", "daily: a gas day must be an object")
    start = _six_o_clock(day.get("time_period"), context)
    end = _six_o_clock(day.get("time_period"), context, days=1)
    at = believe(Reading(end, "local_naive", _flags(day)), message.received_at, context)
    if "clock" in at.flags:
        return []
    span = _Day(start, at)
    found: list[AnyRecord | None] = [
        _interval(day, "energy_kwh", "pcs", span, meter, message),
        _interval(day, "volume_m3", "day", span, meter, message),
        _index(day, span, meter, message),
    ]
    return [each for each in found if each is not None]


def _six_o_clock(period: Any, context: Context, days: int = 0) -> datetime:
    """06:00 local of the day `dd/mm/yyyy`, or of a day after it. That hour never changes its offset."""
    match = _DATE.fullmatch(period) if isinstance(period, str) else None
    try:
        local = datetime(int(match[3]), int(match[2]), int(match[1]), 6) if match else None  # noqa: DTZ001
    except ValueError:
        local = None
    if local is None or not 2000 <= local.year <= 9000:
        raise Unparseable("bad_value", "daily.time_period: must be a date, dd/mm/yyyy")
    return (local + timedelta(days=days)).replace(tzinfo=context.timezone).astimezone(UTC)


def _flags(day: dict[str, Any]) -> tuple[Flag, ...]:
    kind = day.get("type")
    return () if kind is None or kind in MEASURED else ("estimated",)


def _interval(  # noqa: PLR0913, PLR0917 - what an interval is made of
    day: dict[str, Any], key: str, register_name: str, span: _Day, meter: GasMeter, message: Message
) -> IntervalEnergy | None:
    if day.get(key) is None:
        return None
    value = finite(day[key], key, "daily")
    is_volume = key == "volume_m3"
    if not 0 <= value <= LARGEST_DAY_M3 * (1 if is_volume else 13):
        return None  # a correction of the operator for more than a day, or a fault: not the gas of this day
    return IntervalEnergy(
        household=meter.household,
        meter=meter.meter,
        carrier="gas",
        observed_at=span.end.at,
        received_at=message.received_at,
        clock=span.end.clock,
        flags=span.end.flags,
        retained=message.retained,
        quantity="volume" if is_volume else "import_energy",
        register_name=register_name,
        start=span.start,
        end=span.end.at,
        value=value,
        unit="m3" if is_volume else "kWh",
    )


def _index(day: dict[str, Any], span: _Day, meter: GasMeter, message: Message) -> MeterReading | None:
    """The index at the end of the day, in whole m3, with the factor and the temperature of the day."""
    registers: tuple[Register, ...] = ()
    gauges: list[Gauge] = []
    if day.get("end_index_m3") is not None:
        registers = (_INDEX(index(finite(day["end_index_m3"], "end_index_m3", "daily"), "end_index_m3", "daily")),)
    for key, make in (("converter_factor_kwh/m3", _FACTOR), ("temperature_degC", _TEMPERATURE)):
        if day.get(key) is not None:
            gauges.append(make(finite(day[key], key, "daily")))
    if not registers and not gauges:
        return None
    return trusted.meter_reading(
        household=meter.household,
        meter=meter.meter,
        at=span.end,
        received_at=message.received_at,
        retained=message.retained,
        registers=registers,
        gauges=tuple(gauges),
        carrier="gas",
    )
