"""Energy that was measured over intervals (load curves, gas days, imported history) as windows. Pure, in integers.

At each instant the best interval speaks, so that nothing is counted twice: of those that overlap the shortest, of two
that are equally long the one that was said later (a correction), then the larger. The same thing said again is the
same interval, and was said when it was first said. Energy is spread evenly over its interval; windows that adjoin
add up to the whole without an error, as those of registers do.

In the series of windows the register of an interval is called `interval:<name>`: no counter has a colon in its name, so
the two never share a window. Which of them tells a day is decided where a day is read (`kpis.consumption`).
"""

import zlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.history import Changed
from services.aggregator.meters import windows_of
from services.aggregator.registers import limits_for
from services.aggregator.windows import Window, WindowName, windows_between

__all__ = ["LONGEST_MS", "PREFIX", "Interval", "IntervalHistory"]

PREFIX: Final = "interval:"
LONGEST_MS: Final = 32 * 86_400_000
"""Longer intervals (the bill of two months) say nothing of a day, and make no windows."""

_NEAR_MS: Final = 2 * 3_600_000
_KEEP_MS: Final = 26 * 3_600_000
"""A local day, and an hour: all that the next interval of a load curve touches."""

_TRIM_AT: Final = 64


class Interval(NamedTuple):
    """What was used in [start, end).

    Attributes:
        start_ms: Unix milliseconds.
        end_ms: after `start_ms`.
        value: millionths of the unit.
        said_ms: when it was received first.
        flags: what the source says of it, sorted, with commas.
        mean_power_w: if the source says that too.
    """

    start_ms: int
    end_ms: int
    value: int
    said_ms: int
    flags: str = ""
    mean_power_w: float | None = None

    @property
    def time_ns(self) -> int:
        """Time of its raw point: the end, and in the digits below the millisecond what it says."""
        said = f"{self.start_ms}:{self.value}:{self.flags}:{self.mean_power_w}".encode()
        return self.end_ms * 1_000_000 + zlib.crc32(said) % 1_000_000


class _Piece(NamedTuple):
    start_ms: int
    end_ms: int
    interval: Interval


class IntervalHistory:
    """The recent intervals of one register of one meter.

    `from_ms`: everything that is stored and ends after this instant is in memory; `None`: nothing is.
    """

    def __init__(self, carrier: str, unit: str, zone: ZoneInfo) -> None:
        self._names: tuple[WindowName, ...] = windows_of(carrier)
        self._limits = limits_for(carrier, unit)
        self._zone = zone
        self._known: dict[int, Interval] = {}
        self.from_ms: int | None = None

    def __len__(self) -> int:
        """Intervals in memory."""
        return len(self._known)

    def credible(self, interval: Interval) -> bool:
        """Whether it can be what it says: not negative, not more than a meter lets through, not a season."""
        lasts_ms = interval.end_ms - interval.start_ms
        most = self._limits.most(lasts_ms, self._limits.resolution)
        return 0 < lasts_ms <= LONGEST_MS and 0 <= interval.value <= most

    def needs_from_ms(self, intervals: Iterable[Interval]) -> int:
        """From where on stored intervals must be in memory for these to be merged."""
        return min(low for each in intervals for low, _ in self._touched_first(each))

    def load(self, stored: Iterable[Interval], from_ms: int) -> None:
        """Add what is stored and ends after an instant."""
        for each in stored:
            self._known.setdefault(each.time_ns, each)
        self.from_ms = from_ms

    def merge(self, intervals: Iterable[Interval]) -> tuple[list[Interval], list[Changed]]:
        """Add intervals in any order: those that are news, with when they were first said, and the windows to write."""
        news: dict[int, Interval] = {}
        for each in intervals:
            known = self._known.get(each.time_ns)
            if known is None or each.said_ms < known.said_ms:
                news[each.time_ns] = self._known[each.time_ns] = each
        if not news:
            return [], []
        fresh = [each for each in news.values() if self.credible(each)]
        changed = list(self._changed(fresh))
        self._trim()
        return list(news.values()), changed

    def _touched_first(self, interval: Interval) -> Iterator[tuple[int, int]]:
        for name in self._names:
            yield next(windows_between(name, interval.start_ms, interval.end_ms, self._zone))

    def _changed(self, fresh: Iterable[Interval]) -> Iterator[Changed]:
        touched: dict[WindowName, set[tuple[int, int]]] = defaultdict(set)
        for each in fresh:
            for name in self._names:
                touched[name].update(windows_between(name, each.start_ms, each.end_ms, self._zone))
        if not touched:
            return
        low_ms = min(low for bounds in touched.values() for low, _ in bounds)
        high_ms = max(high for bounds in touched.values() for _, high in bounds)
        known = [
            each
            for each in self._known.values()
            if each.start_ms < high_ms and each.end_ms > low_ms and self.credible(each)
        ]
        pieces = list(_pieces(known))
        begins, ends = sorted(each.start_ms for each in known), sorted(each.end_ms for each in known)
        for name, bounds in touched.items():
            for low, high in sorted(bounds):
                count = bisect_left(begins, high) - bisect_right(ends, low)
                yield Changed(name, _window(pieces, low, high), count)

    def _trim(self) -> None:
        if len(self._known) < _TRIM_AT:
            return
        cut_ms = max(each.end_ms for each in self._known.values()) - _KEEP_MS
        kept = {time_ns: each for time_ns, each in self._known.items() if each.end_ms > cut_ms}
        self._known, self.from_ms = kept, max(cut_ms, self.from_ms or cut_ms)


_Rank = tuple[int, int, int, str, float, int]


def _rank(interval: Interval) -> _Rank:
    """The smallest speaks; no two are equal."""
    lasts_ms, power_w = interval.end_ms - interval.start_ms, interval.mean_power_w or 0.0
    return lasts_ms, -interval.said_ms, -interval.value, interval.flags, power_w, interval.start_ms


def _pieces(intervals: Iterable[Interval]) -> Iterator[_Piece]:
    """By time, without overlap: who speaks when."""
    ordered = sorted(intervals, key=lambda each: each.start_ms)
    bounds = sorted({bound for each in ordered for bound in each[:2]})
    waiting: list[tuple[_Rank, Interval]] = []
    following = 0
    for low, high in pairwise(bounds):
        while following < len(ordered) and ordered[following].start_ms <= low:
            heappush(waiting, (_rank(ordered[following]), ordered[following]))
            following += 1
        while waiting and waiting[0][1].end_ms <= low:
            heappop(waiting)
        if waiting:
            yield _Piece(low, high, waiting[0][1])


def _window(pieces: list[_Piece], low_ms: int, high_ms: int) -> Window:
    """The value of a window. A share of a long interval is estimated, a share of a short one is interpolated."""
    first = bisect_right(pieces, low_ms, key=lambda piece: piece.end_ms)
    last = bisect_left(pieces, high_ms, key=lambda piece: piece.start_ms)
    value = known_ms = 0
    spoke: dict[Interval, int] = defaultdict(int)
    for piece in pieces[first:last]:
        begin, end, interval = max(low_ms, piece.start_ms), min(high_ms, piece.end_ms), piece.interval
        lasts_ms = interval.end_ms - interval.start_ms
        # Each bound is rounded down, so that windows that adjoin add up to the whole.
        value += interval.value * (end - interval.start_ms) // lasts_ms
        value -= interval.value * (begin - interval.start_ms) // lasts_ms
        known_ms += end - begin
        spoke[interval] += end - begin
    estimated = any(_is_estimated(each, spoken_ms) for each, spoken_ms in spoke.items())
    return Window(low_ms, high_ms, value, known_ms, estimated)


def _is_estimated(interval: Interval, spoken_ms: int) -> bool:
    lasts_ms = interval.end_ms - interval.start_ms
    return "estimated" in interval.flags or (spoken_ms < lasts_ms and lasts_ms > _NEAR_MS and interval.value > 0)
