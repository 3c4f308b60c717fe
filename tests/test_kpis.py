"""Golden cases: each indicator says what was worked out by hand."""

from typing import Any

import pytest

from services.aggregator.kpis import discover
from services.aggregator.kpis.results import NotAssessed
from tests.kpi_cases import KPIS, KpiCase, find_kpi_cases, said

CASES = find_kpi_cases()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_indicator_says_what_was_worked_out_by_hand(case: KpiCase) -> None:
    """Each outcome has the values, the reason and the figures of the expectation; nothing else has a value."""
    outcomes = case.run()
    assert [each.variant for each in outcomes] == [each["variant"] for each in case.expected]
    for outcome, expected in zip(outcomes, case.expected, strict=True):
        assert isinstance(outcome, NotAssessed) == ("not_assessed" in expected)
        for name in expected.get("absent", ()):
            assert said(outcome, name) is None, name
        for name in expected.keys() - {"absent", "figures"}:
            assert said(outcome, name) == _about(expected[name]), name
        figures = expected.get("figures", {})
        assert {name: said(outcome, "figures")[name] for name in figures} == pytest.approx(figures)


def _about(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float | list) else value


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_inputs_give_the_same_outcome(case: KpiCase) -> None:
    """Value for value, fingerprint included."""
    assert case.run() == case.run()


@pytest.mark.parametrize("name", sorted(discover()))
def test_an_indicator_has_a_page_and_cases_of_both_kinds(name: str) -> None:
    """A README with formula and source, a case with a value, a case without."""
    page = (KPIS / name / "README.md").read_text("utf-8")
    for heading in ("## Definition", "## Formula", "## Source", "## Limits"):
        assert heading in page, f"{name}: README.md has no {heading}"
    expected = [outcome for case in CASES if case.kpi == name for outcome in case.expected]
    assert any("value" in outcome for outcome in expected)
    assert any("not_assessed" in outcome for outcome in expected)
