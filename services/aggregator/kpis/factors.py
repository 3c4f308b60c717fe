"""Conversion factors and default shares: dated rows with source and basis. Pure: text in, values out.

A factor set has an id; every result names the set that it used. Rows of several bases (gross and net calorific value)
never meet in one sum: a carrier has one basis in a set.
"""

import tomllib
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

__all__ = ["Conversion", "Emission", "FactorProblem", "FactorSet", "HeatShare", "Parameter", "parse_factors"]

Positive = Annotated[float, Field(gt=0)]


class FactorProblem(Exception):
    """The factor file is wrong; the text names the row and the rule."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Annotated[str, Field(min_length=1)]
    verified: bool
    valid_from: date | None = None
    valid_to: date | None = None

    def holds(self, on: date) -> bool:
        """Whether the row is for a day; both ends are included, and one that is not given has no end."""
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)


class Conversion(_Row):
    """How many kWh one unit of a carrier holds. PCS is the gross, PCI the net calorific value."""

    carrier: str
    unit: Literal["kWh", "m3"]
    kwh_per_unit: Positive
    basis: Literal["PCS", "PCI", "final"]


class HeatShare(_Row):
    """The share of a carrier's energy that heats, where neither data nor the family say it."""

    carrier: str
    share: Annotated[float, Field(ge=0, le=1)]


class Emission(_Row):
    """Greenhouse gas of one kWh of a carrier in its basis."""

    carrier: str
    use: str
    kgco2e_per_kwh: Annotated[float, Field(ge=0)]
    basis: Literal["PCS", "PCI", "final"]
    vintage: str


class Parameter(_Row):
    """A number of the model of this service's own footprint, in a unit of its own."""

    name: Annotated[str, Field(pattern=r"^ict_[a-z0-9_]+$")]
    value: Positive
    unit: str


class FactorSet(BaseModel):
    """All factors of one edition."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    conversions: tuple[Conversion, ...]
    heat_shares: tuple[HeatShare, ...]
    emissions: tuple[Emission, ...] = ()
    parameters: tuple[Parameter, ...] = ()

    @model_validator(mode="after")
    def _one_basis(self) -> Self:
        bases: dict[str, str] = {}
        for row in self.conversions:
            if bases.setdefault(row.carrier, row.basis) != row.basis:
                raise ValueError(f"{row.carrier}: conversions of two bases, {bases[row.carrier]} and {row.basis}")
        for emission in self.emissions:
            if bases.get(emission.carrier, emission.basis) != emission.basis:
                raise ValueError(
                    f"{emission.carrier}: emissions in {emission.basis}, energy in {bases[emission.carrier]}"
                )
        return self

    def kwh_per_unit(self, carrier: str, unit: str) -> float | None:
        """The factor, or `None` if the set has none."""
        for row in self.conversions:
            if (row.carrier, row.unit) == (carrier, unit):
                return row.kwh_per_unit
        return None

    def emission_kgco2e_per_kwh(self, carrier: str, use: str = "all", on: date | None = None) -> float | None:
        """Greenhouse gas of a kWh, or `None` if the set has no row; with `on`, a row that holds on this day."""
        for row in self.emissions:
            if (row.carrier, row.use) == (carrier, use) and (on is None or row.holds(on)):
                return row.kgco2e_per_kwh
        return None

    def parameter(self, name: str) -> float | None:
        """A number of the model of the own footprint, or `None` if the set has no row."""
        return next((row.value for row in self.parameters if row.name == name), None)

    def heat_share(self, carrier: str) -> float | None:
        """The default share, or `None` if the set has none."""
        for row in self.heat_shares:
            if row.carrier == carrier:
                return row.share
        return None


def parse_factors(text: str) -> FactorSet:
    """Read a factor set written in TOML.

    Raises:
        FactorProblem: names the row and the rule.
    """
    try:
        return FactorSet.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise FactorProblem(f"factors: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "factors"
        raise FactorProblem(f"factors: {place}: {first['msg'].removeprefix('Value error, ')}") from error
