"""Windows over what is credited: half hours, hours, local days, gas days. Pure, in integers, exact for any cut.

The credited curve is linear between two accepted readings. A window's value is the difference of the curve at its
bounds, rounded down at each bound: so windows that adjoin add up to the whole without an error, and months and
seasons are sums of days.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.registers import Segment

__all__ = [
    "WINDOWS",
    "Curve",
    "Window",
    "WindowName",
    "cut_before",
    "day_cut",
    "gas_day",
    "kept_from",
    "local_day",
    "window_at",
    "windows_between",
]

WindowName = Literal["30m", "1h", "1d", "gas_day"]

WINDOWS: Final[tuple[WindowName, ...]] = ("30m", "1h", "1d")

_FIXED_MS: Final = {"30m": 1_800_000, "1h": 3_600_000}
_GAS_DAY_STARTS_AT_H: Final = 6
_NEAR_MS: Final = 2 * 3_600_000
"""A bound between two readings is interpolated without doubt if they are no further apart (meters.md 7)."""


class Window(NamedTuple):
    """What is credited in [start, end).

    Attributes:
        start_ms: Unix milliseconds.
        end_ms: Unix milliseconds.
        value: millionths of the unit.
        known_ms: for how much of the window it is known what was used. A gap whose energy lies wholly in the window
            is known; a gap that a bound cuts is not.
        estimated: a bound lies in a gap, or between two readings more than two hours apart.
        flags: what else there is to say, sorted: `gap`, `unit_suspect`.
    """

    start_ms: int
    end_ms: int
    value: int
    known_ms: int
    estimated: bool
    flags: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Known share of the window, 0 to 1."""
        return self.known_ms / (self.end_ms - self.start_ms)


def _ms(local: datetime) -> int:
    return int(local.timestamp()) * 1000


@lru_cache(maxsize=65_536)
def _day(ordinal: int, zone: ZoneInfo, hour: int) -> tuple[int, int]:
    start = datetime.fromordinal(ordinal).replace(hour=hour)
    return _ms(start.replace(tzinfo=zone)), _ms((start + timedelta(days=1)).replace(tzinfo=zone))


def _local(at_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone)


def local_day(at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of the local day of an instant, Unix ms: 23, 24 or 25 hours."""
    return _day(_local(at_ms, zone).toordinal(), zone, 0)


def gas_day(at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of the gas day of an instant, 06:00 to 06:00 local time, Unix ms."""
    local = _local(at_ms, zone)
    day: date = local.date() if local.hour >= _GAS_DAY_STARTS_AT_H else local.date() - timedelta(days=1)
    return _day(day.toordinal(), zone, _GAS_DAY_STARTS_AT_H)


def window_at(name: WindowName, at_ms: int, zone: ZoneInfo) -> tuple[int, int]:
    """Bounds of the window that an instant lies in; half hours and hours lie on UTC's."""
    if name == "1d":
        return local_day(at_ms, zone)
    if name == "gas_day":
        return gas_day(at_ms, zone)
    width = _FIXED_MS[name]
    return at_ms - at_ms % width, at_ms - at_ms % width + width


def windows_between(name: WindowName, start_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Bounds of every window that overlaps [start, end)."""
    at_ms = start_ms
    while at_ms < end_ms:
        bounds = window_at(name, at_ms, zone)
        yield bounds
        at_ms = bounds[1]


def day_cut(at_ms: int, names: tuple[WindowName, ...], zone: ZoneInfo) -> tuple[int, int]:
    """Start and end of the stretch of time that an instant lies in, where days are cut for checkpoints.

    A stretch begins where the earliest window begins that holds a local midnight: a checkpoint of that instant is
    enough to compute every window that holds anything from that midnight on.
    """
    day = local_day(at_ms, zone)
    following = _cut_of(day[1], names, zone)
    if at_ms < following:
        return _cut_of(day[0], names, zone), following
    return following, _cut_of(local_day(day[1], zone)[1], names, zone)


def cut_before(at_ms: int, names: tuple[WindowName, ...], zone: ZoneInfo) -> int:
    """The latest cut from which every window that holds anything from this instant on can be computed."""
    return _cut_of(local_day(at_ms, zone)[0], names, zone)


def kept_from(cut_ms: int, zone: ZoneInfo) -> int:
    """The midnight that a cut belongs to: from there on every window can be computed."""
    start_ms, end_ms = local_day(cut_ms, zone)
    return cut_ms if start_ms == cut_ms else end_ms


@lru_cache(maxsize=65_536)
def _cut_of(midnight_ms: int, names: tuple[WindowName, ...], zone: ZoneInfo) -> int:
    return min(window_at(name, midnight_ms, zone)[0] for name in names)


class Curve:
    """What is credited to a register over time; grows at its end, answers for any window in logarithmic time.

    Columns of 64-bit integers: segments without overlap, by time, and running sums over them. An index below 1e10
    units leaves room for hundreds of resets.
    """

    __slots__ = ("_delta", "_ends", "_gap", "_known", "_starts", "_unit")

    def __init__(self, segments: Iterable[Segment] = ()) -> None:
        self._starts = array("q")
        self._ends = array("q")
        self._delta = array("q", [0])
        self._known = array("q", [0])
        self._gap = array("q", [0])
        self._unit = array("q", [0])
        self.extend(segments)

    def extend(self, segments: Iterable[Segment]) -> None:
        """Add later segments."""
        for segment in segments:
            self._starts.append(segment.start_ms)
            self._ends.append(segment.end_ms)
            self._delta.append(self._delta[-1] + segment.delta)
            known = segment.doubt != "unknown"
            self._known.append(self._known[-1] + known * (segment.end_ms - segment.start_ms))
            self._gap.append(self._gap[-1] + segment.gap)
            self._unit.append(self._unit[-1] + (segment.doubt == "unit_suspect"))

    def __len__(self) -> int:
        """Number of segments."""
        return len(self._starts)

    def __getitem__(self, index: int) -> Segment:
        """The segment of an index; negative ones count from the end."""
        index += len(self) if index < 0 else 0
        start_ms, end_ms = self._starts[index], self._ends[index]
        unit = self._unit[index + 1] > self._unit[index]
        unknown = self._known[index + 1] == self._known[index]
        return Segment(
            start_ms,
            end_ms,
            self._delta[index + 1] - self._delta[index],
            self._gap[index + 1] > self._gap[index],
            "unit_suspect" if unit else "unknown" if unknown else "",
        )

    def ending_after(self, at_ms: int) -> "Curve":
        """The part whose segments end after an instant."""
        return Curve(self[index] for index in range(bisect_right(self._ends, at_ms), len(self)))

    def window(self, start_ms: int, end_ms: int) -> Window:
        """The value of one window."""
        low, high = bisect_right(self._ends, start_ms), bisect_left(self._starts, end_ms)
        if low >= high:
            return Window(start_ms, end_ms, 0, 0, estimated=False)
        cut_low = self._starts[low] < start_ms
        cut_high = self._ends[high - 1] > end_ms
        first, last = low + cut_low, high - cut_high
        value = known_ms = 0
        if first < last:
            value = self._delta[last] - self._delta[first]
            known_ms = self._known[last] - self._known[first]
        estimated = False
        cut = ((low,) if cut_low else ()) + ((high - 1,) if cut_high and not (cut_low and low == high - 1) else ())
        for index in cut:
            begins, ends = self._starts[index], self._ends[index]
            begin, end, lasts = max(start_ms, begins), min(end_ms, ends), ends - begins
            delta, gap = self._delta[index + 1] - self._delta[index], self._gap[index + 1] > self._gap[index]
            # The curve is linear in the segment; each bound is rounded down, so that windows that adjoin add up.
            value += delta * (end - begins) // lasts - delta * (begin - begins) // lasts
            estimated |= gap or (delta > 0 and lasts > _NEAR_MS)
            known_ms += 0 if gap else end - begin
        flags = ("gap",) if self._gap[high] > self._gap[low] else ()
        if self._unit[high] > self._unit[low]:
            flags = (*flags, "unit_suspect")
        return Window(start_ms, end_ms, value, known_ms, estimated, flags)
