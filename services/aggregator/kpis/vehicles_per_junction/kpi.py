"""How many equipped vehicles a junction saw, minute by minute, and how fast they went. Pure.

What is counted are vehicles in minutes: one that stays counts in each. So the gate for small groups asks for another
number: how many different vehicles there were at the least, by the bits that those of a day set (`mobility.hours`)
where there are passages, and by the busiest minute.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.inputs import Inputs, Question, TrafficHour
from services.aggregator.kpis.results import (
    Amount,
    NotAssessed,
    Outcome,
    Period,
    Quality,
    Result,
    Text,
    fingerprint_of,
)

__all__ = ["compute"]

NAME: Final = "vehicles_per_junction"
METHOD: Final = "2"
LEAST_COVERAGE: Final = 0.5
_KMH: Final = 3.6

_FORMULA: Final = Text(
    "sum over minutes of the distinct vehicles in the minute; speed: mean over vehicles and minutes",
    "somme sur les minutes des véhicules distincts de la minute ; vitesse : moyenne sur véhicules et minutes",
)
_LIMITS: Final = (
    Text(
        "Only vehicles that send C-ITS messages are seen: a share of the traffic, not all of it.",
        "Seuls les véhicules qui émettent des messages C-ITS sont vus : une part du trafic, pas le tout.",
    ),
    Text(
        "Vehicles in minutes, not different vehicles: one that stays several minutes counts once in each of them.",
        "Des véhicules par minute, non des véhicules différents : qui reste plusieurs minutes compte dans chacune.",
    ),
    Text(
        "Shown from five different vehicles on: as many as were there at once, or as a day’s pseudonyms tell apart.",
        "Montré dès cinq véhicules différents : présents à la fois, ou que distinguent les pseudonymes du jour.",
    ),
    Text(
        "An hour without any message may be an hour without equipped vehicles or a silent roadside unit.",
        "Une heure sans message est une heure sans véhicule équipé, ou une unité de bord de route muette.",
    ),
)
_NO_DATA: Final = Text("No vehicle was seen here in this period.", "Aucun véhicule n’a été vu ici sur cette période.")
_LOW: Final = Text(
    "The junction reported in fewer than half of the hours in which the network did.",
    "Le carrefour a émis pendant moins de la moitié des heures où le réseau émettait.",
)

Hours = Mapping[tuple[date, int], TrafficHour]


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variant `seen`.

    The period of the result is the part of the period in which the network of junctions was heard.
    """
    subject, asked, baseline = question
    own = next((junction.hours for junction in inputs.junctions if junction.id == subject.id), {})
    hours = _within(own, asked)
    network = {hour for junction in inputs.junctions for hour in _within(junction.hours, asked)}
    if not hours:
        return (NotAssessed(NAME, "seen", subject, asked, "no_data", _NO_DATA, 0.0),)
    vehicles = sum(hour.vehicles for hour in hours.values())
    different = _different(inputs, subject.id, hours)
    coverage = len(hours) / len(network)
    period = Period(min(day for day, _ in network), max(day for day, _ in network) + timedelta(days=1))
    if coverage < LEAST_COVERAGE:
        return (NotAssessed(NAME, "seen", subject, period, "low_coverage", _LOW, coverage, different),)
    before = _within(own, baseline) if baseline is not None else {}
    now_per_hour, before_per_hour = vehicles / len(hours), _per_hour(before)
    comparable = before_per_hour is not None and baseline is not None
    return (
        Result(
            kpi=NAME,
            variant="seen",
            subject=subject,
            value=float(vehicles),
            unit="vehicles",
            period=period,
            coverage=coverage,
            population=different,
            quality=Quality.MEASURED,
            formula=_FORMULA,
            factor_set=None,
            fingerprint=_fingerprint(question, hours, before),
            method_version=f"{NAME}/{METHOD}",
            baseline_period=baseline if comparable else None,
            baseline=Amount(before_per_hour, "vehicles/h") if before_per_hour is not None else None,
            reported=Amount(now_per_hour, "vehicles/h"),
            change_percent=100 * (now_per_hour / before_per_hour - 1) if before_per_hour else None,
            limits=_LIMITS,
            figures=_figures(hours, asked),
            series=_profile(hours),
        ),
    )


def _different(inputs: Inputs, junction: str, hours: Hours) -> int:
    """How many different vehicles there were at the least; of several days those of one, as pseudonyms last a day."""
    told = {day for day, _ in hours}
    heard: dict[date, float] = defaultdict(float)
    for each in inputs.mobility:
        if (each.junction, each.kind) == (junction, "passage"):
            # Groups are of types of station, which have no vehicle in common; with and without advice they have.
            for day in each.days.keys() & told if each.advice == "none" else ():
                heard[day] += each.days[day].get("heard", 0.0)
    return max(*(hour.vehicles_at_least for hour in hours.values()), int(max(heard.values(), default=0.0)))


def _within(hours: Hours, period: Period) -> dict[tuple[date, int], TrafficHour]:
    return {key: hour for key, hour in hours.items() if period.start <= key[0] < period.end and hour.vehicles > 0}


def _per_hour(hours: Hours) -> float | None:
    return sum(hour.vehicles for hour in hours.values()) / len(hours) if hours else None


def _figures(hours: Hours, asked: Period) -> dict[str, float]:
    figures = {"hours_observed": float(len(hours)), "days_asked": float(asked.days)}
    timed = sum(hour.speed_vehicles for hour in hours.values())
    if timed:
        figures["mean_speed_kmh"] = _KMH * sum(hour.speed_sum_mps for hour in hours.values()) / timed
    return figures


def _profile(hours: Hours) -> dict[str, dict[str, float]]:
    """Vehicles and mean speed by hour of the local day; without those of few, nor if these are the rest of few."""
    grouped: dict[int, list[TrafficHour]] = defaultdict(list)
    for (_, hour), figures in hours.items():
        grouped[hour].append(figures)
    vehicles, speeds = {}, {}
    at_least = {hour: max(each.vehicles_at_least for each in its) for hour, its in grouped.items()}
    hidden = [count for count in at_least.values() if count < THRESHOLDS.vehicles]
    if hidden and sum(hidden) < THRESHOLDS.vehicles:
        return {}
    for hour, its in sorted(grouped.items()):
        if at_least[hour] < THRESHOLDS.vehicles:
            continue
        vehicles[f"{hour:02d}"] = float(sum(each.vehicles for each in its))
        timed = sum(each.speed_vehicles for each in its)
        if timed:
            speeds[f"{hour:02d}"] = _KMH * sum(each.speed_sum_mps for each in its) / timed
    return {"vehicles_by_hour": vehicles, "speed_kmh_by_hour": speeds}


def _fingerprint(question: Question, hours: Hours, before: Hours) -> str:
    rows = [sorted((str(day), hour, *values) for (day, hour), values in each.items()) for each in (hours, before)]
    return fingerprint_of(METHOD, question, rows)
