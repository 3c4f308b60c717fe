"""Windows over what is credited: half hours, hours, local days. Pure, in integers, exact for any cut.

The credited curve is linear between two accepted readings. A window's value is the difference of the curve at its
bounds, rounded down at each bound: so windows that adjoin add up to the whole without an error.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.registers import Segment

__all__ = ["WINDOWS", "Window", "WindowName", "local_day", "value_of", "windows_between"]

WindowName = Literal["30m", "1h", "1d"]

WINDOWS: Final[tuple[WindowName, ...]] = ("30m", "1h", "1d")

_FIXED_MS: Final = {"30m": 1_800_000, "1h": 3_600_000}


class Window(NamedTuple):
    """What is credited in [start, end). `measured_ms` is the part whose course was measured, not spread over a gap."""

    start_ms: int
    end_ms: int
    value: int
    measured_ms: int
    estimated: bool

    @property
    def coverage(self) -> float:
        """Measured share of the window, 0 to 1."""
        return self.measured_ms / (self.end_ms - self.start_ms)


@lru_cache(maxsize=65_536)
def _day(ordinal: int, zone: ZoneInfo) -> tuple[int, int]:
    date = datetime.fromordinal(ordinal)
    following = date + timedelta(days=1)
    start, end = date.replace(tzinfo=zone), following.replace(tzinfo=zone)
    return int(start.timestamp()) * 1000, int(end.timestamp()) * 1000


def local_day(at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of the local day of an instant, Unix ms: 23, 24 or 25 hours."""
    return _day(datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone).toordinal(), zone)


def windows_between(name: WindowName, start_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Bounds of every window that overlaps [start, end); half hours and hours lie on UTC's."""
    if name == "1d":
        at_ms = start_ms
        while at_ms < end_ms:
            day = local_day(at_ms, zone)
            yield day
            at_ms = day[1]
        return
    width = _FIXED_MS[name]
    for at_ms in range(start_ms - start_ms % width, end_ms, width):
        yield at_ms, at_ms + width


def value_of(segments: Sequence[Segment], starts_ms: Sequence[int], start_ms: int, end_ms: int) -> Window:
    """The value of one window.

    Args:
        segments: by time, without overlap.
        starts_ms: their starts, for the search.
        start_ms: of the window.
        end_ms: of the window.
    """
    value = measured_ms = 0
    estimated = False
    index = max(0, bisect_right(starts_ms, start_ms) - 1)
    while index < len(segments) and starts_ms[index] < end_ms:
        segment = segments[index]
        index += 1
        if segment.end_ms <= start_ms:
            continue
        low, high = max(start_ms, segment.start_ms), min(end_ms, segment.end_ms)
        value += _share(segment, high) - _share(segment, low)
        if segment.gap:
            estimated = True
        else:
            measured_ms += high - low
    return Window(start_ms, end_ms, value, measured_ms, estimated)


def _share(segment: Segment, at_ms: int) -> int:
    """What is credited from the segment's start to an instant in it."""
    return segment.delta * (at_ms - segment.start_ms) // (segment.end_ms - segment.start_ms)
