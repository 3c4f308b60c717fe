"""The equipped junctions: which one a position belongs to. The edge of a zone cuts trips (c-its.md 6).

The zones are the junctions of the junctions file (docs/reference/junctions.md). Without a file every position is in
the cell `q:<quadkey>` of the Bing tile system at zoom 16: 430 m wide in Bordeaux, 611 m at the equator.
"""

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from schemas.mobility import IntersectionGeometry
from services.ingest.plausibility import Box
from services.ingest.profiles import Nearby, Zones
from services.runtime.junctionfile import JunctionFile, Zone, is_number, read_junctions
from services.runtime.junctionfile import JunctionProblem as ZoneProblem

__all__ = ["CELL_ZOOM", "ZoneProblem", "load_zones", "nearby_of", "quadkey", "site_of", "zones_of"]

CELL_ZOOM: Final = 16
_STEP_DEG: Final = 0.0005
"""Width of the cells in which the answer of the spatial index is remembered: at most 56 m."""
_METRES_PER_DEGREE: Final = 111_195.0
_AROUND_M: Final = 10_000.0
"""As far around its junctions a site reaches: so far a DENM is relevant at most (c-its.md 6)."""
_MOST_NEARBY: Final = 8
"""An event is told to so many junctions at most."""
_CIRCLE_SIDES: Final = 180
_LARGEST_RADIUS_M: Final = 5000
_MERCATOR_EDGE_DEG: Final = 85.05112878


def load_zones(path: Path | None) -> Zones:
    """Read the file.

    Raises:
        ZoneProblem: the file cannot be read, or a feature breaks a rule.
    """
    return zones_of(None if path is None else read_junctions(path))


def zones_of(file: JunctionFile | None) -> Zones:
    """The zones that a file describes; cells without one.

    Raises:
        ZoneProblem: a zone is no area, or a stop line lies outside of its junction's zone.
    """
    if file is None:
        return _Cells()
    shapes = {}
    for zone in file.zones:
        try:
            shapes[zone.id] = _shape_of(zone)
        except ZoneProblem as problem:
            raise ZoneProblem(f"junctions file {file.path}: feature {zone.number} ({zone.id}): {problem}") from None
    try:
        _check_stop_lines(shapes, file.geometries)
    except ZoneProblem as problem:
        raise ZoneProblem(f"junctions file {file.path}: {problem}") from None
    return _Junctions(shapes)


def site_of(file: JunctionFile | None, bounds: tuple[float, float, float, float] | None) -> Box | None:
    """Where the site is: as it says itself, else around all junctions; `None` if nobody says."""
    if bounds is not None or file is None:
        return None if bounds is None else Box(*bounds)
    every = [_shape_of(zone).bounds for zone in file.zones]
    west, south = (min(each[side] for each in every) for side in (0, 1))
    east, north = (max(each[side] for each in every) for side in (2, 3))
    across = max(1e-6, math.cos(math.radians((south + north) / 2)))
    margin = _AROUND_M / _METRES_PER_DEGREE
    return Box(west - margin / across, south - margin, east + margin / across, north + margin)


def nearby_of(file: JunctionFile | None) -> Nearby | None:
    """Which junctions are in reach of an event; `None` where there are only cells."""
    if file is None:
        return None
    from shapely import Point, STRtree  # noqa: PLC0415

    names, shapes = [zone.id for zone in file.zones], [_shape_of(zone) for zone in file.zones]
    tree = STRtree(shapes)

    def near(latitude_deg: float, longitude_deg: float, metres: float) -> tuple[str, ...]:
        across = max(1e-6, math.cos(math.radians(latitude_deg)))
        stretched = [metres / _METRES_PER_DEGREE / across, metres / _METRES_PER_DEGREE]
        around = _ellipse(longitude_deg, latitude_deg, *stretched)
        place = Point(longitude_deg, latitude_deg)
        found = sorted((shapes[each].distance(place), names[each]) for each in tree.query(around, "intersects"))
        return tuple(name for _, name in found[:_MOST_NEARBY])

    return near


def quadkey(latitude_deg: float, longitude_deg: float, zoom: int = CELL_ZOOM) -> str:
    """The Bing quadkey of a position: one digit per zoom level."""
    # The same arithmetic for all: beyond the edge of the Mercator square the outermost tile.
    latitude = math.radians(max(-_MERCATOR_EDGE_DEG, min(_MERCATOR_EDGE_DEG, latitude_deg)))
    tiles = 1 << zoom
    x = int((longitude_deg + 180.0) / 360.0 * tiles)
    y = int((0.5 - math.asinh(math.tan(latitude)) / math.tau) * tiles)
    return _digits(max(0, min(tiles - 1, x)), max(0, min(tiles - 1, y)), zoom)


@lru_cache(maxsize=65_536)
def _digits(x: int, y: int, zoom: int) -> str:
    # Binary digits read as decimal ones: each digit of the sum is x's bit plus twice y's bit.
    return f"{int(f'{x:b}') + 2 * int(f'{y:b}'):0{zoom}d}"


class _Cells:
    """No junction is configured: every position is in its cell."""

    def at(self, latitude_deg: float, longitude_deg: float) -> str | None:
        return f"q:{quadkey(latitude_deg, longitude_deg)}"


class _Junctions:
    """The zones in a spatial index; where zones overlap, the junction with the nearest centre wins."""

    def __init__(self, zones: dict[str, Any]) -> None:
        from shapely import STRtree, prepare  # noqa: PLC0415 - 0.2 s that only a site with junctions pays

        self._names = list(zones)
        self._shapes = list(zones.values())
        for each in self._shapes:
            prepare(each)
        self._centres = [(each.centroid.y, each.centroid.x) for each in self._shapes]
        self._tree = STRtree(self._shapes)
        self._around = lru_cache(maxsize=262_144)(self._zones_around)

    def at(self, latitude_deg: float, longitude_deg: float) -> str | None:
        candidates, certain = self._around(math.floor(latitude_deg / _STEP_DEG), math.floor(longitude_deg / _STEP_DEG))
        if certain or not candidates:
            return self._names[candidates[0]] if candidates else None
        inside = [each for each in candidates if self._holds(each, latitude_deg, longitude_deg)]
        if not inside:
            return None
        return self._names[min(inside, key=lambda each: self._distance(each, latitude_deg, longitude_deg))]

    def _zones_around(self, row: int, column: int) -> tuple[tuple[int, ...], bool]:
        """The zones that a cell of the grid touches, and whether all of it lies in the only one."""
        from shapely import box  # noqa: PLC0415

        south, west = row * _STEP_DEG, column * _STEP_DEG
        cell = box(west, south, west + _STEP_DEG, south + _STEP_DEG)
        touched = tuple(sorted(int(each) for each in self._tree.query(cell, predicate="intersects")))
        return touched, len(touched) == 1 and bool(self._shapes[touched[0]].contains(cell))

    def _holds(self, zone: int, latitude_deg: float, longitude_deg: float) -> bool:
        from shapely import intersects_xy  # noqa: PLC0415

        return bool(intersects_xy(self._shapes[zone], longitude_deg, latitude_deg))

    def _distance(self, zone: int, latitude_deg: float, longitude_deg: float) -> float:
        latitude, longitude = self._centres[zone]
        return math.hypot(latitude - latitude_deg, (longitude - longitude_deg) * math.cos(math.radians(latitude)))


def _check_stop_lines(shapes: Mapping[str, Any], geometries: Mapping[str, IntersectionGeometry]) -> None:
    """No vehicle is kept outside of a zone: a stop line there would never be crossed."""
    from shapely import intersects_xy  # noqa: PLC0415

    for name, geometry in geometries.items():
        for lane in geometry.lanes:
            place = lane.nodes[0]
            if not intersects_xy(shapes[name], place.longitude_deg, place.latitude_deg):
                raise ZoneProblem(
                    f"approach {lane.ingress_approach} of {name}, lane {lane.lane_id}: its stop line lies outside of "
                    "the junction's zone, where no vehicle is kept; draw it as vehicles drive, or make the zone larger"
                )


def _shape_of(zone: Zone) -> Any:
    geometry = zone.geometry
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "Point":
        return _circle(geometry.get("coordinates"), zone.radius_m)
    if kind not in ("Polygon", "MultiPolygon"):
        raise ZoneProblem("geometry must be a Polygon, a MultiPolygon, or a Point with the property radius_m")
    from shapely.geometry import shape  # noqa: PLC0415
    from shapely.validation import explain_validity  # noqa: PLC0415

    try:
        made = shape(geometry)
    except Exception as error:  # whatever the geometry library makes of wrong coordinates
        raise ZoneProblem(f"geometry cannot be read: {error}") from error
    if made.is_empty or not made.is_valid:
        raise ZoneProblem(f"geometry is no area: {'empty' if made.is_empty else explain_validity(made)}")
    west, south, east, north = made.bounds
    _check_degrees(longitudes=(west, east), latitudes=(south, north))
    return made


def _circle(coordinates: Any, radius_m: Any) -> Any:
    if not is_number(radius_m) or not 0 < radius_m <= _LARGEST_RADIUS_M:
        raise ZoneProblem(f"a Point needs the property radius_m, more than 0 and at most {_LARGEST_RADIUS_M}")
    if not isinstance(coordinates, list) or len(coordinates) < 2 or not all(map(is_number, coordinates)):
        raise ZoneProblem("a Point needs two coordinates: longitude, latitude")
    longitude, latitude = coordinates[:2]
    _check_degrees(longitudes=(longitude,), latitudes=(latitude,))
    radius_deg = radius_m / _METRES_PER_DEGREE
    return _ellipse(longitude, latitude, radius_deg / max(1e-6, math.cos(math.radians(latitude))), radius_deg)


def _ellipse(longitude: float, latitude: float, east_deg: float, north_deg: float) -> Any:
    """A circle on the ground, in degrees."""
    from shapely import Polygon  # noqa: PLC0415

    angles = (math.tau * side / _CIRCLE_SIDES for side in range(_CIRCLE_SIDES))
    return Polygon([(longitude + east_deg * math.sin(a), latitude + north_deg * math.cos(a)) for a in angles])


def _check_degrees(longitudes: Iterable[float], latitudes: Iterable[float]) -> None:
    if not all(-180 <= each <= 180 for each in longitudes) or not all(-90 <= each <= 90 for each in latitudes):
        raise ZoneProblem("coordinates must be longitude -180..180, then latitude -90..90, in degrees (WGS 84)")
