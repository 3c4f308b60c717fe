"""Means, shares and rates of days, their intervals, and differences of two groups (docs/adr/0027). Pure, closed forms.

What passes a junction on one day is alike: weather, works, an accident. So days are drawn, not passages, once there
are six of them: the ratio estimator over days (Cochran, Sampling Techniques, 1977, ch. 6). With fewer days passages
stand for themselves, and the method's name says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import exp, inf, log, sqrt
from typing import Final, Literal, NamedTuple

from services.aggregator.kpis.intervals import student_95

__all__ = ["LEAST_DAYS", "Difference", "Estimate", "Sample", "Shape", "changed", "difference", "estimate", "rate_ratio"]

LEAST_DAYS: Final = 6
_Z_95: Final = 1.96
_MOST_FREEDOM: Final = 10_000

Shape = Literal["mean", "share", "rate"]
"""Of a quantity that each passage has; of passages that have a property; of events in a day."""


class Sample(NamedTuple):
    """A group: by local day what is added up, and over how many; and the sum of the squares of single passages.

    Of a share what is added up are passages; of a rate they are events, over days.
    """

    days: Mapping[date, tuple[float, float]]
    squares: float | None = None

    @property
    def above(self) -> float:
        """What is added up, over all days."""
        return sum(above for above, _ in self.days.values())

    @property
    def below(self) -> float:
        """Over how many."""
        return sum(below for _, below in self.days.values())

    @property
    def value(self) -> float:
        """The ratio of both."""
        return self.above / self.below


class Estimate(NamedTuple):
    """A value with the ends of its 95 % interval, if one can be said, and how."""

    value: float
    low: float | None
    high: float | None
    method: str


class Difference(NamedTuple):
    """A value of one group less that of another."""

    value: float
    low: float | None
    high: float | None
    method: str


@dataclass(frozen=True)
class _Error:
    """A variance of a ratio, and its degrees of freedom."""

    variance: float
    freedom: float
    by_days: bool


def estimate(sample: Sample, shape: Shape) -> Estimate:
    """The value of a group and its interval; `sample.below` is above 0."""
    if shape == "share":
        low, high, by_days = _wilson(sample)
        return Estimate(sample.value, low, high, _named("Wilson score", by_days))
    error = _error(sample, shape)
    if error is None:
        return Estimate(sample.value, None, None, "")
    half = student_95(int(error.freedom)) * sqrt(error.variance)
    # No mean or rate that is told here can be below 0.
    return Estimate(sample.value, max(0.0, sample.value - half), sample.value + half, _method(error, shape))


def difference(one: Sample, other: Sample, shape: Shape) -> Difference:
    """What `one` has more than `other`.

    Shares: Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, method 10). Means and rates: Welch's
    with the Satterthwaite degrees of freedom, or, where both groups were seen on the same six days or more, the
    difference day by day.
    """
    value = one.value - other.value
    if shape == "share":
        return _newcombe(one, other)
    if len(one.days.keys() & other.days.keys()) >= LEAST_DAYS:
        paired = _paired([one], [other])
        half = student_95(int(paired.freedom)) * sqrt(paired.variance)
        return Difference(value, value - half, value + half, "ratio estimator over the same days, Student's t")
    errors = _error(one, shape), _error(other, shape)
    if errors[0] is None or errors[1] is None:
        return Difference(value, None, None, "")
    variance = errors[0].variance + errors[1].variance
    half = student_95(_satterthwaite(errors[0], errors[1])) * sqrt(variance)
    return Difference(value, value - half, value + half, _named("Welch", errors[0].by_days and errors[1].by_days))


def changed(one: tuple[Sample, Sample], other: tuple[Sample, Sample]) -> Difference:
    """How much further the means of `one` lie apart than those of `other`: (a − b) − (c − d).

    Where all four were seen on the same six days or more, the difference day by day; else Welch's of the two changes,
    each of them day by day. No interval where a change was seen on fewer than six days.
    """
    value = (one[0].value - one[1].value) - (other[0].value - other[1].value)
    if len(set.intersection(*(set(each.days) for each in (*one, *other)))) >= LEAST_DAYS:
        error = _paired([one[0], other[1]], [one[1], other[0]])
        half = student_95(int(error.freedom)) * sqrt(error.variance)
        return Difference(value, value - half, value + half, "ratio estimator over the same days, Student's t")
    if any(len(near.days.keys() & far.days.keys()) < LEAST_DAYS for near, far in (one, other)):
        return Difference(value, None, None, "")
    errors = [_paired([near], [far]) for near, far in (one, other)]
    half = student_95(_satterthwaite(*errors)) * sqrt(sum(each.variance for each in errors))
    return Difference(value, value - half, value + half, _named("Welch", by_days=True))


def rate_ratio(one: Sample, other: Sample) -> Estimate | None:
    """How many times as often, with the interval of the logarithm: exp(ln q ± 1.96 √(φ (1/a + 1/b))).

    φ is the dispersion of the days, Pearson's χ² by its degrees of freedom, 1 at least (quasi-Poisson). `None` where
    one group has no event.
    """
    if min(one.above, other.above) <= 0:
        return None
    squares = sum(
        (events - sample.value * days) ** 2 / (sample.value * days)
        for sample in (one, other)
        for events, days in sample.days.values()
    )
    freedom = len(one.days) + len(other.days) - 2
    dispersion = max(1.0, squares / freedom) if freedom > 0 else 1.0
    ratio, half = one.value / other.value, _Z_95 * sqrt(dispersion * (1 / one.above + 1 / other.above))
    return Estimate(ratio, exp(log(ratio) - half), exp(log(ratio) + half), "quasi-Poisson, of the logarithm")


def _error(sample: Sample, shape: Shape) -> _Error | None:
    if len(sample.days) >= LEAST_DAYS:
        return _over_days(sample)
    count = sample.below
    if shape == "rate":
        return _Error(sample.above / count**2, _MOST_FREEDOM, by_days=False) if sample.above > 0 else None
    if sample.squares is None or count < 2:
        return None
    spread = max(0.0, sample.squares - count * sample.value**2) / (count - 1)
    return _Error(spread / count, count - 1, by_days=False)


def _over_days(sample: Sample) -> _Error:
    value, total, count = sample.value, sample.below, len(sample.days)
    squares = sum((above - value * below) ** 2 for above, below in sample.days.values())
    return _Error(count / (count - 1) * squares / total**2, count - 1, by_days=True)


def _paired(more: Sequence[Sample], less: Sequence[Sample]) -> _Error:
    """Of ratios that are added less those that are taken away: each day's deviations from all are taken together."""
    days = sorted({day for each in (*more, *less) for day in each.days})
    deviations = [
        sum(_deviation(each, day) for each in more) - sum(_deviation(each, day) for each in less) for day in days
    ]
    count = len(days)
    return _Error(count / (count - 1) * sum(each**2 for each in deviations), count - 1, by_days=True)


def _deviation(sample: Sample, day: date) -> float:
    above, below = sample.days.get(day, (0.0, 0.0))
    return (above - sample.value * below) / sample.below


def _satterthwaite(one: _Error, other: _Error) -> int:
    both = one.variance + other.variance
    if both <= 0:
        return max(1, int(min(one.freedom, other.freedom)))
    parts = one.variance**2 / one.freedom + other.variance**2 / other.freedom
    return max(1, int(min(both**2 / parts if parts > 0 else inf, _MOST_FREEDOM)))


def _wilson(sample: Sample) -> tuple[float, float, bool]:
    """Wilson's score interval; over days with the number that independent passages would need for the same spread.

    As for a clustered survey (Korn and Graubard, Survey Methodology 24, 1998), with Student's t for the few days.
    """
    share, count = sample.value, sample.below
    by_days = len(sample.days) >= LEAST_DAYS
    quantile = student_95(len(sample.days) - 1) if by_days else _Z_95
    alone = share * (1 - share) / count
    if by_days and alone > 0:
        count /= max(1.0, _over_days(sample).variance / alone)
    square = quantile**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = quantile / (1 + square / count) * sqrt(share * (1 - share) / count + square / (4 * count**2))
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)), by_days


def _newcombe(one: Sample, other: Sample) -> Difference:
    (low, high, by_days), (other_low, other_high, other_by_days) = _wilson(one), _wilson(other)
    value = one.value - other.value
    below = sqrt((one.value - low) ** 2 + (other_high - other.value) ** 2)
    above = sqrt((high - one.value) ** 2 + (other.value - other_low) ** 2)
    return Difference(value, value - below, value + above, _named("Newcombe", by_days and other_by_days))


def _method(error: _Error, shape: Shape) -> str:
    name = "ratio estimator" if error.by_days else "Poisson" if shape == "rate" else "Student's t"
    return _named(name, error.by_days)


def _named(name: str, by_days: bool) -> str:  # noqa: FBT001 - one of two facts
    return f"{name}, over days" if by_days else f"{name}, over passages (fewer than {LEAST_DAYS} days)"


def merged(samples: Iterable[Sample], squares: Callable[[Iterable[float]], float] = sum) -> Sample:
    """Several groups as one: days add up."""
    days: dict[date, tuple[float, float]] = {}
    spreads: list[float] = []
    for sample in samples:
        for day, (above, below) in sample.days.items():
            before = days.get(day, (0.0, 0.0))
            days[day] = before[0] + above, before[1] + below
        if sample.squares is not None:
            spreads.append(sample.squares)
    return Sample(days, squares(spreads) if spreads else None)
