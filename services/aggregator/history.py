"""The recent readings of one register, and which windows change when more of them arrive.

What is stored in the end depends on the set of readings alone, not on their order: late readings run the algebra
again from the checkpoint before them. Readings older than a few days are forgotten behind a checkpoint; when one of
that age arrives, the caller gives the whole series again, read back from the raw bucket (`TooOld`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.registers import LEAST_GAP_MS, Limits, Mark, Reading, State, credit
from services.aggregator.windows import WINDOWS, Curve, Window, WindowName, window_at, windows_between

__all__ = ["Changed", "RegisterHistory", "TooOld", "Voice"]

_KEEP_MS = 3 * 86_400_000
_TRIM_AT = 512
_VOICE_STEP_MS = 5 * 60_000
_VOICE_MARGIN_MS = 30_000
"""The topics of one telegram arrive one after the other: what came this shortly before belongs to it."""


class TooOld(Exception):
    """A reading is older than what is kept: load the whole series first."""


class Changed(NamedTuple):
    """A window whose value may have changed, how many readings are known in it, and what was noticed in it."""

    name: WindowName
    window: Window
    readings: int
    marks: tuple[str, ...] = ()


class Voice:
    """When a meter spoke at all, of whichever register: the first instant of every five minutes.

    Many gateways send a register only when it changes. A register that is silent while its meter speaks of others
    has not changed: no gap, and nothing to be spread over the silence (meters.md 2.2).
    """

    def __init__(self) -> None:
        self._instants_ms: list[int] = []
        self._kept_from_ms: int | None = None

    def hear(self, instants_ms: Iterable[int]) -> list[int]:
        """Take instants in any order; gives those that changed what is known.

        Raises:
            TooOld: one lies before what is kept in memory.
        """
        news = []
        known = self._instants_ms
        for at_ms in sorted(instants_ms):
            if self._kept_from_ms is not None and at_ms < self._kept_from_ms:
                raise TooOld
            index = bisect_left(known, at_ms - at_ms % _VOICE_STEP_MS)
            if index < len(known) and known[index] // _VOICE_STEP_MS == at_ms // _VOICE_STEP_MS:
                if known[index] <= at_ms:
                    continue
                known[index] = at_ms
            else:
                known.insert(index, at_ms)
            news.append(at_ms)
        return news

    def before(self, at_ms: int) -> int | None:
        """The last instant that is kept and lies clearly before this one."""
        index = bisect_right(self._instants_ms, at_ms - _VOICE_MARGIN_MS)
        return self._instants_ms[index - 1] if index else None

    def forget(self, until_ms: int) -> None:
        """Drop what lies before."""
        bound_ms = until_ms - until_ms % _VOICE_STEP_MS
        del self._instants_ms[: bisect_left(self._instants_ms, bound_ms)]
        self._kept_from_ms = max(bound_ms, self._kept_from_ms or bound_ms)


class RegisterHistory:
    """Readings of one register by time; two of the same instant become the larger one."""

    def __init__(
        self,
        limits: Limits,
        zone: ZoneInfo,
        windows: Sequence[WindowName] = WINDOWS,
        voice: Voice | None = None,
    ) -> None:
        """An empty history.

        Args:
            limits: of the register.
            zone: of the local days.
            windows: which windows to make.
            voice: of the meter, shared by its registers; the caller lets it hear before it merges.
        """
        self.limits = limits
        self._zone = zone
        self._windows = windows
        self._voice = voice or Voice()
        self._readings: list[Reading] = []
        self._times: list[int] = []
        self._curve = Curve()
        self._marks: list[Mark] = []
        self._base = State()
        self._state = State()
        self._first_ms: int | None = None
        self._before_ms: int | None = None
        self._cut_ms: int | None = None
        self._kept_from_ms: int | None = None

    def __len__(self) -> int:
        """Readings kept in memory."""
        return len(self._readings)

    @property
    def needs_voice_from_ms(self) -> int | None:
        """From when on the meter's voice is needed; `None` for all of it."""
        return self._before_ms

    def window(self, start_ms: int, end_ms: int) -> Window:
        """What is credited between any two instants that are kept in memory."""
        return self._curve.window(start_ms, end_ms)

    def marks(self, start_ms: int, end_ms: int) -> Sequence[Mark]:
        """What was noticed in [start, end)."""
        return self._marks[bisect_left(self._marks, (start_ms,)) : bisect_left(self._marks, (end_ms,))]

    def merge(self, readings: Iterable[Reading], heard_ms: Iterable[int] = ()) -> Iterator[Changed]:
        """Add readings in any order; gives every window that may differ from before.

        Args:
            readings: of this register.
            heard_ms: what changed in the voice of the meter.

        Raises:
            TooOld: one lies before what is kept in memory, or changes what does: make this history anew from the
                whole series, with these readings.
        """
        new = self._unknown(readings)
        again = any(self._was_silent(at_ms) for at_ms in heard_ms)
        if not new and not again:
            return iter(())
        if self._kept_from_ms is not None and new and new[0].at_ms < self._kept_from_ms:
            raise TooOld
        late = again or (self._times and new[0].at_ms < self._times[-1]) or (new[0].at_ms in self._times[-1:])
        return self._changed(*(self._insert(new) if late else self._append(new)))

    def trim(self) -> None:
        """Forget what lies before the last few days, behind a checkpoint."""
        if len(self._readings) < _TRIM_AT or self._state.accepted is None:
            return
        # What comes can reach back to the accepted reading; a window of that day can begin on the day before.
        oldest_needed = min(self._times[-1] - _KEEP_MS, self._state.accepted.at_ms)
        bound_ms = window_at("1d", oldest_needed, self._zone)[0]
        cut_ms = min(window_at(name, bound_ms, self._zone)[0] for name in self._windows)
        cut = bisect_left(self._times, cut_ms)
        if cut < _TRIM_AT // 2:
            return
        self._base = credit(self._heard(self._readings[:cut], self._before_ms), self.limits, self._base).state
        self._before_ms = self._times[cut - 1]
        del self._readings[:cut], self._times[:cut]
        self._cut_ms, self._kept_from_ms = cut_ms, bound_ms
        self._curve, self._marks = self._kept(self._curve, self._marks)

    def _kept(self, curve: Curve, marks: list[Mark]) -> tuple[Curve, list[Mark]]:
        """A segment that reaches over the cut is needed by the first windows that are kept."""
        if self._cut_ms is None:
            return curve, marks
        return curve.ending_after(self._cut_ms), [mark for mark in marks if mark.at_ms >= self._cut_ms]

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
        if self._kept_from_ms is not None and heard_ms < self._kept_from_ms:
            raise TooOld
        if not self._times or heard_ms >= self._times[-1]:
            return False
        begin_ms = heard_ms - heard_ms % _VOICE_STEP_MS
        first = bisect_left(self._times, begin_ms)
        last = bisect_right(self._times, begin_ms + _VOICE_STEP_MS + _VOICE_MARGIN_MS) + 1
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
        self._state, segments, marks = credit(self._heard(new, before_ms), self.limits, self._state)
        self._curve.extend(segments)
        self._marks.extend(marks)
        self._marks.sort()
        touched = [new[0].at_ms if last_ms is None else last_ms, *(segment.start_ms for segment in segments[:1])]
        return min([*touched, *(mark.at_ms for mark in marks)]), new[-1].at_ms

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
        run = credit(self._heard(self._readings, self._before_ms), self.limits, self._base)
        self._state = run.state
        self._curve, self._marks = self._kept(Curve(run.segments), sorted(run.marks))
        bounds = [*_difference(curve, self._curve), *(mark.at_ms for mark in {*marks} ^ {*self._marks})]
        if self._kept_from_ms is not None and bounds and min(bounds) < self._kept_from_ms:
            raise TooOld
        if last_ms is not None and self._times[-1] > last_ms:
            bounds.append(last_ms)
        first_ms = self._first_ms
        self._first_ms = min([reading.at_ms for reading in new[:1]] + ([] if first_ms is None else [first_ms]))
        bounds += [reading.at_ms for reading in (*new[:1], *new[-1:])]
        if first_ms is not None and self._first_ms < first_ms:
            bounds.append(first_ms)
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
