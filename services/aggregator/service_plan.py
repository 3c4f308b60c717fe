"""The files of a site that the report of junctions reads: service periods and corridors, and where junctions are."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.aggregator.kpis.plan import Plan, PlanProblem, parse_plan
from services.aggregator.report.sites import Route, Site
from services.runtime.junctionfile import Zone, read_junctions

__all__ = ["read_plan", "read_sites", "routes_of"]


def read_plan(path: Path | None, junctions_file: Path | None) -> Plan:
    """When the service was on, which vehicles have it, corridors; the empty plan without a file.

    Raises:
        PlanProblem: the file cannot be read, or is wrong; names no content but keys and what is wrong with them.
        JunctionProblem: the junctions file is wrong.
    """
    if path is None:
        return Plan()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanProblem(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    known = None if junctions_file is None else {zone.id for zone in read_junctions(junctions_file).zones}
    return parse_plan(text, known)


def read_sites(junctions_file: Path | None) -> tuple[Site, ...]:
    """The junctions with their places, in the order of the file.

    Raises:
        JunctionProblem: the file is wrong.
    """
    if junctions_file is None:
        return ()
    sites = []
    for zone in read_junctions(junctions_file).zones:
        with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):  # `garonne check` says what is wrong
            sites.append(_site(zone))
    return tuple(sites)


def routes_of(plan: Plan) -> tuple[Route, ...]:
    """The corridors, for the report."""
    return tuple(Route(id=each.id, name=each.name, junctions=each.junctions) for each in plan.corridors)


def _site(zone: Zone) -> Site:
    """A junction in the middle of its zone."""
    points = list(_points(zone.geometry["coordinates"]))
    longitudes, latitudes = [each[0] for each in points], [each[1] for each in points]
    return Site(
        id=zone.id,
        name=zone.name,
        latitude_deg=(min(latitudes) + max(latitudes)) / 2,
        longitude_deg=(min(longitudes) + max(longitudes)) / 2,
    )


def _points(coordinates: Any) -> Iterator[tuple[float, float]]:
    """The positions of a GeoJSON geometry, however deep they lie."""
    if isinstance(coordinates[0], int | float):
        yield float(coordinates[0]), float(coordinates[1])
        return
    for each in coordinates:
        yield from _points(each)
