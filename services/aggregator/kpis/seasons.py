"""The same calendar days of two winters (meters.md 5), and degree days. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

from services.aggregator.kpis.results import Period

__all__ = ["BASE_DEGC", "degree_day", "degree_days", "paired_days", "same_calendar_days", "years_before"]

BASE_DEGC: Final = 18.0
"""Météo-France counts heating degree days below 18 °C."""

_LONGEST_GAP: Final = timedelta(hours=6)
"""CalTRACK accepts at most six hours without a temperature."""


def paired_days(period: Period, baseline: Period) -> list[tuple[date, date]]:
    """Each day of the period with the same calendar day of the baseline; 29 February is left out of both."""
    years = period.start.year - baseline.start.year
    pairs = []
    for offset in range(period.days):
        day = period.start + timedelta(days=offset)
        if (day.month, day.day) != (2, 29):
            pairs.append((day, day.replace(year=day.year - years)))
    return pairs


def same_calendar_days(period: Period, baseline: Period) -> bool:
    """Whether the baseline covers the same calendar days in earlier years; 29 February is as the 28th."""
    years = period.start.year - baseline.start.year
    return years > 0 and baseline == years_before(period, years)


def years_before(period: Period, years: int = 1) -> Period:
    """The same calendar days, so many years earlier."""
    first, last = (_earlier(day, years) for day in (period.start, period.last))
    return Period(first, last + timedelta(days=1))


def _earlier(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=28 if (day.month, day.day) == (2, 29) else day.day)


def degree_day(lowest_degc: float, highest_degc: float) -> float:
    """Heating degree day of one day: max(0, 18 - (Tmin + Tmax) / 2)."""
    return max(0.0, BASE_DEGC - (lowest_degc + highest_degc) / 2)


def degree_days(
    temperatures: Mapping[date, Sequence[tuple[datetime, float]]], bounds: Mapping[date, tuple[datetime, datetime]]
) -> dict[date, float]:
    """Degree days of the days whose temperature is known without a gap of more than six hours.

    Args:
        temperatures: instants and °C by local day, in order of time.
        bounds: start and end of each local day.
    """
    found = {}
    for day, known in temperatures.items():
        start, end = bounds[day]
        instants = [start, *(at for at, _ in known), end]
        if all(after - before <= _LONGEST_GAP for before, after in pairwise(instants)):
            values = [value for _, value in known]
            found[day] = degree_day(min(values), max(values))
    return found
