"""The recent readings of one register, and which windows change when more of them arrive.

What is stored in the end depends on the set of readings alone, not on their order: late readings run the algebra
again from the checkpoint before them. Readings of before today are forgotten behind a checkpoint; when one of that
age arrives, the caller loads the series again from an older checkpoint (`TooOld`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.registers import LEAST_GAP_MS, Limits, Mark, Reading, Segment, State, credit
from services.aggregator.voice import VOICE_MARGIN_MS, VOICE_STEP_MS, TooOld, Voice
from services.aggregator.windows import (
    WINDOWS,
    Curve,
    Window,
    WindowName,
    cut_before,
    day_cut,
    kept_from,
    windows_between,
)

__all__ = ["Changed", "RegisterHistory", "Start"]

_KEEP_MS = 6 * 3_600_000
_TRIM_AT = 128


class Changed(NamedTuple):
    """A window whose value may have changed, how many readings are known in it, and what was noticed in it."""

    name: WindowName
    window: Window
    readings: int
    marks: tuple[str, ...] = ()


class Start(NamedTuple):
    """What is known of a register before a cut: the state, and when the last reading before it was taken."""

    cut_ms: int
    state: State
    before_ms: int | None


class RegisterHistory:
    """Readings of one register by time; two of the same instant become the larger one."""

    def __init__(
        self,
        limits: Limits,
        zone: ZoneInfo,
        windows: tuple[WindowName, ...] = WINDOWS,
        voice: Voice | None = None,
        start: Start | None = None,
    ) -> None:
        """An empty history.

        Args:
            limits: of the register.
            zone: of the local days.
            windows: which windows to make.
            voice: of the meter, shared by its registers; the caller lets it hear before it merges.
            start: a checkpoint to go on from.
        """
        self.limits = limits
        self._zone = zone
        self._windows = windows
        self._voice = voice or Voice()
        self._readings: list[Reading] = []
        self._times: list[int] = []
        self._curve = Curve()
        self._marks: list[Mark] = []
        self._first_ms = self._before_ms = start.before_ms if start else None
        self._base = self._state = start.state if start else State()
        self.cut_ms = start.cut_ms if start else None
        self._kept_from_ms = kept_from(start.cut_ms, zone) if start else None
        self._starts: list[Start] = []
        self._stretch = (0, 0)
        self.version = 0

    def __len__(self) -> int:
        """Readings kept in memory."""
        return len(self._readings)

    @property
    def needs_voice_from_ms(self) -> int | None:
        """From when on the meter's voice is needed; `None` for all of it."""
        return self._before_ms

    def before(self, cut_ms: int) -> Start:
        """The state before a cut of days that is kept in memory: what a checkpoint holds."""
        index = bisect_left(self._starts, (cut_ms,))
        if index < len(self._starts):
            return self._starts[index]._replace(cut_ms=cut_ms)
        return Start(cut_ms, self._state, self._times[-1] if self._times else self._before_ms)

    def window(self, start_ms: int, end_ms: int) -> Window:
        """What is credited between any two instants that are kept in memory."""
        return self._curve.window(start_ms, end_ms)

    def marks(self, start_ms: int, end_ms: int) -> Sequence[Mark]:
        """What was noticed in [start, end)."""
        return self._marks[bisect_left(self._marks, (start_ms,)) : bisect_left(self._marks, (end_ms,))]

    def load(self, readings: Iterable[Reading]) -> None:
        """Add what is stored already, and so are its windows: once, before anything is merged."""
        if new := self._unknown(readings):
            kept_from_ms, self._kept_from_ms = self._kept_from_ms, None
            self._append(new)
            self._kept_from_ms = kept_from_ms
            self._curve, self._marks = self._kept(self._curve, self._marks)

    def merge(self, readings: Iterable[Reading], heard_ms: Iterable[int] = ()) -> Iterator[Changed]:
        """Add readings in any order; gives every window that may differ from before.

        Args:
            readings: of this register.
            heard_ms: what changed in the voice of the meter.

        Raises:
            TooOld: one lies before what is kept in memory, or changes what does: make this history anew from an
                earlier checkpoint, with these readings.
        """
        new = self._unknown(readings)
        again = any(self._was_silent(at_ms) for at_ms in heard_ms)
        if not new and not again:
            return iter(())
        if new:
            self._keeps(new[0].at_ms)
        self.version += 1
        late = again or (self._times and new[0].at_ms < self._times[-1]) or (new[0].at_ms in self._times[-1:])
        return self._changed(*(self._insert(new) if late else self._append(new)))

    def trim(self) -> None:
        """Forget what lies before the last few days, behind a checkpoint."""
        if len(self._readings) < _TRIM_AT:
            return
        oldest_needed = self._times[-1] - _KEEP_MS
        start = self.before(cut_before(oldest_needed, self._windows, self._zone))
        cut = bisect_left(self._times, start.cut_ms)
        if cut < _TRIM_AT // 2:
            return
        self.cut_ms, self._base, self._before_ms = start
        self._kept_from_ms = kept_from(start.cut_ms, self._zone)
        del self._readings[:cut], self._times[:cut]
        del self._starts[: bisect_left(self._starts, (start.cut_ms,))]
        self._curve, self._marks = self._kept(self._curve, self._marks)

    def _keeps(self, at_ms: int) -> None:
        if self._kept_from_ms is not None and at_ms < self._kept_from_ms:
            raise TooOld(at_ms)

    def _kept(self, curve: Curve, marks: list[Mark]) -> tuple[Curve, list[Mark]]:
        """A segment that reaches over the cut is needed by the first windows that are kept."""
        if self.cut_ms is None:
            return curve, marks
        return curve.ending_after(self.cut_ms), [mark for mark in marks if mark.at_ms >= self.cut_ms]

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

    def _was_silent(self, heard_ms: int) -> bool:
        """Whether this register was silent when the meter spoke, and has spoken since: to be seen anew."""
        self._keeps(heard_ms)
        if not self._times or heard_ms >= self._times[-1]:
            return False
        begin_ms = heard_ms - heard_ms % VOICE_STEP_MS
        first = bisect_left(self._times, begin_ms)
        last = bisect_right(self._times, begin_ms + VOICE_STEP_MS + VOICE_MARGIN_MS) + 1
        before_ms = self._times[first - 1] if first else self._before_ms
        times = [*([] if before_ms is None else [before_ms]), *self._times[first:last]]
        return any(later - earlier > LEAST_GAP_MS for earlier, later in pairwise(times))

    def _heard(self, readings: Iterable[Reading], before_ms: int | None) -> Iterator[Reading]:
        """The readings, told until when the silence before them was one of a meter that spoke of other things."""
        for reading in readings:
            if before_ms is not None and reading.at_ms - before_ms > LEAST_GAP_MS:
                spoke_ms = self._voice.before(reading.at_ms)
                if spoke_ms is not None and spoke_ms > before_ms:
                    yield reading._replace(quiet_ms=spoke_ms)
                    before_ms = reading.at_ms
                    continue
            before_ms = reading.at_ms
            yield reading

    def _append(self, new: list[Reading]) -> tuple[int, int]:
        """In order: go on from the state."""
        last_ms = self._times[-1] if self._times else None
        if self._first_ms is None:
            self._first_ms = new[0].at_ms
        self._readings.extend(new)
        self._times.extend(reading.at_ms for reading in new)
        before_ms = last_ms if last_ms is not None else self._before_ms
        segments, marks = self._run(new, before_ms)
        self._curve.extend(segments)
        self._marks.extend(marks)
        self._marks.sort()
        touched = [new[0].at_ms if before_ms is None else before_ms, *(segment.start_ms for segment in segments[:1])]
        start_ms = min([*touched, *(mark.at_ms for mark in marks)])
        self._keeps(start_ms)
        return start_ms, new[-1].at_ms

    def _run(self, readings: list[Reading], before_ms: int | None) -> tuple[list[Segment], list[Mark]]:
        """The algebra over readings; keeps the state at each cut of days."""
        segments: list[Segment] = []
        marks: list[Mark] = []
        begin = 0
        while begin < len(readings):
            at_ms = readings[begin].at_ms
            if not self._stretch[0] <= at_ms < self._stretch[1]:
                self._stretch = day_cut(at_ms, self._windows, self._zone)
            cut_ms, until_ms = self._stretch
            if not self._starts or self._starts[-1].cut_ms < cut_ms:
                self._starts.append(Start(cut_ms, self._state, before_ms))
            end = bisect_left(readings, (until_ms,), begin)
            run = credit(self._heard(readings[begin:end], before_ms), self.limits, self._state)
            self._state = run.state
            segments += run.segments
            marks += run.marks
            before_ms, begin = readings[end - 1].at_ms, end
        return segments, marks

    def _insert(self, new: list[Reading]) -> tuple[int, int]:
        """Late: run again from the checkpoint, and see from where to where the credited curve differs."""
        last_ms = self._times[-1] if self._times else None
        for reading in new:
            index = bisect_left(self._times, reading.at_ms)
            if index < len(self._times) and self._times[index] == reading.at_ms:
                self._readings[index] = _larger(self._readings[index], reading)
            else:
                self._readings.insert(index, reading)
                self._times.insert(index, reading.at_ms)
        curve, marks = self._curve, self._marks
        self._state, self._starts = self._base, []
        segments, noticed = self._run(self._readings, self._before_ms)
        self._curve, self._marks = self._kept(Curve(segments), sorted(noticed))
        bounds = [*_difference(curve, self._curve), *(mark.at_ms for mark in {*marks} ^ {*self._marks})]
        if bounds:
            self._keeps(min(bounds))
        if last_ms is not None and self._times[-1] > last_ms:
            bounds.append(last_ms)
        bounds += [reading.at_ms for reading in (*new[:1], *new[-1:])]
        if new and (self._first_ms is None or new[0].at_ms < self._first_ms):
            self._first_ms = new[0].at_ms
        return (min(bounds), max(bounds)) if bounds else (0, -1)

    def _changed(self, start_ms: int, end_ms: int) -> Iterator[Changed]:
        """Windows that touch [start, end] and overlap the time between the first and the last reading."""
        first_ms, last_ms = self._first_ms or 0, self._times[-1]
        for name in self._windows:
            for low, high in windows_between(name, start_ms, min(end_ms + 1, last_ms), self._zone):
                if high <= first_ms or low >= last_ms:
                    continue
                count = bisect_left(self._times, high) - bisect_left(self._times, low)
                marks = tuple(sorted({mark.what for mark in self.marks(low, high)})) if self._marks else ()
                yield Changed(name, self._curve.window(low, high), count, marks)


def _larger(one: Reading, other: Reading) -> Reading:
    """Of two readings of one instant the larger: the same whichever came first."""
    return max(one, other, key=lambda reading: (reading.value, *(each or 0 for each in reading[2:])))


def _difference(before: Curve, after: Curve) -> tuple[int, ...]:
    """From where to where two curves differ; nothing if they do not."""
    low = 0
    while low < min(len(before), len(after)) and before[low] == after[low]:
        low += 1
    high = 0
    while high < min(len(before), len(after)) - low and before[-1 - high] == after[-1 - high]:
        high += 1
    differing = [
        *(before[index] for index in range(low, len(before) - high)),
        *(after[index] for index in range(low, len(after) - high)),
    ]
    if not differing:
        return ()
    return min(segment.start_ms for segment in differing), max(segment.end_ms for segment in differing)
