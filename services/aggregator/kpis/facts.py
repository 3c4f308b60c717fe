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

A score is a person's judgement: it is never computed, and no measurement takes its place (kpis.md 1). Quantities that
an indicator computes from have a name and a unit of their own (`KNOWN`); any other name is shown and used by nothing.
"""

import tomllib
from datetime import date
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.aggregator.kpis.catalogue import Catalogue, catalogue

__all__ = ["KNOWN", "Facts", "FactsProblem", "Known", "Publication", "Quantity", "Score", "Target", "parse_facts"]

Words = Annotated[str, Field(min_length=1, max_length=1000)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s<>\"{}|\\^`]+$", max_length=500)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Known(NamedTuple):
    """A quantity that is computed with: its unit, and its name in both languages."""

    unit: str
    en: str
    fr: str


KNOWN: Final = {
    "population": Known("people", "Population", "Population"),
    "target_group": Known("people", "People whom the programmes address", "Personnes visées par les programmes"),
    "panel_members": Known("people", "Members of the panel", "Membres du panel"),
    "ict_baseline_kgco2e_per_year": Known(
        "kgCO2e/year", "Footprint of this service in the base year", "Empreinte de ce service l’année de référence"
    ),
    "ict_gco2e_per_kwh": Known("gCO2e/kWh", "Greenhouse gas of the power used", "Gaz à effet de serre du courant"),
    "ict_idle_w": Known("W", "Power of a process that waits", "Puissance d’un processus en attente"),
    "ict_busy_w": Known("W", "Power above it of a busy thread", "Puissance en plus d’un fil occupé"),
    "ict_pue": Known("kWh/kWh", "Energy of the building for that of its machines", "Énergie du bâtiment par machine"),
    "ict_server_kgco2e": Known("kgCO2e", "Footprint of making a server", "Empreinte de fabrication d’un serveur"),
    "ict_lifetime_years": Known("years", "Life of a server", "Durée de vie d’un serveur"),
    "ict_threads": Known("threads", "Threads of a server", "Fils d’exécution d’un serveur"),
    "ict_other_kwh_per_year": Known(
        "kWh/year", "Energy of brokers, databases and network", "Énergie des courtiers, bases et réseau"
    ),
    "gdc_signatories": Known("cities", "Cities that we work with", "Villes avec qui nous travaillons"),
    "gdc_partners": Known("partners", "Local partners", "Partenaires locaux"),
    "gdc_data_providers": Known("partners", "Partners who give data", "Partenaires qui donnent des données"),
    "gdc_pilots": Known("pilots", "Large pilots in five years", "Grands pilotes en cinq ans"),
}
"""Quantities that are computed with, by name."""
_OWN_NAMES: Final = ("ict_", "gdc_")


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

    def quantity(self, name: str, until: date) -> Quantity | None:
        """The newest quantity of this name from before `until`, a day that is not included."""
        given = [each for each in self.quantities if each.name == name and each.date < until]
        return max(given, key=lambda each: each.date, default=None)

    def target_of(self, indicator: str, at: date) -> Target | None:
        """The next target due on `at` or later; the last one, if all are past."""
        given = sorted((each for each in self.targets if each.indicator == indicator), key=lambda each: each.due)
        return next((each for each in given if each.due >= at), given[-1] if given else None)


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
    problems = [*_scores(facts, known or catalogue()), *_targets(facts, known or catalogue()), *_quantities(facts)]
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


def _targets(facts: Facts, known: Catalogue) -> list[str]:
    problems, seen = [], set()
    for number, each in enumerate(facts.targets):
        if known.get(each.indicator) is None:
            problems.append(f"targets.{number}.indicator: the catalogue has no {each.indicator!r}")
        if (each.indicator, each.due) in seen:
            problems.append(f"targets.{number}.due: {each.indicator!r} has two targets due on {each.due}")
        seen.add((each.indicator, each.due))
    return problems


def _quantities(facts: Facts) -> list[str]:
    problems, seen = [], set()
    for number, each in enumerate(facts.quantities):
        known = KNOWN.get(each.name)
        if known is not None and each.unit != known.unit:
            problems.append(f"quantities.{number}.unit: {each.name!r} is told in {known.unit!r}")
        if known is not None and each.value <= 0:
            problems.append(f"quantities.{number}.value: {each.name!r} is more than 0")
        if known is None and each.name.startswith(_OWN_NAMES):
            names = ", ".join(name for name in KNOWN if name.startswith(_OWN_NAMES))
            problems.append(f"quantities.{number}.name: nothing is computed from {each.name!r}; there are: {names}")
        if (each.name, each.date) in seen:
            problems.append(f"quantities.{number}.date: {each.name!r} is there twice at {each.date}")
        seen.add((each.name, each.date))
    return problems
