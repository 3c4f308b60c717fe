"""Facts on meters, compared with the records that came out."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, get_args

from schemas.energy import IntervalEnergy, MeterReading, RegisterQuantity
from schemas.envelope import Event
from schemas.status import DeviceStatus
from services.ingest.profiles import Names

__all__ = ["check"]

EXACT_TIME: Final = timedelta(milliseconds=1)
EXACT_VALUE: Final = 1e-9
REGISTERS: Final = frozenset(get_args(RegisterQuantity)) - {"count"}
INTERVALS: Final = frozenset(("interval_energy", "interval_volume", "energy_over_period", "volume_over_period"))
STATES: Final = frozenset(
    ("tariff_period", "tariff_colour_today", "tariff_colour_tomorrow", "contract", "active_register", "status")
)
PRIVATE: Final = frozenset(("meter_id", "delivery_point", "network_name"))
SCALES: Final[dict[tuple[Any, Any], float]] = {
    ("L/min", "m3/h"): 0.06,
    ("Wh", "kWh"): 1e-3,
    ("kW", "W"): 1e3,
    ("month", "1"): 1,
}
SAME: Final[dict[tuple[Any, Any], tuple[str, str]]] = {
    ("volume", "backflow"): ("backflow_volume", "total"),
    # A mean of the load curve that came without its step (ZLinky): a gauge, since no interval may be made up.
    ("mean_power", "import"): ("active_power", "import_mean"),
    ("mean_power", "export"): ("active_power", "export_mean"),
    ("battery_life", None): ("count", "battery_months"),
    ("mean_power", "import_quarter_hour_running"): ("active_power", "import_quarter_hour_running"),
}
"""Facts whose words differ from ours for the same thing."""


class Found(NamedTuple):
    """A value of ours with all that a fact can say about it."""

    value: Any
    unit: str | None
    at: datetime
    flags: tuple[str, ...]
    carrier: str | None = None
    since_midnight: bool = False
    start: datetime | None = None
    energy_kwh: float | None = None


def check(fact: dict[str, Any], events: Sequence[Event], names: Names) -> str | None:
    """What is wrong with the events in view of the fact, in words; `None` if nothing is.

    Args:
        fact: one element of `expect`.
        events: what came of the message that the fact is about (of all messages, where it does not say).
        names: the pseudonyms under which the events were made.
    """
    quantity = fact["quantity"]
    if quantity == "meter_id" and fact["value"] is not None:
        return _identity(fact, events, names)
    if quantity in PRIVATE:
        return None  # that the raw value is nowhere is asserted of every case
    found = list(_candidates(fact, events))
    if fact["value"] is None:
        return f"nothing may be made up here, but there is {found[0].value} {found[0].unit}" if found else None
    problems = [problem for candidate in found if (problem := _problem(fact, candidate))]
    if found and len(problems) < len(found):
        return None
    if None in fact.get("also_accept", ()) and not found:
        return None
    return "; ".join(problems) or "no record of ours says this"


def _identity(fact: dict[str, Any], events: Sequence[Event], names: Names) -> str | None:
    meters = {getattr(event.record, "meter", None) for event in events} - {None}
    wanted = {names.meter(f"{event.profile}:{fact['value']}") for event in events}
    return None if meters & wanted else "no record bears the pseudonym of this meter number"


def _candidates(fact: dict[str, Any], events: Sequence[Event]) -> Iterator[Found]:
    for event in events:
        record = event.record
        if isinstance(record, IntervalEnergy):
            yield from _interval(fact, record)
        elif isinstance(record, MeterReading | DeviceStatus):
            for found in (*_registers(fact, record), *_gauges(fact, record), *_states(fact, record)):
                if found.carrier is None or found.carrier == fact.get("carrier", found.carrier):
                    yield found
    if fact["quantity"] in ("energy_over_period", "volume_over_period"):
        yield from _over_period(fact, events)
    if fact["quantity"] == "energy_over_events":
        yield from _over_events(fact, events)


def _registers(fact: dict[str, Any], record: MeterReading | DeviceStatus) -> Iterator[Found]:
    quantity, name = SAME.get((fact["quantity"], fact.get("register")), (fact["quantity"], fact.get("register")))
    if isinstance(record, MeterReading):
        for each in record.registers:
            if each.quantity == quantity and each.name == (name or each.name):
                yield Found(
                    each.value, each.unit, record.observed_at, record.flags, record.carrier, each.since_midnight
                )


def _gauges(fact: dict[str, Any], record: MeterReading | DeviceStatus) -> Iterator[Found]:
    carrier = record.carrier if isinstance(record, MeterReading) else None
    quantity, name = SAME.get((fact["quantity"], fact.get("register")), (fact["quantity"], fact.get("register")))
    for each in record.gauges:
        # `net` is positive for import (schemas.energy.RegisterName): 512 W of it are 512 W of import.
        same = each.name == (name or each.name) or (name == "import" and each.name == "net" and each.value >= 0)
        if each.quantity == quantity and same:
            yield Found(each.value, each.unit, each.observed_at or record.observed_at, record.flags, carrier)


def _states(fact: dict[str, Any], record: MeterReading | DeviceStatus) -> Iterator[Found]:
    if fact["quantity"] == "availability" and isinstance(record, DeviceStatus):
        yield Found(record.availability, None, record.observed_at, record.flags)
    if fact["quantity"] in STATES:
        for each in record.states:
            if each.name == fact["quantity"]:
                yield Found(each.value, None, record.observed_at, record.flags)


def _interval(fact: dict[str, Any], record: IntervalEnergy) -> Iterator[Found]:
    if record.carrier != fact.get("carrier", record.carrier):
        return
    if fact["quantity"] == "mean_power" and record.mean_power_w is not None:
        if record.quantity == f"{fact['register']}_energy":
            energy = record.value if record.unit == "kWh" else None
            yield Found(
                record.mean_power_w,
                "W",
                record.end,
                record.flags,
                record.carrier,
                start=record.start,
                energy_kwh=energy,
            )
    elif fact["quantity"] in ("interval_energy", "interval_volume") and record.register_name == fact.get("register"):
        yield Found(record.value, record.unit, record.end, record.flags, record.carrier, start=record.start)


def _over_period(fact: dict[str, Any], events: Sequence[Event]) -> Iterator[Found]:
    """The sum of the distinct intervals inside the period."""
    start, end = (datetime.fromisoformat(fact[key]) for key in ("interval_start", "interval_end"))
    inside = {
        (record.start, record.end): record
        for record in (event.record for event in events)
        if isinstance(record, IntervalEnergy)
        and record.register_name == fact.get("register")
        and record.unit == fact["unit"]
        and start <= record.start
        and record.end <= end
    }
    if inside:
        last = max(inside.values(), key=lambda record: record.end)
        total = sum(record.value for record in inside.values())
        yield Found(total, last.unit, end, last.flags, last.carrier, start=start)


def _over_events(fact: dict[str, Any], events: Sequence[Event]) -> Iterator[Found]:
    """The growth of an index from the first message to the last."""
    readings = sorted(
        (record.observed_at, each.value, each.unit, record.carrier)
        for record in (event.record for event in events)
        if isinstance(record, MeterReading)
        for each in record.registers
        if each.name == fact.get("register") and each.unit == fact["unit"]
    )
    if readings:
        (start, first, _, _), (end, last, unit, carrier) = readings[0], readings[-1]
        yield Found(last - first, unit, end, (), carrier, start=start)


def _problem(fact: dict[str, Any], found: Found) -> str | None:
    """The first thing in which a candidate differs from the fact."""
    return _value_problem(fact, found) or _time_problem(fact, found) or _kind_problem(fact, found)


def _time_problem(fact: dict[str, Any], found: Found) -> str | None:
    if "observed_at" in fact:
        wanted = [fact["observed_at"], *fact.get("also_accept_observed_at", ())]
        if not any(abs(found.at - datetime.fromisoformat(each)) <= EXACT_TIME for each in wanted):
            return f"observed_at is {found.at.isoformat()}, not {' or '.join(wanted)}"
    if "interval_start" in fact and found.start != datetime.fromisoformat(fact["interval_start"]):
        return f"the interval starts at {found.start}, not {fact['interval_start']}"
    return None


def _kind_problem(fact: dict[str, Any], found: Found) -> str | None:
    if "interval_energy_kwh" in fact and not _close(found.energy_kwh, fact["interval_energy_kwh"], None):
        return f"the energy of the interval is {found.energy_kwh} kWh, not {fact['interval_energy_kwh']}"
    if "kind" in fact and (fact["kind"] == "counter_since_local_midnight") != found.since_midnight:
        return f"since_midnight is {found.since_midnight}, which does not fit the kind {fact['kind']}"
    if "quality" in fact and not any(flag.startswith(fact["quality"]) for flag in found.flags):
        return f"the flag {fact['quality']} is missing (flags: {found.flags})"
    return None


def _value_problem(fact: dict[str, Any], found: Found) -> str | None:
    value, unit = found.value, fact.get("unit")
    scale = 1.0
    if unit != found.unit and unit is not None:
        if (unit, found.unit) not in SCALES:
            return f"the unit is {found.unit}, not {unit}"
        scale = SCALES[unit, found.unit]
    if "range" in fact and fact["range"][0] * scale <= value <= fact["range"][1] * scale:
        return None
    accepted = [fact["value"], *(each for each in fact.get("also_accept", ()) if each is not None)]
    for each in accepted:
        if isinstance(each, str) or isinstance(value, str):
            if each == value:
                return None
        elif _close(value, each * scale, fact.get("tolerance")):
            return None
    return f"the value is {value!r}, not {' or '.join(map(repr, accepted))}"


def _close(value: float | None, wanted: float, tolerance: float | None) -> bool:
    if value is None:
        return False
    return abs(value - wanted) <= (tolerance if tolerance is not None else EXACT_VALUE * max(1.0, abs(wanted)))
