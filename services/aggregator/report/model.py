"""The report as data: what the JSON file holds. Its JSON Schema is generated, committed and diffed."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.results import Interval as KpiInterval
from services.aggregator.kpis.results import Language, NotAssessed, Outcome, Result
from services.aggregator.kpis.results import Period as KpiPeriod
from services.aggregator.report.sites import Route, Site

__all__ = [
    "Assessed",
    "CatalogueRow",
    "Commitment",
    "Comparison",
    "Entered",
    "EnteredQuantity",
    "EnteredTarget",
    "Entry",
    "Interval",
    "Judgement",
    "Missing",
    "Period",
    "Pilot",
    "Report",
    "Statement",
    "Subject",
    "Trend",
    "assessed",
    "entry_of",
    "report_schema",
]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Period(_Model):
    """Local days, `start` included, `end` not."""

    start: date
    end: date
    timezone: str


class Subject(_Model):
    """Whom an entry is about, by its public id."""

    kind: Literal["programme", "team", "junction", "corridor", "application", "service"]
    id: str
    label: str


class Comparison(_Model):
    """What a value is compared with; amounts are left out where they would tell about a small group."""

    period: Period
    baseline_amount: float | None
    reported_amount: float | None
    unit: str | None
    change_percent: float | None


class Target(_Model):
    """The goal, in the unit of the value."""

    value: float
    source: str
    due: date | None = Field(default=None, description="Day by which it is to be reached.")
    at_most: bool = Field(default=False, description="Less is better: the value is not to pass it.")
    reached: bool


class Trend(_Model):
    """The direction over the same days of three years or more, this one included."""

    slope_per_year: float = Field(description="In the unit of the value, for each year.")
    values: Mapping[str, float] = Field(description="What was told of each period, by its first day.")
    method: str


class Interval(_Model):
    """Interval of confidence, in the unit of the value."""

    low: float
    high: float
    level: float
    method: str


class _Common(_Model):
    kpi: str
    title: str
    variant: str
    programme: str
    theme: str = Field(description="Theme of CITYkeys.")
    references: tuple[str, ...] = Field(description="Indicators of CITYkeys, U4SSC, SCIS and SDG that it serves.")
    references_verified: bool = Field(description="Whether the primary texts of the references were read.")
    subject: Subject
    period: Period


class Assessed(_Common):
    """An indicator with a value."""

    status: Literal["assessed"] = "assessed"
    value: float
    unit: str
    comparison: Comparison | None
    target: Target | None
    trend: Trend | None = Field(default=None, description="None before there are three comparable years.")
    coverage: Annotated[float, Field(ge=0, le=1)] = Field(
        description="Measured share of what should have been measured."
    )
    population: int = Field(description="Homes or vehicles that stand behind it.")
    enrolled: int | None
    quality: str = Field(description="Data-quality class of U4SSC.")
    interval: Interval | None
    formula: str
    factor_set: str | None
    fingerprint: str = Field(description="Of the inputs: the same inputs give the same text.")
    method_version: str
    limits: tuple[str, ...]
    figures: Mapping[str, float]
    series: Mapping[str, Mapping[str, float]]


class Missing(_Common):
    """An indicator that is not assessed, and why."""

    status: Literal["not_assessed"] = "not_assessed"
    reason: Literal["no_baseline", "no_data", "low_coverage", "no_weather", "small_group", "not_comparable"]
    explanation: str
    coverage: float | None


Entry = Annotated[Assessed | Missing, Field(discriminator="status")]


class Judgement(_Model):
    """What an assessor said of an indicator that no machine computes."""

    value: int
    justification: str
    assessor_role: str
    day: date
    evidence: tuple[str, ...]


class EnteredQuantity(_Model):
    """A number of the city, such as its population, at a date."""

    name: str
    title: str
    value: float
    unit: str
    day: date
    source: str
    used: bool = Field(description="Whether an indicator computes from it.")


class EnteredTarget(_Model):
    """What the city wants an indicator to be by a day, in the indicator's unit."""

    indicator: str
    title: str
    value: float
    unit: str
    due: date
    at_most: bool
    source: str


class Entered(_Model):
    """The city's file of facts, as far as it was known before the end of the period."""

    edition: str
    quantities: tuple[EnteredQuantity, ...]
    targets: tuple[EnteredTarget, ...]


class Statement(_Model):
    """One number or one thing that is said of a commitment."""

    title: str
    value: float | None
    text: str
    origin: Literal["counted", "entered", "missing"]


class Pilot(_Model):
    """A pilot of the charter as far as this report tells of it; amounts only where they may be published."""

    title: str
    taking_part: float | None = Field(description="Homes, junctions or members that stand behind its figures.")
    counted: str
    saved_kwh: float | None
    report_url: str | None


class Commitment(_Model):
    """One of the four commitments of the Green Digital Charter, and what is said of it."""

    number: int
    title: str
    statements: tuple[Statement, ...]
    pilots: tuple[Pilot, ...] = ()


class CatalogueRow(_Model):
    """An indicator of CITYkeys, with what is said of it, or why nothing is."""

    slug: str
    title: str
    level: Literal["project", "city"]
    theme: str
    subtheme: str | None
    formula: str
    unit: str
    status: Literal["computed", "partly_computed", "scored", "not_scored", "not_assessed"]
    kpi: str | None = Field(description="The indicator of `entries` that computes it, or a part of it.")
    explanation: str | None = Field(description="Why there is no value, or what the part leaves out.")
    score: Judgement | None
    target: EnteredTarget | None = None
    verified: bool = Field(description="Whether the primary text was read.")
    source: str


class Report(_Model):
    """Everything that a report says."""

    report_format: Literal["garonne-report/1"] = "garonne-report/1"
    language: Literal["fr", "en"]
    generated_on: date
    period: Period
    baseline: Period | None
    programmes: tuple[str, ...]
    audience: Literal["public", "members"] = Field(
        default="public", description="Members of the programmes see teams of five to nine families too."
    )
    weather_station: str | None
    entries: tuple[Entry, ...]
    catalogue: tuple[CatalogueRow, ...] = Field(default=(), description="Of CITYkeys, where it was asked for.")
    entered: Entered | None = Field(default=None, description="What the city entered; none without a file.")
    charter: tuple[Commitment, ...] = Field(default=(), description="Of the Green Digital Charter, where asked for.")
    sites: tuple[Site, ...] = Field(default=(), description="Where the junctions of Compass4D are.")
    routes: tuple[Route, ...] = Field(default=(), description="Corridors of Compass4D.")

    def of(self, kpi: str, variant: str, kind: str) -> list[Assessed | Missing]:
        """The entries of one variant of an indicator about one kind of subject."""
        return [each for each in self.entries if (each.kpi, each.variant, each.subject.kind) == (kpi, variant, kind)]


def entry_of(kpi: Kpi, outcome: Outcome, language: Language, timezone: str) -> Assessed | Missing:
    """An outcome in one language; give it only what `publishable` gave."""
    about = {
        "kpi": kpi.name,
        "title": kpi.title.in_language(language),
        "variant": outcome.variant,
        "programme": kpi.programme,
        "theme": kpi.theme,
        "references": kpi.references,
        "references_verified": kpi.verified,
        "subject": Subject(**outcome.subject._asdict()),
        "period": _period(outcome.period, timezone),
    }
    if isinstance(outcome, NotAssessed):
        return Missing.model_validate(
            about
            | {
                "reason": outcome.reason,
                "explanation": outcome.text.in_language(language),
                "coverage": outcome.coverage,
            }
        )
    return Assessed.model_validate(about | _values(outcome, language, timezone))


def _values(result: Result, language: Language, timezone: str) -> dict[str, object]:
    target = result.target
    return {
        "value": result.value,
        "unit": result.unit,
        "comparison": _comparison(result, timezone),
        "target": None
        if target is None
        else Target(
            value=target.value,
            source=target.source.in_language(language),
            due=target.due,
            at_most=target.at_most,
            reached=bool(result.reached),
        ),
        "trend": None if result.trend is None else Trend(**result.trend._asdict()),
        "coverage": result.coverage,
        "population": result.population,
        "enrolled": result.enrolled,
        "quality": result.quality.value,
        "interval": _interval(result.interval),
        "formula": result.formula.in_language(language),
        "factor_set": result.factor_set,
        "fingerprint": result.fingerprint,
        "method_version": result.method_version,
        "limits": tuple(text.in_language(language) for text in result.limits),
        "figures": dict(result.figures),
        "series": {name: dict(its) for name, its in result.series.items()},
    }


def _comparison(result: Result, timezone: str) -> Comparison | None:
    if result.baseline_period is None:
        return None
    return Comparison(
        period=_period(result.baseline_period, timezone),
        baseline_amount=None if result.baseline is None else result.baseline.value,
        reported_amount=None if result.reported is None else result.reported.value,
        unit=None if result.baseline is None else result.baseline.unit,
        change_percent=result.change_percent,
    )


def _interval(interval: KpiInterval | None) -> Interval | None:
    return None if interval is None else Interval(**interval._asdict())


def _period(period: KpiPeriod, timezone: str) -> Period:
    return Period(start=period.start, end=period.end, timezone=timezone)


def report_schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of the JSON report."""
    schema = Report.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def assessed(entries: Iterable[Assessed | Missing]) -> list[Assessed]:
    """Those with a value."""
    return [each for each in entries if isinstance(each, Assessed)]
