"""Formulas of the indicators against examples that others worked out and published; each with its source.

Those of the specific power (VSP) are in test_passages.py; the widths of intervals of the reference in test_panel.py.
"""

import pytest

from services.aggregator.kpis.app_evaluation.kpi import sus_score
from services.aggregator.kpis.intervals import adjusted_wald
from services.aggregator.kpis.seasons import degree_day


def test_brookes_own_example_scores_55() -> None:
    """J. Brooke, SUS: a "quick and dirty" usability scale (1996): ten marked answers, contributions of 22, times 2.5.

    Printed again in T. Tullis and B. Albert, Measuring the User Experience, figure 6.8.
    """
    assert sus_score((5, 4, 2, 1, 2, 3, 2, 4, 5, 2)) == pytest.approx(55.0)


def test_four_of_five_who_succeed_are_36_to_98_percent() -> None:
    """Adjusted Wald at 95 %: 0.6696 ± 0.3100, so 0.3596 to 0.9796, with intermediate figures of four digits.

    T. Tullis's worked example of the method that J. Sauro and J. R. Lewis recommend for completion rates of small
    samples (Proceedings of the Human Factors and Ergonomics Society 49, 2005; Journal of Usability Studies 1, 2006).
    """
    assert adjusted_wald(4, 5) == pytest.approx((0.3596, 0.9796), abs=1e-4)


@pytest.mark.parametrize(("lowest_degc", "highest_degc"), [(5.0, 5.0), (1.0, 9.0), (-2.0, 12.0)])
def test_a_day_of_5_degrees_has_13_unified_degree_days(lowest_degc: float, highest_degc: float) -> None:
    """Degrés-jours unifiés: 18 °C less half the sum of the extremes; a mean of 5 °C is 13.

    The example of the residence Les Grandes Terres (Marly-le-Roi), "DJU"; the formula is that of meters.md 5.
    """
    assert degree_day(lowest_degc, highest_degc) == pytest.approx(13.0)
