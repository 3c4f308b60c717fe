"""Stops and slow seconds of a vehicle from its speeds (c-its.md 5). Pure.

Who stands says little, once a second at most, and messages get lost in a row: silence between two messages from the
same place is standing, not absence.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ["GOES_MPS", "IDLE_MPS", "MERGED_S", "STOP_MPS", "Moment", "Stop", "slow_s", "stands", "stops_of"]

STOP_MPS: Final = 1.4
IDLE_MPS: Final = 0.5
GOES_MPS: Final = 2.8
_LEAST_STOP_S: Final = 3.0
MERGED_S: Final = 2.0
_LONGEST_GAP_S: Final = 5.0
_LONGEST_STAND_S: Final = 30.0
_SAME_PLACE_M: Final = 3.0
"""What a receiver errs; who moves up in a queue by one car goes twice as far."""


class Moment(NamedTuple):
    """What one message says: when in seconds, how fast, and how far before the line in metres, where that is known."""

    at_s: float
    speed_mps: float
    before_m: float | None = None


class Stop(NamedTuple):
    """A stop, from when the speed fell below 1.4 m/s to when it rose above 2.8 m/s; seconds."""

    start_s: float
    end_s: float


def stops_of(moments: Sequence[Moment]) -> list[Stop]:
    """Stops: below 1.4 m/s for three seconds at least; those with less than two seconds between them are one."""
    runs = _below(moments, STOP_MPS)
    slow = _below(moments, GOES_MPS)
    found: list[Stop] = []
    for run in runs:
        if run.end_s - run.start_s < _LEAST_STOP_S:
            continue
        end_s = next((each.end_s for each in slow if each.start_s <= run.start_s <= each.end_s), run.end_s)
        if found and run.start_s - found[-1].end_s < MERGED_S:
            found[-1] = Stop(found[-1].start_s, max(end_s, found[-1].end_s))
        else:
            found.append(Stop(run.start_s, end_s))
    return found


def slow_s(moments: Sequence[Moment], bound_mps: float) -> float:
    """Seconds below a speed."""
    return sum(run.end_s - run.start_s for run in _below(moments, bound_mps))


def stands(before: Moment, after: Moment) -> bool:
    """Whether it stood between two messages, up to 30 s apart: at both below 1.4 m/s, and at the same place."""
    if before.before_m is None or after.before_m is None or max(before.speed_mps, after.speed_mps) >= STOP_MPS:
        return False
    return after.at_s - before.at_s <= _LONGEST_STAND_S and abs(after.before_m - before.before_m) <= _SAME_PLACE_M


def _below(moments: Sequence[Moment], bound_mps: float) -> list[Stop]:
    """When the speed was below a bound, with its instants between two messages.

    Over a gap of more than five seconds only where it stood, and then for all of it: that it still rolled when the gap
    began, or rolled again when it ended, says nothing of the seconds between.
    """
    runs: list[Stop] = []
    for before, after in pairwise(moments):
        (start_s, low, _), (end_s, high, _) = before, after
        if end_s - start_s > _LONGEST_GAP_S:
            if not stands(before, after):
                continue
            low = high = 0.0
        if min(low, high) >= bound_mps:
            continue
        if low >= bound_mps or high >= bound_mps:
            meets_s = start_s + (end_s - start_s) * (bound_mps - low) / (high - low)
            start_s, end_s = (meets_s, end_s) if low >= bound_mps else (start_s, meets_s)
        if runs and runs[-1].end_s == start_s:
            runs[-1] = Stop(runs[-1].start_s, end_s)
        else:
            runs.append(Stop(start_s, end_s))
    return runs
