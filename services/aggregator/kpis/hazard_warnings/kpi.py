"""Road hazards that were announced: their number, life and first message, who was near them, and how fast. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.hazard_warnings.near import exposed_outcomes
from services.aggregator.kpis.inputs import Inputs, Question, Warned
from services.aggregator.kpis.intervals import mean_error
from services.aggregator.kpis.results import (
    Interval,
    NotAssessed,
    Outcome,
    Quality,
    Result,
    Text,
    fingerprint_of,
)

__all__ = ["NAME", "compute"]

NAME: Final = "hazard_warnings"
METHOD: Final = "1"
_LEAST: Final = THRESHOLDS.vehicles
_NO_DATA: Final = Text("No hazard was announced in this period.", "Aucun danger n’a été annoncé sur cette période.")
_LIMITS: Final = (
    Text(
        "Announced hazards: what no vehicle or roadside unit told of is not seen.",
        "Les dangers annoncés : ce dont aucun véhicule ni unité n’a parlé ne se voit pas.",
    ),
    Text(
        "A hazard is one by its action id and detection; an update or a repetition is no new one.",
        "Un danger est unique par son identifiant et sa détection ; une mise à jour ou une répétition n’en est pas un.",
    ),
)


class _Measure(NamedTuple):
    variant: str
    unit: str
    formula: Text
    of: Callable[[Warned], float]


_MEASURES: Final = (
    _Measure(
        "duration",
        "s",
        Text("mean of end − detection", "moyenne de fin − détection"),
        lambda each: each.duration_s,
    ),
    _Measure(
        "dissemination",
        "s",
        Text("mean of first reception − detection", "moyenne de première réception − détection"),
        lambda each: each.dissemination_s,
    ),
)


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """Of the programme `hazards`, `duration`, `dissemination`; of every subject what vehicles near them did.

    The variants of vehicles are `exposure`, `speed_response` and `speed_unwarned`. A junction near which no hazard
    was announced has no outcome.
    """
    period = question.period
    known = [each for each in inputs.warned if period.start <= each.day < period.end]
    near = exposed_outcomes(NAME, METHOD, _LIMITS, inputs, question)
    if question.subject.kind != "programme":
        return near
    return (_number(known, question), *(_mean(measure, known, question) for measure in _MEASURES), *near)


def _number(known: Sequence[Warned], question: Question) -> Outcome:
    if not known:
        return NotAssessed(NAME, "hazards", question.subject, question.period, "no_data", _NO_DATA)
    causes = Counter(each.cause for each in known)
    # A cause of few events would tell about one of them: it is counted with the others.
    shown = {f"cause_{cause}": float(count) for cause, count in sorted(causes.items()) if count >= _LEAST}
    rest = len(known) - sum(shown.values())
    figures = shown | ({"cause_other": rest} if rest >= _LEAST else {})
    if 0 < rest < _LEAST:
        figures = {}
    formula = Text("hazards that were announced, counted", "dangers annoncés, comptés")
    return _result("hazards", "hazards", float(len(known)), None, known, question, formula, figures)


def _mean(measure: _Measure, known: Sequence[Warned], question: Question) -> Outcome:
    values = [measure.of(each) for each in known]
    if not values:
        return NotAssessed(NAME, measure.variant, question.subject, question.period, "no_data", _NO_DATA, 0.0)
    mean, error = sum(values) / len(values), mean_error(values)
    interval = None if error is None else Interval(mean - error, mean + error, 0.95, "Student's t, over hazards")
    return _result(measure.variant, measure.unit, mean, interval, known, question, measure.formula, {})


def _result(  # noqa: PLR0913, PLR0917 - what a result is made of
    variant: str,
    unit: str,
    value: float,
    interval: Interval | None,
    known: Sequence[Warned],
    question: Question,
    formula: Text,
    figures: dict[str, float],
) -> Result:
    return Result(
        kpi=NAME,
        variant=variant,
        subject=question.subject,
        value=value,
        unit=unit,
        period=question.period,
        coverage=1.0,
        population=len(known),
        quality=Quality.MEASURED,
        formula=formula,
        factor_set=None,
        fingerprint=fingerprint_of(METHOD, variant, question, sorted(map(repr, known))),
        method_version=f"{NAME}/{METHOD}",
        interval=interval,
        limits=_LIMITS,
        figures=figures,
    )
