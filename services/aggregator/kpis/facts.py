"""What the city enters by hand: quantities, targets, scores of assessors. A versioned TOML file. Pure: text in.

    edition = "2026.1"

    [[quantities]]
    name = "population"
    value = 265328
    unit = "people"
    date = 2023-01-01
    source = "INSEE"

    [[targets]]
    indicator = "ck.p.planet.final-energy-red"
    value = 8
    due = 2027-03-31
    source = "council, 12 May 2026"

    [[scores]]
    indicator = "ck.p.people.privacy"
    score = 4
    justification = "Pseudonyms before the log, consent decides the granularity."
    assessor_role = "data protection officer"
    date = 2026-06-01

A score is a person's judgement: it is never computed, and no measurement takes its place (kpis.md 1).
"""

import tomllib
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.aggregator.kpis.catalogue import Catalogue, catalogue

__all__ = ["Facts", "FactsProblem", "Publication", "Quantity", "Score", "Target", "parse_facts"]

Words = Annotated[str, Field(min_length=1, max_length=1000)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s<>\"{}|\\^`]+$", max_length=500)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class FactsProblem(Exception):
    """The facts are wrong; each line of the text names a key and what is wrong with it."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Quantity(_Entry):
    """A number of the city, such as its population, at a date."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=80)]
    value: Finite
    unit: Words
    date: date
    source: Words


class Target(_Entry):
    """What the city wants an indicator to be, in the indicator's unit, by a day."""

    indicator: Words
    value: Finite
    due: date
    source: Words


class Score(_Entry):
    """A judgement on an indicator that an assessor scores."""

    indicator: Words
    score: Annotated[int, Field(ge=0, le=5)]
    justification: Annotated[str, Field(min_length=20, max_length=2000)]
    assessor_role: Words
    date: date
    evidence: tuple[Words, ...] = ()


class Publication(_Entry):
    """Who publishes the report as open data, where, under which licence."""

    publisher: Words
    publisher_url: Url
    base_url: Url
    licence_url: Url


class Facts(_Entry):
    """Everything that was entered; empty without a file."""

    edition: Words = "none"
    publication: Publication | None = None
    quantities: tuple[Quantity, ...] = ()
    targets: tuple[Target, ...] = ()
    scores: tuple[Score, ...] = ()

    def score_of(self, indicator: str, until: date) -> Score | None:
        """The newest score given before `until`, a day that is not included."""
        given = [each for each in self.scores if each.indicator == indicator and each.date < until]
        return max(given, key=lambda each: each.date, default=None)


def parse_facts(text: str, known: Catalogue | None = None) -> Facts:
    """Read and check the file against the catalogue.

    Raises:
        FactsProblem: every faulty key as `scores.0.score: what is wrong`, one a line.
    """
    try:
        facts = Facts.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise FactsProblem(f"not TOML: {error}") from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, each['loc']))}: {_plain(each['msg'])}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise FactsProblem("\n".join(lines)) from error
    problems = [*_scores(facts, known or catalogue()), *_others(facts, known or catalogue())]
    if problems:
        raise FactsProblem("\n".join(problems))
    return facts


def _plain(text: str) -> str:
    return "there is no such key" if text.startswith("Extra inputs") else text.removeprefix("Value error, ")


def _scores(facts: Facts, known: Catalogue) -> list[str]:
    problems, seen = [], set()
    for number, each in enumerate(facts.scores):
        key, row = f"scores.{number}", known.get(each.indicator)
        if row is None:
            problems.append(f"{key}.indicator: the catalogue has no {each.indicator!r}")
        elif row.status != "assessor_scored":
            problems.append(f"{key}.indicator: {each.indicator!r} is not scored by an assessor but {row.status}")
        elif each.score < row.lowest_score:
            problems.append(f"{key}.score: the scale of {each.indicator!r} goes from {row.lowest_score} to 5")
        if (each.indicator, each.date) in seen:
            problems.append(f"{key}.date: {each.indicator!r} has two scores on {each.date}")
        seen.add((each.indicator, each.date))
    return problems


def _others(facts: Facts, known: Catalogue) -> list[str]:
    problems, seen = [], set()
    for number, target in enumerate(facts.targets):
        if known.get(target.indicator) is None:
            problems.append(f"targets.{number}.indicator: the catalogue has no {target.indicator!r}")
    for number, each in enumerate(facts.quantities):
        if (each.name, each.date) in seen:
            problems.append(f"quantities.{number}.date: {each.name!r} is there twice at {each.date}")
        seen.add((each.name, each.date))
    return problems
