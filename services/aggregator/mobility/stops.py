"""Stops and slow seconds of a vehicle from its speeds (c-its.md 5). Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ["GOES_MPS", "IDLE_MPS", "MERGED_S", "STOP_MPS", "Speed", "Stop", "slow_s", "stops_of"]

STOP_MPS: Final = 1.4
IDLE_MPS: Final = 0.5
GOES_MPS: Final = 2.8
_LEAST_STOP_S: Final = 3.0
MERGED_S: Final = 2.0
_LONGEST_GAP_S: Final = 5.0

Speed = tuple[float, float]
"""Time in seconds, and m/s."""


class Stop(NamedTuple):
    """A stop, from when the speed fell below 1.4 m/s to when it rose above 2.8 m/s; seconds."""

    start_s: float
    end_s: float


def stops_of(speeds: Sequence[Speed]) -> list[Stop]:
    """Stops: below 1.4 m/s for three seconds at least; those with less than two seconds between them are one."""
    runs = _below(speeds, STOP_MPS)
    slow = _below(speeds, GOES_MPS)
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


def slow_s(speeds: Sequence[Speed], bound_mps: float) -> float:
    """Seconds below a speed."""
    return sum(run.end_s - run.start_s for run in _below(speeds, bound_mps))


def _below(speeds: Sequence[Speed], bound_mps: float) -> list[Stop]:
    """When the speed was below a bound, with its instants between two messages; never over a gap of five seconds."""
    runs: list[Stop] = []
    for before, after in pairwise(speeds):
        if after[0] - before[0] > _LONGEST_GAP_S or min(before[1], after[1]) >= bound_mps:
            continue
        start_s, end_s = before[0], after[0]
        if before[1] >= bound_mps or after[1] >= bound_mps:
            meets_s = start_s + (end_s - start_s) * (bound_mps - before[1]) / (after[1] - before[1])
            start_s, end_s = (meets_s, end_s) if before[1] >= bound_mps else (start_s, meets_s)
        if runs and runs[-1].end_s == start_s:
            runs[-1] = Stop(runs[-1].start_s, end_s)
        else:
            runs.append(Stop(start_s, end_s))
    return runs
