"""The gate before anything leaves: small groups are withheld, and never told by a difference of two. Pure.

Energy: a percentage needs five families of which none has more than half of the energy; amounts in kWh, counts of
families by what they did and curves need ten, and are shown for the whole programme only: so no team's energy is the
difference of two published sums (meters.md 6; the thresholds are data, `verified: false`).
Traffic: five vehicles, in each hour too. Les pionniers: ten members who answered.
A team of five to nine families is told to its members only: for the public a percentage needs ten, too.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from services.aggregator.kpis.results import NotAssessed, Outcome, Result, Text

__all__ = ["PUBLIC", "THRESHOLDS", "Thresholds", "publishable"]


class Thresholds(NamedTuple):
    """From how many on something is shown."""

    homes_for_percent: int = 5
    homes_for_amounts: int = 10
    largest_share: float = 0.5
    vehicles: int = 5
    members: int = 10


THRESHOLDS: Final = Thresholds()
"""For members of the programmes and the city's own people."""

PUBLIC: Final = Thresholds(homes_for_percent=10)
"""For everybody."""

_FEW_HOMES: Final = Text(
    "Too few families, or one with more than half of the energy: the figure would tell about one of them.",
    "Trop peu de familles, ou une qui a plus de la moitié de l’énergie : le chiffre parlerait de l’une d’elles.",
)
_FEW_VEHICLES: Final = Text(
    "Fewer than five vehicles: the figure would tell about one of them.",
    "Moins de cinq véhicules : le chiffre parlerait de l’un d’eux.",
)
_FEW_MEMBERS: Final = Text(
    "Fewer than ten members answered: the figure would tell about one of them.",
    "Moins de dix membres ont répondu : le chiffre parlerait de l’un d’eux.",
)
_TRAFFIC: Final = "compass4d"
"""The programme whose sums are of vehicles; its days of few vehicles are left out before (`cells`)."""

_KEPT: Final = ("heat_share_percent", "degree_days_reference", "degree_days_period", "median_percent")


def publishable(outcome: Outcome, thresholds: Thresholds = THRESHOLDS) -> Outcome:
    """What may be shown, stored or exported of an outcome."""
    if isinstance(outcome, NotAssessed):
        return replace(outcome, population=None)
    if outcome.subject.kind in {"junction", "corridor"} or outcome.subject.id == _TRAFFIC:
        return _traffic(outcome, thresholds)
    if outcome.subject.kind == "service":
        return _service(outcome, thresholds)
    if outcome.subject.kind == "application":
        few = outcome.population < thresholds.members
        return _withheld(outcome, _FEW_MEMBERS) if few else outcome
    return _energy(outcome, thresholds)


def _energy(result: Result, thresholds: Thresholds) -> Outcome:
    share = result.largest_share or 0.0
    if result.population < thresholds.homes_for_percent or share > thresholds.largest_share:
        return _withheld(result, _FEW_HOMES)
    if result.subject.kind == "programme" and result.population >= thresholds.homes_for_amounts:
        return result
    figures = {name: value for name, value in result.figures.items() if name in _KEPT}
    return replace(result, baseline=None, reported=None, change_percent=None, figures=figures, series={})


def _service(result: Result, thresholds: Thresholds) -> Outcome:
    """The service's own use tells of no home; what it saved is an amount of the families."""
    if result.variant != "net_effect":
        return result
    share = result.largest_share or 0.0
    few = result.population < thresholds.homes_for_amounts or share > thresholds.largest_share
    return _withheld(result, _FEW_HOMES) if few else result


def _traffic(result: Result, thresholds: Thresholds) -> Outcome:
    if result.population < thresholds.vehicles:
        return _withheld(result, _FEW_VEHICLES)
    vehicles = result.series.get("vehicles_by_hour", {})
    shown = {hour for hour, count in vehicles.items() if count >= thresholds.vehicles}
    series = {name: {hour: v for hour, v in its.items() if hour in shown} for name, its in result.series.items()}
    hidden = [count for hour, count in vehicles.items() if hour not in shown]
    if hidden and sum(hidden) < thresholds.vehicles:
        series = {}  # The total less the hours shown would be the few.
    return replace(result, series=series)


def _withheld(result: Result, text: Text) -> NotAssessed:
    return NotAssessed(result.kpi, result.variant, result.subject, result.period, "small_group", text)
