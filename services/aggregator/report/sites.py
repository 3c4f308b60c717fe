"""Where the junctions are, for the map of the report: public places with public names."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Route", "Site"]


class Site(BaseModel):
    """An equipped junction: its id, its name, and the middle of its zone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]


class Route(BaseModel):
    """A corridor: junctions by id, in the order of travel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    junctions: tuple[str, ...]
