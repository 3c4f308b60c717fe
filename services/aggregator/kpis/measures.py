"""The measures of junctions (c-its.md 5): what is added up over what, so that any group of days has a value. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final, Literal, NamedTuple

from services.aggregator.kpis.cells import Day, heard_days, shown_days, told_days
from services.aggregator.kpis.inputs import Inputs
from services.aggregator.kpis.results import Interval as KpiInterval
from services.aggregator.kpis.results import NotAssessed, Period, Quality, Reason, Result, Subject, Text, fingerprint_of
from services.aggregator.kpis.sampling import Sample, Shape, estimate

__all__ = [
    "LEAST_COVERAGE",
    "METHOD",
    "Measure",
    "assess",
    "counted",
    "days_of",
    "junctions_of",
    "known_share",
    "missing",
    "rarely_known",
    "sample_of",
    "within",
]

LEAST_COVERAGE: Final = 0.5
METHOD: Final = "1"


class Measure(NamedTuple):
    """A measure of passages, requests, signals, hazards, or vehicles that passed one, warned or not.

    Attributes:
        name: of the variant.
        kind: which days it is made of.
        unit: of `scale` times the ratio.
        scale: 100 for per cent, 1000 for per mille.
        shape: how its interval is found.
        above: the column that is added up.
        below: the columns that it is over: their sum; of a rate none, it is over days.
        less: columns that `below` is reduced by.
        squares: the column of squares of single passages, of a mean.
        out_of: the column that `below` is a part of: the share is told, and below half of it there is no value.
        formula: in words and signs.
        quality: class of U4SSC.
        limits: what the value does not say.
        unknown: whom the value would leave out, were it told of a small share.
    """

    name: str
    kind: Literal["passage", "priority", "signal", "hazard", "aware", "unaware"]
    unit: str
    scale: float
    shape: Shape
    above: str
    below: str | None
    formula: Text
    limits: tuple[Text, ...]
    less: str | None = None
    squares: str | None = None
    out_of: str | None = None
    quality: Quality = Quality.MEASURED
    unknown: Text | None = None


_COUNTED: Final = {
    "passage": "passages",
    "priority": "requests",
    "signal": "messages",
    "hazard": "hazards",
    "aware": "aware_vehicles",
    "unaware": "unaware_vehicles",
}
_FEW: Final = Text(
    "Fewer than five vehicles on each day: the figure would tell about one of them.",
    "Moins de cinq véhicules chaque jour : le chiffre parlerait de l’un d’eux.",
)
_NO_DATA: Final = Text(
    "Nothing of this was heard here in this period.", "Rien de tel n’a été entendu ici sur cette période."
)
_LOW: Final = Text(
    "Days that may be told, times the passages of which this is known, are fewer than half of the period’s.",
    "Les jours que l’on peut dire, par les passages dont c’est connu, font moins de la moitié de la période.",
)


def junctions_of(inputs: Inputs, subject: Subject) -> list[str]:
    """The junctions that a subject is: itself, those of a corridor in their order, or all that were heard."""
    if subject.kind == "junction":
        return [subject.id]
    if subject.kind == "corridor":
        return [id_ for each in inputs.plan.corridors if each.id == subject.id for id_ in each.junctions]
    return sorted({each.junction for each in inputs.mobility})


def sample_of(measure: Measure, days: Iterable[Mapping[date, Day]]) -> Sample:
    """The days of one junction or of several as a sample of a measure."""
    sums: dict[date, tuple[float, float]] = {}
    squares = 0.0
    for its in days:
        for day, row in its.items():
            below = 1.0 if measure.below is None else row.get(measure.below, 0.0) - row.get(measure.less or "", 0.0)
            before = sums.get(day, (0.0, 0.0))
            sums[day] = before[0] + row.get(measure.above, 0.0), before[1] + below
            squares += row.get(measure.squares or "", 0.0)
    known = {day: row for day, row in sums.items() if row[1] > 0}
    return Sample(known, squares if measure.squares is not None else None)


def assess(kpi: str, measure: Measure, inputs: Inputs, subject: Subject, period: Period) -> Result | NotAssessed:
    """One measure of a subject over the days of a period that may be told."""
    names = junctions_of(inputs, subject)
    heard = {day for day in heard_days(inputs.mobility) if period.start <= day < period.end}
    days = [each for name in names if (each := within(days_of(measure, inputs, name), period))]
    sample = sample_of(measure, days)
    if not sample.days or (measure.shape == "rate" and sample.above == 0):
        own = [each for each in inputs.mobility if each.junction in names and each.kind == measure.kind]
        heard_of = any(period.start <= day < period.end for each in own for day in each.days)
        told = heard_of and (not days or measure.shape == "rate")
        reason: Reason = "small_group" if told else "no_data"
        return missing(kpi, measure, subject, period, reason, _FEW if told else _NO_DATA)
    share = known_share(measure, days)
    coverage = sum(map(len, days)) / (len(names) * len(heard)) * (1.0 if share is None else share)
    if share is not None and share < LEAST_COVERAGE:
        return missing(kpi, measure, subject, period, "low_coverage", rarely_known(measure, share), coverage)
    if coverage < LEAST_COVERAGE:
        return missing(kpi, measure, subject, period, "low_coverage", _LOW, coverage)
    return _result(kpi, measure, days, sample, coverage, subject, period)


def _result(  # noqa: PLR0913, PLR0917 - what a result is made of
    kpi: str,
    measure: Measure,
    days: Sequence[Mapping[date, Day]],
    sample: Sample,
    coverage: float,
    subject: Subject,
    period: Period,
) -> Result:
    said = estimate(sample, measure.shape)
    scale = measure.scale
    share = known_share(measure, days)
    figures = {"days": float(len(sample.days)), "junctions": float(len(days)), measure.above: sample.above}
    interval = None
    if said.low is not None and said.high is not None:
        low, high = scale * said.low, scale * said.high
        if measure.unit == "%":  # a mean of shares has an interval that knows no bounds
            low, high = max(0.0, low), min(100.0, high)
        interval = KpiInterval(low, high, 0.95, said.method)
    return Result(
        kpi=kpi,
        variant=measure.name,
        subject=subject,
        value=scale * said.value,
        unit=measure.unit,
        period=period,
        coverage=min(1.0, coverage),
        population=counted(measure, days),
        quality=measure.quality,
        formula=measure.formula,
        factor_set=None,
        fingerprint=fingerprint_of(METHOD, measure.name, subject, period, _told(days)),
        method_version=f"{kpi}/{METHOD}",
        interval=interval,
        limits=measure.limits if share is None else (*measure.limits, _known_of(share)),
        figures=figures if share is None else figures | {"known_percent": 100 * share},
    )


def days_of(measure: Measure, inputs: Inputs, junction: str) -> Mapping[date, Day]:
    """The days of a junction that a measure may be made of; of a rate those without any event too."""
    of = told_days if measure.shape == "rate" else shown_days
    return of(inputs.mobility, junction, measure.kind)


def within(days: Mapping[date, Day], period: Period) -> dict[date, Day]:
    """Those of a period."""
    return {day: row for day, row in days.items() if period.start <= day < period.end}


def counted(measure: Measure, days: Iterable[Mapping[date, Day]]) -> int:
    """Passages, requests, messages, hazards or vehicles behind a value."""
    column = _COUNTED[measure.kind]
    return int(sum(row.get(column, 0.0) for its in days for row in its.values()))


def missing(  # noqa: PLR0913, PLR0917 - what there is to say
    kpi: str,
    measure: Measure,
    subject: Subject,
    period: Period,
    reason: Reason,
    text: Text,
    coverage: float | None = None,
) -> NotAssessed:
    """There is no value."""
    return NotAssessed(kpi, measure.name, subject, period, reason, text, coverage)


def known_share(measure: Measure, days: Sequence[Mapping[date, Day]]) -> float | None:
    """Of what share of the passages that should have it the measure is known; `None` where each has it."""
    if measure.out_of is None or measure.below is None:
        return None
    below = sum(row.get(measure.below, 0.0) - row.get(measure.less or "", 0.0) for its in days for row in its.values())
    everything = sum(row.get(measure.out_of, 0.0) for its in days for row in its.values())
    return below / everything if everything > 0 else 0.0


def _known_of(share: float) -> Text:
    """Rounded down, so that what is below the threshold is never told to reach it."""
    percent = int(100 * share + 1e-9)
    return Text(f"Known of {percent} % of the passages.", f"Connu pour {percent} % des passages.")


def rarely_known(measure: Measure, share: float) -> Text:
    """Why there is no value: it is known of too few of the passages, and of whom it is not."""
    known, least = _known_of(share), int(100 * LEAST_COVERAGE)
    text = Text(
        f"{known.en} Below {least} % there is no figure: it would be that of the others.",
        f"{known.fr} Sous {least} %, il n’y a pas de chiffre : ce serait celui des autres.",
    )
    if measure.unknown is None:
        return text
    return Text(f"{text.en} {measure.unknown.en}", f"{text.fr} {measure.unknown.fr}")


def _told(days: Iterable[Mapping[date, Day]]) -> list[list[tuple[str, list[tuple[str, float]]]]]:
    return [[(str(day), sorted(row.items())) for day, row in sorted(its.items())] for its in days]
