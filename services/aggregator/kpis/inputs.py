"""What indicators compute from: days of registers, degree days, hours of junctions. Pure values, in Europe/Paris."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

from services.aggregator.kpis.factors import FactorSet
from services.aggregator.kpis.facts import Facts
from services.aggregator.kpis.plan import Plan
from services.aggregator.kpis.results import Period, Subject

__all__ = [
    "DayValue",
    "Evaluation",
    "ExposedDay",
    "HazardDay",
    "Home",
    "Inputs",
    "JunctionDays",
    "JunctionTraffic",
    "ProcessUse",
    "Question",
    "RegisterDays",
    "TrafficHour",
    "UsedHour",
    "Warned",
]


class DayValue(NamedTuple):
    """What a register counted in a local day, and the share of the day whose course was measured (0 to 1)."""

    value: float
    coverage: float


@dataclass(frozen=True, slots=True)
class RegisterDays:
    """One register of one meter, by local day, in `unit`."""

    meter: str
    carrier: str
    quantity: str
    register: str
    unit: Literal["kWh", "m3"]
    days: Mapping[date, DayValue]


@dataclass(frozen=True, slots=True)
class Home:
    """A household that takes part, by its pseudonym.

    `heat_share` is the declared share of its energy that heats, 0 to 1.
    """

    id: str
    team: str | None
    registers: tuple[RegisterDays, ...]
    heat_share: float | None = None


class TrafficHour(NamedTuple):
    """A local hour of a junction, summed over its minutes.

    `vehicles` adds up the distinct vehicles of each minute: one that stays is in each; `vehicles_at_least` are those of
    the busiest minute, so that there were as many different ones at least. `speed_sum_mps` adds up the mean speed of
    each minute times its vehicles, `speed_vehicles` those vehicles.
    """

    vehicles: int
    speed_vehicles: int
    speed_sum_mps: float
    vehicles_at_least: int


@dataclass(frozen=True, slots=True)
class JunctionTraffic:
    """An equipped junction, by local day and hour."""

    id: str
    hours: Mapping[tuple[date, int], TrafficHour]


class Evaluation(NamedTuple):
    """What one member of the panel said of an application on a local day; `member` is a pseudonym."""

    member: str
    application: str
    day: date
    sus_answers: tuple[int, ...] | None = None
    task_success: bool | None = None
    time_on_task_s: float | None = None
    rating: int | None = None
    recommendation: int | None = None
    version: str = "unknown"


class UsedHour(NamedTuple):
    """What a process of this service said of its own use in a local hour.

    Seconds of CPU, seconds that it told of, events that it made of messages, and joules where the machine counts them
    in each statement of the hour.
    """

    cpu_s: float
    elapsed_s: float
    events: float
    energy_j: float | None


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """A process of this service, by its pseudonym, by local day and hour."""

    id: str
    hours: Mapping[tuple[date, int], UsedHour]


@dataclass(frozen=True, slots=True)
class JunctionDays:
    """What passed a junction, by local day: the sums of `mobility.hours`, by the names of their columns.

    Attributes:
        junction: its id.
        kind: `passage`, `priority` or `signal`.
        group: station class, role, or `all`.
        advice: `received` or `none`; of priority and signals always `none`.
        days: sums of each day.
    """

    junction: str
    kind: Literal["passage", "priority", "signal"]
    group: str
    advice: Literal["received", "none"]
    days: Mapping[date, Mapping[str, float]]


class Warned(NamedTuple):
    """A hazard that was announced: cause, local day of detection, seconds of its life and to its first message."""

    cause: str
    day: date
    duration_s: float
    dissemination_s: float


class ExposedDay(NamedTuple):
    """Vehicles that passed hazards near a junction on a local day, over all causes: sums by name.

    `aware_…` of those that passed while a warning was out, `unaware_…` of those before anybody was warned:
    `…_vehicles`, and the messages and sums of speeds of the bands `…_far`, `…_near`, `…_far_mps`, `…_near_mps`.
    """

    junction: str
    day: date
    sums: Mapping[str, float]


class HazardDay(NamedTuple):
    """Hazards in reach of a junction that were detected on a local day: sums by name.

    `hazards`, `duration_s`, `dissemination_s`, and the sums of squares of both, `duration_squares` and
    `dissemination_squares`.
    """

    junction: str
    day: date
    sums: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that was read for a report."""

    factors: FactorSet
    homes: tuple[Home, ...] = ()
    degree_days: Mapping[date, float] = field(default_factory=dict)
    station: str | None = None
    junctions: tuple[JunctionTraffic, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    """In the order of time."""
    usage: tuple[ProcessUse, ...] = ()
    mobility: tuple[JunctionDays, ...] = ()
    warned: tuple[Warned, ...] = ()
    exposed: tuple[ExposedDay, ...] = ()
    hazards: tuple[HazardDay, ...] = ()
    plan: Plan = field(default_factory=Plan)
    """When the service was on, which vehicles have it, corridors."""
    facts: Facts = field(default_factory=Facts)
    """What the city entered."""


class Question(NamedTuple):
    """What is asked of an indicator: about whom, when, against what."""

    subject: Subject
    period: Period
    baseline: Period | None
