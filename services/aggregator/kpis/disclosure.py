"""The gate before anything leaves: small groups are withheld, and never told by a difference of two. Pure.

Energy: a percentage needs five families of which none has more than half of the energy; amounts in kWh, counts of
families by what they did and curves need ten, and are shown for the whole programme only: so no team's energy is the
difference of two published sums (meters.md 6; the thresholds are data, `verified: false`).
Traffic: five vehicles, in each hour too. Les pionniers: ten members who answered.
A team of five to nine families is told to its members only: for the public a percentage needs ten, too.

Who reads several reports must not learn by a difference either (ADR 0036). For the public amounts, curves and the net
effect are of whole winters only, for the families of a month and of its winter are not the same; and they are rounded
to more than a family has in them, for the families of two winters are not the same. What the panel said is
gathered in cells (`app_evaluation`), each of ten members at the least, which a longer period adds up.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import floor, log10
from typing import Final, NamedTuple

from services.aggregator.kpis.results import Amount, NotAssessed, Outcome, Result, Text
from services.aggregator.kpis.seasons import span_of

__all__ = ["PUBLIC", "THRESHOLDS", "Thresholds", "publishable"]


class Thresholds(NamedTuple):
    """From how many on something is shown."""

    homes_for_percent: int = 5
    homes_for_amounts: int = 10
    largest_share: float = 0.5
    vehicles: int = 5
    members: int = 10
    for_everybody: bool = False


THRESHOLDS: Final = Thresholds()
"""For members of the programmes and the city's own people."""

PUBLIC: Final = Thresholds(homes_for_percent=10, for_everybody=True)
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
_NO_WINTER: Final = Text(
    "Amounts of families are told of whole winters only: those of shorter spans would differ by single families.",
    "Les quantités des familles ne sont données que pour des hivers entiers : celles de périodes plus courtes "
    "différeraient de familles isolées.",
)
_PER_HOME: Final = "_kwh_per_home"
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
        if not thresholds.for_everybody:
            return result
        if span_of(result.period) == "winter":
            return _rounded(result)
    figures = {name: value for name, value in result.figures.items() if name in _KEPT}
    return replace(result, baseline=None, reported=None, change_percent=None, figures=figures, series={})


def _service(result: Result, thresholds: Thresholds) -> Outcome:
    """The service's own use tells of no home; what it saved is an amount of the families."""
    if result.variant != "net_effect":
        return result
    share = result.largest_share or 0.0
    few = result.population < thresholds.homes_for_amounts or share > thresholds.largest_share
    if few:
        return _withheld(result, _FEW_HOMES)
    told = span_of(result.period) == "winter" or not thresholds.for_everybody
    return result if told else _withheld(result, _NO_WINTER)


def _rounded(result: Result) -> Result:
    """The amounts and curves of a group to more than what its biggest family has in them."""
    share = result.largest_share or 1 / result.population
    step = _step(share * max((each.value for each in (result.baseline, result.reported) if each), default=0.0))

    def amount(told: Amount | None) -> Amount | None:
        return None if told is None else told._replace(value=_to_step(told.value, step))

    series = {name: _smooth(its, share) if name.endswith(_PER_HOME) else its for name, its in result.series.items()}
    return replace(result, baseline=amount(result.baseline), reported=amount(result.reported), series=series)


def _smooth(curve: Mapping[str, float], share: float) -> dict[str, float]:
    """A curve of means: one family may have twice its share of the season in a day."""
    step = _step(2 * share * max(map(abs, curve.values()), default=0.0))
    return {place: _to_step(value, step) for place, value in curve.items()}


def _step(least: float) -> float:
    """The first of 1, 2, 5, 10, 20… (and 0.1, 0.2…) that is not less."""
    if least <= 0:
        return 1.0
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least)


def _to_step(value: float, step: float) -> float:
    return round(round(value / step) * step, 9)


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
