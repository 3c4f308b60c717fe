"""A percentage of less than in the winter before, over families: of water, and of greenhouse gas. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

from services.aggregator.kpis.energy_saving.homes import Assessed, Left
from services.aggregator.kpis.inputs import Home, Inputs, Question
from services.aggregator.kpis.intervals import ratio_error
from services.aggregator.kpis.results import (
    Amount,
    Interval,
    NotAssessed,
    Quality,
    Reason,
    Result,
    Text,
    fingerprint_of,
)

__all__ = ["NO_BASELINE", "Counted", "Said", "counted", "homes_of", "less", "neither", "reasons"]

NO_BASELINE: Final = Text(
    "There is no baseline winter to compare with.", "Il n’y a pas d’hiver de référence auquel comparer."
)
_INTERVAL: Final = "ratio estimator over families, Student's t"


class Said(NamedTuple):
    """What an indicator says of itself."""

    kpi: str
    variant: str
    unit: str
    method: str
    formula: Text
    limits: tuple[Text, ...]
    quality: Quality
    factor_set: str | None


class Counted(NamedTuple):
    """A family that counts, with its amounts in the unit of the indicator."""

    home: str
    before: float
    now: float
    coverage: float


def homes_of(inputs: Inputs, question: Question) -> list[Home]:
    """The families of a team; of all teams, for the programme."""
    every = question.subject.kind == "programme"
    return [home for home in inputs.homes if every or home.team == question.subject.id]


def counted(each: Assessed, before: float, now: float, days: int) -> Counted:
    """A family with other amounts than its kWh; `days` of the winter."""
    return Counted(each.home, before, now, len(each.pairs) / days)


def less(said: Said, question: Question, known: Sequence[Counted], left: Mapping[str, int]) -> Result:
    """The percentage over the families that count, each weighted by what it used."""
    before, now = [each.before for each in known], [each.now for each in known]
    value = 100 * (1 - sum(now) / sum(before))
    error = ratio_error(now, before)
    singles = [100 * (1 - each.now / each.before) for each in known]
    return Result(
        kpi=said.kpi,
        variant=said.variant,
        subject=question.subject,
        value=value,
        unit="%",
        period=question.period,
        baseline_period=question.baseline,
        baseline=Amount(sum(before), said.unit),
        reported=Amount(sum(now), said.unit),
        change_percent=-value,
        coverage=sum(each.coverage for each in known) / len(known),
        population=len(known),
        enrolled=len(known) + sum(left.values()),
        largest_share=max(before) / sum(before),
        quality=said.quality,
        interval=None if error is None else Interval(value - 100 * error, value + 100 * error, 0.95, _INTERVAL),
        formula=said.formula,
        factor_set=said.factor_set,
        fingerprint=fingerprint_of(said.method, said.variant, question, said.factor_set, sorted(known)),
        method_version=f"{said.kpi}/{said.method}",
        limits=said.limits,
        figures={"median_percent": median(singles), **{f"left_{why}": float(n) for why, n in sorted(left.items())}},
    )


def neither(said: Said, question: Question, reason: Reason, text: Text) -> NotAssessed:
    """No value, and why."""
    return NotAssessed(said.kpi, said.variant, question.subject, question.period, reason, text)


def reasons(left: Sequence[Left]) -> Counter[str]:
    """How many families are in neither sum, by why."""
    return Counter(each.reason for each in left)
