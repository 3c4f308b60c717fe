"""Usability of an application: SUS, task success, time on task, satisfaction, recommendation, adoption. Pure.

Answers are gathered in cells: one version in one whole calendar month. A cell of fewer than ten members is in no sum,
and every sum is one of whole cells. So whatever is taken from whatever (a version from the application, a month from a
winter), what is left is of ten members at least.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from math import exp, log
from typing import Final, NamedTuple

from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.inputs import Evaluation, Inputs, Question
from services.aggregator.kpis.intervals import adjusted_wald, mean_error, score_error
from services.aggregator.kpis.results import (
    Interval,
    NotAssessed,
    Outcome,
    Period,
    Quality,
    Result,
    Subject,
    Text,
    fingerprint_of,
)

__all__ = ["NAME", "compute", "sus_score", "version_subject"]

NAME: Final = "app_evaluation"
METHOD: Final = "2"
_SEPARATOR: Final = "@"
"""Between application and version in an id; neither may hold it."""
_LEVEL: Final = 0.95
_NO_DATA: Final = Text("Nobody answered in this period.", "Personne n’a répondu sur cette période.")
_FEW: Final = Text(
    "Fewer than ten members answered about any version in any whole month: the figure would tell about one of them.",
    "Moins de dix membres ont répondu sur une version dans un mois entier : le chiffre parlerait de l’un d’eux.",
)
_NO_PANEL: Final = Text(
    "Nobody entered how many members the panel has (panel_members), or fewer than answered.",
    "Personne n’a saisi combien de membres compte le panel (panel_members), ou moins qu’il n’y a de réponses.",
)
_ADOPTION: Final = Text(
    "members who answered about it / members of the panel · 100", "membres qui ont répondu / membres du panel · 100"
)
_LIMITS: Final = (
    Text(
        "The panel is not a sample of the inhabitants: its members came by themselves.",
        "Le panel n’est pas un échantillon des habitants : ses membres sont venus d’eux-mêmes.",
    ),
    Text(
        "Of a member's answers on a version the last of each month counts; of tasks every attempt does.",
        "De chaque membre compte la dernière réponse du mois sur une version ; pour les tâches, chaque essai compte.",
    ),
    Text(
        "Whole months; where fewer than ten members answered about a version, that month of it is left out, so that no "
        "two figures differ by a few.",
        "Mois entiers ; si moins de dix membres ont répondu sur une version, son mois est omis : deux chiffres ne "
        "diffèrent ainsi jamais de peu.",
    ),
)


class _Month(NamedTuple):
    member: str
    month: date


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


def version_subject(application: str, version: str) -> Subject:
    """One version of an application, as something that is asked about."""
    return Subject("application", f"{application}{_SEPARATOR}{version}", f"{application} {version}")


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """`sus`, `task_success`, `time_on_task`, `csat`, `nps` and `adoption` of an application, or of one version."""
    subject, period, _ = question
    application, _, version = subject.id.partition(_SEPARATOR)
    own = [
        each
        for each in inputs.evaluations
        if each.application == application
        and version in {"", each.version}
        and period.start <= each.day < period.end
        and _whole_month(each.day, period)
    ]
    found = [_outcome(measure, own, question) for measure in _MEASURES]
    return (*found, _adoption(inputs, own, question))


def _whole_month(day: date, period: Period) -> bool:
    """Whether all of the month of a day is in the period: a month that is cut would be told by the difference."""
    first = day.replace(day=1)
    after = (first + timedelta(days=31)).replace(day=1)
    return period.start <= first and after <= period.end


def _told(said: Sequence[Evaluation], *, last_only: bool) -> tuple[list[Evaluation], int]:
    """The answers of the cells that are large enough, in order; and how many members have any at all."""
    cells: dict[tuple[str, date], list[Evaluation]] = defaultdict(list)
    for each in said:
        cells[each.version, each.day.replace(day=1)].append(each)
    told: list[Evaluation] = []
    for cell in cells.values():
        if len({each.member for each in cell}) >= THRESHOLDS.members:
            told += {each.member: each for each in cell}.values() if last_only else cell
    return told, len({each.member for each in said})


def _outcome(measure: _Measure, own: Sequence[Evaluation], question: Question) -> Outcome:
    answered = [each for each in own if measure.used(each)]
    used, members = _told(answered, last_only=measure.last_only)
    if not used:
        return _nothing(measure.variant, question, members)
    return _result(question, (measure.variant, measure.unit, measure.formula), measure.of(used), used)


def _nothing(variant: str, question: Question, members: int) -> NotAssessed:
    subject, period, _ = question
    if members:
        return NotAssessed(NAME, variant, subject, period, "small_group", _FEW)
    return NotAssessed(NAME, variant, subject, period, "no_data", _NO_DATA, None, 0)


def _adoption(inputs: Inputs, own: Sequence[Evaluation], question: Question) -> Outcome:
    """Members who used it and said so, of all members: CITYkeys' people reached."""
    used, members = _told(own, last_only=True)
    panel = inputs.facts.quantity("panel_members", question.period.end)
    reached = len({each.member for each in used})
    if not used:
        return _nothing("adoption", question, members)
    if panel is None or panel.value < reached:
        return NotAssessed(NAME, "adoption", question.subject, question.period, "no_baseline", _NO_PANEL)
    said = _share(reached, round(panel.value), "panel_members")
    months = Counter(each.member for each in {_Month(each.member, each.day.replace(day=1)) for each in used})
    returning = sum(number > 1 for number in months.values())
    figures = {**said.figures, "members_of_several_months": float(returning)}
    kept = figures if returning == 0 or returning >= THRESHOLDS.members else said.figures
    return _result(question, ("adoption", "%", _ADOPTION), said._replace(figures=kept), used)


def _result(question: Question, named: tuple[str, str, Text], said: _Said, used: Sequence[Evaluation]) -> Result:
    variant, unit, formula = named
    interval = None
    if said.low is not None and said.high is not None:
        interval = Interval(said.low, said.high, _LEVEL, said.method)
    return Result(
        kpi=NAME,
        variant=variant,
        subject=question.subject,
        value=said.value,
        unit=unit,
        period=question.period,
        coverage=1.0,
        population=len({each.member for each in used}),
        quality=Quality.SURVEY,
        formula=formula,
        factor_set=None,
        fingerprint=fingerprint_of(METHOD, variant, question, sorted(map(repr, used))),
        method_version=f"{NAME}/{METHOD}",
        interval=interval,
        limits=_LIMITS,
        figures=said.figures,
    )
