"""What a CAM says of a vehicle at one instant, and the tracks that these make. Pure; vehicles stay in memory."""

import math
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from schemas.mobility import VehicleState
from services.aggregator.points import milliseconds

__all__ = ["SILENCE_MS", "Fix", "fix_of", "fix_order", "tracks_of"]

NOT_BELIEVED: Final = frozenset(
    {"position_jump", "impossible_speed", "replay", "outside_site", "clock", "clock_ambiguous", "leap_suspect"}
)
"""Flags with which a message becomes no figure: five seconds beside the signals make a green of a red.

`stale` is none of them. What waited through an outage and says when it was sent is as good as what came at once; what
is old and does not say it is `clock_ambiguous` too.
"""

SILENCE_MS: Final = 30_000
"""A vehicle that was silent for longer begins anew; a passage is never guessed over the silence."""

_NOT_VEHICLES: Final = frozenset({1, 15})  # pedestrian, roadside unit
_FASTEST_MPS: Final = 655.0


class Fix(NamedTuple):
    """A vehicle at one instant; its heading in degrees, clockwise from north.

    Its numbers have the digits of ETSI's messages, 1e-7 degrees, 0.01 m/s and 0.1 degrees, whatever encoding came.
    """

    vehicle: str
    at_ms: int
    latitude_deg: float
    longitude_deg: float
    speed_mps: float
    heading_deg: float | None
    station_type: int
    vehicle_role: int


def fix_of(record: VehicleState, at_ms: int | None = None) -> Fix | None:
    """The fix of a CAM; `None` without place or speed, for what is no vehicle, and for what is not to be believed.

    Args:
        record: the CAM.
        at_ms: its `observed_at`, where that is known already.
    """
    position, speed_mps, heading_deg = record.position, record.speed_mps, record.heading_deg
    if position is None or speed_mps is None or record.station_type in _NOT_VEHICLES:
        return None
    if record.flags and not NOT_BELIEVED.isdisjoint(record.flags):
        return None
    return Fix(
        record.vehicle,
        milliseconds(record.observed_at) if at_ms is None else at_ms,
        round(position.latitude_deg * 1e7) / 1e7,
        round(position.longitude_deg * 1e7) / 1e7,
        round(min(abs(speed_mps), _FASTEST_MPS) * 100) / 100,
        None if heading_deg is None else round(heading_deg * 10) % 3600 / 10,
        record.station_type,
        record.vehicle_role or 0,
    )


def tracks_of(fixes: Iterable[Fix]) -> Iterator[list[Fix]]:
    """The fixes of each vehicle by time, cut where it was silent; the same for any order and any copies."""
    track: list[Fix] = []
    for fix in sorted(set(fixes), key=fix_order):
        if track and (fix.vehicle != track[-1].vehicle or fix.at_ms - track[-1].at_ms > SILENCE_MS):
            yield track
            track = []
        if track and fix.at_ms == track[-1].at_ms:
            track[-1] = fix  # two voices of one instant: the later in the order, whichever came first
        else:
            track.append(fix)
    if track:
        yield track


def fix_order(fix: Fix) -> tuple[str, int, float, float, float, float, int, int]:
    """An order in which no two fixes are equal; the later of two voices of one instant is believed."""
    heading_deg = -math.inf if fix.heading_deg is None else fix.heading_deg
    return (*fix[:5], heading_deg, *fix[6:])
