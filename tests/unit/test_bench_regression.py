"""The check that a commit does not make messages cost more."""

import pytest

from benchmarks.regression import LIMIT, compare


def test_a_cost_that_rises_by_more_than_the_limit_fails_and_one_that_rises_by_less_does_not() -> None:
    """Fifteen percent is the line, for each figure on its own."""
    before = [{"ingest_us": 20.0, "aggregate_us": 50.0}]
    slower = [{"ingest_us": 20.0 * (1 + LIMIT) + 0.01, "aggregate_us": 50.0 * (1 + LIMIT) - 0.01}]
    assert {each.name: each.fails for each in compare(before, slower)} == {"ingest_us": True, "aggregate_us": False}


def test_a_commit_that_is_faster_never_fails() -> None:
    """A change downwards is a negative one."""
    (found,) = compare([{"ingest_us": 20.0}], [{"ingest_us": 5.0}])
    assert found.change == pytest.approx(-0.75)
    assert not found.fails


def test_noise_of_some_runs_does_not_decide() -> None:
    """The least of each side is compared: a busy machine only ever adds time."""
    before = [{"ingest_us": 20.0}, {"ingest_us": 90.0}]
    now = [{"ingest_us": 80.0}, {"ingest_us": 21.0}]
    (found,) = compare(before, now)
    assert (found.before_us, found.now_us) == (20.0, 21.0)
    assert not found.fails


def test_what_cannot_be_compared_is_said_and_not_passed() -> None:
    """No run, or runs of different things, are no success."""
    with pytest.raises(ValueError, match="at least one run"):
        compare([], [{"ingest_us": 1.0}])
    with pytest.raises(ValueError, match="different things"):
        compare([{"ingest_us": 1.0}], [{"aggregate_us": 1.0}])
