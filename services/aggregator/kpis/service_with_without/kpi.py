"""Passages of two classes of vehicles, as the service file says them. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from services.aggregator.kpis.cells import Day, split_days
from services.aggregator.kpis.effects import Groups, compare, reason_of
from services.aggregator.kpis.hazard_effects import warned_against_unwarned
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.measures import Measure, junctions_of, missing
from services.aggregator.kpis.plan import VehicleClass
from services.aggregator.kpis.results import NotAssessed, Outcome, Text
from services.aggregator.kpis.traffic_measures import PASSAGES

__all__ = ["NAME", "compute"]

NAME: Final = "service_with_without"
_NO_CLASSES: Final = Text(
    "Which vehicles have the service and which do not is not entered.",
    "Quels véhicules ont le service et lesquels ne l’ont pas n’est pas saisi.",
)
_NOT_DRAWN: Final = Text(
    "Vehicles were not drawn by lot: the classes may differ by more than the service.",
    "Les véhicules n’ont pas été tirés au sort : les classes peuvent différer par autre chose que le service.",
)
_ADVICE_BY_PLACE: Final = Text(
    "Advice needs some seconds on the approach in view: passages without it may be short or stopped ones.",
    "Un conseil demande quelques secondes en approche : les passages sans conseil peuvent être courts ou arrêtés.",
)

Sides = tuple[dict[date, Day], dict[date, Day]]


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """A variant for each measure of passages, and `warned_response`: warned drivers against unwarned ones.

    Of a junction whose service periods are entered, the days with the service on count. Who was warned of a hazard is
    known without any class of vehicles.
    """
    return (*_passages(inputs, question), *warned_against_unwarned(NAME, inputs, question))


def _passages(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    subject, period, _ = question
    have, lack = inputs.plan.with_service, inputs.plan.without_service
    if have is None or lack is None:
        if subject.kind != "programme":
            return ()
        return (NotAssessed(NAME, "delay", subject, period, "no_baseline", _NO_CLASSES),)
    names = junctions_of(inputs, subject)
    sides = [its for name in names if (its := _sides(inputs, name, question, lack, have))[0]]
    if not sides:
        told = any(each.kind == "passage" and each.junction in names for each in inputs.mobility)
        return tuple(missing(NAME, measure, subject, period, *reason_of(told)) for measure in PASSAGES)
    possible = {(each.junction, day) for each in inputs.mobility if each.junction in names for day in each.days}
    possible = {(name, day) for name, day in possible if day in _days(inputs, name, question)}
    coverage = sum(len(without) for without, _ in sides) / len(possible)
    by_advice = have.advice is not None or lack.advice is not None
    limits = (_classes(lack, have), _NOT_DRAWN, *((_ADVICE_BY_PLACE,) if by_advice else ()))
    groups = Groups([without for without, _ in sides], [its for _, its in sides], (period, period), coverage, limits)
    return tuple(_outcome(measure, groups, question) for measure in PASSAGES)


def _outcome(measure: Measure, groups: Groups, question: Question) -> Outcome:
    return compare(NAME, measure, groups, question.subject)


def _sides(inputs: Inputs, junction: str, question: Question, lack: VehicleClass, have: VehicleClass) -> Sides:
    wanted = _days(inputs, junction, question)
    split = split_days(inputs.mobility, junction, lack.includes, have.includes)
    kept: Mapping[date, tuple[Day, Day]] = {day: rows for day, rows in split.items() if day in wanted}
    return {day: rows[0] for day, rows in kept.items()}, {day: rows[1] for day, rows in kept.items()}


def _days(inputs: Inputs, junction: str, question: Question) -> set[date]:
    known = {day for each in inputs.mobility if each.junction == junction for day in each.days}
    return inputs.plan.served(junction, known, question.period)


def _classes(lack: VehicleClass, have: VehicleClass) -> Text:
    names = have.text, lack.text
    return Text(f"With: {names[0].en}. Without: {names[1].en}.", f"Avec : {names[0].fr}. Sans : {names[1].fr}.")
