"""Road hazards before and after the service, and warned drivers against unwarned ones (docs/adr/0027). Pure."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, Literal, NamedTuple

from services.aggregator.kpis.cells import Day
from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.effects import Groups, compare
from services.aggregator.kpis.hazard_days import COUNTED, Told, band_of, counted_of, days_near
from services.aggregator.kpis.hazard_measures import HAZARDS, RESPONSES, VEHICLE_LIMITS, Response
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.measures import METHOD, Measure, junctions_of, missing
from services.aggregator.kpis.results import (
    Amount,
    Interval,
    NotAssessed,
    Outcome,
    Period,
    Quality,
    Reason,
    Result,
    Text,
    fingerprint_of,
)
from services.aggregator.kpis.sampling import changed

__all__ = ["About", "Entered", "hazards_before_after", "warned_against_unwarned"]

Entered = Mapping[str, tuple[frozenset[date], frozenset[date]]]
"""The days off and on of each junction."""
Sides = tuple[dict[date, Day], dict[date, Day]]
Who = Literal["aware", "unaware"]

_FEW: Final = Text(
    "Fewer than five hazards, or on each day fewer than five vehicles, in one of both groups: the figure would tell "
    "about one of them.",
    "Moins de cinq dangers, ou chaque jour moins de cinq véhicules, dans l’un des deux groupes : le chiffre parlerait "
    "de l’un d’eux.",
)
_NOTHING: Final = Text(
    "There was no hazard, or nobody who passed one, in one of both groups.",
    "Aucun danger, ou personne près d’un danger, dans l’un des deux groupes.",
)
_WARNED: Final = Response(
    "warned_response",
    "aware",
    Text(
        "change of speed of warned vehicles − that of vehicles that passed before anybody was warned",
        "changement de vitesse des véhicules alertés − celui des véhicules passés avant toute alerte",
    ),
)
_WHO: Final = Text(
    "With: vehicles that passed a hazard while a warning was out. Without: those before anybody was warned.",
    "Avec : véhicules passés près d’un danger pendant l’alerte. Sans : ceux d’avant toute alerte.",
)
_NOT_DRAWN: Final = Text(
    "Who passes first meets a hazard that nobody knows of yet: what stands there may differ by more than the warning.",
    "Qui passe d’abord trouve un danger encore inconnu : la situation peut différer par autre chose que l’alerte.",
)


class About(NamedTuple):
    """What holds for every comparison: both periods, and what the difference does not say."""

    periods: tuple[Period, Period]
    limits: tuple[Text, ...]


class _Pairs(NamedTuple):
    """Days of both groups at each junction that may be compared."""

    seen: Sequence[Sides]
    periods: tuple[Period, Period]
    coverage: float
    withheld: bool
    limits: tuple[Text, ...]


def hazards_before_after(
    kpi: str, inputs: Inputs, question: Question, entered: Entered, about: About
) -> tuple[Outcome, ...]:
    """`hazards`, `duration`, `dissemination`, `exposure`, `exposure_unwarned`, `speed_response`, `speed_unwarned`.

    Nothing for a place near which there was no hazard in either period.
    """
    known = [(each.junction, each.day) for each in inputs.hazards]
    known += [(each.junction, each.day) for each in inputs.exposed]
    near = any(name in entered and day in entered[name][0] | entered[name][1] for name, day in known)
    if not near and question.subject.kind != "programme":
        return ()
    outcomes: list[Outcome] = []
    for measure in HAZARDS:
        pairs = _pairs(inputs, entered, about, measure.kind, quiet=measure.shape == "rate")
        outcomes.append(_compared(kpi, measure, pairs, question))
    for response in RESPONSES:
        pairs = _pairs(inputs, entered, about, response.who, quiet=False)
        outcomes.append(_responded(kpi, response, (response.who, response.who), pairs, question))
    return tuple(outcomes)


def warned_against_unwarned(kpi: str, inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """`warned_response`: how much more warned drivers slow down; nothing for a place near which there was no hazard.

    A day counts at a junction where five vehicles or more were warned, and five or more were not; where service
    periods are entered, with the service on.
    """
    subject, period, _ = question
    everywhere = subject.kind == "programme"
    passed = {each.junction for each in inputs.exposed}
    names = sorted(passed) if everywhere else [name for name in junctions_of(inputs, subject) if name in passed]
    seen: list[Sides] = []
    met, withheld = 0, False
    for name in names:
        warned, unwarned = (days_near(inputs, name, who, quiet=False) for who in ("aware", "unaware"))
        own = {each for told in (warned, unwarned) for each in (*told.days, *told.withheld)}
        days = inputs.plan.served(name, own, period)
        both = sorted(days & warned.days.keys() & unwarned.days.keys())
        met += len(days)
        withheld |= bool(days & (warned.withheld | unwarned.withheld))
        if both:
            seen.append(({day: unwarned.days[day] for day in both}, {day: warned.days[day] for day in both}))
    if not met and not everywhere:
        return ()
    coverage = sum(len(without) for without, _ in seen) / met if met else 0.0
    pairs = _Pairs(seen, (period, period), coverage, withheld, (_WHO, _NOT_DRAWN))
    return (_responded(kpi, _WARNED, ("unaware", "aware"), pairs, question),)


def _pairs(inputs: Inputs, entered: Entered, about: About, kind: str, *, quiet: bool) -> _Pairs:
    seen: list[Sides] = []
    compared, possible, withheld = 0, 0, False
    for name, days in entered.items():
        told = days_near(inputs, name, kind, quiet=quiet)
        sides = _of(told, days[0]), _of(told, days[1])
        hidden = len(told.withheld & (days[0] | days[1]))
        few = kind == "hazard" and any(0 < counted_of(side, kind) < THRESHOLDS.vehicles for side in sides)
        possible += sum(map(len, days)) if quiet else sum(map(len, sides)) + hidden
        withheld |= few or hidden > 0
        if all(sides) and not few:
            seen.append(sides)
            compared += sum(map(len, sides))
    return _Pairs(seen, about.periods, compared / possible if possible else 0.0, withheld, about.limits)


def _of(told: Told, days: frozenset[date]) -> dict[date, Day]:
    return {day: told.days[day] for day in sorted(days) if day in told.days}


def _compared(kpi: str, measure: Measure, pairs: _Pairs, question: Question) -> Outcome:
    counts = [sum(counted_of(sides[which], measure.kind) for sides in pairs.seen) for which in (0, 1)]
    # Where days are withheld, a zero would tell of nobody what was of a few.
    if not any(counts) or (pairs.withheld and not all(counts)):
        return missing(kpi, measure, question.subject, pairs.periods[1], *_reason(pairs), pairs.coverage)
    offs, ons = ([sides[which] for sides in pairs.seen] for which in (0, 1))
    groups = Groups(offs, ons, pairs.periods, pairs.coverage, pairs.limits)
    return compare(kpi, measure, groups, question.subject)


def _reason(pairs: _Pairs) -> tuple[Reason, Text]:
    return ("small_group", _FEW) if pairs.withheld else ("no_data", _NOTHING)


def _responded(
    kpi: str, response: Response, who: tuple[Who, Who], pairs: _Pairs, question: Question
) -> Result | NotAssessed:
    """A change of speed less that of another group: below 0 drivers slowed down more."""
    subject, periods = question.subject, pairs.periods
    rows = [[day for sides in pairs.seen for day in sides[which].items()] for which in (0, 1)]
    without, having = (
        (band_of(days, f"{whose}_near"), band_of(days, f"{whose}_far")) for days, whose in zip(rows, who, strict=True)
    )
    if not all(each.days for each in (*without, *having)):
        return NotAssessed(kpi, response.variant, subject, periods[1], *_reason(pairs), pairs.coverage)
    said = changed(having, without)
    interval = None
    if said.low is not None and said.high is not None:
        interval = Interval(said.low, said.high, 0.95, said.method)
    vehicles = [sum(sums[COUNTED[whose]] for _, sums in days) for days, whose in zip(rows, who, strict=True)]
    told = [[(str(day), sorted(sums.items())) for day, sums in days] for days in rows]
    return Result(
        kpi=kpi,
        variant=response.variant,
        subject=subject,
        value=said.value,
        unit="m/s",
        period=periods[1],
        baseline_period=periods[0],
        baseline=Amount(without[0].value - without[1].value, "m/s"),
        reported=Amount(having[0].value - having[1].value, "m/s"),
        coverage=pairs.coverage,
        population=int(sum(vehicles)),
        quality=Quality.MEASURED,
        interval=interval,
        formula=Text(f"with − without; {response.formula.en}", f"avec − sans ; {response.formula.fr}"),
        factor_set=None,
        fingerprint=fingerprint_of(METHOD, response.variant, subject, periods, told),
        method_version=f"{kpi}/{METHOD}",
        limits=(*pairs.limits, *VEHICLE_LIMITS),
        figures={
            "days_without": float(len({day for day, _ in rows[0]})),
            "days_with": float(len({day for day, _ in rows[1]})),
            "counted_without": vehicles[0],
            "counted_with": vehicles[1],
            "junctions": float(len(pairs.seen)),
        },
    )
