"""What a home used in a day, from the registers of its meters: chosen once, never counted twice. Pure.

A meter may show its energy several times over: a total, the supplier's and the distributor's registers, tariffs,
phases. For each day one of these families is taken: the total if it covers the day, else the first complete family
that does (meters.md 4.2, design 7). Energy that came by intervals (a load curve, a gas day, imported history) has
series of its own, `interval:<name>`: a register that covers the day wins over them, and two intervals are never added
unless they are tariffs of one contract. A home with solar panels consumes import + production - export.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from services.aggregator.kpis.factors import FactorSet
from services.aggregator.kpis.inputs import DayValue, Home, RegisterDays

__all__ = ["DAY_COVERAGE", "Consumption", "chosen_days", "home_consumption", "home_water"]

DAY_COVERAGE: Final = 0.9
"""A day counts if this share of it was measured."""

_FAMILIES: Final = tuple(
    re.compile(pattern) for pattern in (r"total", r"supplier_\d+", r"distributor_\d+", r"L[1-3]", r"T\d+")
)
_CHANNELS: Final = re.compile(r"channel_\d+")
_CONTRACTS: Final = re.compile(r"base|HC|HP|(?:tempo|ejp)_.*|T\d+")
_INTERVAL: Final = "interval:"
_SIGN: Final = {"import_energy": 1, "consumption": 1, "volume": 1, "production": 1, "export_energy": -1}
_SOLAR: Final = frozenset({"export_energy", "production"})
_LEAST_SOLAR_KWH: Final = 1.0
"""Every Linky in standard mode shows an export register; in a home without panels it stays at zero."""

_Family = tuple[bool, int, str]
"""By interval or not, the order within, and the name of one that completes no other: the smallest is believed first."""

Problem = Literal["no_factor", "export_without_production"]


class Consumption(NamedTuple):
    """Energy of a home in kWh by local day.

    Attributes:
        days: only days on which every meter that the home showed was measured.
        meters: which series were seen on any day, for telling a changed meter.
        by_carrier: kWh of all covered days.
        problem: why there is no consumption.
        carriers: kWh by carrier, for the same days as `days`.
    """

    days: Mapping[date, float]
    meters: Mapping[tuple[str, str], frozenset[date]]
    by_carrier: Mapping[str, float]
    problem: Problem | None = None
    carriers: Mapping[str, Mapping[date, float]] = MappingProxyType({})


def chosen_days(registers: Sequence[RegisterDays]) -> dict[date, DayValue]:
    """The energy of one meter and quantity by day, from whichever registers tell it best."""
    families: dict[_Family, list[RegisterDays]] = defaultdict(list)
    for register in registers:
        families[_family(register.register)].append(register)
    sums = [_sum(members) for _, members in sorted(families.items())]
    chosen: dict[date, DayValue] = {}
    for day in sorted(set().union(*sums)):
        known = [days[day] for days in sums if day in days]
        covering = [value for value in known if value.coverage >= DAY_COVERAGE]
        chosen[day] = covering[0] if covering else max(known, key=lambda value: value.coverage)
    return chosen


def home_consumption(home: Home, factors: FactorSet) -> Consumption:
    """Add up a home's meters; water is not energy and is left out."""
    series: dict[tuple[str, str, str], list[RegisterDays]] = defaultdict(list)
    for register in home.registers:
        if register.carrier != "water" and register.quantity in _SIGN:
            series[register.carrier, register.meter, register.quantity].append(register)
    days: dict[tuple[str, str, str], dict[date, DayValue]] = {}
    for key, registers in series.items():
        if _told_better(key, series) and key[2] != "volume":
            continue
        factor = factors.kwh_per_unit(key[0], registers[0].unit)
        if factor is None and _told_better(key, series):
            continue
        if factor is None:
            return Consumption({}, {}, {}, "no_factor")
        days[key] = {day: DayValue(v.value * factor, v.coverage) for day, v in chosen_days(registers).items()}
    days = _joined(days)
    days = {key: its for key, its in days.items() if key[2] not in _SOLAR or _exceeds(its, _LEAST_SOLAR_KWH)}
    quantities = {key[2] for key in days}
    if "export_energy" in quantities and "production" not in quantities:
        return Consumption({}, {}, {}, "export_without_production")
    return _added(days)


def home_water(home: Home) -> Consumption:
    """What a home's water meters counted, in m³ by local day: water is apart from energy (meters.md 5)."""
    series: dict[tuple[str, str, str], list[RegisterDays]] = defaultdict(list)
    for register in home.registers:
        if register.carrier == "water" and register.unit == "m3" and register.quantity in {"volume", "consumption"}:
            series[register.carrier, register.meter, "volume"].append(register)
    return _added({key: chosen_days(registers) for key, registers in series.items()})


def _joined(
    days: Mapping[tuple[str, str, str], dict[date, DayValue]],
) -> dict[tuple[str, str, str], dict[date, DayValue]]:
    """Volumes of a meter that tells kWh too count on the days that its kWh do not cover, and are no second series."""
    found = {key: its for key, its in days.items() if not _told_better(key, days)}
    for key, its in days.items():
        better = found.get((*key[:2], "import_energy"))
        if key in found or better is None:
            continue
        covered = {day for day, value in better.items() if value.coverage >= DAY_COVERAGE}
        better.update({day: v for day, v in its.items() if day not in covered and v.coverage >= DAY_COVERAGE})
    return found


def _exceeds(days: Mapping[date, DayValue], least_kwh: float) -> bool:
    return sum(value.value for value in days.values()) > least_kwh


def _added(days: Mapping[tuple[str, str, str], Mapping[date, DayValue]]) -> Consumption:
    """The days on which every series was measured: one that is silent is not one that counts nothing."""
    total: dict[date, float] = {}
    carriers: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for day in sorted(set().union(*days.values())):
        known = {key: its[day] for key, its in days.items() if day in its and its[day].coverage >= DAY_COVERAGE}
        if len(known) < len(days):
            continue
        total[day] = sum(_SIGN[key[2]] * value.value for key, value in known.items())
        for key, value in known.items():
            carriers[key[0]][day] += _SIGN[key[2]] * value.value
    return Consumption(
        total,
        {key[1:]: frozenset(its) for key, its in days.items()},
        {carrier: sum(its.values()) for carrier, its in carriers.items()},
        carriers=carriers,
    )


def _told_better(key: tuple[str, str, str], series: Mapping[tuple[str, str, str], object]) -> bool:
    """Whether the same meter says the same in a better quantity: kWh over m3, import over consumption."""
    carrier, meter, quantity = key
    return quantity in {"volume", "consumption"} and (carrier, meter, "import_energy") in series


def _family(name: str) -> _Family:
    """The order in which families of registers are believed; contracts (base, HC, HP, tempo…) after the numbered."""
    if name.startswith(_INTERVAL):
        _, order, _ = _family(name.removeprefix(_INTERVAL))
        split = _CONTRACTS.fullmatch(name.removeprefix(_INTERVAL))
        return True, order, "" if split else name
    for order, pattern in enumerate(_FAMILIES):
        if pattern.fullmatch(name):
            return False, order, ""
    return False, len(_FAMILIES) + (1 if _CHANNELS.fullmatch(name) else 0), ""


def _sum(members: Sequence[RegisterDays]) -> dict[date, DayValue]:
    """The sum of registers that complete each other.

    A register that was there before a day and comes back after it is missing on that day: there is no sum then.
    """
    spans = [(min(member.days), max(member.days)) if member.days else None for member in members]
    found: dict[date, DayValue] = {}
    for day in sorted(set().union(*(member.days for member in members))):
        expected = [m for m, span in zip(members, spans, strict=True) if span and span[0] <= day <= span[1]]
        values = [member.days.get(day) for member in expected]
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            found[day] = DayValue(sum(value.value for value in known), min(value.coverage for value in known))
    return found
