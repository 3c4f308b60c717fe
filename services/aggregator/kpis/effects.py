"""What differs between two groups of days or of vehicles, by measure, with an interval. Pure (docs/adr/0027)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.aggregator.kpis.cells import Day
from services.aggregator.kpis.measures import (
    LEAST_COVERAGE,
    METHOD,
    Measure,
    counted,
    known_share,
    missing,
    rarely_known,
    sample_of,
)
from services.aggregator.kpis.results import (
    Amount,
    Interval,
    NotAssessed,
    Period,
    Reason,
    Result,
    Subject,
    Text,
    fingerprint_of,
)
from services.aggregator.kpis.sampling import Difference, difference, rate_ratio

__all__ = ["Groups", "compare", "reason_of"]

_POINTS: Final = {"%": "percentage points", "‰": "per mille points"}

Days = Sequence[Mapping[date, Day]]
"""One mapping for each junction."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The days of two groups at the same junctions; the first is what the second is compared with.

    Attributes:
        without: before, or vehicles without the service.
        having: after, or vehicles with it.
        periods: the spans of both.
        junctions: how many the subject has; those seen in both groups are compared.
        coverage: share of the days that could have been compared.
        limits: what holds for every measure.
    """

    without: Days
    having: Days
    periods: tuple[Period, Period]
    coverage: float
    limits: tuple[Text, ...]


def compare(kpi: str, measure: Measure, groups: Groups, subject: Subject) -> Result | NotAssessed:
    """What the second group has more than the first, in the unit of the measure.

    A value below 0 is less: of stops and delay that is better, of arrivals on green worse.
    """
    without, having = sample_of(measure, groups.without), sample_of(measure, groups.having)
    nothing = measure.shape == "rate" and without.above == having.above == 0
    if not without.days or not having.days or nothing:
        text = Text(
            "The measure is known of one of both groups only.", "La mesure n’est connue que d’un des deux groupes."
        )
        return missing(kpi, measure, subject, groups.periods[1], "not_comparable", text, groups.coverage)
    shares = known_share(measure, groups.without), known_share(measure, groups.having)
    least = min((each for each in shares if each is not None), default=1.0)
    if least < LEAST_COVERAGE:  # the rule of a single mean holds for each of both
        text = rarely_known(measure, least)
        return missing(kpi, measure, subject, groups.periods[1], "low_coverage", text, groups.coverage)
    return _result(kpi, measure, groups, subject, shares)


def _result(
    kpi: str, measure: Measure, groups: Groups, subject: Subject, shares: tuple[float | None, float | None]
) -> Result:
    without, having = sample_of(measure, groups.without), sample_of(measure, groups.having)
    said, scale = difference(having, without, measure.shape), measure.scale
    figures = {
        "days_without": float(len(without.days)),
        "days_with": float(len(having.days)),
        "counted_without": float(counted(measure, groups.without)),
        "counted_with": float(counted(measure, groups.having)),
        "junctions": float(len(groups.having)),
    }
    figures |= {
        f"known_percent_{which}": 100 * share
        for which, share in zip(("without", "with"), shares, strict=True)
        if share is not None
    }
    ratio = rate_ratio(having, without) if measure.shape == "rate" else None
    if ratio is not None and ratio.low is not None and ratio.high is not None:
        figures |= {"rate_ratio": ratio.value, "rate_ratio_low": ratio.low, "rate_ratio_high": ratio.high}
    before, after = scale * without.value, scale * having.value
    return Result(
        kpi=kpi,
        variant=measure.name,
        subject=subject,
        value=scale * said.value,
        unit=_POINTS.get(measure.unit, measure.unit),
        period=groups.periods[1],
        baseline_period=groups.periods[0],
        baseline=Amount(before, measure.unit),
        reported=Amount(after, measure.unit),
        change_percent=100 * (after / before - 1) if before > 0 else None,
        coverage=groups.coverage,
        population=counted(measure, groups.without) + counted(measure, groups.having),
        quality=measure.quality,
        interval=_interval(said, scale),
        formula=Text(
            f"with − without; {measure.formula.en}",
            f"avec − sans ; {measure.formula.fr}",
        ),
        factor_set=None,
        fingerprint=_fingerprint(measure, subject, groups),
        method_version=f"{kpi}/{METHOD}",
        limits=(*groups.limits, *measure.limits, *_known_of(shares)),
        figures=figures,
    )


def _known_of(shares: tuple[float | None, float | None]) -> tuple[Text, ...]:
    if shares[0] is None or shares[1] is None:
        return ()
    without, having = int(100 * shares[0] + 1e-9), int(100 * shares[1] + 1e-9)  # rounded down, as for a single mean
    return (
        Text(
            f"Known of {having} % of the passages with the service and {without} % of those without it.",
            f"Connu pour {having} % des passages avec le service et {without} % de ceux sans.",
        ),
    )


def _interval(said: Difference, scale: float) -> Interval | None:
    if said.low is None or said.high is None:
        return None
    return Interval(scale * said.low, scale * said.high, 0.95, said.method)


def _fingerprint(measure: Measure, subject: Subject, groups: Groups) -> str:
    rows = [
        [(str(day), sorted(row.items())) for day, row in sorted(days.items())]
        for side in (groups.without, groups.having)
        for days in side
    ]
    return fingerprint_of(METHOD, measure.name, subject, groups.periods, rows)


def reason_of(told: bool) -> tuple[Reason, Text]:  # noqa: FBT001 - one of two facts
    """Why there is no day to compare: what was there was of too few vehicles, or nothing was there."""
    if told:
        return "small_group", Text(
            "On no day are there five vehicles or more of each group here: the figure would tell about one of them.",
            "Aucun jour n’a cinq véhicules ou plus de chaque groupe ici : le chiffre parlerait de l’un d’eux.",
        )
    return "no_data", Text(
        "Of one of both groups nothing was heard here.", "D’un des deux groupes, rien n’a été entendu ici."
    )
