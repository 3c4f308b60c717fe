"""Vehicles that passed hazards, and what they did: those warned, and those that passed before anybody was. Pure."""

from collections.abc import Sequence
from typing import Final

from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.hazard_days import band_of
from services.aggregator.kpis.hazard_measures import RESPONSES, VEHICLE_LIMITS, Response
from services.aggregator.kpis.inputs import ExposedDay, Inputs, Question
from services.aggregator.kpis.measures import junctions_of
from services.aggregator.kpis.results import (
    Interval,
    NotAssessed,
    Outcome,
    Quality,
    Reason,
    Result,
    Text,
    fingerprint_of,
)
from services.aggregator.kpis.sampling import difference

__all__ = ["exposed_outcomes"]

_FEW: Final = Text(
    "Fewer than five vehicles on each day: the figure would tell about one of them.",
    "Moins de cinq véhicules chaque jour : le chiffre parlerait de l’un d’eux.",
)
_NOBODY: Final = Text(
    "No vehicle passed a hazard while it was announced.", "Aucun véhicule n’est passé près d’un danger annoncé."
)
_COUNTED: Final = Text(
    "vehicles that came within the relevance distance, on the way to it, while a warning was out",
    "véhicules entrés dans la distance utile, en approche, pendant qu’une alerte était émise",
)


def exposed_outcomes(
    kpi: str, method: str, limits: tuple[Text, ...], inputs: Inputs, question: Question
) -> tuple[Outcome, ...]:
    """`exposure`, `speed_response`, `speed_unwarned`; nothing for a place near which there was no hazard."""
    subject, period, _ = question
    names = set(junctions_of(inputs, subject))
    everywhere = subject.kind == "programme"
    own = [
        each
        for each in inputs.exposed
        if (everywhere or each.junction in names) and period.start <= each.day < period.end
    ]
    if not own and not everywhere:
        return ()
    near = _Near(kpi, method, (*limits, *VEHICLE_LIMITS), question)
    return (near.exposure(own), *(near.response(each, own) for each in RESPONSES))


class _Near:
    """The outcomes of one question."""

    def __init__(self, kpi: str, method: str, limits: tuple[Text, ...], question: Question) -> None:
        self._kpi, self._method, self._limits, self._question = kpi, method, limits, question

    def exposure(self, own: Sequence[ExposedDay]) -> Outcome:
        """How many vehicles met a warning."""
        shown = _shown(own, "aware")
        if not shown:
            return self._nothing("exposure", own, "aware")
        vehicles = sum(each.sums["aware_vehicles"] for each in shown)
        return self._result("exposure", "vehicles", vehicles, None, _COUNTED, shown, "aware", own)

    def response(self, of: Response, own: Sequence[ExposedDay]) -> Outcome:
        """What they did with their speed."""
        shown = _shown(own, of.who)
        days = [(each.day, each.sums) for each in shown]
        near, far = band_of(days, f"{of.who}_near"), band_of(days, f"{of.who}_far")
        if not near.days or not far.days:
            return self._nothing(of.variant, own, of.who)
        said = difference(near, far, "mean")
        interval = None
        if said.low is not None and said.high is not None:
            interval = Interval(said.low, said.high, 0.95, said.method)
        return self._result(of.variant, "m/s", said.value, interval, of.formula, shown, of.who, own)

    def _result(  # noqa: PLR0913, PLR0917 - what a result is made of
        self,
        variant: str,
        unit: str,
        value: float,
        interval: Interval | None,
        formula: Text,
        shown: Sequence[ExposedDay],
        who: str,
        own: Sequence[ExposedDay],
    ) -> Result:
        subject, period, _ = self._question
        met = [each for each in own if each.sums[f"{who}_vehicles"] > 0]
        rows = [(each.junction, str(each.day), sorted(each.sums.items())) for each in shown]
        return Result(
            kpi=self._kpi,
            variant=variant,
            subject=subject,
            value=value,
            unit=unit,
            period=period,
            coverage=len(shown) / len(met),
            population=int(sum(each.sums[f"{who}_vehicles"] for each in shown)),
            quality=Quality.MEASURED,
            formula=formula,
            factor_set=None,
            fingerprint=fingerprint_of(self._method, variant, self._question, rows),
            method_version=f"{self._kpi}/{self._method}",
            interval=interval,
            limits=self._limits,
            figures={"days": float(len(shown))},
        )

    def _nothing(self, variant: str, own: Sequence[ExposedDay], who: str) -> NotAssessed:
        told = any(0 < each.sums[f"{who}_vehicles"] < THRESHOLDS.vehicles for each in own)
        reason: Reason = "small_group" if told else "no_data"
        subject, period, _ = self._question
        return NotAssessed(self._kpi, variant, subject, period, reason, _FEW if told else _NOBODY, 0.0)


def _shown(own: Sequence[ExposedDay], who: str) -> list[ExposedDay]:
    return [each for each in own if each.sums[f"{who}_vehicles"] >= THRESHOLDS.vehicles]
