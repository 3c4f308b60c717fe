"""What is said of the panel's answers: published examples, and nothing of few members."""

from datetime import date

import pytest

from services.aggregator.kpis.app_evaluation.kpi import compute, sus_score
from services.aggregator.kpis.disclosure import publishable
from services.aggregator.kpis.factors import FactorSet
from services.aggregator.kpis.facts import parse_facts
from services.aggregator.kpis.inputs import Evaluation, Inputs, Question
from services.aggregator.kpis.intervals import adjusted_wald, mean_error, score_error
from services.aggregator.kpis.results import NotAssessed, Period, Subject

QUESTION = Question(Subject("application", "tbm", "TBM"), Period(date(2026, 3, 1), date(2026, 4, 1)), None)
PANEL = """
[[quantities]]
name = "panel_members"
value = 100
unit = "people"
date = 2026-01-01
source = "register"
"""
FACTORS = FactorSet(id="none", conversions=(), heat_shares=())


@pytest.mark.parametrize(
    ("answers", "score"),
    [((5, 1) * 5, 100.0), ((1, 5) * 5, 0.0), ((3,) * 10, 50.0), ((4, 1, 4, 2, 4, 1, 5, 2, 4, 2), 82.5)],
)
def test_sus_goes_from_0_to_100(answers: tuple[int, ...], score: float) -> None:
    """Best, worst and middle; a mixed one: odd 3+3+3+4+3 = 16, even 4+3+4+3+3 = 17, 2.5 times 33."""
    assert sus_score(answers) == pytest.approx(score)


def test_a_hundred_answers_with_a_deviation_of_20_are_known_to_4_points() -> None:
    """The example of the reference; fifty at 20 below and fifty at 20 above 68 have a deviation of 20.1."""
    assert mean_error([48.0] * 50 + [88.0] * 50) == pytest.approx(4.0, abs=0.05)


def test_eighty_of_a_hundred_are_known_to_7_8_points() -> None:
    """The example of the reference, adjusted Wald."""
    low, high = adjusted_wald(80, 100)
    assert (high - low) / 2 == pytest.approx(0.078, abs=0.0006)


@pytest.mark.parametrize(("successes", "attempts"), [(0, 3), (3, 3)])
def test_a_share_stays_between_nothing_and_all(successes: int, attempts: int) -> None:
    """Few attempts without a failure are no certainty."""
    low, high = adjusted_wald(successes, attempts)
    assert 0 <= low < high <= 1


def test_nps_of_a_hundred_is_known_to_15_points() -> None:
    """The example of the reference: half promote, a fifth do not."""
    assert score_error(50, 20, 100) == pytest.approx(0.153, abs=0.001)


@pytest.mark.parametrize(("members", "shown"), [(9, False), (10, True)])
def test_fewer_than_ten_members_are_not_shown(members: int, shown: bool) -> None:  # noqa: FBT001 - a table
    """Members count, not answers: nine who answer twice are nine."""
    given = tuple(
        Evaluation(
            f"p_{number}",
            "tbm",
            date(2026, 3, day),
            (3,) * 10,
            task_success=True,
            time_on_task_s=10.0,
            rating=4,
            recommendation=9,
        )
        for day in (2, 3)
        for number in range(members)
    )
    facts = parse_facts(PANEL)
    for outcome in compute(Inputs(FACTORS, evaluations=given, facts=facts), QUESTION):
        said = publishable(outcome)
        assert isinstance(said, NotAssessed) != shown
        if isinstance(said, NotAssessed):
            assert (said.reason, said.population) == ("small_group", None)
