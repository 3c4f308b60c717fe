"""Days with the service on against days with it off, at the same junctions. Pure."""

from datetime import date, timedelta
from typing import Final

from services.aggregator.kpis.cells import Day
from services.aggregator.kpis.effects import Groups, compare, reason_of
from services.aggregator.kpis.hazard_effects import About, Entered, hazards_before_after
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.measures import Measure, days_of, junctions_of, missing
from services.aggregator.kpis.results import NotAssessed, Outcome, Period, Text
from services.aggregator.kpis.traffic_measures import ALL

__all__ = ["NAME", "compute"]

NAME: Final = "service_before_after"
_NO_PERIODS: Final = Text(
    "No days with the service off and on are entered: write a file of service periods.",
    "Aucun jour sans et avec le service n’est saisi : écrire un fichier de périodes de service.",
)
_LIMITS: Final = (
    Text(
        "What else changed between the two periods (season, works, traffic) is not taken out.",
        "Ce qui a changé d’autre entre les deux périodes (saison, travaux, trafic) n’est pas retiré.",
    ),
    Text(
        "The junctions that were seen in both periods, each with its own number of passages.",
        "Les carrefours vus dans les deux périodes, chacun avec son propre nombre de passages.",
    ),
)


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """A variant for each measure, of hazards too; none for a junction of which no service period is entered.

    The periods are those of the service file as far as they lie before the end of the report's.
    """
    subject, until = question.subject, question.period.end
    entered = {
        name: (inputs.plan.days(name, "off", until), inputs.plan.days(name, "on", until))
        for name in junctions_of(inputs, subject)
    }
    both = {name: days for name, days in entered.items() if all(days)}
    if not both:
        if subject.kind != "programme":
            return ()
        return (NotAssessed(NAME, "delay", subject, question.period, "no_baseline", _NO_PERIODS),)
    hazards = hazards_before_after(NAME, inputs, question, both, About(_periods(both), _LIMITS))
    return (*(_outcome(measure, inputs, question, both) for measure in ALL), *hazards)


def _outcome(
    measure: Measure,
    inputs: Inputs,
    question: Question,
    entered: Entered,
) -> Outcome:
    offs, ons = (frozenset().union(*(days[side] for days in entered.values())) for side in (0, 1))
    periods = _periods(entered)
    seen: list[tuple[dict[date, Day], dict[date, Day]]] = []
    for name, (off, on) in entered.items():
        known = days_of(measure, inputs, name)
        sides = {day: known[day] for day in off if day in known}, {day: known[day] for day in on if day in known}
        if all(sides):
            seen.append(sides)
    if not seen:
        told = any(
            each.kind == measure.kind and each.junction in entered and each.days.keys() & (offs | ons)
            for each in inputs.mobility
        )
        return missing(NAME, measure, question.subject, periods[1], *reason_of(told))
    possible = sum(len(off) + len(on) for off, on in entered.values())
    compared = sum(len(off) + len(on) for off, on in seen)
    groups = Groups([off for off, _ in seen], [on for _, on in seen], periods, compared / possible, _LIMITS)
    return compare(NAME, measure, groups, question.subject)


def _periods(entered: Entered) -> tuple[Period, Period]:
    offs, ons = (frozenset().union(*(days[side] for days in entered.values())) for side in (0, 1))
    return _span(offs), _span(ons)


def _span(days: frozenset[date]) -> Period:
    return Period(min(days), max(days) + timedelta(days=1))
