"""Records to points: pure, one table of names and types, no identifier of a vehicle.

A raw point stands for one event: its time is the event's to the millisecond, and the digits below come from the
event's id. So two messages of one instant are two points, and a redelivery overwrites itself.
"""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from schemas.citizen import AppEvaluation
from schemas.energy import Gauge, IntervalEnergy, MeterReading, OutdoorTemperature, Register, State
from schemas.envelope import Event
from schemas.status import DeviceStatus
from services.aggregator.history import Changed
from services.aggregator.intervals import Interval
from services.aggregator.meters import Checkpoint, RegisterKey
from services.aggregator.ports import FieldValue, Point, Row
from services.aggregator.registers import MICRO, Reading
from services.aggregator.traffic import HourFigures, MinuteFigures
from services.aggregator.windows import WindowName

__all__ = [
    "TAGS",
    "SeriesKey",
    "checkpoint_point",
    "hour_point",
    "instant",
    "interval_of",
    "interval_point",
    "milliseconds",
    "raw_point",
    "readings_of",
    "stored_checkpoints",
    "stored_intervals",
    "stored_minutes",
    "stored_readings",
    "traffic_point",
    "window_point",
]

TAGS: Final = {
    "meter": ("carrier", "household", "meter"),
    "checkpoint": ("carrier", "household", "meter"),
    "interval": ("carrier", "household", "meter", "quantity", "register"),
    "weather": ("station",),
    "device": ("device",),
    "evaluation": ("application", "version"),
    "energy": ("carrier", "household", "meter", "quantity", "register", "window"),
    "traffic": ("window", "zone"),
    "traffic_hour": ("zone",),
    "hazard": ("cause",),
    "map": ("zone",),
    "passage": ("approach", "signal_group", "station", "zone"),
    "priority": ("role", "zone"),
    "signal": ("signal_group", "zone"),
    "station_quality": ("message", "station", "zone"),
    "hazard_exposure": ("cause", "zone"),
    "junction_hazard": ("cause", "zone"),
    "mobility": ("advice", "group", "kind", "window", "zone"),
    "kpi": ("kpi", "programme", "span", "subject"),
    "family_day": ("household",),
    "kpi_series": ("at", "kpi", "programme", "series", "span", "subject"),
}
"""Every tag there is: bounded by homes, junctions, stations; never by vehicles."""

SeriesKey = tuple[str, str, str]
"""Carrier, household, meter."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNIT_FIELD: Final = {"kWh": "energy_kwh", "m3": "volume_m3", "kvarh": "reactive_energy_kvarh"}
_SUFFIX: Final = {unit: unit.lower().replace("/", "_per_").replace("%", "percent") for unit in (
    "kWh", "kvarh", "m3", "W", "VA", "var", "V", "A", "Hz", "degC", "m3/h", "%", "1", "d", "hca", "kWh/m3"
)}  # fmt: skip
_UNITS: Final = {suffix: unit for unit, suffix in _SUFFIX.items()}
_QUANTITIES: Final = (
    "import_energy", "export_energy", "production", "consumption", "volume", "backflow_volume", "reactive_energy",
)  # fmt: skip
_MIDNIGHT: Final = "_since_midnight"
_MOST_INDEX: Final = 1e10
_LEAST_CONTRACT_VA: Final = 1_000
_MOST_CONTRACT_VA: Final = 250_000


def milliseconds(instant: datetime) -> int:
    """Unix milliseconds of an aware instant, exactly."""
    since = instant - _EPOCH
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def instant(at_ms: int) -> datetime:
    """The aware instant of Unix milliseconds, exactly."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def _time_ns(event: Event) -> int:
    return milliseconds(event.record.observed_at) * 1_000_000 + zlib.crc32(event.id.encode()) % 1_000_000


def raw_point(event: Event) -> Point | None:
    """The raw point of an event, or `None` for kinds that stay in the log (vehicles, signals, hazards)."""
    record = event.record
    fields: dict[str, FieldValue] = {}
    tags: tuple[tuple[str, str], ...]
    match record:
        case MeterReading():
            tags = (("carrier", record.carrier), ("household", record.household), ("meter", record.meter))
            name = "meter"
            _put_registers(fields, record.registers)
            _put_gauges(fields, record.gauges)
            _put_states(fields, record.states)
            if record.counter_since is not None:
                fields["counter_since_ms"] = milliseconds(record.counter_since)
            if _undated(record):
                fields["undated"] = True
        case IntervalEnergy():
            series = (record.carrier, record.household, record.meter)
            return interval_point(series, (record.quantity, record.register_name, record.unit), interval_of(record))
        case OutdoorTemperature():
            name, tags = "weather", (("station", record.station),)
            fields["temperature_degc"] = float(record.temperature_degc)
        case DeviceStatus():
            name, tags = "device", (("device", record.device),)
            fields["availability"] = record.availability
            _put_gauges(fields, record.gauges)
            _put_states(fields, record.states)
            if record.missing_from is not None and record.missing_until is not None:
                fields["missing_s"] = (record.missing_until - record.missing_from).total_seconds()
        case AppEvaluation():
            name, tags = "evaluation", (("application", record.application), ("version", record.version or "unknown"))
            _put_answers(fields, record)
        case _:
            return None
    if record.flags:
        fields["flags"] = ",".join(sorted(record.flags))
    return Point(name, tags, tuple(sorted(fields.items())), _time_ns(event)) if fields else None


def interval_of(record: IntervalEnergy) -> Interval:
    """What an interval says. That it came late is no property of what it says."""
    end_ms = milliseconds(record.end)
    lasts_ms = (record.end - record.start) // timedelta(milliseconds=1)
    flags = ",".join(sorted(set(record.flags) - {"late"}))
    power_w = None if record.mean_power_w is None else float(record.mean_power_w)
    value = max(-_MOST_INDEX, min(_MOST_INDEX, record.value))
    return Interval(end_ms - lasts_ms, end_ms, round(value * MICRO), milliseconds(record.received_at), flags, power_w)


def interval_point(series: SeriesKey, register: RegisterKey, interval: Interval) -> Point:
    """The raw point of an interval; `flags` is always there, empty too."""
    carrier, household, meter = series
    quantity, name, unit = register
    tags = zip(TAGS["interval"], (carrier, household, meter, quantity, name), strict=True)
    fields: dict[str, FieldValue] = {
        _UNIT_FIELD.get(unit, "value"): interval.value / MICRO,
        "duration_s": (interval.end_ms - interval.start_ms) / 1000,
        "flags": interval.flags,
        "received_ms": interval.said_ms,
    }
    if interval.mean_power_w is not None:
        fields["mean_power_w"] = interval.mean_power_w
    return Point("interval", tuple(tags), tuple(sorted(fields.items())), interval.time_ns)


def stored_intervals(rows: Sequence[Row], unit: str) -> list[Interval]:
    """What raw points of one register say of its intervals: the same as the records that they were made of."""
    found = []
    for row in rows:
        value, lasts_s = row.fields.get(_UNIT_FIELD[unit]), row.fields.get("duration_s")
        if isinstance(value, (int, float)) and isinstance(lasts_s, (int, float)):
            end_ms, power_w = row.time_ns // 1_000_000, row.fields.get("mean_power_w")
            found.append(
                Interval(
                    end_ms - round(lasts_s * 1000),
                    end_ms,
                    round(value * MICRO),
                    int(row.fields.get("received_ms", 0)),
                    str(row.fields.get("flags", "")),
                    None if power_w is None else float(power_w),
                )
            )
    return found


def _put_answers(fields: dict[str, FieldValue], record: AppEvaluation) -> None:
    """The member is a field, to count members by; a tag would be one series for each."""
    answers = record.sus_answers
    said: dict[str, FieldValue | None] = {
        "sus_answers": None if answers is None else "".join(map(str, answers)),
        "task": record.task,
        "task_success": record.task_success,
        "time_on_task_s": record.time_on_task_s,
        "rating": record.rating,
        "recommendation": record.recommendation,
    }
    fields.update({name: value for name, value in said.items() if value is not None})
    fields["member"] = record.member


def _put_registers(fields: dict[str, FieldValue], registers: tuple[Register, ...]) -> None:
    """One field for each; one `modulus` for all if they share it, else one for each that has one."""
    moduli = {register.modulus for register in registers}
    for register in registers:
        middle = f"{register.name}{_MIDNIGHT}" if register.since_midnight else register.name
        field = f"{register.quantity}_{middle}_{_SUFFIX[register.unit]}"
        fields[field] = float(register.value)
        if register.modulus is not None:
            fields["modulus" if len(moduli) == 1 else f"modulus_{field}"] = float(register.modulus)


def _put_gauges(fields: dict[str, FieldValue], gauges: tuple[Gauge, ...]) -> None:
    for gauge in gauges:
        fields[f"{gauge.quantity}_{gauge.name}_{_SUFFIX[gauge.unit]}"] = float(gauge.value)


def _put_states(fields: dict[str, FieldValue], states: tuple[State, ...]) -> None:
    for state in states:
        fields[state.name] = state.value


def _undated(record: MeterReading) -> bool:
    """A retained message without a clock: it was true some time ago, nobody knows when."""
    return record.retained and record.clock == "none"


def readings_of(record: MeterReading) -> dict[RegisterKey, Reading]:
    """What a record says of its counters; nothing for a retained message without a clock.

    Where a record says a thing twice, the last counts, as in its raw point.
    """
    if _undated(record):
        return {}
    at_ms = milliseconds(record.observed_at)
    began_ms = milliseconds(record.counter_since) if record.counter_since is not None else None
    contract = None
    for gauge in record.gauges:
        if gauge.quantity == "subscribed_power" and (gauge.name, gauge.unit) == ("import", "VA"):
            contract = _contract(gauge.value)
    return {
        (register.quantity, register.name, register.unit): Reading(
            at_ms,
            round(register.value * MICRO),
            began_ms,
            _micro(register.modulus),
            contract if register.quantity == "import_energy" else None,
        )
        for register in record.registers
        if not register.since_midnight and register.unit in _UNIT_FIELD and _countable(register.value)
    }


def stored_readings(rows: Sequence[Row]) -> dict[RegisterKey, list[Reading]]:
    """What raw points say of the counters: the same as the records that they were made of."""
    found: dict[RegisterKey, list[Reading]] = {}
    for row in rows:
        if row.fields.get("undated"):
            continue
        began = row.fields.get("counter_since_ms")
        contract_va = row.fields.get("subscribed_power_import_va")
        for field, value in row.fields.items():
            key = _register_key(field)
            if key is not None and isinstance(value, (int, float)) and _countable(value):
                modulus = row.fields.get(f"modulus_{field}", row.fields.get("modulus"))
                reading = Reading(
                    row.time_ns // 1_000_000,
                    round(value * MICRO),
                    None if began is None else int(began),
                    _micro(modulus),
                    _contract(contract_va) if key[0] == "import_energy" else None,
                )
                found.setdefault(key, []).append(reading)
    return found


def _countable(value: float) -> bool:
    """Whether a register can show this; what cannot be is kept as raw point and never becomes energy."""
    return -_MOST_INDEX < value < _MOST_INDEX


def _micro(modulus: FieldValue | None) -> int | None:
    known = isinstance(modulus, (int, float)) and _countable(modulus)
    return round(float(modulus or 0) * MICRO) if known else None


def _contract(power_va: FieldValue | None) -> int | None:
    """Millionths of a kWh that a contract lets through in an hour; `None` where it says nothing to be believed."""
    known = isinstance(power_va, (int, float)) and _LEAST_CONTRACT_VA <= power_va <= _MOST_CONTRACT_VA
    return round(float(power_va or 0) * MICRO / 1000) if known else None


def _register_key(field: str) -> RegisterKey | None:
    """Quantity, name and unit of a raw field, if it is an index."""
    quantity = next((each for each in _QUANTITIES if field.startswith(each + "_")), None)
    if quantity is None:
        return None
    name, _, suffix = field[len(quantity) + 1 :].rpartition("_")
    unit = _UNITS.get(suffix)
    if unit not in _UNIT_FIELD or name.endswith(_MIDNIGHT) or not name:
        return None
    return quantity, name, unit


def checkpoint_point(series: SeriesKey, checkpoint: Checkpoint) -> Point:
    """The point of a checkpoint of a meter, at the cut of days that it is of."""
    tags = tuple(zip(TAGS["checkpoint"], series, strict=True))
    return Point("checkpoint", tags, (("state", checkpoint.text),), checkpoint.cut_ms * 1_000_000)


def stored_checkpoints(rows: Sequence[Row]) -> list[Checkpoint]:
    """Checkpoints as they are stored, void ones too."""
    return [Checkpoint(row.time_ns // 1_000_000, str(row.fields.get("state", ""))) for row in rows]


def window_point(series: SeriesKey, register: RegisterKey, changed: Changed) -> Point:
    """The point of a window; its revision is the number of readings known in it, so it grows with knowledge.

    `flags` is always there, empty too, so that a flag that a late reading made void is overwritten.
    """
    window = changed.window
    flags = ",".join(sorted({*window.flags, *changed.marks})) if window.flags or changed.marks else ""
    value = window.value / MICRO
    fields: tuple[tuple[str, FieldValue], ...] = (
        ("coverage", window.coverage),
        ("energy_kwh", value),
        ("estimated", window.estimated),
        ("flags", flags),
        ("revision", changed.readings),
    )
    if register[2] != "kWh":
        fields = tuple(sorted((_UNIT_FIELD[register[2]] if each is fields[1] else each[0], each[1]) for each in fields))
    return Point("energy", _window_tags(series, register, changed.name), fields, window.start_ms * 1_000_000)


@lru_cache(maxsize=65_536)
def _window_tags(series: SeriesKey, register: RegisterKey, window: WindowName) -> tuple[tuple[str, str], ...]:
    """The same object for all windows of a register: made once, and compared fast."""
    (carrier, household, meter), (quantity, name, _) = series, register
    return (
        ("carrier", carrier),
        ("household", household),
        ("meter", meter),
        ("quantity", quantity),
        ("register", name),
        ("window", window),
    )


def traffic_point(figures: MinuteFigures) -> Point:
    """The point of a junction's minute."""
    fields: dict[str, FieldValue] = {"samples": figures.samples, "vehicles": figures.vehicles}
    if figures.mean_speed_mps is not None:
        fields["mean_speed_mps"] = figures.mean_speed_mps
    tags = (("window", "1m"), ("zone", figures.zone))
    return Point("traffic", tags, tuple(sorted(fields.items())), figures.start_ms * 1_000_000)


def stored_minutes(rows: Sequence[Row]) -> list[MinuteFigures]:
    """What points of minutes say: the same as the figures that they were made of."""
    found = []
    for row in rows:
        vehicles, samples = row.fields.get("vehicles"), row.fields.get("samples")
        speed_mps = row.fields.get("mean_speed_mps")
        if isinstance(vehicles, int) and isinstance(samples, int):
            mean = float(speed_mps) if isinstance(speed_mps, (int, float)) else None
            found.append(MinuteFigures(row.tags["zone"], row.time_ns // 1_000_000, vehicles, samples, mean))
    return found


def hour_point(figures: HourFigures) -> Point:
    """The point of a junction's hour."""
    fields: tuple[tuple[str, FieldValue], ...] = (
        ("minutes", figures.minutes),
        ("samples", figures.samples),
        ("speed_sum_mps", figures.speed_sum_mps),
        ("speed_vehicles", figures.speed_vehicles),
        ("vehicles", figures.vehicles),
        ("vehicles_at_least", figures.vehicles_at_least),
    )
    return Point("traffic_hour", (("zone", figures.zone),), fields, figures.start_ms * 1_000_000)
