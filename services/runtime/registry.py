"""The registry of households and teams: who owns which device, and who saves energy with whom.

A TOML file that the operator keeps:

    [[teams]]
    id = "castors"
    name = "Les Castors"

    [[households]]
    id = "famille-001"
    team = "castors"
    devices = ["linky_teleinfo2mqtt:041876000103", "tasmota:compteur-cave"]
    heat_share = 0.66
    sub_meters = ["tasmota:compteur-cave"]
    same_meter = { "enedis_csv:01234567890123" = "linky_teleinfo2mqtt:041876000103" }

A device is `<profile>:<identifier>`. What is written here is read on this machine and goes nowhere: records carry
pseudonyms. `same_meter` says that a meter has two names: the number of the delivery point in the distributor's files
(which `garonne import` reads) and the one that its gateway gives it. So its history and its live data are of one meter.
`sub_meters` are devices behind another meter of the household, such as a plug: what they count is in that one, and is
not added to it.
"""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

__all__ = ["Household", "Registry", "RegistryProblem", "Team", "read_registry"]

_Id = Annotated[str, Field(min_length=1, max_length=80)]


class RegistryProblem(Exception):
    """The registry is wrong; the text names the file, the entry and the rule."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Team(_Entry):
    """A team of *Familles à énergie positive*."""

    id: _Id
    name: _Id


class Household(_Entry):
    """A home with its devices."""

    id: _Id
    team: _Id | None = None
    devices: Annotated[tuple[_Id, ...], Field(min_length=1)]
    heat_share: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Declared share of the energy that heats, where data cannot tell."
    )
    sub_meters: tuple[_Id, ...] = Field(
        default=(), description="Devices behind another meter of the household: what they count is not added to it."
    )
    inhabitants: Annotated[int, Field(ge=1, le=50)] | None = None
    same_meter: dict[_Id, _Id] = Field(
        default_factory=dict, description="Other names of a meter, such as that of its history files, and its device."
    )

    @model_validator(mode="after")
    def _main_meter(self) -> Self:
        strangers = [device for device in self.sub_meters if device not in self.devices]
        if strangers:
            raise ValueError(f"sub_meters: {strangers[0]!r} is none of the devices of household {self.id!r}")
        if self.sub_meters and set(self.devices) == set(self.sub_meters):
            raise ValueError(f"sub_meters: they are all devices of household {self.id!r}; which is the main meter?")
        return self


class Registry(_Entry):
    """All households and teams; each device belongs to one household."""

    teams: tuple[Team, ...] = ()
    households: tuple[Household, ...] = ()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for what, names in (
            ("team", [team.id for team in self.teams]),
            ("household", [household.id for household in self.households]),
            ("device", [device for home in self.households for device in (*home.devices, *home.same_meter)]),
        ):
            twice = [name for name, number in Counter(names).items() if number > 1]
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is listed twice")
        known = {team.id for team in self.teams}
        for household in self.households:
            if household.team is not None and household.team not in known:
                raise ValueError(f"household {household.id!r}: there is no team {household.team!r}")
            for device in (*household.devices, *household.same_meter):
                if ":" not in device:
                    raise ValueError(f"device {device!r}: write <profile>:<identifier>")
            for meter in household.same_meter.values():
                if meter not in household.devices:
                    raise ValueError(f"same_meter: {meter!r} is none of the devices of household {household.id!r}")
        return self

    @property
    def household_of(self) -> dict[str, str]:
        """Household id by device."""
        return {device: home.id for home in self.households for device in (*home.devices, *home.same_meter)}

    @property
    def meter_of(self) -> dict[str, str]:
        """Device by the other names of its meter."""
        return {name: device for home in self.households for name, device in home.same_meter.items()}


def read_registry(path: Path | None) -> Registry:
    """Read the file; an empty registry if there is none.

    Raises:
        RegistryProblem: names the entry and the rule.
    """
    if path is None:
        return Registry()
    try:
        return Registry.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise RegistryProblem(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RegistryProblem(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise RegistryProblem(f"{path}: {place + ': ' if place else ''}{text}") from error
