"""The recent readings of one register, and which windows change when more of them arrive.

What is stored in the end depends on the set of readings alone, not on their order: late readings run the algebra
again from the checkpoint before them. Readings older than a few days are forgotten behind a checkpoint; when one of
that age arrives, the caller gives the whole series again, read back from the raw bucket (`TooOld`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.registers import Limits, Reading, Segment, State, credit
from services.aggregator.windows import WINDOWS, Window, WindowName, local_day, value_of, windows_between

__all__ = ["Changed", "RegisterHistory", "TooOld"]

_KEEP_MS = 3 * 86_400_000
_TRIM_AT = 512


class TooOld(Exception):
    """A reading is older than what is kept: load the whole series first."""


class Changed(NamedTuple):
    """A window whose value may have changed, and how many readings are known in it."""

    name: WindowName
    window: Window
    readings: int


class RegisterHistory:
    """Readings of one register by time; two of the same instant become the larger one."""

    def __init__(self, limits: Limits, zone: ZoneInfo) -> None:
        self.limits = limits
        self._zone = zone
        self._readings: list[Reading] = []
        self._times: list[int] = []
        self._segments: list[Segment] = []
        self._starts_ms: list[int] = []
        self._base = State()
        self._state = State()
        self._first_ms: int | None = None
        self._kept_from_ms: int | None = None

    def __len__(self) -> int:
        """Readings kept in memory."""
        return len(self._readings)

    def merge(self, readings: Iterable[Reading]) -> Iterator[Changed]:
        """Add readings in any order; gives every window that may differ from before.

        Raises:
            TooOld: one lies before what is kept in memory, or changes what does: make this history anew from the
                whole series, with these readings.
        """
        new = self._unknown(readings)
        if not new:
            return iter(())
        if self._kept_from_ms is not None and new[0].at_ms < self._kept_from_ms:
            raise TooOld
        span = self._append(new) if not self._times or new[0].at_ms > self._times[-1] else self._insert(new)
        return self._changed(*span)

    def trim(self) -> None:
        """Forget what lies before the last few days, behind a checkpoint."""
        if len(self._readings) < _TRIM_AT or self._state.accepted is None:
            return
        oldest_needed = min(self._times[-1] - _KEEP_MS, self._state.accepted.at_ms)
        bound = local_day(oldest_needed, self._zone)[0]
        cut = bisect_left(self._times, bound)
        if cut < _TRIM_AT // 2:
            return
        self._base, _ = credit(self._readings[:cut], self.limits, self._base)
        del self._readings[:cut], self._times[:cut]
        # A segment that reaches over the bound is needed by the first windows that are kept.
        self._credited([segment for segment in self._segments if segment.end_ms > bound])
        self._kept_from_ms = bound

    def _unknown(self, readings: Iterable[Reading]) -> list[Reading]:
        """The readings that say something new, by time, one for each instant."""
        best: dict[int, Reading] = {}
        for reading in readings:
            known = best.get(reading.at_ms)
            best[reading.at_ms] = reading if known is None else _larger(known, reading)
        return [best[at_ms] for at_ms in sorted(best) if self._is_news(best[at_ms])]

    def _is_news(self, reading: Reading) -> bool:
        index = bisect_left(self._times, reading.at_ms)
        if index == len(self._times) or self._times[index] != reading.at_ms:
            return True
        return _larger(self._readings[index], reading) != self._readings[index]

    def _append(self, new: list[Reading]) -> tuple[int, int]:
        """In order: go on from the state."""
        first_ms = self._times[-1] if self._times else new[0].at_ms
        if self._first_ms is None:
            self._first_ms = new[0].at_ms
        self._readings.extend(new)
        self._times.extend(reading.at_ms for reading in new)
        self._state, segments = credit(new, self.limits, self._state)
        self._segments.extend(segments)
        self._starts_ms.extend(segment.start_ms for segment in segments)
        return min([first_ms, *(segment.start_ms for segment in segments[:1])]), new[-1].at_ms

    def _insert(self, new: list[Reading]) -> tuple[int, int]:
        """Late: run again from the checkpoint, and see from where to where the credited curve differs."""
        for reading in new:
            index = bisect_left(self._times, reading.at_ms)
            if index < len(self._times) and self._times[index] == reading.at_ms:
                self._readings[index] = _larger(self._readings[index], reading)
            else:
                self._readings.insert(index, reading)
                self._times.insert(index, reading.at_ms)
        before = self._segments
        carried = [segment for segment in before if self._base.accepted and segment.end_ms <= self._base.accepted.at_ms]
        self._state, rerun = credit(self._readings, self.limits, self._base)
        self._credited(carried + rerun)
        old_first_ms = self._first_ms if self._first_ms is not None else new[0].at_ms
        self._first_ms = min(old_first_ms, new[0].at_ms)
        start_ms, end_ms = _difference(before, self._segments)
        if self._kept_from_ms is not None and start_ms < self._kept_from_ms:
            raise TooOld
        bounds = [new[0].at_ms, new[-1].at_ms, *([old_first_ms] if new[0].at_ms < old_first_ms else [])]
        return min(start_ms, *bounds), max(end_ms, *bounds)

    def _credited(self, segments: list[Segment]) -> None:
        self._segments = segments
        self._starts_ms = [segment.start_ms for segment in segments]

    def _changed(self, start_ms: int, end_ms: int) -> Iterator[Changed]:
        """Windows that touch [start, end] and overlap the time between the first and the last reading."""
        first_ms, last_ms = self._first_ms or 0, self._times[-1]
        for name in WINDOWS:
            for low, high in windows_between(name, start_ms, min(end_ms + 1, last_ms), self._zone):
                if high <= first_ms or low >= last_ms:
                    continue
                count = bisect_left(self._times, high) - bisect_left(self._times, low)
                yield Changed(name, value_of(self._segments, self._starts_ms, low, high), count)


def _larger(one: Reading, other: Reading) -> Reading:
    """Of two readings of one instant the larger: the same whichever came first."""
    return max(one, other, key=lambda reading: (reading.value, reading.began_ms or 0))


def _difference(before: list[Segment], after: list[Segment]) -> tuple[int, int]:
    """From where to where two lists of segments differ; an empty range far apart if they do not."""
    low = 0
    while low < min(len(before), len(after)) and before[low] == after[low]:
        low += 1
    high = 0
    while high < min(len(before), len(after)) - low and before[-1 - high] == after[-1 - high]:
        high += 1
    differing = [*before[low : len(before) - high], *after[low : len(after) - high]]
    if not differing:
        return 2**62, -(2**62)
    return min(segment.start_ms for segment in differing), max(segment.end_ms for segment in differing)
