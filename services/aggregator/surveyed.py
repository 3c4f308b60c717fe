"""The lanes that the site's junctions file says, as junctions: the same reading as of a MAPEM."""

from collections.abc import Mapping
from pathlib import Path

from services.aggregator.mobility.geometry import Junction, junction_of
from services.runtime.junctionfile import read_junctions

__all__ = ["surveyed_junctions"]


def surveyed_junctions(path: Path | None) -> Mapping[str, Junction]:
    """By junction id; junctions without approaches in the file are left to MAPEM.

    Raises:
        JunctionProblem: the file cannot be read, or a feature breaks a rule.
    """
    if path is None:
        return {}
    return {name: junction_of(geometry) for name, geometry in read_junctions(path).geometries.items()}
