"""One family's two winters: what counts, what is left out and why, and the correction by degree days. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Literal, NamedTuple

from services.aggregator.kpis.consumption import Consumption, home_consumption, home_water
from services.aggregator.kpis.factors import FactorSet
from services.aggregator.kpis.inputs import Home

__all__ = ["HOME_COVERAGE", "Assessed", "Carried", "Left", "LeftReason", "Pair", "assess", "assess_water"]

HOME_COVERAGE: Final = 0.9
"""A family counts if this share of the days was measured in both winters (meters.md 5)."""

_SIGNATURE_DAYS: Final = 60
_LEAST_VARIANCE: Final = 0.25

Pair = tuple[date, date]
"""A day of the challenge and the same calendar day of the winter before."""

LeftReason = Literal["no_data", "low_coverage", "meter_changed", "no_factor", "export_without_production"]

HeatSource = Literal["regression", "declared", "default"]


@dataclass(frozen=True, slots=True)
class Left:
    """A family that is in neither sum."""

    home: str
    reason: LeftReason
    days: int


class Carried(NamedTuple):
    """What one form of energy took, in kWh: both winters, and the challenge in the weather of the baseline."""

    reference_kwh: float
    period_kwh: float
    corrected_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class Assessed:
    """A family that counts. `corrected_kwh` is what the period would have taken in the weather of the baseline.

    `carriers` add up to the sums beside them. Of water all amounts are m³.
    """

    home: str
    pairs: tuple[Pair, ...]
    reference: Mapping[date, float]
    period: Mapping[date, float]
    reference_kwh: float
    period_kwh: float
    corrected_kwh: float | None = None
    heat_share: float | None = None
    heat_source: HeatSource | None = None
    carriers: Mapping[str, Carried] = field(default_factory=dict)


def assess(home: Home, pairs: Sequence[Pair], factors: FactorSet, degree_days: Mapping[date, float]) -> Assessed | Left:
    """Compare the days that are measured in both winters."""
    found = _compared(home, home_consumption(home, factors), pairs)
    if isinstance(found, Left):
        return found
    used, plain = found
    ratio = _weather_ratio(plain.pairs, degree_days)
    if ratio is None:
        return plain
    share, source = _heat_share(home, used, plain.period, degree_days, factors)
    extra = plain.period_kwh * share * (ratio - 1)
    return replace(
        plain,
        corrected_kwh=plain.period_kwh + extra,
        heat_share=share,
        heat_source=source,
        carriers=_corrected(plain.carriers, extra),
    )


def assess_water(home: Home, pairs: Sequence[Pair]) -> Assessed | Left:
    """The same of water, in m³: no factor, no weather."""
    found = _compared(home, home_water(home), pairs)
    return found if isinstance(found, Left) else found[1]


def _compared(home: Home, used: Consumption, pairs: Sequence[Pair]) -> tuple[Consumption, Assessed] | Left:
    measured = tuple(pair for pair in pairs if pair[0] in used.days and pair[1] in used.days)
    reason = _unusable(used, pairs, measured)
    if reason is not None:
        return Left(home.id, reason, len(measured))
    period = {now: used.days[now] for now, _ in measured}
    reference = {now: used.days[before] for now, before in measured}
    reference_kwh, period_kwh = sum(reference.values()), sum(period.values())
    if reference_kwh <= 0 or period_kwh <= 0:
        return Left(home.id, "no_data", len(measured))
    carriers = {
        carrier: Carried(sum(days[before] for _, before in measured), sum(days[now] for now, _ in measured))
        for carrier, days in used.carriers.items()
    }
    return used, Assessed(home.id, measured, reference, period, reference_kwh, period_kwh, carriers=carriers)


def _corrected(carriers: Mapping[str, Carried], extra_kwh: float) -> dict[str, Carried]:
    """What the other weather would have taken more, on the forms of energy that heat, in proportion to what they took.

    Who burns something or has a heat network does not heat by electricity.
    """
    heating = {name for name, its in carriers.items() if name != "electricity" and its.period_kwh > 0} or set(carriers)
    total = sum(carriers[name].period_kwh for name in heating)
    return {
        name: its._replace(
            corrected_kwh=its.period_kwh + (extra_kwh * its.period_kwh / total if name in heating and total else 0.0)
        )
        for name, its in carriers.items()
    }


def _unusable(used: Consumption, pairs: Sequence[Pair], measured: Sequence[Pair]) -> LeftReason | None:
    if used.problem is not None:
        return used.problem
    if _meter_changed(used, pairs):
        return "meter_changed"
    if not measured:
        return "no_data"
    return "low_coverage" if len(measured) < HOME_COVERAGE * len(pairs) else None


def _meter_changed(used: Consumption, pairs: Sequence[Pair]) -> bool:
    """Whether a meter is seen in one winter only."""
    now, before = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return any(days.isdisjoint(now) != days.isdisjoint(before) for days in used.meters.values())


def _weather_ratio(pairs: Sequence[Pair], degree_days: Mapping[date, float]) -> float | None:
    """Degree days of the baseline over those of the period, on days known in both; `None` if too few are."""
    known = [pair for pair in pairs if pair[0] in degree_days and pair[1] in degree_days]
    now = sum(degree_days[day] for day, _ in known)
    if len(known) < HOME_COVERAGE * len(pairs) or now <= 0:
        return None
    return sum(degree_days[day] for _, day in known) / now


def _heat_share(
    home: Home, used: Consumption, period: Mapping[date, float], degree_days: Mapping[date, float], factors: FactorSet
) -> tuple[float, HeatSource]:
    """The share of the period's energy that followed the cold: from the data, else declared, else the usual one."""
    known = [(degree_days[day], energy) for day, energy in period.items() if day in degree_days]
    slope = _slope(known) if len(known) >= _SIGNATURE_DAYS else None
    if slope is not None:
        share = slope * sum(cold for cold, _ in known) / sum(energy for _, energy in known)
        return min(1.0, max(0.0, share)), "regression"
    if home.heat_share is not None:
        return home.heat_share, "declared"
    total = sum(used.by_carrier.values())
    fuels = {carrier: kwh for carrier, kwh in used.by_carrier.items() if carrier != "electricity"}
    heating = fuels or used.by_carrier  # Who burns something or has a heat network does not heat by electricity.
    return sum(kwh * (factors.heat_share(carrier) or 0.0) for carrier, kwh in heating.items()) / total, "default"


def _slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Least squares of the energy signature E = a + b HDD: b, kWh per degree day; `None` if the cold never varied."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread < _LEAST_VARIANCE * count:
        return None
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
