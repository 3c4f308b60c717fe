"""Where the track of a vehicle crosses a stop line, and the approach that leads there. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from math import fsum
from typing import Final, NamedTuple

from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.geometry import Ingress, Junction, Place

__all__ = ["BEYOND_M", "Crossing", "Step", "crossings_of", "heading_gap_deg", "is_on"]

APPROACH_M: Final = 300.0
_BESIDE_M: Final = 5.0
_HEADING_DEG: Final = 30.0
_SHOWS_HEADING_MPS: Final = 1.0
_LONGEST_GAP_MS: Final = 5_000
_APART_MS: Final = 10_000
_GONE_M: Final = 3.0
_BACK_M: Final = 20.0
_JUDGED_M: Final = 100.0
BEYOND_M: Final = 100.0
"""How far behind the far end of its map a lane is believed to go straight on."""


class Step(NamedTuple):
    """A fix on a lane."""

    fix: Fix
    place: Place


class Crossing(NamedTuple):
    """A stop line that was crossed: the lane, the steps before it by time, the instant, and what went on after it."""

    lane: Ingress
    steps: tuple[Step, ...]
    after: tuple[Step, ...]
    at_ms: float
    speed_mps: float
    gap_ms: int
    beside_m: float


def crossings_of(track: Sequence[Fix], junction: Junction) -> list[Crossing]:
    """The crossings of a track, by time. Of lanes that it seems to have crossed at once, the nearest counts."""
    found: list[Crossing] = []
    for lane in junction.lanes:
        found += _on_lane(track, lane, junction)
    kept: list[Crossing] = []
    for crossing in sorted(found, key=lambda each: (each.beside_m, each.at_ms, each.lane.lane_id)):
        if all(abs(crossing.at_ms - each.at_ms) > _APART_MS for each in kept):
            kept.append(crossing)
    return sorted(kept, key=lambda each: each.at_ms)


def heading_gap_deg(one_deg: float, other_deg: float) -> float:
    """The angle between two headings, 0 to 180."""
    return abs((one_deg - other_deg + 180) % 360 - 180)


def _on_lane(track: Sequence[Fix], lane: Ingress, junction: Junction) -> list[Crossing]:
    steps = [Step(fix, lane.place(junction.frame.offset(fix.latitude_deg, fix.longitude_deg))) for fix in track]
    found, index, armed = [], None, True
    for number, (before, after) in enumerate(pairwise(steps)):
        # A vehicle that waits at the line wavers over it: the last time counts, and only once it has gone on.
        if armed and before.place.before_m > 0 >= after.place.before_m and _follows(before, after) and is_on(before):
            index = number
        if index is not None and after.place.before_m <= -_GONE_M:
            if steps[index].place.before_m <= lane.length_m + BEYOND_M:
                found.append(_crossing(steps, index, lane))
            index, armed = None, False
        if after.place.before_m > _BACK_M:
            index, armed = None, True
    return found


def _crossing(steps: Sequence[Step], index: int, lane: Ingress) -> Crossing:
    before, after = steps[index : index + 2]
    approach = _approach(steps[: index + 1], lane)
    gap_ms = after.fix.at_ms - before.fix.at_ms
    share = before.place.before_m / (before.place.before_m - after.place.before_m)
    at_ms = before.fix.at_ms + share * gap_ms
    speed_mps = before.fix.speed_mps + share * (after.fix.speed_mps - before.fix.speed_mps)
    judged = [step.place.beside_m for step in approach if step.place.before_m <= _JUDGED_M]
    beside_m = fsum(judged) / len(judged) if judged else before.place.beside_m
    return Crossing(lane, approach, _leaving(steps[index + 1 :]), at_ms, speed_mps, gap_ms, beside_m)


def _follows(before: Step, after: Step) -> bool:
    return after.fix.at_ms - before.fix.at_ms <= _LONGEST_GAP_MS and after.place.beside_m <= 3 * _BESIDE_M


def is_on(step: Step) -> bool:
    """Whether it is on the lane and travels its way."""
    if step.place.beside_m > _BESIDE_M:
        return False
    if step.fix.heading_deg is None or step.fix.speed_mps < _SHOWS_HEADING_MPS:
        return True
    return heading_gap_deg(step.fix.heading_deg, step.place.heading_deg) <= _HEADING_DEG


def _approach(steps: Sequence[Step], lane: Ingress) -> tuple[Step, ...]:
    """The steps that lead to the last one on this lane, back to the first behind the entry."""
    kept: list[Step] = []
    for step in reversed(steps):
        off = step.place.beside_m > 3 * _BESIDE_M or not -_GONE_M < step.place.before_m <= lane.length_m + BEYOND_M
        if off or (kept and kept[-1].fix.at_ms - step.fix.at_ms > 3 * _LONGEST_GAP_MS):
            break
        kept.append(step)
    return tuple(reversed(kept))


def _leaving(steps: Sequence[Step]) -> tuple[Step, ...]:
    """What the vehicle did behind the line, until it was silent or a minute had passed."""
    kept: list[Step] = []
    for step in steps:
        since_ms = step.fix.at_ms - (kept[-1].fix.at_ms if kept else steps[0].fix.at_ms)
        if since_ms > _LONGEST_GAP_MS or step.fix.at_ms - steps[0].fix.at_ms > 60_000:
            break
        kept.append(step)
    return tuple(kept)
