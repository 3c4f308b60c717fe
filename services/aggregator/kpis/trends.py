"""Targets that the city entered, and the direction over the years: what is added to what was computed. Pure.

A trend needs three periods of the same calendar days, this one included, told by the same method in the same unit: so
neither seasons nor a changed formula look like a direction. Its slope is that of Theil and Sen, the median of the
slopes between any two of them: one odd year does not turn it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from statistics import median
from typing import Final, NamedTuple

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.catalogue import Catalogue
from services.aggregator.kpis.facts import Facts
from services.aggregator.kpis.facts import Target as Entered
from services.aggregator.kpis.results import Outcome, Period, Result, Target, Text, Trend

__all__ = ["METHOD", "Told", "target_of", "theil_sen", "with_target", "with_trend"]

METHOD: Final = "Theil-Sen"
_LEAST_PERIODS: Final = 3
_TOLERANCE: Final = timedelta(days=7)
_YEAR_DAYS: Final = 365.2425


class Told(NamedTuple):
    """A value that an earlier report told, as it stands in the store."""

    kpi: str
    subject: str
    period: Period
    value: float
    unit: str
    method_version: str


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    """The median of the slopes between any two points of different place.

    Sen, Journal of the American Statistical Association 63 (1968). Raises ValueError for fewer than two places.
    """
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    if not slopes:
        raise ValueError("a slope needs two places")
    return median(slopes)


def with_trend(outcome: Outcome, earlier: Iterable[Told]) -> Outcome:
    """The outcome with its direction, if two earlier years can stand beside it."""
    if not isinstance(outcome, Result):
        return outcome
    values = {outcome.period.start: outcome.value}
    for told in earlier:
        if _comparable(told, outcome):
            values[told.period.start] = told.value
    first = outcome.period.start
    by_year = {round((day - first).days / _YEAR_DAYS): (day, value) for day, value in sorted(values.items())}
    if len(by_year) < _LEAST_PERIODS:
        return outcome
    points = [(float(year), value) for year, (_, value) in by_year.items()]
    named = {day.isoformat(): value for day, value in by_year.values()}
    return replace(outcome, trend=Trend(theil_sen(points), named, METHOD))


def _comparable(told: Told, result: Result) -> bool:
    same = (told.kpi, told.subject, told.unit, told.method_version) == (
        f"{result.kpi}.{result.variant}",
        result.subject.id,
        result.unit,
        result.method_version,
    )
    return same and told.period.end <= result.period.start and _same_days(told.period, result.period)


def _same_days(one: Period, other: Period) -> bool:
    """Whether both begin and end within a week of the same calendar days."""
    years = round((other.start - one.start).days / _YEAR_DAYS)
    shift = timedelta(days=round(years * _YEAR_DAYS))
    return abs(one.start + shift - other.start) <= _TOLERANCE and abs(one.end + shift - other.end) <= _TOLERANCE


def with_target(outcome: Outcome, kpi: Kpi, facts: Facts, known: Catalogue) -> Outcome:
    """The outcome with the city's target for it, which takes the place of the programme's own."""
    if not isinstance(outcome, Result):
        return outcome
    for slug in kpi.references:
        row = known.get(slug)
        entered = facts.target_of(slug, outcome.period.end)
        if row is not None and entered is not None and row.kpi == kpi.name and row.unit == outcome.unit:
            return replace(outcome, target=target_of(entered, at_most=row.better == "less"))
    return outcome


def target_of(entered: Entered, *, at_most: bool) -> Target:
    """A target of the facts as one of a result."""
    return Target(entered.value, Text(entered.source, entered.source), entered.due, at_most)
