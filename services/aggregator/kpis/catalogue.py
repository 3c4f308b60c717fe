"""The catalogue of indicators as data: each one that can be named has a row, computed or not, and why not. Pure.

Rows come from kpis.md 1.1 and 2. `verified: false` says that the primary text of a row was not read, so that its
formula, unit and scale may still change; a correction changes the file and no code.
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

__all__ = ["THEMES", "Catalogue", "CatalogueProblem", "Indicator", "Status", "catalogue", "parse_catalogue"]

Words = Annotated[str, Field(min_length=1, max_length=400)]
Theme = Literal["people", "planet", "prosperity", "governance", "propagation"]
Status = Literal["computed", "partly_computed", "assessor_scored", "not_assessed"]
THEMES: Final[tuple[Theme, ...]] = ("people", "planet", "prosperity", "governance", "propagation")


class CatalogueProblem(Exception):
    """The catalogue is wrong; the text names the row and the rule."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Explanation(_Entry):
    """Why something is not assessed, or what is missing, in both languages."""

    en: Words
    fr: Words


class Indicator(_Entry):
    """One indicator.

    Attributes:
        slug: own, as the frameworks give no stable codes to all: `ck.p.<theme>.<name>`, `u4.<code>`, `x.<name>`.
        level: the difference that a project made, or the development of the city; `any` stands beside any figure.
        subtheme: of CITYkeys, for project indicators.
        inputs: what it is or would be computed from.
        references: the same idea in other frameworks.
        status: what Garonne says of it.
        kpi: the folder that computes it, or a part of it.
        reason: key of an explanation: why there is no value, or what the part leaves out.
        verified: whether the primary text was read.
        better: whether more or less of it is better: a target is a floor or a ceiling.
    """

    slug: Annotated[str, Field(pattern=r"^(ck\.[pc]\.|u4\.|x\.|gdc\.)[A-Za-z0-9.:-]+$", max_length=120)]
    framework: Literal["citykeys", "u4ssc", "scis", "gdc", "own"]
    level: Literal["project", "city", "service", "any"]
    theme: Theme
    subtheme: Words | None = None
    en: Words
    fr: Words
    formula: Words
    unit: Words
    inputs: Words
    references: tuple[Words, ...]
    status: Status
    kpi: Words | None = None
    reason: Words | None = None
    source: Words
    verified: bool
    better: Literal["more", "less"] = "more"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.framework == "citykeys" and self.level == "project" and self.subtheme is None:
            raise ValueError(f"{self.slug}: a project indicator of CITYkeys has a subtheme")
        if (self.status in {"computed", "partly_computed"}) != (self.kpi is not None):
            raise ValueError(f"{self.slug}: kpi names the folder of what is computed, and of nothing else")
        if (self.status in {"not_assessed", "partly_computed"}) != (self.reason is not None):
            raise ValueError(f"{self.slug}: reason says why something is missing, and only then")
        return self

    @property
    def lowest_score(self) -> int:
        """Of an assessor's scale."""
        return 0 if self.unit == "0-5" else 1


class Catalogue(_Entry):
    """All indicators of one edition."""

    edition: Words
    reasons: dict[str, Explanation]
    indicators: tuple[Indicator, ...]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        seen: set[str] = set()
        for row in self.indicators:
            if row.slug in seen:
                raise ValueError(f"{row.slug}: is there twice")
            seen.add(row.slug)
            if row.reason is not None and row.reason not in self.reasons:
                raise ValueError(f"{row.slug}: there is no reason {row.reason!r}")
        return self

    def get(self, slug: str) -> Indicator | None:
        """The row of this slug."""
        return next((row for row in self.indicators if row.slug == slug), None)


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue written in TOML.

    Raises:
        CatalogueProblem: names the row and the rule.
    """
    try:
        return Catalogue.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise CatalogueProblem(f"catalogue: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "catalogue"
        raise CatalogueProblem(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error


@cache
def catalogue() -> Catalogue:
    """The catalogue that is shipped."""
    return parse_catalogue(files("services.aggregator.kpis").joinpath("catalogue.toml").read_text("utf-8"))
