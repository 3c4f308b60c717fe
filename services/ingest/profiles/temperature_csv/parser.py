"""Reading a row of temperatures: station, time, degrees Celsius."""

import re
from datetime import datetime
from typing import Final

from schemas.energy import OutdoorTemperature
from services.ingest.codecs.csvrow import at, needed, number, read_row
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

_STATION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")
_HOUR: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})")
_BOUNDS_DEGC: Final = (-60.0, 60.0)
"""What the record allows; colder or warmer is another unit."""


def parse(message: Message, context: Context) -> tuple[OutdoorTemperature, ...] | Ignored:
    """Read one row.

    Raises:
        Unparseable: not a row, or a value that is missing, wrong or not believed.
    """
    row = read_row(message)
    station = needed(row, "station", "num_poste")
    if not _STATION.fullmatch(station):
        raise Unparseable("bad_value", "station: letters, figures, and _ . : / - between them, 80 at most")
    column = next((each for each in ("temperature_degc", "value", "t") if each in row), None)
    if column is None:
        return Ignored("no-value")
    value = number(row[column], column)
    if not _BOUNDS_DEGC[0] <= value <= _BOUNDS_DEGC[1]:
        raise Unparseable("bad_value", f"{column}: must be in degrees Celsius, -60 to 60")
    reading = at(_time(needed(row, "time", "aaaammjjhh")), "time", message, context)
    return (
        OutdoorTemperature(
            observed_at=reading.at,
            received_at=message.received_at,
            clock=reading.clock,
            flags=reading.flags,
            station=station,
            temperature_degc=value,
        ),
    )


def _time(text: str) -> str:
    """`AAAAMMJJHH` of Météo-France is UTC."""
    hour = _HOUR.fullmatch(text)
    if hour is None:
        return text
    year, month, day, of_day = map(int, hour.groups())
    try:
        return f"{datetime(year, month, day, of_day):%Y-%m-%dT%H:%M}+00:00"  # noqa: DTZ001
    except ValueError:
        return text
