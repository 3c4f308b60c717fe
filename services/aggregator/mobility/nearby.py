"""Which lanes a place may be on: a grid over the lanes of a junction, so that a message is compared with few. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.geometry import Ingress, Junction, Offset, Place
from services.aggregator.mobility.stops import IDLE_MPS, Moment

__all__ = ["BESIDE_M", "BEYOND_M", "WAVERS_M", "Nearby", "Step", "heading_gap_deg", "is_on"]

BESIDE_M: Final = 5.0
BEYOND_M: Final = 100.0
"""How far behind the far end of its map a lane is believed to go straight on."""

WAVERS_M: Final = 3.0
"""A vehicle that stands so little beyond its line still waits at it: its receiver wavers, or it stopped late."""

_HEADING_DEG: Final = 30.0
_SHOWS_HEADING_MPS: Final = 1.0
_CELL_M: Final = 20.0
_APART_M: Final = 5.0
_REACH_M: Final = BESIDE_M + _APART_M / 2
assert _CELL_M >= 2 * _REACH_M, "a square around a sample must not jump over a cell"  # noqa: S101


class Step(NamedTuple):
    """A fix on a lane."""

    fix: Fix
    place: Place

    @property
    def moment(self) -> Moment:
        """What it says of speed and place."""
        return Moment(self.fix.at_ms / 1000, self.fix.speed_mps, self.place.before_m)


def heading_gap_deg(one_deg: float, other_deg: float) -> float:
    """The angle between two headings, 0 to 180."""
    return abs((one_deg - other_deg + 180) % 360 - 180)


def is_on(step: Step) -> bool:
    """Whether it is on the lane and travels its way."""
    fix, place = step
    if place.beside_m > BESIDE_M:
        return False
    if fix.heading_deg is None or fix.speed_mps < _SHOWS_HEADING_MPS:
        return True
    return heading_gap_deg(fix.heading_deg, place.heading_deg) <= _HEADING_DEG


class _Part(NamedTuple):
    """A straight part of a lane: its near end, the direction away from the stop line, and what lies before it."""

    east_m: float
    north_m: float
    east: float
    north: float
    low_m: float
    high_m: float
    passed_m: float
    heading_deg: float


class Nearby:
    """The lanes of a junction by place."""

    def __init__(self, junction: Junction) -> None:
        self.junction = junction
        self.lanes = junction.lanes
        self._parts = tuple(map(_parts, junction.lanes))
        cells: dict[tuple[int, int], set[int]] = defaultdict(set)
        for number, lane in enumerate(junction.lanes):
            for east_m, north_m in _samples(lane):
                for east in (east_m - _REACH_M, east_m + _REACH_M):
                    for north in (north_m - _REACH_M, north_m + _REACH_M):
                        cells[_cell(east, north)].add(number)
        self._cells = {cell: tuple(sorted(numbers)) for cell, numbers in cells.items()}

    def offset(self, fix: Fix) -> Offset:
        """Where a fix is in the plane of the junction."""
        return self.junction.frame.offset(fix.latitude_deg, fix.longitude_deg)

    def on(self, fix: Fix, point: Offset) -> tuple[int, ...]:
        """The numbers of the lanes that it is on, before the stop line or waiting at it."""
        numbers = self._cells.get((int(point[0] // _CELL_M), int(point[1] // _CELL_M)))
        if numbers is None:
            return ()
        found: tuple[int, ...] = ()
        for number in numbers:
            place = self.place(number, point)
            line_m = 0.0 if fix.speed_mps >= IDLE_MPS else -WAVERS_M
            if line_m < place[0] <= self.lanes[number].length_m + BEYOND_M and is_on(Step(fix, place)):
                found += (number,)
        return found

    def place(self, number: int, point: Offset) -> Place:
        """Where a point lies on a lane: as `Ingress.place`, with what does not depend on the point made before."""
        east_m, north_m = point
        best, best_along, best_part = math.inf, 0.0, self._parts[number][0]
        for part in self._parts[number]:
            near_east, near_north, east, north, low_m, high_m, _, _ = part
            off_east, off_north = east_m - near_east, north_m - near_north
            along_m = off_east * east + off_north * north
            if along_m < low_m:
                along_m = low_m
            elif along_m > high_m:
                along_m = high_m
            beside_m = math.hypot(off_east - along_m * east, off_north - along_m * north)
            if beside_m < best:
                best, best_along, best_part = beside_m, along_m, part
        return Place(best_part.passed_m + best_along, best, best_part.heading_deg)


def _parts(lane: Ingress) -> tuple[_Part, ...]:
    parts: list[_Part] = []
    passed_m, last = 0.0, len(lane.nodes) - 2
    for number, (near, far) in enumerate(pairwise(lane.nodes)):
        length_m = math.dist(near, far)
        east, north = (far[0] - near[0]) / length_m, (far[1] - near[1]) / length_m
        low_m, high_m = (-math.inf if number == 0 else 0.0), (math.inf if number == last else length_m)
        heading_deg = math.degrees(math.atan2(-east, -north)) % 360
        parts.append(_Part(*near, east, north, low_m, high_m, passed_m, heading_deg))
        passed_m += length_m
    return tuple(parts)


def _cell(east_m: float, north_m: float) -> tuple[int, int]:
    return int(east_m // _CELL_M), int(north_m // _CELL_M)


def _samples(lane: Ingress) -> Iterator[Offset]:
    """Places along the lane, five metres apart at most, from the stop line to where it is believed to go on."""
    (last_east, last_north), (end_east, end_north) = lane.nodes[-2:]
    scale = BEYOND_M / math.dist(lane.nodes[-2], lane.nodes[-1])
    beyond = (end_east + scale * (end_east - last_east), end_north + scale * (end_north - last_north))
    nodes = (*lane.nodes, beyond)
    for near, far in pairwise(nodes):
        parts = math.ceil(math.dist(near, far) / _APART_M)
        for part in range(parts + 1):
            share = part / parts
            yield near[0] + share * (far[0] - near[0]), near[1] + share * (far[1] - near[1])
