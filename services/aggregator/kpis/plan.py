"""When the service was on at which junction, which vehicles have it, and corridors. A dated TOML file. Pure: text in.

    edition = "2026.1"

    [[corridors]]
    id = "boulevards"
    name = "Les boulevards"
    junctions = ["33:1005", "33:1004"]      # in the order of travel

    [[periods]]
    service = "off"                         # before; "on" is after
    first = 2026-01-12                      # local days, both included
    last = 2026-02-08
    junctions = ["33:1004", "33:1005"]      # without it: all junctions
    source = "roadside log, 12 January 2026"

    [with_service]
    name = { en = "Buses under advice", fr = "Bus conseillés" }
    stations = ["bus"]
    advice = "received"                     # "received", "none"; without it both
    source = "fleet list, edition 3"

    [without_service]
    name = { en = "Cars", fr = "Voitures" }
    stations = ["car"]
    source = "everybody else"

Vehicles say what kind they are, and whether a signal's times allowed an advice is known; which driver had a display
is not. So a class is made of these two alone (docs/adr/0027).
"""

import tomllib
from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet
from datetime import date, timedelta
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.aggregator.kpis.results import Period, Text
from services.aggregator.mobility.passages import StationClass

__all__ = ["Corridor", "Plan", "PlanProblem", "VehicleClass", "parse_plan"]

Words = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")]
Advice = Literal["received", "none"]
STATIONS: Final = get_args(StationClass)


class PlanProblem(Exception):
    """The file is wrong; each line of the text names a key and what is wrong with it."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class _Names(_Entry):
    en: Words
    fr: Words


class Corridor(_Entry):
    """Junctions one after the other, in the order of travel."""

    id: Name
    name: Words
    junctions: Annotated[tuple[Name, ...], Field(min_length=2)]


class ServicePeriod(_Entry):
    """Local days on which the service was off or on, at some junctions, or at all of them."""

    service: Literal["off", "on"]
    first: date
    last: date
    junctions: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    source: Words

    def includes(self, junction: str) -> bool:
        """Whether it is about a junction."""
        return self.junctions is None or junction in self.junctions


class VehicleClass(_Entry):
    """Vehicles by what they say of themselves, and by whether there was advice for them."""

    name: _Names
    stations: Annotated[tuple[StationClass, ...], Field(min_length=1)]
    advice: Advice | None = None
    source: Words

    @property
    def text(self) -> Text:
        """Its name."""
        return Text(self.name.en, self.name.fr)

    def includes(self, station: str, advice: str) -> bool:
        """Whether a passage of such a vehicle, with or without advice, belongs to it."""
        return station in self.stations and self.advice in {None, advice}


class Plan(_Entry):
    """Everything that the file says; empty without a file."""

    edition: Words = "none"
    corridors: tuple[Corridor, ...] = ()
    periods: tuple[ServicePeriod, ...] = ()
    with_service: VehicleClass | None = None
    without_service: VehicleClass | None = None

    def days(self, junction: str, service: Literal["off", "on"], until: date) -> frozenset[date]:
        """The local days on which the service was off or on at a junction, before a day that is not included."""
        return frozenset(
            day
            for period in self.periods
            if period.service == service and period.includes(junction)
            for day in _days(period.first, min(period.last, until - timedelta(days=1)))
        )

    def served(self, junction: str, days: AbstractSet[date], period: Period) -> set[date]:
        """Of these days those of a period; with the service on, where that is entered of the junction."""
        asked = {day for day in days if period.start <= day < period.end}
        entered = any(each.includes(junction) for each in self.periods)
        return asked & self.days(junction, "on", period.end) if entered else asked

    def spans(self, until: date) -> list[Period]:
        """What has to be read for the comparison: each period, cut at a day that is not included."""
        spans = [Period(each.first, min(each.last + timedelta(days=1), until)) for each in self.periods]
        return sorted({each for each in spans if each.days > 0})


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def parse_plan(text: str, junctions: Collection[str] | None = None) -> Plan:
    """Read and check the file.

    Args:
        text: TOML.
        junctions: ids of the junctions that there are; `None` if no file names them.

    Raises:
        PlanProblem: every faulty key as `periods.0.last: what is wrong`, one a line.
    """
    try:
        plan = Plan.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PlanProblem(f"not TOML: {error}") from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, each['loc']))}: {_plain(each['msg'])}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise PlanProblem("\n".join(lines)) from error
    problems = [*_corridors(plan), *_periods(plan), *_classes(plan), *_unknown(plan, junctions)]
    if problems:
        raise PlanProblem("\n".join(problems))
    return plan


def _plain(text: str) -> str:
    return "there is no such key" if text.startswith("Extra inputs") else text.removeprefix("Value error, ")


def _corridors(plan: Plan) -> Iterator[str]:
    seen: set[str] = set()
    for number, each in enumerate(plan.corridors):
        if each.id in seen:
            yield f"corridors.{number}.id: {each.id!r} is there twice"
        if len(set(each.junctions)) < len(each.junctions):
            yield f"corridors.{number}.junctions: a junction is there twice"
        seen.add(each.id)


def _periods(plan: Plan) -> Iterator[str]:
    for number, each in enumerate(plan.periods):
        if each.last < each.first:
            yield f"periods.{number}.last: lies before first"
        for before, other in enumerate(plan.periods[:number]):
            apart = each.first > other.last or other.first > each.last
            shared = None in {each.junctions, other.junctions} or set(each.junctions or ()) & set(other.junctions or ())
            if not apart and shared and each.service != other.service:
                yield (
                    f"periods.{number}.service: is {each.service!r} on days and at a junction "
                    f"where periods.{before} says {other.service!r}"
                )


def _classes(plan: Plan) -> Iterator[str]:
    have, lack = plan.with_service, plan.without_service
    if (have is None) != (lack is None):
        yield "with_service and without_service: one is compared with the other, so write both or none"
    if have is None or lack is None:
        return
    both = sorted(
        f"{station}, advice {advice}"
        for station in STATIONS
        for advice in get_args(Advice)
        if have.includes(station, advice) and lack.includes(station, advice)
    )
    if both:
        yield f"with_service and without_service: both include {both[0]}; a passage may be in one of them only"


def _unknown(plan: Plan, junctions: Collection[str] | None) -> Iterator[str]:
    if junctions is None:
        return
    named = [(f"corridors.{number}", each.junctions) for number, each in enumerate(plan.corridors)]
    named += [(f"periods.{number}", each.junctions or ()) for number, each in enumerate(plan.periods)]
    for key, its in named:
        for junction in its:
            if junction not in junctions:
                yield f"{key}.junctions: the junctions file has no {junction!r}"
    for number, corridor in enumerate(plan.corridors):
        if corridor.id in junctions:
            yield f"corridors.{number}.id: {corridor.id!r} is the id of a junction"
