"""What a CAM says of a vehicle at one instant, and the tracks that these make. Pure; vehicles stay in memory."""

import math
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from schemas.mobility import VehicleState
from services.aggregator.points import milliseconds

__all__ = ["Fix", "fix_of", "tracks_of"]

NOT_BELIEVED: Final = frozenset({"position_jump", "impossible_speed", "replay", "stale", "outside_site", "clock"})
"""Flags with which a message becomes no figure."""

SILENCE_MS: Final = 30_000
"""A vehicle that was silent for longer begins anew; a passage is never guessed over the silence."""

_NOT_VEHICLES: Final = frozenset({1, 15})  # pedestrian, roadside unit


class Fix(NamedTuple):
    """A vehicle at one instant; its heading in degrees, clockwise from north."""

    vehicle: str
    at_ms: int
    latitude_deg: float
    longitude_deg: float
    speed_mps: float
    heading_deg: float | None
    station_type: int
    vehicle_role: int


def fix_of(record: VehicleState) -> Fix | None:
    """The fix of a CAM; `None` without place or speed, for what is no vehicle, and for what is not to be believed."""
    if record.position is None or record.speed_mps is None or record.station_type in _NOT_VEHICLES:
        return None
    if not NOT_BELIEVED.isdisjoint(record.flags):
        return None
    return Fix(
        record.vehicle,
        milliseconds(record.observed_at),
        record.position.latitude_deg,
        record.position.longitude_deg,
        abs(record.speed_mps),
        record.heading_deg,
        record.station_type,
        record.vehicle_role or 0,
    )


def tracks_of(fixes: Iterable[Fix]) -> Iterator[list[Fix]]:
    """The fixes of each vehicle by time, cut where it was silent; the same for any order and any copies."""
    track: list[Fix] = []
    for fix in sorted(set(fixes), key=_order):
        if track and (fix.vehicle != track[-1].vehicle or fix.at_ms - track[-1].at_ms > SILENCE_MS):
            yield track
            track = []
        if track and fix.at_ms == track[-1].at_ms:
            track[-1] = fix  # two voices of one instant: the later in the order, whichever came first
        else:
            track.append(fix)
    if track:
        yield track


def _order(fix: Fix) -> tuple[str, int, float, float, float, float, int, int]:
    heading_deg = -math.inf if fix.heading_deg is None else fix.heading_deg
    return (*fix[:5], heading_deg, *fix[6:])
