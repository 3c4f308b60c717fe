"""Lanes and stop lines of a junction in metres, and where a position lies along a lane (ISO/TS 19091; c-its.md 2.6).

The first node of an ingress lane is its stop line, the others lead away from it. A distance is positive before the
stop line and negative behind it; both ends of a lane go on straight, so that a crossing can be seen.
"""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from schemas.mobility import IntersectionGeometry, Lane, Position

__all__ = ["DEFAULT_LIMIT_MPS", "Frame", "Ingress", "Junction", "Place", "junction_of"]

DEFAULT_LIMIT_MPS: Final = 50 / 3.6
"""The limit in a built-up area (Code de la route, R413-3), where the MAPEM names none."""

_DEFAULT_WIDTH_M: Final = 3.5
_EQUATOR_M: Final = 6_378_137.0
_ECCENTRICITY_2: Final = 6.69437999014e-3

Offset = tuple[float, float]
"""Metres east and north of the reference point."""


class Frame(NamedTuple):
    """The plane that touches WGS 84 at a reference point: good to a millimetre within a kilometre."""

    latitude_deg: float
    longitude_deg: float
    metres_per_degree_north: float
    metres_per_degree_east: float

    @classmethod
    def at(cls, place: Position) -> "Frame":
        """The plane at a point."""
        sine = math.sin(math.radians(place.latitude_deg))
        root = math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
        meridian_m = _EQUATOR_M * (1 - _ECCENTRICITY_2) / root**3
        parallel_m = _EQUATOR_M / root * max(1e-9, math.cos(math.radians(place.latitude_deg)))
        return cls(place.latitude_deg, place.longitude_deg, math.radians(meridian_m), math.radians(parallel_m))

    def offset(self, latitude_deg: float, longitude_deg: float) -> Offset:
        """Metres east and north."""
        return (
            (longitude_deg - self.longitude_deg) * self.metres_per_degree_east,
            (latitude_deg - self.latitude_deg) * self.metres_per_degree_north,
        )


class Place(NamedTuple):
    """Where a position lies on a lane: before the stop line, beside the centre line, and the way of travel there."""

    before_m: float
    beside_m: float
    heading_deg: float


class Ingress(NamedTuple):
    """A lane that leads to a stop line; `nodes` in metres from the reference point, stop line first."""

    lane_id: int
    approach: int
    signal_group: int | None
    width_m: float
    nodes: tuple[Offset, ...]
    length_m: float

    def place(self, point: Offset) -> Place:
        """The nearest place on the lane; beyond its ends, on the straight line that goes on."""
        best: Place | None = None
        passed_m, last = 0.0, len(self.nodes) - 2
        for number, (near, far) in enumerate(pairwise(self.nodes)):
            east, north = far[0] - near[0], far[1] - near[1]
            length_m = math.hypot(east, north)
            along_m = ((point[0] - near[0]) * east + (point[1] - near[1]) * north) / length_m
            low_m, high_m = (-math.inf if number == 0 else 0.0), (math.inf if number == last else length_m)
            clipped_m = min(max(along_m, low_m), high_m)
            share = clipped_m / length_m
            beside_m = math.hypot(point[0] - near[0] - share * east, point[1] - near[1] - share * north)
            if best is None or beside_m < best.beside_m:
                best = Place(passed_m + clipped_m, beside_m, math.degrees(math.atan2(-east, -north)) % 360)
            passed_m += length_m
        assert best is not None  # noqa: S101 - a lane has two nodes at least (`_ingress`)
        return best


class Junction(NamedTuple):
    """What a MAPEM says of one junction."""

    intersection: str
    revision: int | None
    frame: Frame
    limit_mps: float
    lanes: tuple[Ingress, ...]


def junction_of(record: IntersectionGeometry) -> Junction:
    """The ingress lanes of a MAPEM; lanes with fewer than two nodes have no direction and are left out."""
    frame = Frame.at(record.reference)
    lanes = (_ingress(lane, frame, record.lane_width_m) for lane in record.lanes)
    known = tuple(sorted(lane for lane in lanes if lane is not None))
    limit_mps = record.speed_limit_mps
    return Junction(record.intersection, record.revision, frame, limit_mps or DEFAULT_LIMIT_MPS, known)


def _ingress(lane: Lane, frame: Frame, width_m: float | None) -> Ingress | None:
    if lane.ingress_approach is None:
        return None
    nodes = _apart(frame.offset(node.latitude_deg, node.longitude_deg) for node in lane.nodes)
    if len(nodes) < 2:
        return None
    groups = {each.signal_group for each in lane.connections}
    # Where the directions of a lane have signals of their own, what a vehicle saw depends on where it went.
    group = groups.pop() if len(groups) == 1 else None
    length_m = math.fsum(math.dist(near, far) for near, far in pairwise(nodes))
    return Ingress(
        lane.lane_id, lane.ingress_approach, group, lane.width_m or width_m or _DEFAULT_WIDTH_M, nodes, length_m
    )


def _apart(nodes: Iterable[Offset]) -> tuple[Offset, ...]:
    """Nodes without those that repeat the one before."""
    kept: list[Offset] = []
    for node in nodes:
        if not kept or math.dist(kept[-1], node) > 0.01:
            kept.append(node)
    return tuple(kept)
