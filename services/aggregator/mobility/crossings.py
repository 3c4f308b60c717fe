"""Where a vehicle crossed a stop line, and the approach that led there. Pure."""

from collections.abc import Sequence
from math import fsum
from typing import Final, NamedTuple

from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.geometry import Ingress, Junction
from services.aggregator.mobility.nearby import BESIDE_M, BEYOND_M, Nearby, Step, heading_gap_deg, is_on
from services.aggregator.mobility.stops import stands
from services.aggregator.mobility.tracking import (
    GONE_M,
    LONGEST_GAP_MS,
    LOOK_BACK_MS,
    Found,
    Tracker,
    index_of,
    slot_of,
)
from services.aggregator.mobility.trails import Trail

__all__ = [
    "APPROACH_M",
    "BACK_MS",
    "BEYOND_M",
    "Crossing",
    "Crossings",
    "Step",
    "crossings_of",
    "heading_gap_deg",
    "is_on",
]

APPROACH_M: Final = 300.0
BACK_MS: Final = 900_000
"""What a vehicle did more than a quarter of an hour before a minute does not change its passages in the minute."""

RIVALS_MS: Final = 60_000
_APART_MS: Final = 10_000
_RIVAL_M: Final = 3.0
_AFTER_MS: Final = 60_000
_JUDGED_M: Final = 100.0


class Crossing(NamedTuple):
    """A stop line that was crossed: the lane, the steps before it by time, the instant, and the fixes behind it.

    `beside_m` is how far beside the lane's middle it came along the last 100 m; `rivals` are the signal groups of other
    lanes that it may have been on as well, were its position a little wrong.
    """

    lane: Ingress
    steps: tuple[Step, ...]
    after: tuple[Fix, ...]
    at_ms: float
    speed_mps: float
    gap_ms: int
    beside_m: float
    rivals: frozenset[int | None] = frozenset()


class _Line(NamedTuple):
    """What decides between crossings of one moment."""

    beside_m: float
    at_ms: float
    lane_id: int


class Crossings:
    """The crossings of one trail on one map: found as it grows, and told in full when asked for."""

    __slots__ = ("_lines", "_nearby", "_steps", "_trail", "tracker")

    def __init__(self, trail: Trail, nearby: Nearby) -> None:
        self.tracker = Tracker(nearby)
        self._trail = trail
        self._nearby = nearby
        self._lines: dict[Found, _Line] = {}
        self._steps: dict[Found, tuple[Step, ...]] = {}

    def rewind(self, index: int, at_ms: int) -> None:
        """The trail is new from a fix on."""
        self.tracker.rewind(index, at_ms)
        for known in (self._lines, self._steps):
            for found in [each for each in known if each.before_ms >= at_ms - LONGEST_GAP_MS]:
                del known[found]

    def forget(self, fixes: int, before_ms: int) -> None:
        """The trail lost its first fixes, those before an instant."""
        self.tracker.forget(fixes, before_ms)
        for known in (self._lines, self._steps):
            for found in [each for each in known if each.before_ms < before_ms]:
                del known[found]

    def settle(self, found: Found) -> None:
        """Keep no more of a crossing than what decides between it and others."""
        self._steps.pop(found, None)

    def counted(self, low_ms: int, high_ms: int) -> list[Found]:
        """Crossings of [low, high), by last message before the line. Of lines crossed at once the nearest counts."""
        counted = [each for each in self.tracker.found_between(low_ms, high_ms) if self._counts(each)]
        return sorted(counted, key=lambda each: (each.before_ms, self._line(each).at_ms))

    def _counts(self, found: Found) -> bool:
        rivals = self.tracker.found_between(found.before_ms - RIVALS_MS, found.before_ms + RIVALS_MS + 1)
        if len(rivals) == 1:
            return True
        kept: list[float] = []
        for each in sorted(rivals, key=self._line):
            at_ms = self._line(each).at_ms
            if all(abs(at_ms - other_ms) > _APART_MS for other_ms in kept):
                if each == found:
                    return True
                kept.append(at_ms)
        self.settle(found)
        return False

    def _line(self, found: Found) -> _Line:
        line = self._lines.get(found)
        if line is None:
            crossing = self.crossing(found)
            line = self._lines[found] = _Line(crossing.beside_m, crossing.at_ms, crossing.lane.lane_id)
        return line

    def crossing(self, found: Found) -> Crossing:
        """All of a crossing."""
        lane, trail = self._nearby.lanes[found.lane], self._trail
        index = index_of(trail, found.before_ms)
        steps = self._steps.get(found)
        if steps is None:
            steps = self._steps[found] = self._approach(index, found.lane)
        before = steps[-1]
        beyond = self._step(trail[index + 1], found.lane)
        gap_ms = beyond.fix.at_ms - before.fix.at_ms
        before_m = before.place.before_m
        # A vehicle that waits a little beyond the line crosses it when it sets off.
        share = before_m / (before_m - beyond.place.before_m) if before_m > 0 else 1.0
        speed_mps = before.fix.speed_mps + share * (beyond.fix.speed_mps - before.fix.speed_mps)
        at_ms = before.fix.at_ms + share * gap_ms
        rivals = self._rivals(before, found.lane) - {lane.signal_group}
        return Crossing(lane, steps, self._leaving(index + 1), at_ms, speed_mps, gap_ms, _beside_m(steps), rivals)

    def _rivals(self, step: Step, lane: int) -> frozenset[int | None]:
        """Of the other lanes, those that are hardly farther away than its own."""
        nearby, point = self._nearby, self._nearby.offset(step.fix)
        near_m = step.place.beside_m + _RIVAL_M
        others = (each for each in nearby.on(step.fix, point) if each != lane)
        return frozenset(nearby.lanes[n].signal_group for n in others if nearby.place(n, point).beside_m <= near_m)

    def _step(self, fix: Fix, lane: int) -> Step:
        return Step(fix, self._nearby.place(lane, self._nearby.offset(fix)))

    def _approach(self, index: int, lane: int) -> tuple[Step, ...]:
        """The steps that lead to the last one on this lane, back to the first behind the entry."""
        kept: list[Step] = []
        end_m = self._nearby.lanes[lane].length_m + BEYOND_M
        for fix in self._trail.back(index, slot_of(self._trail.at_ms[index]) - BACK_MS):
            step = self._step(fix, lane)
            off = step.place.beside_m > 3 * BESIDE_M or not -GONE_M < step.place.before_m <= end_m
            if off or (kept and _is_cut(step, kept[-1])):
                break
            kept.append(step)
        return tuple(reversed(kept))

    def _leaving(self, index: int) -> tuple[Fix, ...]:
        """What the vehicle did behind the line, until it was silent or a minute had passed."""
        times = self._trail.at_ms
        end = index + 1
        while end < len(times) and times[end] - times[end - 1] <= LONGEST_GAP_MS:
            if times[end] - times[index] > _AFTER_MS:
                break
            end += 1
        return tuple(self._trail.fixes(index, end))


def _is_cut(before: Step, after: Step) -> bool:
    """Whether so much lies between two messages that the approach begins behind it; not where the vehicle stood."""
    return after.fix.at_ms - before.fix.at_ms > 3 * LONGEST_GAP_MS and not stands(before.moment, after.moment)


def _beside_m(steps: Sequence[Step]) -> float:
    since_ms = steps[-1].fix.at_ms - LOOK_BACK_MS
    judged = [step.place.beside_m for step in steps if step.place.before_m <= _JUDGED_M and step.fix.at_ms >= since_ms]
    return fsum(judged) / len(judged) if judged else steps[-1].place.beside_m


def crossings_of(track: Sequence[Fix], junction: Junction) -> list[Crossing]:
    """The crossings of the fixes of one vehicle, by time."""
    if not track:
        return []
    trail = Trail(track[0].vehicle)
    for fix in track:
        trail.add(fix)
    crossings = Crossings(trail, Nearby(junction))
    crossings.tracker.advance(trail)
    counted = crossings.counted(trail.at_ms[0], trail.at_ms[-1] + 1)
    return sorted((crossings.crossing(each) for each in counted), key=lambda each: each.at_ms)
