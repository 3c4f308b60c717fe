"""A mean says of how many passages it is known; of too few it is withheld, with the share and the reason."""

import pytest

from services.aggregator.kpis.results import NotAssessed, Result
from tests.kpi_cases import KpiCase, find_kpi_cases

CASES = {each.folder.name: each for each in find_kpi_cases() if each.kpi == "junction_passages"}


def _delay(case: KpiCase) -> Result | NotAssessed:
    (delay,) = (each for each in case.run() if each.variant == "delay")
    assert isinstance(delay, Result | NotAssessed)
    return delay


def test_a_mean_delay_says_of_how_many_passages_it_is_known() -> None:
    """In both languages, beside the value."""
    delay = _delay(CASES["half_of_the_delays_are_known"])
    assert isinstance(delay, Result)
    assert "Known of 50 % of the passages." in [each.en for each in delay.limits]
    assert "Connu pour 50 % des passages." in [each.fr for each in delay.limits]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_withheld_delay_says_the_share_the_threshold_and_who_is_missing(language: str) -> None:
    """45 % is below 50 %, and those that changed their name in the queue waited longest."""
    delay = _delay(CASES["delays_of_a_minority_are_withheld"])
    assert isinstance(delay, NotAssessed)
    said = delay.text.in_language("fr" if language == "fr" else "en")
    assert "45 %" in said
    assert "50 %" in said
    assert ("waited longest" if language == "en" else "le plus attendu") in said
