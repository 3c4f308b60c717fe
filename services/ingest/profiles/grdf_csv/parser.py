"""Reading a row of a GRDF export: a gas day, as gazpar2mqtt tells it live."""

from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.codecs.csvrow import device_of, needed, number, read_row
from services.ingest.codecs.gasday import gas_day, gas_meter
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "gazpar"
"""The PCE names the same meter here and there, so that history and live data meet without a word of the registry."""

_NUMBERS: Final = {
    "energie consommee (kwh)": "energy_kwh",
    "volume consomme (m3)": "volume_m3",
    "index fin (m3)": "end_index_m3",
    "index de fin": "end_index_m3",
    "index fin": "end_index_m3",
    "coefficient de conversion": "converter_factor_kwh/m3",
    "coefficient de conversion (kwh/m3)": "converter_factor_kwh/m3",
    "temperature locale (c)": "temperature_degC",
}
_VALUES: Final = frozenset({"energy_kwh", "volume_m3", "end_index_m3"})


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one row.

    Raises:
        Unparseable: not a row, or a value that is missing, wrong or not believed.
    """
    row = read_row(message)
    device = device_of(message, FAMILY, row.get("n pce", row.get("numero pce", row.get("pce"))))
    day: dict[str, Any] = {"time_period": needed(row, "date de releve", "journee gaziere", "date")}
    for column, key in _NUMBERS.items():
        if column in row:
            day[key] = number(row[column], column)
    if not _VALUES & day.keys():
        return Ignored("no-value")  # a day that was not read is no day without gas
    kind = next((row[each] for each in ("qualification", "nature", "type") if each in row), None)
    if kind is not None:
        day["type"] = kind
    records = gas_day(day, gas_meter(device, context), message, context)
    if not records:
        raise Unparseable("implausible_time", "date de releve: a day that is not over or too far back, or no such day")
    return tuple(records)
