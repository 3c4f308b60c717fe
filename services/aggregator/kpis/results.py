"""What an indicator says: a result with all that is needed to trust it, or why there is none. Pure values.

Every result carries its period, baseline, target, coverage, quality class, interval, formula, factor set, fingerprint
of its inputs, method version and limits (kpis.md 4). A percentage of reduction without a baseline cannot be made.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal, NamedTuple

__all__ = [
    "Amount",
    "Interval",
    "Language",
    "NotAssessed",
    "Outcome",
    "Period",
    "Quality",
    "Reason",
    "Result",
    "Subject",
    "Target",
    "Text",
    "Trend",
    "fingerprint_of",
]

Language = Literal["fr", "en"]


class Text(NamedTuple):
    """The same words in the languages of the reports."""

    en: str
    fr: str

    def in_language(self, language: Language) -> str:
        """The words in one language."""
        return self.fr if language == "fr" else self.en


class Period(NamedTuple):
    """Local days of Europe/Paris, `start` included, `end` not."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many local days."""
        return (self.end - self.start).days

    @property
    def last(self) -> date:
        """The last day that is included."""
        return self.end - timedelta(days=1)


class Subject(NamedTuple):
    """Whom a result is about: the programme, a team, a junction, a corridor, an application, this service itself.

    `id` and `label` may be published.
    """

    kind: Literal["programme", "team", "junction", "corridor", "application", "service"]
    id: str
    label: str


class Quality(StrEnum):
    """How a value came about: the six data-quality classes of U4SSC (Verification Manual 2022, p. 163)."""

    MEASURED = "Based on accurate measurements"
    SURVEY = "Extrapolated from survey of inhabitants"
    HIGHER_LEVEL = "Extrapolated from higher-level data"
    ASSUMPTIONS = "Estimation based on certain assumptions"
    PERSONAL = "Personal estimation"
    UNKNOWN = "Unknown methodology, not traceable"


class Amount(NamedTuple):
    """A quantity with its unit, such as the energy of a winter."""

    value: float
    unit: str


class Interval(NamedTuple):
    """Where the value would lie with this confidence, by this method; in the unit of the value."""

    low: float
    high: float
    level: float
    method: str


class Target(NamedTuple):
    """The goal, in the unit of the value: to be reached or passed, or, with `at_most`, not to be passed; by a day."""

    value: float
    source: Text
    due: date | None = None
    at_most: bool = False


class Trend(NamedTuple):
    """The direction over comparable periods, this one included, in the unit of the value for each year.

    `values` are what was told of each period, by its first day in ISO form.
    """

    slope_per_year: float
    values: Mapping[str, float]
    method: str


Reason = Literal["no_baseline", "no_data", "low_coverage", "no_weather", "small_group", "not_comparable"]


@dataclass(frozen=True, slots=True)
class NotAssessed:
    """There is no value, and this is why."""

    kpi: str
    variant: str
    subject: Subject
    period: Period
    reason: Reason
    text: Text
    coverage: float | None = None
    population: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A value that may be believed within its limits.

    Attributes:
        kpi: name of the indicator's folder.
        variant: which of its readings, such as `raw` or `degree_days`.
        subject: whom it is about.
        value: in `unit`.
        unit: of value, interval and target.
        period: what it is about.
        baseline_period: what it is compared with.
        baseline: the amount of the baseline period.
        reported: the amount of the period.
        change_percent: of the amount, against the baseline; negative is less.
        target: the goal.
        trend: the direction over the same days of earlier years, of which there are two at least.
        coverage: measured share of what should have been measured, 0 to 1.
        population: how many homes or vehicles stand behind it.
        enrolled: how many homes could have.
        largest_share: of the biggest contributor, 0 to 1: for the rules on small groups.
        quality: class of U4SSC.
        interval: with its method.
        formula: in words and signs.
        factor_set: which factors were used, if any.
        fingerprint: of all inputs: the same inputs give the same text.
        method_version: of the computation.
        limits: what the value does not say.
        figures: further figures by name, in units that their names carry.
        series: curves by name: values by ISO day or hour.
    """

    kpi: str
    variant: str
    subject: Subject
    value: float
    unit: str
    period: Period
    coverage: float
    population: int
    quality: Quality
    formula: Text
    factor_set: str | None
    fingerprint: str
    method_version: str
    baseline_period: Period | None = None
    baseline: Amount | None = None
    reported: Amount | None = None
    change_percent: float | None = None
    target: Target | None = None
    trend: Trend | None = None
    enrolled: int | None = None
    largest_share: float | None = None
    interval: Interval | None = None
    limits: tuple[Text, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A reduction or a change needs something that it is a change of."""
        if self.change_percent is not None and (self.baseline is None or self.baseline_period is None):
            raise ValueError("a change needs a baseline")

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; `None` without one."""
        if self.target is None:
            return None
        return self.value <= self.target.value if self.target.at_most else self.value >= self.target.value


Outcome = Result | NotAssessed


def fingerprint_of(*parts: object) -> str:
    """SHA-256 of the inputs in one canonical spelling, cut to 64 bits; the order of sets is fixed by the caller."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
