"""The same calendar days of two winters (meters.md 5), and degree days. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

from services.aggregator.kpis.results import Period, Subject

__all__ = [
    "BASE_DEGC",
    "Span",
    "closed",
    "degree_day",
    "degree_days",
    "may_tell_amounts",
    "paired_days",
    "same_calendar_days",
    "span_of",
    "years_before",
]

Span = Literal["week", "month", "winter", "year", "other"]
"""What sort of a period it is: values of periods of one sort stand beside each other."""

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


def span_of(period: Period) -> Span:
    """What sort of a period it is; a winter is from 1 November to 31 March."""
    start, end = period
    whole = start.day == 1 and end.day == 1
    months = 12 * (end.year - start.year) + end.month - start.month
    if whole and (start.month, months) in {(11, 5), (1, 12)}:
        return "winter" if months == 5 else "year"
    if whole and months == 1:
        return "month"
    return "week" if start.isoweekday() == 1 and period.days == 7 else "other"


def closed(span: Literal["week", "month", "winter", "year"], today: date) -> Period:
    """The newest period of a sort that has ended: today is not in it."""
    if span == "week":
        monday = today - timedelta(days=today.isoweekday() - 1)
        return Period(monday - timedelta(days=7), monday)
    if span == "month":
        end = today.replace(day=1)
        return Period((end - timedelta(days=1)).replace(day=1), end)
    if span == "year":
        return Period(date(today.year - 1, 1, 1), date(today.year, 1, 1))
    year = today.year if today >= date(today.year, 4, 1) else today.year - 1
    return Period(date(year - 1, 11, 1), date(year, 4, 1))


def may_tell_amounts(subject: Subject, span: Span) -> bool:
    """Whether sums and curves may be stored beside those of other spans.

    Of families only those of winters: the families of a month and of its winter are not the same, so the sum of the
    months less the winter would be the energy of those who are in one of them.
    """
    return subject.kind not in {"programme", "team"} or span == "winter"


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
