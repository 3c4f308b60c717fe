"""The life of hazards, from the set of their DENM (EN 302 637-3; c-its.md 2.5, 5). Pure.

The newest referenceTime wins, whatever came last; a repetition says nothing new but when it was first received. An
end that came before the validity ran out is final: a late repetition does not open the event again.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from math import fsum
from typing import Final, Literal, NamedTuple

from schemas.mobility import HazardNearby, Position, RoadHazard
from services.aggregator.mobility.crossings import heading_gap_deg
from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.geometry import Frame
from services.aggregator.points import instant

__all__ = [
    "FAR_BAND_M",
    "Ending",
    "Hazard",
    "Relevance",
    "active_at",
    "band_of",
    "exposed_to",
    "hazards_of",
    "relevance_of",
    "speed_response_mps",
]

Ending = Literal["validity", "cancellation", "negation"]

_DEFAULT_DISTANCE_M: Final = 500.0
_ALL_DIRECTIONS: Final = 0
_UPSTREAM: Final = 1
_OPPOSITE: Final = 3
_SAME_WAY_DEG: Final = 60.0
FAR_BAND_M: Final = (200.0, 300.0)
NEAR_BAND_M: Final = (0.0, 100.0)
_LEAST_FIXES: Final = 3
_ROADWORKS: Final = 3
_STATIC_S: Final = 3600.0


class Hazard(NamedTuple):
    """An event: from its detection to its end, how it ended, and how long its first message took."""

    action_id: str
    cause_code: int | None
    sub_cause_code: int | None
    detected_at: datetime
    ended_at: datetime
    ending: Ending
    updates: int
    dissemination_s: float
    announced: tuple[RoadHazard, ...]

    @property
    def duration_s(self) -> float:
        """Seconds from detection to end."""
        return (self.ended_at - self.detected_at).total_seconds()

    @property
    def is_static(self) -> bool:
        """Roadworks, or longer than an hour."""
        return self.cause_code == _ROADWORKS or self.duration_s > _STATIC_S


def hazards_of(records: Iterable[RoadHazard]) -> list[Hazard]:
    """The events that a set of DENM tells of, by detection."""
    lives: dict[str, list[RoadHazard]] = defaultdict(list)
    for record in records:
        lives[record.action_id].append(record)
    return sorted((_life(each) for each in lives.values()), key=lambda each: (each.detected_at, each.action_id))


def _life(records: list[RoadHazard]) -> Hazard:
    """A life; of messages with one referenceTime an end counts before an announcement."""
    known = tuple(sorted(set(records), key=_order))
    newest = known[-1]
    said = [each for each in known if each.termination is None] or [newest]
    detected_at = min(each.detection_time for each in said)
    first = min(each.received_at for each in known)
    return Hazard(
        newest.action_id,
        _last(said, "cause_code"),
        _last(said, "sub_cause_code"),
        detected_at,
        max(newest.ends_at, detected_at),
        newest.termination or "validity",
        len({each.observed_at for each in said}) - 1,
        (first - detected_at).total_seconds(),
        known,
    )


def _last(said: Sequence[RoadHazard], field: str) -> int | None:
    return next((value for each in reversed(said) if (value := getattr(each, field)) is not None), None)


def _order(record: RoadHazard) -> tuple[datetime, bool, datetime, str]:
    return (record.observed_at, record.termination is not None, record.received_at, record.model_dump_json())


def active_at(hazards: Iterable[Hazard], at: datetime) -> list[Hazard]:
    """The events that were active at an instant, as their messages until then had announced."""
    active = []
    for hazard in hazards:
        until = [each for each in hazard.announced if each.observed_at <= at]
        if until and hazard.detected_at <= at < until[-1].ends_at:
            active.append(hazard)
    return active


def exposed_to(hazard: Hazard, fixes: Iterable[Fix]) -> int:
    """Distinct vehicles within the relevance distance, in a matching direction, while the event was active."""
    return len({fix.vehicle for fix, _ in _near(hazard, fixes)})


def speed_response_mps(hazard: Hazard, fixes: Iterable[Fix]) -> float | None:
    """Mean speed in the last 100 m before the event, less that of 300 to 200 m before it.

    Only of vehicles that go towards it; `None` with fewer than three messages in a band.
    """
    far: list[float] = []
    near: list[float] = []
    for fix, before_m in _near(hazard, fixes, reach_m=FAR_BAND_M[1]):
        band = band_of(before_m)
        if band is not None:
            (near if band == "near" else far).append(fix.speed_mps)
    if min(len(far), len(near)) < _LEAST_FIXES:
        return None
    return fsum(near) / len(near) - fsum(far) / len(far)


class Relevance(NamedTuple):
    """Whom an event concerns: where it is, how far around, and for which direction of travel (EN 302 637-3)."""

    latitude_deg: float
    longitude_deg: float
    distance_m: float | None
    direction: int | None
    heading_deg: float | None

    def before_m(self, fix: Fix, reach_m: float | None = None) -> float | None:
        """Metres before the event, negative if the vehicle goes away from it; `None` if it does not concern it.

        Args:
            fix: a vehicle at an instant.
            reach_m: instead of the relevance distance.
        """
        east_m, north_m = _frame(self.latitude_deg, self.longitude_deg).offset(fix.latitude_deg, fix.longitude_deg)
        distance_m = math.hypot(east_m, north_m)
        if distance_m > (reach_m or self.distance_m or _DEFAULT_DISTANCE_M) or not self._matches(fix):
            return None
        towards = _towards(fix, east_m, north_m)
        if not towards and self.direction == _UPSTREAM:
            return None
        return distance_m if towards else -distance_m

    def _matches(self, fix: Fix) -> bool:
        """Whether the vehicle goes the way of the event; without headings everything does."""
        if self.heading_deg is None or fix.heading_deg is None or self.direction == _ALL_DIRECTIONS:
            return True
        gap_deg = heading_gap_deg(self.heading_deg, fix.heading_deg)
        return gap_deg >= 180 - _SAME_WAY_DEG if self.direction == _OPPOSITE else gap_deg <= _SAME_WAY_DEG


@lru_cache(maxsize=4096)
def _frame(latitude_deg: float, longitude_deg: float) -> Frame:
    return Frame.at(Position(latitude_deg=latitude_deg, longitude_deg=longitude_deg))


def relevance_of(record: RoadHazard | HazardNearby) -> Relevance | None:
    """Whom a DENM concerns; `None` without a place."""
    place = record.position
    if place is None:
        return None
    return Relevance(
        place.latitude_deg,
        place.longitude_deg,
        record.relevance_distance_m,
        record.relevance_direction,
        record.event_heading_deg,
    )


def band_of(before_m: float) -> Literal["near", "far"] | None:
    """The band before an event in which a speed counts."""
    if NEAR_BAND_M[0] <= before_m <= NEAR_BAND_M[1]:
        return "near"
    return "far" if FAR_BAND_M[0] <= before_m <= FAR_BAND_M[1] else None


def _near(hazard: Hazard, fixes: Iterable[Fix], reach_m: float | None = None) -> list[tuple[Fix, float]]:
    """Fixes in place and time of an event, and the metres before it."""
    known = (relevance_of(each) for each in reversed(hazard.announced))
    relevance = next((each for each in known if each is not None), None)
    if relevance is None:
        return []
    found = []
    for fix in sorted(set(fixes), key=lambda each: (each.vehicle, each.at_ms)):
        if hazard.detected_at <= instant(fix.at_ms) < hazard.ended_at:
            before_m = relevance.before_m(fix, reach_m)
            if before_m is not None:
                found.append((fix, before_m))
    return found


def _towards(fix: Fix, east_m: float, north_m: float) -> bool:
    if fix.heading_deg is None:
        return False
    bearing_deg = math.degrees(math.atan2(-east_m, -north_m)) % 360
    return heading_gap_deg(bearing_deg, fix.heading_deg) < 90
