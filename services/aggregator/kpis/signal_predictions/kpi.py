"""The measures of signals, and the minutes in which a junction's signals were heard. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from services.aggregator.kpis.cells import shown_days
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.measures import METHOD, assess, junctions_of, within
from services.aggregator.kpis.results import Interval, NotAssessed, Outcome, Quality, Result, Text, fingerprint_of
from services.aggregator.kpis.sampling import Sample, estimate
from services.aggregator.kpis.traffic_measures import PREDICTIONS

__all__ = ["NAME", "compute"]

NAME: Final = "signal_predictions"
_DAY_MINUTES: Final = 1440.0
_NO_DATA: Final = Text(
    "No signal of any junction was heard in this period.", "Aucun feu n’a été entendu sur cette période."
)
_FORMULA: Final = Text(
    "minutes in which the junction’s signals were heard / minutes · 100",
    "minutes où les feux du carrefour ont été entendus / minutes · 100",
)
_LIMITS: Final = (
    Text(
        "Told by the minute: a gap of some seconds is not seen.",
        "Dit à la minute : une coupure de quelques secondes ne se voit pas.",
    ),
    Text(
        "Of the first and the last day the minutes of the junction that was heard longest count as all of them.",
        "Du premier et du dernier jour, les minutes du carrefour le plus longtemps entendu comptent pour toutes.",
    ),
)


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variants `prediction_error`, `foretold` and `availability`."""
    told = tuple(assess(NAME, measure, inputs, question.subject, question.period) for measure in PREDICTIONS)
    return (*told, _availability(inputs, question))


def _availability(inputs: Inputs, question: Question) -> Outcome:
    subject, period, _ = question
    everywhere = {each.junction for each in inputs.mobility if each.kind == "signal"}
    minutes = {name: _minutes(inputs, name, question) for name in everywhere | set(junctions_of(inputs, subject))}
    days = {day for its in minutes.values() for day in its}
    if not days:
        return NotAssessed(NAME, "availability", subject, period, "no_data", _NO_DATA, 0.0)
    whole = {day: max(its.get(day, 0.0) for its in minutes.values()) for day in (min(days), max(days))}
    names = junctions_of(inputs, subject)
    span = [min(days) + timedelta(days=number) for number in range((max(days) - min(days)).days + 1)]
    sample = Sample(
        {
            day: (sum(minutes[name].get(day, 0.0) for name in names), len(names) * whole.get(day, _minutes_of(day)))
            for day in span
        }
    )
    said = estimate(sample, "mean")
    interval = None
    if said.low is not None and said.high is not None:
        interval = Interval(100 * said.low, min(100.0, 100 * said.high), 0.95, said.method)
    return Result(
        kpi=NAME,
        variant="availability",
        subject=subject,
        value=min(100.0, 100 * said.value),
        unit="%",
        period=period,
        coverage=len(span) / period.days,
        population=int(sample.above),
        quality=Quality.MEASURED,
        formula=_FORMULA,
        factor_set=None,
        fingerprint=fingerprint_of(METHOD, question, [(str(day), *row) for day, row in sample.days.items()]),
        method_version=f"{NAME}/{METHOD}",
        interval=interval,
        limits=_LIMITS,
        figures={"minutes_heard": sample.above, "days": float(len(span))},
    )


def _minutes(inputs: Inputs, junction: str, question: Question) -> Mapping[date, float]:
    days = within(shown_days(inputs.mobility, junction, "signal"), question.period)
    return {day: row.get("minutes_heard", 0.0) for day, row in days.items()}


def _minutes_of(day: date) -> float:
    """Of a local day in the European Union: on the last Sundays of March and October the clocks change."""
    last_sunday = day.weekday() == 6 and (day + timedelta(days=7)).month != day.month
    change = {3: -60.0, 10: 60.0}.get(day.month, 0.0) if last_sunday else 0.0
    return _DAY_MINUTES + change
