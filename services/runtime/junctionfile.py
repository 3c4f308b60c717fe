"""The junctions file: equipped junctions, their approaches, stop lines and signal groups, as GeoJSON (RFC 7946).

Each feature of the collection says by its property `kind` what it is (docs/reference/junctions.md):

- `junction`, also where there is no `kind`: the zone in which vehicles are kept.
- `approach`: a lane, drawn as vehicles drive, up to its stop line, with the signal group that governs it.
- `stop_line`: a line across the lanes of an approach, which end there whatever their own last point is.

What the file says of lanes is brought to the record of a MAPEM, so that there is one reading of lanes.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from schemas.mobility import Connection, IntersectionGeometry, Lane, Position

__all__ = ["JunctionFile", "JunctionProblem", "Zone", "is_number", "read_junctions"]

_NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$")
_KINDS: Final = ("junction", "approach", "stop_line")
_KNOWN: Final = {
    "approach": frozenset({"kind", "name", "junction", "approach", "lane", "signal_group", "width_m"}),
    "stop_line": frozenset({"kind", "name", "junction", "approach", "lane"}),
}
_METRES_PER_DEGREE: Final = 111_195.0
_NEAR_LINE_M: Final = 15.0
"""An approach that ends this far before its stop line is drawn on to it."""
_LENGTH_M: Final = (10.0, 2000.0)
_WIDTH_M: Final = (1.0, 20.0)
_LIMIT_KMH: Final = (5.0, 130.0)
_MOST_POINTS: Final = 1000
_ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)

Degrees = tuple[float, float]
"""Longitude, latitude."""


class JunctionProblem(Exception):
    """The junctions file is wrong; the text names the feature and the property or rule."""


class Zone(NamedTuple):
    """A feature that is a junction: its public names, and the shape as the file has it."""

    number: int
    id: str
    name: str
    geometry: Any
    radius_m: Any


class JunctionFile(NamedTuple):
    """What the file says.

    Attributes:
        path: the file.
        zones: the junctions, in the order of the file.
        geometries: by junction, its lanes as a MAPEM would say them; only of junctions with approaches.
        intersections: the junction that each intersection id (`region:id`) of SPATEM, MAPEM, SREM, SSEM stands for.
    """

    path: Path
    zones: tuple[Zone, ...]
    geometries: Mapping[str, IntersectionGeometry]
    intersections: Mapping[str, str]


class _Feature(NamedTuple):
    number: int
    kind: str
    properties: Mapping[str, Any]
    geometry: Any

    def problem(self, text: str) -> JunctionProblem:
        said = self.properties.get("id") if self.kind == "junction" else None
        if self.kind != "junction":
            said = f"{self.kind} {self.properties.get('approach')} of {self.properties.get('junction')}"
        return JunctionProblem(f"feature {self.number} ({said}): {text}")


def read_junctions(path: Path) -> JunctionFile:
    """Read and check the file.

    Raises:
        JunctionProblem: it cannot be read, or a feature breaks a rule.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise JunctionProblem(f"junctions file {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise JunctionProblem(f"junctions file {path}: not JSON: {error}") from error
    try:
        return _read(path, document)
    except JunctionProblem as problem:
        raise JunctionProblem(f"junctions file {path}: {problem}") from None


def _read(path: Path, document: Any) -> JunctionFile:
    features = list(_features(document))
    junctions = [each for each in features if each.kind == "junction"]
    if not junctions:
        raise JunctionProblem("has no junction: each has a feature with an id and a Polygon, or a Point with radius_m")
    zones = tuple(_zone(each) for each in junctions)
    known = frozenset(each.id for each in zones)
    limits = {each.properties["id"]: _limit_mps(each) for each in junctions}
    lines = _stop_lines([each for each in features if each.kind == "stop_line"], known)
    lanes: dict[str, list[Lane]] = {}
    for each in (each for each in features if each.kind == "approach"):
        of = lanes.setdefault(_junction_of(each, known), [])
        of.append(_lane(each, len(of) + 1, lines))
        if len({lane.lane_id for lane in of}) < len(of):
            raise each.problem(f"lane: {of[-1].lane_id} is used twice at this junction; give each lane a number")
    _check_lines(lines, lanes)
    geometries = {name: _geometry(name, tuple(of), limits[name]) for name, of in lanes.items()}
    return JunctionFile(path, zones, geometries, _intersections(junctions))


def _features(document: Any) -> Iterator[_Feature]:
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise JunctionProblem("must be a GeoJSON FeatureCollection with a list of features")
    if not features:
        raise JunctionProblem("has no features: leave the file out to use cells instead of junctions")
    seen: set[str] = set()
    for number, feature in enumerate(features, start=1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        properties = properties if isinstance(properties, dict) else {}
        kind = properties.get("kind")
        if kind is not None and kind not in _KINDS:
            raise JunctionProblem(f"feature {number}: properties.kind must be one of {', '.join(_KINDS)}")
        kind = kind or "junction"
        if kind == "junction":
            _check_id(properties.get("id"), number, seen)
        read = _Feature(number, kind, properties, feature.get("geometry") if isinstance(feature, dict) else None)
        for name in sorted(properties.keys() - _KNOWN.get(kind, properties.keys())):
            raise read.problem(f"{name}: is not known here; known are {', '.join(sorted(_KNOWN[kind]))}")
        yield read


def _check_id(name: Any, number: int, seen: set[str]) -> None:
    if not isinstance(name, str) or not _NAME.match(name):
        raise JunctionProblem(
            f"feature {number}: properties.id must be a public name of at most 80 letters, digits and _ . : / -"
        )
    if name.startswith("q:"):
        raise JunctionProblem(f"feature {number} ({name}): an id must not begin with q:, which names cells")
    if name in seen:
        raise JunctionProblem(f"feature {number} ({name}): the id is used twice")
    seen.add(name)


def _zone(feature: _Feature) -> Zone:
    name = feature.properties.get("name") or feature.properties["id"]
    return Zone(
        feature.number, feature.properties["id"], str(name), feature.geometry, feature.properties.get("radius_m")
    )


def _limit_mps(feature: _Feature) -> float | None:
    limit_kmh = _number(feature, "speed_limit_kmh", _LIMIT_KMH)
    return None if limit_kmh is None else limit_kmh / 3.6


def _intersections(junctions: list[_Feature]) -> dict[str, str]:
    """Every id by which a junction is called in messages; its own id is one of them, unless another one claims it."""
    found: dict[str, str] = {}
    for feature in junctions:
        said = feature.properties.get("intersections")
        names = [] if said is None else said
        if not isinstance(names, list) or not all(isinstance(each, str) and _NAME.match(each) for each in names):
            raise feature.problem('intersections: must be a list of ids as messages have them, such as ["33:4101"]')
        for each in names:
            if found.setdefault(each, feature.properties["id"]) != feature.properties["id"]:
                raise feature.problem(f"intersections: {each} belongs to {found[each]} already")
    for feature in junctions:
        own = feature.properties["id"]
        if found.setdefault(own, own) != own:
            raise feature.problem(f"id: it is named among the intersections of {found[own]}")
    return found


def _junction_of(feature: _Feature, known: frozenset[str]) -> str:
    name = feature.properties.get("junction")
    if not isinstance(name, str) or name not in known:
        raise feature.problem("junction: must be the id of a junction of this file")
    return name


_LineKey = tuple[str, int, int | None]
"""Junction, approach, and lane, or none for all lanes of the approach."""


def _stop_lines(features: list[_Feature], known: frozenset[str]) -> dict[_LineKey, tuple[_Feature, list[Degrees]]]:
    found: dict[_LineKey, tuple[_Feature, list[Degrees]]] = {}
    for each in features:
        key = (_junction_of(each, known), _approach(each), _whole(each, "lane", 1, 255))
        if key in found:
            raise each.problem(f"has a stop line already, feature {found[key][0].number}")
        found[key] = (each, _points(each))
    return found


def _check_lines(lines: Mapping[_LineKey, tuple[_Feature, list[Degrees]]], lanes: Mapping[str, list[Lane]]) -> None:
    there: set[_LineKey] = set()
    for name, of in lanes.items():
        for lane in of:
            approach = lane.ingress_approach or 0
            there |= {(name, approach, lane.lane_id), (name, approach, None)}
    for key, (feature, _) in lines.items():
        if key not in there:
            raise feature.problem("approach: there is no approach feature with this number for the stop line")


def _lane(feature: _Feature, number: int, lines: Mapping[_LineKey, tuple[_Feature, list[Degrees]]]) -> Lane:
    approach, lane_id = _approach(feature), _whole(feature, "lane", 1, 255) or number
    group = _whole(feature, "signal_group", 0, 255)
    points = _points(feature)
    junction = feature.properties["junction"]
    line = lines.get((junction, approach, lane_id)) or lines.get((junction, approach, None))
    if line is not None:
        points = _cut(feature, points, line[1])
    length_m = sum(math.dist(*map(_Plane(points[0]).metres, pair)) for pair in pairwise(points))
    if not _LENGTH_M[0] <= length_m <= _LENGTH_M[1]:
        raise feature.problem(
            f"geometry: is {length_m:.0f} m long up to the stop line; must be {_LENGTH_M[0]:.0f} to {_LENGTH_M[1]:.0f}"
        )
    return Lane(
        lane_id=lane_id,
        ingress_approach=approach,
        width_m=_number(feature, "width_m", _WIDTH_M),
        nodes=tuple(Position(latitude_deg=each[1], longitude_deg=each[0]) for each in reversed(points)),
        connections=() if group is None else (Connection(lane=lane_id, signal_group=group),),
    )


def _geometry(name: str, lanes: tuple[Lane, ...], limit_mps: float | None) -> IntersectionGeometry:
    return IntersectionGeometry(
        observed_at=_ALWAYS,
        received_at=_ALWAYS,
        clock="none",
        intersection=name,
        reference=lanes[0].nodes[0],
        speed_limit_mps=limit_mps,
        lanes=lanes,
    )


def _approach(feature: _Feature) -> int:
    number = _whole(feature, "approach", 0, 255)
    if number is None:
        raise feature.problem("approach: is missing; it is the number of the approach, 0 to 255")
    return number


def _whole(feature: _Feature, name: str, low: int, high: int) -> int | None:
    value = feature.properties.get(name)
    if value is not None and (type(value) is not int or not low <= value <= high):
        raise feature.problem(f"{name}: must be an integer, {low} to {high}")
    return value


def _number(feature: _Feature, name: str, bounds: tuple[float, float]) -> float | None:
    value = feature.properties.get(name)
    if value is not None and not (is_number(value) and bounds[0] <= value <= bounds[1]):
        raise feature.problem(f"{name}: must be a number, {bounds[0]:g} to {bounds[1]:g}")
    return None if value is None else float(value)


def is_number(value: Any) -> bool:
    """Whether JSON has a finite number here."""
    return type(value) in (int, float) and math.isfinite(value)


def _points(feature: _Feature) -> list[Degrees]:
    geometry = feature.geometry
    if not isinstance(geometry, dict) or geometry.get("type") != "LineString":
        raise feature.problem("geometry: must be a LineString")
    said = geometry.get("coordinates")
    if not isinstance(said, list) or not 2 <= len(said) <= _MOST_POINTS:
        raise feature.problem(f"geometry: must have 2 to {_MOST_POINTS} points")
    points: list[Degrees] = []
    for number, each in enumerate(said, start=1):
        if not isinstance(each, list) or len(each) < 2 or not all(map(is_number, each)):
            raise feature.problem(f"geometry: point {number} must be longitude, latitude")
        if not (-180 <= each[0] <= 180 and -85 <= each[1] <= 85):
            raise feature.problem(f"geometry: point {number} must be longitude -180..180, then latitude -85..85")
        points.append((float(each[0]), float(each[1])))
    return points


class _Plane:
    """Metres around a point, good to a per mille within some kilometres: enough to cut a line."""

    def __init__(self, origin: Degrees) -> None:
        self._origin = origin
        self._across = _METRES_PER_DEGREE * math.cos(math.radians(origin[1]))

    def metres(self, point: Degrees) -> tuple[float, float]:
        """East and north of the origin."""
        return (point[0] - self._origin[0]) * self._across, (point[1] - self._origin[1]) * _METRES_PER_DEGREE

    def degrees(self, point: tuple[float, float]) -> Degrees:
        """Longitude and latitude of a point in metres."""
        return self._origin[0] + point[0] / self._across, self._origin[1] + point[1] / _METRES_PER_DEGREE


def _cut(feature: _Feature, points: list[Degrees], line: list[Degrees]) -> list[Degrees]:
    """The approach up to where it crosses its stop line; it is drawn on to it over a few metres."""
    plane = _Plane(points[-1])
    way, across = [plane.metres(each) for each in points], [plane.metres(each) for each in line]
    (east, north), last_m = way[-2], math.dist(way[-2], way[-1])
    if last_m > 0:
        share = (last_m + _NEAR_LINE_M) / last_m
        way[-1] = (east + share * (way[-1][0] - east), north + share * (way[-1][1] - north))
    found = [
        (number, place)
        for number, leg in enumerate(pairwise(way))
        for bar in pairwise(across)
        if (place := _meet(*leg, *bar)) is not None
    ]
    if not found:
        raise feature.problem("geometry: does not reach its stop line; draw it as vehicles drive, up to the line")
    number, place = found[0]
    if any(math.dist(place, each) > 1.0 for _, each in found[1:]):
        raise feature.problem("geometry: crosses its stop line more than once")
    return [*points[: number + 1], plane.degrees(place)]


_Metres = tuple[float, float]


def _meet(a: _Metres, b: _Metres, c: _Metres, d: _Metres) -> _Metres | None:
    """Where the stretch a-b meets the stretch c-d; `None` if nowhere, or side by side."""
    ab, cd, ac = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1]), (c[0] - a[0], c[1] - a[1])
    cross = ab[0] * cd[1] - ab[1] * cd[0]
    if cross == 0:
        return None
    along, over = (ac[0] * cd[1] - ac[1] * cd[0]) / cross, (ac[0] * ab[1] - ac[1] * ab[0]) / cross
    if not (0 <= along <= 1 and 0 <= over <= 1):
        return None
    return a[0] + along * ab[0], a[1] + along * ab[1]
