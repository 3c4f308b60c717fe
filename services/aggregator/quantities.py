"""Quantities that indicators are made of, from windows of registers. Pure; formulas of meters.md 4.2, 5 and 7.

What cannot be said is `None`, never a number: a ratio over almost nothing, a night without half hours, a leak sign of
a day that was not measured. Energies are in kWh, volumes in m3, powers in W. Degree days are in `kpis.seasons`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from typing import Final, Literal, NamedTuple

__all__ = [
    "Amount",
    "Chosen",
    "Slot",
    "Solar",
    "baseload_w",
    "choose",
    "consumption_kwh",
    "family_of",
    "gas_kwh",
    "leak_sign",
    "litres_per_person",
    "load_factor",
    "peak_w",
    "solar",
    "solar_by_hour",
    "standby_share",
    "summed",
    "tariff_split",
]

ENOUGH_COVERAGE: Final = 0.9
_LEAST_KWH: Final = 0.1
"""Below this a ratio says nothing (meters.md 7)."""

_FLOAT_NOISE: Final = 1e-9
_GAS_KWH_PER_M3: Final = (8.0, 13.0)
"""H gas has 10.8 to 11.4, B gas 9.5 to 10 (meters.md 2.5); outside of this it is another unit."""

Family = Literal[
    "total", "supplier", "distributor", "tariff", "contract", "phase", "channel", "interval", "interval_day", "other"
]

_FAMILIES: Final[tuple[tuple[Family, str], ...]] = (
    ("total", r"total"),
    ("supplier", r"(?:supplier|tier)_\d+"),
    ("distributor", r"distributor_\d+"),
    ("tariff", r"T\d+"),
    ("contract", r"base|HC|HP|(?:tempo|ejp)_.*"),
    ("phase", r"L[1-3]"),
    ("channel", r"channel_\d+"),
    ("interval", r"interval:(?:total|pcs)"),
    ("interval_day", r"interval:day"),
)
"""In the order in which they are believed. Each family is a split of the same energy: two are never added."""


class Amount(NamedTuple):
    """Energy or volume of a period; the share of the period that is known, 0 to 1; what there is to say of it."""

    value: float
    coverage: float = 1.0
    flags: tuple[str, ...] = ()


class Chosen(NamedTuple):
    """The amount of a meter, the family of registers that told it, and by how much the others differ from it.

    The amount has the flag `sum_mismatch` where a difference is more than the displays explain.
    """

    amount: Amount
    family: Family
    differences: Mapping[Family, float]


class Slot(NamedTuple):
    """A half hour (or quarter) that begins at a local time, with what was used in it."""

    start: datetime
    hours: float
    amount: Amount


class Solar(NamedTuple):
    """What a home with solar panels did with its energy, in kWh; ratios are `None` over less than 0.1 kWh.

    `matched` is the share of hours that were known of import, export and production alike.
    """

    consumption_kwh: float
    self_consumed_kwh: float
    self_consumption: float | None
    self_sufficiency: float | None
    matched: float = 1.0


def family_of(register: str) -> Family:
    """Which split of the energy a register belongs to."""
    return next((family for family, pattern in _FAMILIES if re.fullmatch(pattern, register)), "other")


def choose(registers: Mapping[str, Amount], resolution: float = 0.001) -> Chosen | None:
    """The amount of one meter, quantity and period: the total wins over tariffs and phases (meters.md 4.2, 8).

    Without a total that is known well enough, the first family whose registers all are; else what is known best.
    Phases are not netted: their sum is flagged, for it is not what is billed.

    Args:
        registers: amounts by register name, of one meter and quantity. What is missing must be missing on purpose: a
            register of a family that is not given counts as nothing.
        resolution: of the display, in the unit; each register may be off by one step.
    """
    families: dict[Family, list[Amount]] = defaultdict(list)
    for name, amount in sorted(registers.items()):
        families[family_of(name)].append(amount)
    sums = {family: _together(families[family]) for family, _ in _FAMILIES if family in families}
    if not sums:
        return None
    best = max(sums, key=lambda each: sums[each].coverage)
    family = next((each for each, amount in sums.items() if amount.coverage >= ENOUGH_COVERAGE), best)
    amount = sums[family]
    known = {each: other for each, other in sums.items() if each != family and other.coverage >= ENOUGH_COVERAGE}
    differences = {each: other.value - amount.value for each, other in known.items()}
    flags = set(amount.flags)
    for each, difference in differences.items():
        if abs(difference) > resolution * (len(families[each]) + len(families[family])) + _FLOAT_NOISE:
            flags.add("sum_mismatch")
    if family == "phase":
        flags.add("not_netted")
    return Chosen(amount._replace(flags=tuple(sorted(flags))), family, differences)


def _together(amounts: Sequence[Amount]) -> Amount:
    """Registers of one period that complete each other: as well known as the worst of them."""
    flags = {flag for amount in amounts for flag in amount.flags}
    return Amount(
        sum(amount.value for amount in amounts), min(amount.coverage for amount in amounts), tuple(sorted(flags))
    )


def summed(windows: Iterable[tuple[float, Amount]]) -> Amount | None:
    """Windows that adjoin, as one: a month or a season from its days.

    Args:
        windows: hours and amount of each window; days of 23 and 25 hours count as what they are.
    """
    known = list(windows)
    hours = sum(each for each, _ in known)
    if not hours:
        return None
    flags = {flag for _, amount in known for flag in amount.flags}
    coverage = sum(each * amount.coverage for each, amount in known) / hours
    return Amount(sum(amount.value for _, amount in known), coverage, tuple(sorted(flags)))


def tariff_split(
    tiers: Mapping[str, Amount], total: Amount, resolution: float = 0.001
) -> tuple[dict[str, float | None], bool]:
    """The share of each tier in the energy of all tiers, and whether they sum up to the total within its steps.

    Shares are `None` over less than 0.1 kWh (meters.md 7).
    """
    energy = sum(amount.value for amount in tiers.values())
    shares = {name: amount.value / energy if energy >= _LEAST_KWH else None for name, amount in tiers.items()}
    return shares, abs(energy - total.value) <= resolution * (len(tiers) + 1) + _FLOAT_NOISE


def consumption_kwh(import_kwh: float, production_kwh: float, export_kwh: float) -> float:
    """What a home with solar panels used: import + production - export."""
    return import_kwh + production_kwh - export_kwh


def solar(import_kwh: float, production_kwh: float, export_kwh: float) -> Solar:
    """A day of a home with solar panels, from its three sums (meters.md 7)."""
    used = consumption_kwh(import_kwh, production_kwh, export_kwh)
    own = production_kwh - export_kwh
    return Solar(
        used,
        own,
        own / production_kwh if production_kwh >= _LEAST_KWH else None,
        own / used if used >= _LEAST_KWH else None,
    )


def solar_by_hour(
    imported: Mapping[datetime, Amount], produced: Mapping[datetime, Amount], exported: Mapping[datetime, Amount]
) -> Solar | None:
    """The same from hours in which all three are known: an hour that one meter missed would count as own use.

    Args:
        imported: amounts by the start of the hour; only hours that are covered count.
        produced: the same.
        exported: the same.
    """
    every = imported.keys() | produced.keys() | exported.keys()
    known = [hour for hour in sorted(every) if all(_covered(each.get(hour)) for each in (imported, produced, exported))]
    if not known:
        return None
    sums = [sum(series[hour].value for hour in known) for series in (imported, produced, exported)]
    return solar(*sums)._replace(matched=len(known) / len(every))


def _covered(amount: Amount | None) -> bool:
    return amount is not None and amount.coverage >= ENOUGH_COVERAGE and "estimated" not in amount.flags


def _mean_w(slot: Slot) -> float:
    return slot.amount.value * 1000 / slot.hours


def baseload_w(
    slots: Iterable[Slot], night: tuple[time, time] = (time(0), time(5)), nights: int = 7, percentile: float = 10
) -> float | None:
    """The power that is drawn always: 10th percentile of the means of the night, over seven nights (meters.md 7).

    A home with a water heater or a car on off-peak hours needs a `night` outside of them.

    Args:
        slots: half hours with local starts.
        night: local times, from (included) and to (not included).
        nights: so many of the latest nights; `None` if fewer have half of their slots.
        percentile: of the slots' mean powers, with linear interpolation.
    """
    by_night: dict[date, list[Slot]] = defaultdict(list)
    for slot in slots:
        if night[0] <= slot.start.time() < night[1] and _covered(slot.amount):
            by_night[slot.start.date()].append(slot)
    long_h = (night[1].hour - night[0].hour) + (night[1].minute - night[0].minute) / 60
    known = {day: each for day, each in by_night.items() if sum(slot.hours for slot in each) * 2 >= long_h}
    if len(known) < nights:
        return None
    powers = sorted(_mean_w(slot) for day in sorted(known)[-nights:] for slot in known[day])
    place = (len(powers) - 1) * percentile / 100
    low = int(place)
    high = min(low + 1, len(powers) - 1)
    return powers[low] + (powers[high] - powers[low]) * (place - low)


def peak_w(slots: Iterable[Slot]) -> float | None:
    """The highest mean power of a slot that was measured."""
    return max((_mean_w(slot) for slot in slots if _covered(slot.amount)), default=None)


def load_factor(slots: Sequence[Slot]) -> float | None:
    """Mean power over peak, of the slots that were measured."""
    known = [slot for slot in slots if _covered(slot.amount)]
    peak = peak_w(known)
    if not peak:
        return None
    return sum(slot.amount.value for slot in known) * 1000 / sum(slot.hours for slot in known) / peak


def standby_share(base_w: float, day_kwh: float) -> float | None:
    """The share of a day's energy that the baseload draws: baseload x 24 h / kWh of the day."""
    return base_w * 24 / 1000 / day_kwh if day_kwh >= _LEAST_KWH else None


def gas_kwh(volume_m3: float, kwh_per_m3: float) -> float:
    """Energy of gas in kWh (gross calorific value), by the factor that the operator gives for the place and month.

    Raises:
        ValueError: no gas has such a factor.
    """
    low, high = _GAS_KWH_PER_M3
    if not low <= kwh_per_m3 <= high:
        raise ValueError(f"a gas factor is between {low} and {high} kWh per m3: look at its unit")
    return volume_m3 * kwh_per_m3


def litres_per_person(volume_m3: float, persons: int) -> float | None:
    """Water of a day, for each person of the home; `None` for a home of nobody."""
    return volume_m3 * 1000 / persons if persons > 0 else None


def leak_sign(slots: Sequence[Slot], status: Iterable[str] = ()) -> bool | None:
    """Whether water never stands still: no half hour without flow in 24 hours, or the meter says so itself.

    `None` if no half hour was still and less than 24 hours were measured: nobody knows.
    """
    if {"LEAKING", "BURST"} & {word for text in status for word in text.split()}:
        return True
    known = [slot for slot in slots if _covered(slot.amount)]
    if any(slot.amount.value <= 0 for slot in known):
        return False
    return True if sum(slot.hours for slot in known) >= 24 - _FLOAT_NOISE else None
