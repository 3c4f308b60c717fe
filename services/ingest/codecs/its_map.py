"""A MAPEM of whatever encoding to `IntersectionGeometry` records (ISO/TS 19091 DSRC; c-its.md 2.6).

Nodes are chained offsets east and north in centimetres from the reference point; they become positions on the
WGS 84 ellipsoid in the plane that touches it there, which is good to a millimetre within a kilometre.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from schemas.mobility import Connection, IntersectionGeometry, Lane, Position
from services.ingest.codecs.its_signals import NO_INTERSECTION, intersection_of, message_time
from services.ingest.codecs.its_tree import Arrival, Enumeration, Tree, child, first, flags_set, integer, items, part
from services.ingest.codecs.its_units import (
    DSRC_ELEVATION,
    DSRC_SPEED,
    LANE_WIDTH,
    LATITUDE,
    LONGITUDE,
    position_of,
    whole,
)
from services.ingest.profiles import Ignored, Unparseable

__all__ = ["Plane", "intersection_geometries"]

MANEUVERS: Final = (
    "maneuverStraightAllowed",
    "maneuverLeftAllowed",
    "maneuverRightAllowed",
    "maneuverUTurnAllowed",
    "maneuverLeftTurnOnRedAllowed",
    "maneuverRightTurnOnRedAllowed",
    "maneuverLaneChangeAllowed",
    "maneuverNoStoppingAllowed",
    "yieldAllwaysRequired",
    "goWithHalt",
    "caution",
    "reserved1",
)
_DIRECTIONS: Final = ("ingressPath", "egressPath")
_SPEED_LIMIT: Final = Enumeration(
    "speedLimits.type",
    "unknown",
    "maxSpeedInSchoolZone",
    "maxSpeedInSchoolZoneWhenChildrenArePresent",
    "maxSpeedInConstructionZone",
    "vehicleMinSpeed",
    "vehicleMaxSpeed",
    "vehicleNightMaxSpeed",
    "truckMinSpeed",
    "truckMaxSpeed",
    "truckNightMaxSpeed",
    "vehiclesWithTrailersMinSpeed",
    "vehiclesWithTrailersMaxSpeed",
    "vehiclesWithTrailersNightMaxSpeed",
)
_VEHICLE_MAX_SPEED: Final = 5
_UNKNOWN_APPROACH: Final = 0
_EQUATOR_M: Final = 6_378_137.0
_ECCENTRICITY_2: Final = 6.69437999014e-3
Offset = tuple[float, float]
"""Metres east and north of the reference point."""


class Plane(NamedTuple):
    """The plane that touches WGS 84 at a reference point."""

    latitude_deg: float
    longitude_deg: float
    metres_per_degree_north: float
    metres_per_degree_east: float

    @classmethod
    def at(cls, latitude_deg: float, longitude_deg: float) -> "Plane":
        """The plane at a point."""
        sine = math.sin(math.radians(latitude_deg))
        root = math.sqrt(1 - _ECCENTRICITY_2 * sine * sine)
        meridian_m = _EQUATOR_M * (1 - _ECCENTRICITY_2) / root**3
        parallel_m = _EQUATOR_M / root * max(1e-9, math.cos(math.radians(latitude_deg)))
        return cls(latitude_deg, longitude_deg, math.radians(meridian_m), math.radians(parallel_m))

    def position(self, offset: Offset) -> Position:
        """The position of an offset."""
        latitude = self.latitude_deg + offset[1] / self.metres_per_degree_north
        longitude = self.longitude_deg + offset[0] / self.metres_per_degree_east
        if abs(latitude) > 90 or abs(longitude) > 180:
            raise Unparseable("bad_value", "nodeList: leads over a pole or the date line")
        # A tenth of a millimetre is more than anybody measured.
        return Position(latitude_deg=round(latitude, 9), longitude_deg=round(longitude, 9))

    def offset(self, latitude_deg: float, longitude_deg: float) -> Offset:
        """The offset of a position."""
        return (
            (longitude_deg - self.longitude_deg) * self.metres_per_degree_east,
            (latitude_deg - self.latitude_deg) * self.metres_per_degree_north,
        )


def intersection_geometries(mapdata: Tree, arrival: Arrival) -> tuple[IntersectionGeometry, ...] | Ignored:
    """A record for each intersection of a folded `MapData`.

    Raises:
        Unparseable: a mandatory element is missing, or an element is not what the standard allows.
    """
    found = tuple(_intersection(each, arrival) for each in items(mapdata, "intersections"))
    return found or NO_INTERSECTION


def _intersection(geometry: Tree, arrival: Arrival) -> IntersectionGeometry:
    point = child(geometry, "refPoint")
    reference = position_of(
        first(point, "lat", "latitude"),
        first(point, "long", "lon", "longitude"),
        DSRC_ELEVATION(first(point, "elevation")),
    )
    if reference is None:
        raise Unparseable("bad_value", "refPoint: must be a position")
    at = message_time(None, None, arrival)
    plane = Plane.at(reference.latitude_deg, reference.longitude_deg)
    lanes = items(geometry, "laneSet")
    paths = _paths(lanes, plane)
    return IntersectionGeometry(
        observed_at=at.at,
        received_at=arrival.message.received_at,
        clock=at.clock,
        flags=at.flags,
        retained=arrival.message.retained,
        intersection=intersection_of(geometry, arrival.context),
        revision=integer(geometry, "revision", 0, 127),
        reference=reference,
        lane_width_m=LANE_WIDTH(first(geometry, "laneWidth")),
        speed_limit_mps=_speed_limit(geometry),
        lanes=tuple(_lane(each, paths, plane) for each in lanes),
    )


def _speed_limit(geometry: Tree) -> float | None:
    for each in items(geometry, "speedLimits"):
        if _SPEED_LIMIT(first(each, "type")) == _VEHICLE_MAX_SPEED:
            return DSRC_SPEED(first(each, "speed"))
    return None


def _lane(lane: Tree, paths: dict[int, Sequence[Offset]], plane: Plane) -> Lane:
    lane_id = integer(lane, "laneID", 0, 255)
    attributes = part(lane, "laneAttributes") or {}
    directions = flags_set(first(attributes, "directionalUse"), _DIRECTIONS, "directionalUse")
    return Lane(
        lane_id=lane_id,
        ingress_approach=_approach(lane, "ingressApproach", said="ingressPath" in directions),
        egress_approach=_approach(lane, "egressApproach", said="egressPath" in directions),
        nodes=tuple(plane.position(each) for each in paths.get(lane_id, ())),
        connections=tuple(_connection(each) for each in items(lane, "connectsTo")),
    )


def _approach(lane: Tree, name: str, *, said: bool) -> int | None:
    """The approach; 0 (unknown) where only the direction of the lane is said."""
    number = integer(lane, name, 0, 15, default=-1)
    return number if number >= 0 else _UNKNOWN_APPROACH if said else None


def _connection(connection: Tree) -> Connection:
    connecting = child(connection, "connectingLane")
    group = integer(connection, "signalGroup", 0, 255, default=-1)
    number = integer(connection, "connectionID", 0, 255, default=-1)
    return Connection(
        lane=integer(connecting, "lane", 0, 255),
        signal_group=group if group >= 0 else None,
        connection_id=number if number >= 0 else None,
        maneuvers=flags_set(first(connecting, "maneuver"), MANEUVERS, "maneuver"),
    )


def _paths(lanes: Sequence[Tree], plane: Plane) -> dict[int, Sequence[Offset]]:
    """The nodes of each lane; computed lanes follow the lane that they refer to."""
    found: dict[int, Sequence[Offset]] = {}
    computed: dict[int, Tree] = {}
    for lane in lanes:
        lane_id = integer(lane, "laneID", 0, 255)
        node_list = first(lane, "nodeList")
        if type(node_list) is dict and part(node_list, "computed") is not None:
            computed[lane_id] = child(node_list, "computed")
        else:
            found[lane_id] = tuple(_nodes(items(lane, "nodeList"), plane))
    for lane_id, rule in computed.items():
        found[lane_id] = _shifted(rule, found)
    return found


def _nodes(nodes: Sequence[Tree], plane: Plane) -> Iterator[Offset]:
    east, north = 0.0, 0.0
    for node in nodes:
        point = _point(child(node, "delta"))
        latitude = first(point, "lat", "latitude")
        if latitude is not None:
            degrees = LATITUDE(latitude), LONGITUDE(first(point, "lon", "long", "longitude"))
            if degrees[0] is None or degrees[1] is None:
                raise Unparseable("bad_value", "node-LatLon: must be a position")
            east, north = plane.offset(degrees[0], degrees[1])
        else:
            east += _centimetres(point, "x") / 100
            north += _centimetres(point, "y") / 100
        yield (east, north)


def _point(delta: Tree) -> Tree:
    """The alternative of a NodeOffsetPointXY that is there."""
    for each in delta.values():
        if type(each) is dict:
            return each
    raise Unparseable("wrong_shape", "delta: must be an offset or a position")


def _centimetres(tree: Tree, name: str) -> int:
    # 16 bits on the air; larger ones occur in JSON.
    return whole(first(tree, name), f"node-XY.{name}", -1_000_000, 1_000_000)


def _shifted(rule: Tree, paths: dict[int, Sequence[Offset]]) -> Sequence[Offset]:
    """A lane beside another. One that is also turned or stretched stays without nodes."""
    if any(first(rule, name) for name in ("rotateXY", "scaleXaxis", "scaleYaxis")):
        return ()
    east, north = (_axis(first(rule, name), name) / 100 for name in ("offsetXaxis", "offsetYaxis"))
    reference = paths.get(integer(rule, "referenceLaneId", 0, 255), ())
    return tuple((each[0] + east, each[1] + north) for each in reference)


def _axis(value: Any, name: str) -> int:
    """`{"small": …}` or `{"large": …}`, or the number alone."""
    if type(value) is dict and len(value) == 1:
        (value,) = value.values()
    return whole(value, name, -32_767, 32_767)
