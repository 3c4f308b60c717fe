"""Intervals hold what they promise when days differ, and say the textbook's numbers when they do not."""

import random
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.kpis.sampling import Sample, difference, estimate, rate_ratio

FIRST = date(2026, 3, 2)


def days_of(rows: list[tuple[float, float]], first: date = FIRST, squares: float | None = None) -> Sample:
    """A sample of days one after the other."""
    return Sample({first + timedelta(days=number): row for number, row in enumerate(rows)}, squares)


def passed(chance: random.Random, count: int, level: float) -> tuple[float, float]:
    """A day of passages whose delays share the day's luck."""
    luck = chance.gauss(0, 3)
    return sum(max(0.0, chance.gauss(level + luck, 8)) for _ in range(count)), count


def test_an_interval_over_days_covers_the_truth_where_one_over_passages_would_not() -> None:
    """Days with a luck of their own: 300 times four weeks; the truth is within in 91 to 98 of 100, alone in half."""
    chance = random.Random(7)  # noqa: S311
    level, within, naive = 40.0, 0, 0
    for _ in range(300):
        sample = days_of([passed(chance, chance.randint(20, 60), level) for _ in range(28)])
        said = estimate(sample, "mean")
        assert said.low is not None
        assert said.high is not None
        within += said.low <= level <= said.high
        naive += abs(said.value - level) <= 1.96 * 8 / sample.below**0.5
    assert 0.91 <= within / 300 <= 0.98
    assert naive / 300 < 0.75


def test_the_same_days_take_out_what_both_have_in_common() -> None:
    """Buses and cars on the same days: the interval of the difference is narrower than that of two sets of days."""
    chance = random.Random(3)  # noqa: S311
    luck = [chance.gauss(0, 5) for _ in range(20)]
    cars = days_of([(30 * (20 + each + chance.gauss(0, 0.5)), 30) for each in luck])
    buses = days_of([(10 * (15 + each + chance.gauss(0, 0.5)), 10) for each in luck])
    later = days_of([buses.days[FIRST + timedelta(days=number)] for number in range(20)], FIRST + timedelta(days=60))
    same, other = difference(buses, cars, "mean"), difference(later, cars, "mean")
    assert same.value == pytest.approx(other.value)
    assert same.high is not None
    assert same.low is not None
    assert other.high is not None
    assert other.low is not None
    assert same.high - same.low < 0.5 * (other.high - other.low)
    assert same.low < -5 + 0.6 < same.high + 1.2


def test_newcombe_says_the_numbers_of_its_paper() -> None:
    """56 of 70 against 48 of 80: 0.2 with 0.0524 to 0.3339 (Newcombe 1998, example a, method 10)."""
    said = difference(days_of([(56, 70)]), days_of([(48, 80)]), "share")
    assert said.value == pytest.approx(0.2)
    assert said.low == pytest.approx(0.0524, abs=2e-4)
    assert said.high == pytest.approx(0.3339, abs=2e-4)


def test_nothing_seen_is_not_nothing_there() -> None:
    """No violation in a thousand passages: the upper end is about 3.8 of a thousand, by few days or many."""
    for rows in ([(0.0, 1000.0)], [(0.0, 100.0)] * 10):
        said = estimate(days_of(rows), "share")
        assert (said.value, said.low) == (0.0, 0.0)
        assert said.high is not None
        assert 0.003 < said.high < 0.006


def test_days_that_differ_widen_the_interval_of_a_share() -> None:
    """The same 150 of 300, evenly and in lumps."""
    even = estimate(days_of([(15.0, 30.0)] * 10), "share")
    lumps = estimate(days_of([(29.0, 30.0), (1.0, 30.0)] * 5), "share")
    assert even.low is not None
    assert lumps.low is not None
    assert even.low - lumps.low > 0.1


def test_rates_have_a_ratio_unless_one_is_nothing() -> None:
    """30 events in ten days against 20 in ten: 1.5 times; against none: no ratio."""
    said = rate_ratio(days_of([(3.0, 1.0)] * 10), days_of([(2.0, 1.0)] * 10))
    assert said is not None
    assert said.low is not None
    assert said.high is not None
    assert said.value == pytest.approx(1.5)
    assert said.low * said.high == pytest.approx(1.5**2)
    assert rate_ratio(days_of([(3.0, 1.0)] * 10), days_of([(0.0, 1.0)] * 10)) is None


@given(
    rows=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 500)), min_size=1, max_size=30),
    shape=st.sampled_from(["mean", "share", "rate"]),
)
def test_a_value_lies_in_its_interval(rows: list[tuple[float, int]], shape: str) -> None:
    """Of any days; a share between 0 and 1, nothing below 0."""
    sample = days_of([(float(round(share * count)), float(count)) for share, count in rows])
    said = estimate(sample, "share" if shape == "share" else "rate" if shape == "rate" else "mean")
    if said.low is not None and said.high is not None:
        assert 0 <= said.low <= said.value <= said.high
        assert shape != "share" or said.high <= 1
