"""Twelve signalised junctions as SUMO knows them, and as a roadside unit would describe them.

A grid of four by three that is not quite at right angles: two lanes on the roads from west to east, of which one turns
left under a signal of its own, and one lane on the roads from south to north. Four junctions are traffic-actuated.
"""

import math
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tests.microsimulation.programs import program

__all__ = ["LIMIT_MPS", "Approach", "Crossroads", "Network", "build", "degrees"]

LIMIT_MPS: Final = 50 / 3.6
_COLUMNS, _ROWS = 4, 3
_EAST_M, _NORTH_M, _STUB_M = 650.0, 450.0, 420.0
_MAP_M: Final = 300.0
_ORIGIN_DEG: Final = (44.8400, -0.5800)
_METRES_PER_DEGREE: Final = (111_118.4, 79_073.1)
"""North and east at 44.84 degrees, WGS 84: the plane on which SUMO drives."""

_SIDES: Final = {"W": (-1, 0), "E": (1, 0), "S": (0, -1), "N": (0, 1)}
_LANES: Final = {("W", 0): 1, ("W", 1): 2, ("E", 0): 3, ("E", 1): 4, ("S", 0): 5, ("N", 0): 6}
"""Number of each ingress lane by where it comes from and its index; its signal group has the same number."""

Point = tuple[float, float]


class Approach(NamedTuple):
    """An ingress lane: its name in SUMO, its number and that of its signal group, its whole length, its map.

    `nodes` are metres of the plane, the stop line first; they reach as far as the zone of the junction does.
    """

    lane: str
    number: int
    approach: int
    nodes: tuple[Point, ...]
    lane_m: float
    map_m: float


class Crossroads(NamedTuple):
    """A junction: its id at SUMO and at Garonne, its middle, its ingress lanes, and the links of each signal group."""

    name: str
    intersection: int
    centre: Point
    approaches: tuple[Approach, ...]
    links: dict[int, int]
    actuated: bool

    @property
    def zone(self) -> str:
        """The id that all of its messages carry."""
        return f"33:{self.intersection}"


class Network(NamedTuple):
    """The files that SUMO needs, and the junctions."""

    net: Path
    programs: Path
    junctions: tuple[Crossroads, ...]
    entries: tuple[str, ...]
    """Edges that lead into the town."""


def degrees(point: Point) -> Point:
    """Latitude and longitude of a place on SUMO's plane."""
    return _ORIGIN_DEG[0] + point[1] / _METRES_PER_DEGREE[0], _ORIGIN_DEG[1] + point[0] / _METRES_PER_DEGREE[1]


def build(netconvert: Path, folder: Path) -> Network:
    """Write the plain files, let `netconvert` join them, and read back what it made.

    Raises:
        subprocess.CalledProcessError: netconvert found a fault.
    """
    places = {_name(*at): _place(*at) for at in _grid()}
    roads = list(_roads())
    ends = {end: _end(end, places) for road in roads for end in road[:2] if end not in places}
    nodes = [_tag("node", id=each, x=x, y=y, type="traffic_light") for each, (x, y) in places.items()]
    nodes += [_tag("node", id=each, x=x, y=y, type="dead_end") for each, (x, y) in ends.items()]
    edges = [
        _tag("edge", id=f"{a}_{b}", attrib_from=a, to=b, numLanes=2 if side in "WE" else 1, speed=LIMIT_MPS)
        for a, b, side in roads
    ]
    for kind, tags in (("nod", nodes), ("edg", edges), ("con", list(_connections(places)))):
        (folder / f"town.{kind}.xml").write_text(f"<plain>{''.join(tags)}</plain>")
    files = [f"{option}=town.{kind}.xml" for option, kind in (("-n", "nod"), ("-e", "edg"), ("-x", "con"))]
    command = [str(netconvert), *files, "-o=town.net.xml", "--no-turnarounds", "--xml-validation=never"]
    command += ["--offset.disable-normalization"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return _read(folder, places, tuple(f"{a}_{b}" for a, b, _ in roads if a in ends))


def _grid() -> Iterator[tuple[int, int]]:
    return ((column, row) for row in range(_ROWS) for column in range(_COLUMNS))


def _name(column: int, row: int) -> str:
    """Of a junction, or of the end of a road beyond the grid."""
    if column in (-1, _COLUMNS):
        return f"{'W' if column < 0 else 'E'}{row}"
    if row in (-1, _ROWS):
        return f"{'S' if row < 0 else 'N'}{column}"
    return f"J{row}{column}"


def _place(column: int, row: int) -> Point:
    """Up to some twenty metres beside its place in the grid, so that no road lies along an axis."""
    sway = math.sin(column * 2.3 + row * 1.7), math.cos(column * 1.9 - row * 2.9)
    return round(column * _EAST_M + 22 * sway[0], 2), round(row * _NORTH_M + 22 * sway[1], 2)


def _neighbours(column: int, row: int) -> Iterator[tuple[str, str]]:
    """The side, and the name of what lies there."""
    return ((side, _name(column + east, row + north)) for side, (east, north) in _SIDES.items())


def _end(name: str, places: dict[str, Point]) -> Point:
    """Where a road leaves the town: straight on from its last junction."""
    for at in _grid():
        for side, other in _neighbours(*at):
            if other == name:
                x, y = places[_name(*at)]
                return x + _SIDES[side][0] * _STUB_M, y + _SIDES[side][1] * _STUB_M
    raise LookupError(name)


def _roads() -> Iterator[tuple[str, str, str]]:
    """From, to, and a side that tells its kind: every road once in each direction."""
    for at in _grid():
        for side, other in _neighbours(*at):
            yield _name(*at), other, side
            if not other.startswith("J"):
                yield other, _name(*at), side


def _connections(places: dict[str, Point]) -> Iterator[str]:
    """Where each lane may go: a lane of its own turns left from the roads of two lanes."""
    for at in _grid():
        here, around = _name(*at), dict(_neighbours(*at))
        assert here in places
        for side, straight, right, left in (("W", "E", "S", "N"), ("E", "W", "N", "S")):
            for lane, to, onto in ((0, straight, 0), (0, right, 0), (1, left, 0)):
                yield _connection(around[side], here, around[to], lane, onto)
        for side, straight, right, left in (("S", "N", "E", "W"), ("N", "S", "W", "E")):
            for to, onto in ((straight, 0), (right, 0), (left, 1)):
                yield _connection(around[side], here, around[to], 0, onto)


def _connection(before: str, here: str, after: str, lane: int, onto: int) -> str:
    return _tag("connection", attrib_from=f"{before}_{here}", to=f"{here}_{after}", fromLane=lane, toLane=onto)


def _tag(name: str, **attributes: object) -> str:
    said = " ".join(f'{key.removeprefix("attrib_")}="{value}"' for key, value in attributes.items())
    return f"<{name} {said}/>\n"


def _read(folder: Path, places: dict[str, Point], entries: tuple[str, ...]) -> Network:
    root = ET.parse(folder / "town.net.xml").getroot()  # noqa: S314 - netconvert wrote it a moment ago
    lanes = {lane.attrib["id"]: lane for lane in root.iter("lane")}
    junctions, programs = [], []
    for number, (at, name) in enumerate((at, _name(*at)) for at in _grid()):
        around = {f"{other}_{name}": side for side, other in _neighbours(*at)}
        links = {
            int(each.attrib["linkIndex"]): _LANES[around[each.attrib["from"]], int(each.attrib["fromLane"])]
            for each in root.iter("connection")
            if each.attrib.get("tl") == name
        }
        approaches = tuple(
            _approach(lanes[f"{edge}_{index}"], side, index, places, name)
            for edge, side in around.items()
            for index in (0, 1)
            if (side, index) in _LANES
        )
        actuated = number % 3 == 2
        centre = _middle(approaches)
        junctions.append(Crossroads(name, 1001 + number, centre, approaches, links, actuated))
        programs.append(program(name, links, offset_s=11 * at[0] + 7 * at[1], actuated=actuated))
    (folder / "town.tll.xml").write_text(f"<additional>{''.join(programs)}</additional>")
    return Network(folder / "town.net.xml", folder / "town.tll.xml", tuple(junctions), entries)


def _middle(approaches: tuple[Approach, ...]) -> Point:
    lines = [each.nodes[0] for each in approaches]
    return sum(x for x, _ in lines) / len(lines), sum(y for _, y in lines) / len(lines)


def _approach(lane: ET.Element, side: str, index: int, places: dict[str, Point], name: str) -> Approach:
    shape = [tuple(map(float, each.split(","))) for each in lane.attrib["shape"].split()]
    nodes = [(x, y) for x, y, *_ in reversed(shape)]
    length_m = math.fsum(math.dist(near, far) for near, far in pairwise(nodes))
    # Between two junctions a message belongs to the nearer one: the map ends where the zone does.
    own = places[name]
    others = [math.dist(own, each) for each in places.values() if _leads(nodes, each)]
    line_m = math.dist(own, nodes[0])
    map_m = min([_MAP_M, length_m, *(each / 2 - line_m - 5.0 for each in others)])
    cut = _along(nodes, map_m)
    number = _LANES[side, index]
    return Approach(lane.attrib["id"], number, "WESN".index(side) + 1, cut, float(lane.attrib["length"]), map_m)


def _leads(nodes: list[Point], place: Point) -> bool:
    """Whether a lane begins at a junction."""
    return math.dist(nodes[-1], place) < 40


def _along(nodes: list[Point], wanted_m: float) -> tuple[Point, ...]:
    """The nodes of the first metres."""
    kept, passed_m = [nodes[0]], 0.0
    for near, far in pairwise(nodes):
        length_m = math.dist(near, far)
        share = min(1.0, (wanted_m - passed_m) / length_m)
        kept.append((near[0] + share * (far[0] - near[0]), near[1] + share * (far[1] - near[1])))
        passed_m += length_m
        if passed_m >= wanted_m:
            break
    return tuple(kept)
