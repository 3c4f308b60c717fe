"""Usability of an application: SUS, task success, time on task, satisfaction, recommendation. Pure."""

from collections.abc import Callable, Sequence
from math import exp, log
from typing import Final, NamedTuple

from services.aggregator.kpis.inputs import Evaluation, Inputs, Question
from services.aggregator.kpis.intervals import adjusted_wald, mean_error, score_error
from services.aggregator.kpis.results import Interval, NotAssessed, Outcome, Quality, Result, Text, fingerprint_of

__all__ = ["NAME", "compute", "sus_score"]

NAME: Final = "app_evaluation"
METHOD: Final = "1"
_LEVEL: Final = 0.95
_NO_DATA: Final = Text("Nobody answered in this period.", "Personne n’a répondu sur cette période.")
_LIMITS: Final = (
    Text(
        "The panel is not a sample of the inhabitants: its members came by themselves.",
        "Le panel n’est pas un échantillon des habitants : ses membres sont venus d’eux-mêmes.",
    ),
    Text(
        "Of a member's answers to a question the last of the period counts; of tasks every attempt does.",
        "De chaque membre compte la dernière réponse de la période ; pour les tâches, chaque essai compte.",
    ),
)


class _Said(NamedTuple):
    value: float
    low: float | None
    high: float | None
    method: str
    figures: dict[str, float]


class _Measure(NamedTuple):
    variant: str
    unit: str
    formula: Text
    used: Callable[[Evaluation], bool]
    last_only: bool
    of: Callable[[Sequence[Evaluation]], _Said]


def sus_score(answers: Sequence[int]) -> float:
    """System Usability Scale of ten answers from 1 to 5, 0 to 100: 2.5 (Σ odd (x - 1) + Σ even (5 - x))."""
    if len(answers) != 10:
        raise ValueError("SUS has ten answers")
    return 2.5 * (sum(x - 1 for x in answers[::2]) + sum(5 - x for x in answers[1::2]))


def _sus(said: Sequence[Evaluation]) -> _Said:
    scores = [sus_score(each.sus_answers) for each in said if each.sus_answers is not None]
    mean, error = sum(scores) / len(scores), mean_error(scores)
    low, high = (None, None) if error is None else (max(0.0, mean - error), min(100.0, mean + error))
    return _Said(mean, low, high, "Student's t", {"benchmark_mean_sus": 68.0})


def _share(good: int, count: int, name: str) -> _Said:
    low, high = adjusted_wald(good, count)
    return _Said(100 * good / count, 100 * low, 100 * high, "adjusted Wald", {name: float(count)})


def _success(said: Sequence[Evaluation]) -> _Said:
    return _share(sum(each.task_success is True for each in said), len(said), "attempts")


def _csat(said: Sequence[Evaluation]) -> _Said:
    return _share(sum(each.rating is not None and each.rating >= 4 for each in said), len(said), "ratings")


def _time(said: Sequence[Evaluation]) -> _Said:
    logs = [log(each.time_on_task_s) for each in said if each.time_on_task_s]
    mean, error = sum(logs) / len(logs), mean_error(logs)
    low, high = (None, None) if error is None else (exp(mean - error), exp(mean + error))
    return _Said(exp(mean), low, high, "Student's t of the logarithms", {"timed_successes": float(len(logs))})


def _nps(said: Sequence[Evaluation]) -> _Said:
    given = [each.recommendation for each in said if each.recommendation is not None]
    promoters, detractors = sum(each >= 9 for each in given), sum(each <= 6 for each in given)
    score = 100 * (promoters - detractors) / len(given)
    error = 100 * score_error(promoters, detractors, len(given))
    return _Said(score, max(-100.0, score - error), min(100.0, score + error), "normal, of a difference", {})


_MEASURES: Final = (
    _Measure(
        "sus",
        "SUS points",
        Text(
            "mean of 2.5 · (Σ odd (x − 1) + Σ even (5 − x)); a missing answer is 3",
            "moyenne de 2,5 · (Σ impairs (x − 1) + Σ pairs (5 − x)) ; une réponse manquante vaut 3",
        ),
        lambda each: each.sus_answers is not None,
        last_only=True,
        of=_sus,
    ),
    _Measure(
        "task_success",
        "%",
        Text("tasks completed / tasks attempted · 100", "tâches réussies / tâches tentées · 100"),
        lambda each: each.task_success is not None,
        last_only=False,
        of=_success,
    ),
    _Measure(
        "time_on_task",
        "s",
        Text("geometric mean over successful tasks", "moyenne géométrique sur les tâches réussies"),
        lambda each: each.task_success is True and bool(each.time_on_task_s),
        last_only=False,
        of=_time,
    ),
    _Measure(
        "csat",
        "%",
        Text("ratings of 4 or 5 / ratings · 100", "notes de 4 ou 5 / notes · 100"),
        lambda each: each.rating is not None,
        last_only=True,
        of=_csat,
    ),
    _Measure(
        "nps",
        "points",
        Text("% of 9 and 10 − % of 0 to 6", "% de 9 et 10 − % de 0 à 6"),
        lambda each: each.recommendation is not None,
        last_only=True,
        of=_nps,
    ),
)


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variants `sus`, `task_success`, `time_on_task`, `csat` and `nps` of one application."""
    subject, period, _ = question
    own = [
        each for each in inputs.evaluations if each.application == subject.id and period.start <= each.day < period.end
    ]
    return tuple(_outcome(measure, own, question) for measure in _MEASURES)


def _outcome(measure: _Measure, own: Sequence[Evaluation], question: Question) -> Outcome:
    subject, period, _ = question
    used = [each for each in own if measure.used(each)]
    if measure.last_only:
        used = list({each.member: each for each in used}.values())
    if not used:
        return NotAssessed(NAME, measure.variant, subject, period, "no_data", _NO_DATA, None, 0)
    said = measure.of(used)
    interval = None
    if said.low is not None and said.high is not None:
        interval = Interval(said.low, said.high, _LEVEL, said.method)
    return Result(
        kpi=NAME,
        variant=measure.variant,
        subject=subject,
        value=said.value,
        unit=measure.unit,
        period=period,
        coverage=1.0,
        population=len({each.member for each in used}),
        quality=Quality.SURVEY,
        formula=measure.formula,
        factor_set=None,
        fingerprint=fingerprint_of(METHOD, measure.variant, question, sorted(map(repr, used))),
        method_version=f"{NAME}/{METHOD}",
        interval=interval,
        limits=_LIMITS,
        figures=said.figures,
    )
