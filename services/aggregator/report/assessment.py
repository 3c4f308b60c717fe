"""Asks every indicator about every subject; lets out only what may be published. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from services.aggregator.kpis import Kpi, discover
from services.aggregator.kpis.catalogue import catalogue
from services.aggregator.kpis.disclosure import PUBLIC, publishable
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.results import NotAssessed, Outcome, Period, Result, Subject
from services.aggregator.kpis.seasons import may_tell_amounts, span_of
from services.aggregator.kpis.trends import Told, with_target, with_trend
from services.aggregator.points import TAGS
from services.aggregator.ports import FieldValue, Point

__all__ = ["CITYKEYS", "Answer", "assess_all", "chosen", "kpi_points", "needed", "programmes"]


CITYKEYS: Final = "citykeys"
"""The programme that tells the whole catalogue of CITYkeys, by theme."""


class Answer(NamedTuple):
    """One outcome with the indicator that it comes from."""

    kpi: Kpi
    outcome: Outcome


def programmes() -> tuple[str, ...]:
    """Every programme that an indicator belongs to, and the framework that is told of all of them."""
    return tuple(sorted({CITYKEYS, *(kpi.programme for kpi in discover().values())}))


def chosen(wanted: Sequence[str]) -> list[Kpi]:
    """The indicators of these programmes; those that say something of CITYkeys, where it is one of them."""
    told = {row.kpi for row in catalogue().indicators if row.framework == CITYKEYS} if CITYKEYS in wanted else set()
    return [kpi for kpi in discover().values() if kpi.programme in wanted or kpi.name in told]


def needed(wanted: Sequence[str]) -> frozenset[str]:
    """What has to be read for these programmes."""
    return frozenset(need for kpi in chosen(wanted) for need in kpi.needs)


def assess_all(  # noqa: PLR0913, PLR0917 - who is asked what, when, against what
    inputs: Inputs,
    subjects: Sequence[Subject],
    period: Period,
    baseline: Period | None,
    wanted: Sequence[str],
    told: Sequence[Told] = (),
) -> list[Answer]:
    """All answers, in the order of indicators and subjects, each one through the gate for small groups.

    What is let out gets the city's target for it, and its direction from what earlier reports `told`.
    """
    return [
        Answer(kpi, with_trend(with_target(publishable(outcome), kpi, inputs.facts, catalogue()), told))
        for kpi in chosen(wanted)
        for subject in subjects
        if subject.kind in kpi.about and (subject.kind != "programme" or subject.id == kpi.programme)
        for outcome in kpi.compute(inputs, Question(subject, period, baseline))
    ]


def kpi_points(answers: Sequence[Answer], asked: Period, end_ns: int) -> list[Point]:
    """Points of measurement `kpi`, at the end of the period that was asked about: told again, they are overwritten.

    Amounts of energy are stored as everybody may know them (`disclosure`): of whole winters only, and rounded, for the
    sums of two spans over families that are not the same would differ by those who are in one of them.

    A value that is withheld is written as `assessed = false`. An earlier number stays beside it, as stores merge
    fields: readers ask for `assessed = true`; and for `public = true`, where they show it to everybody.

    Args:
        answers: from `assess_all`.
        asked: the period of the question; its span is a tag, so that a month does not overwrite a winter.
        end_ns: Unix nanoseconds of its end.
    """
    points = []
    span = span_of(asked)
    for kpi, outcome in answers:
        amounts = may_tell_amounts(outcome.subject, span)
        values: dict[str, FieldValue] = {"assessed": not isinstance(outcome, NotAssessed)}
        if isinstance(outcome, NotAssessed):
            values["reason"] = outcome.reason
        else:
            everybodys = publishable(outcome, PUBLIC)
            told = everybodys if isinstance(everybodys, Result) else replace(outcome, baseline=None, reported=None)
            numbers = {
                "value": outcome.value,
                "coverage": outcome.coverage,
                "target": None if outcome.target is None else outcome.target.value,
                "low": None if outcome.interval is None else outcome.interval.low,
                "high": None if outcome.interval is None else outcome.interval.high,
                "baseline": None if told.baseline is None or not amounts else told.baseline.value,
                "reported": None if told.reported is None or not amounts else told.reported.value,
            }
            values |= {name: float(number) for name, number in numbers.items() if number is not None}
            values |= {
                "unit": outcome.unit,
                "quality": outcome.quality.value,
                "fingerprint": outcome.fingerprint,
                "method_version": outcome.method_version,
                "period_start": outcome.period.start.isoformat(),
                "public": told is everybodys,
            }
        tags = {"kpi": f"{kpi.name}.{outcome.variant}", "programme": kpi.programme, "subject": outcome.subject.id}
        tags["span"] = span
        named = tuple((name, tags[name]) for name in TAGS["kpi"])
        points.append(Point("kpi", named, tuple(sorted(values.items())), end_ns))
    return points
