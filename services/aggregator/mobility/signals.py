"""What a signal group showed at an instant, from the set of SPATEM of a junction (c-its.md 2.6, 5). Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.mobility import SignalGroupState, SignalState
from services.aggregator.points import milliseconds

__all__ = [
    "AMBER",
    "ASKED_BEFORE_MS",
    "GREEN",
    "RED",
    "STALE_MS",
    "Phase",
    "PredictionError",
    "Shown",
    "Signals",
    "Span",
]

RED: Final = frozenset({2, 3})
GREEN: Final = frozenset({5, 6})
AMBER: Final = frozenset({7, 8})
STALE_MS: Final = 2000
"""A SPATEM older than this says nothing of now."""

_SURE_PERCENT: Final = 77
ASKED_BEFORE_MS: Final = 10_000
REACH_MS: Final = 10_000
"""A message that comes late can join two phases; how long a state is shown matters for three seconds (`passages`)."""

Span = tuple[int, int]
"""The first and the last instant of a time, Unix milliseconds."""

Said = tuple[SignalGroupState, int | None]
"""What a message says of a group, and the revision of the map that it names."""


class Phase(NamedTuple):
    """A time in which a group showed one state; `heard_ms` are its first and last message."""

    start_ms: int
    event_state: int
    first_ms: int
    last_ms: int


class Shown(NamedTuple):
    """What a group showed at an instant: since when, and how old the SPATEM was."""

    event_state: int
    since_ms: int
    age_ms: int
    revision: int | None


class PredictionError(NamedTuple):
    """A change of state that a SPATEM had foretold ten seconds before, or could have."""

    signal_group: int
    changed_ms: int
    error_s: float | None


class Signals:
    """The phases of each group of one junction; the same for any order and any copies of the messages.

    A message that comes in its turn is appended; one that comes late has the phases since made anew. Memory: some 30
    bytes for a message of a group that says what the one before it said, and 1 kB for one that says something else.
    """

    def __init__(self, records: Iterable[SignalState] = ()) -> None:
        self._groups: dict[int, _Line] = {}
        self._named: list[tuple[int, int]] = []
        for record in sorted(records, key=lambda each: each.observed_at):
            self.add(record)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, record: SignalState, at_ms: int | None = None) -> Span | None:
        """Take a message; gives the instants of which it may have changed what is said, `None` if of none."""
        at_ms = milliseconds(record.observed_at) if at_ms is None else at_ms
        changed: Span | None = None
        for group in record.groups:
            line = self._groups.get(group.signal_group)
            if line is None:
                line = self._groups[group.signal_group] = _Line()
            span = line.add(at_ms, (group, record.revision))
            if span is not None:
                changed = span if changed is None else (min(changed[0], span[0]), max(changed[1], span[1]))
        if record.revision is not None:
            named = (at_ms, record.revision)
            if not self._named or named > self._named[-1]:
                self._named.append(named)
            elif self._named[place := bisect_left(self._named, named)] != named:
                self._named.insert(place, named)
        return changed

    def revision(self, low_ms: int, high_ms: int) -> int | None:
        """The revision of the map that the newest message of [low, high) names."""
        last = bisect_left(self._named, (high_ms, -1)) - 1
        return self._named[last][1] if last >= 0 and self._named[last][0] >= low_ms else None

    def forget(self, before_ms: int) -> None:
        """Drop what was said before an instant."""
        del self._named[: bisect_left(self._named, (before_ms, -1))]
        for group, line in list(self._groups.items()):
            line.forget(before_ms)
            if not line.times:
                del self._groups[group]

    def phases(self, group: int) -> list[Phase]:
        """Its phases by time."""
        line = self._groups.get(group)
        return [] if line is None else line.phases

    def heard(self, low_ms: int, high_ms: int) -> dict[int, int]:
        """Instants in [low, high) at which each group was heard of; groups without any are left out."""
        counts = {
            group: bisect_left(line.times, high_ms) - bisect_left(line.times, low_ms)
            for group, line in sorted(self._groups.items())
        }
        return {group: count for group, count in counts.items() if count}

    def at(self, group: int, at_ms: int) -> Shown | None:
        """What the group showed; `None` if no SPATEM of the two seconds before says it.

        Nor does one say it whose state was to be over by then, where no message came since.
        """
        line = self._groups.get(group)
        heard = -1 if line is None else line.heard(at_ms)
        if line is None or heard < 0:
            return None
        phase = line.phases[bisect_right(line.phases, at_ms, key=_start_ms) - 1]
        if phase.last_ms < at_ms and _is_over(line.says[heard][0], at_ms):
            return None
        return Shown(phase.event_state, phase.start_ms, at_ms - line.times[heard], line.says[heard][1])

    def foretold(self, group: int, at_ms: int) -> SignalGroupState | None:
        """The newest message of the last two seconds about a group."""
        line = self._groups.get(group)
        heard = -1 if line is None else line.heard(at_ms)
        return None if line is None or heard < 0 else line.says[heard][0]

    def prediction_errors(self, low_ms: int = -(2**62), high_ms: int = 2**62) -> list[PredictionError]:
        """For each change in [low, high): when it came, less what was foretold 10 s before; `None` if unknown."""
        found = []
        for group, line in sorted(self._groups.items()):
            phases = line.phases
            for number in range(max(1, bisect_left(phases, low_ms, key=_start_ms)), len(phases)):
                before, phase = phases[number - 1], phases[number]
                if phase.start_ms >= high_ms:
                    break
                # A short phase, like amber, was foretold by its own first message at the earliest.
                said = self.foretold(group, max(before.first_ms, phase.start_ms - ASKED_BEFORE_MS))
                if said is not None:
                    end = said.likely_end if sure(said) else said.min_end
                    error_s = None if end is None else (phase.start_ms - milliseconds(end)) / 1000
                    found.append(PredictionError(group, phase.start_ms, error_s))
        return found


class _Line:
    """What was said of one group: instants, what each said, and the phases that these make."""

    __slots__ = ("phases", "says", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.says: list[Said] = []
        self.phases: list[Phase] = []

    def heard(self, at_ms: int) -> int:
        """The index of the newest message of the last two seconds; -1 if there is none."""
        heard = bisect_right(self.times, at_ms) - 1
        return heard if heard >= 0 and at_ms - self.times[heard] <= STALE_MS else -1

    def add(self, at_ms: int, says: Said) -> Span | None:
        """Take a message; gives the instants of which it may have changed what is said."""
        times = self.times
        if not times or at_ms > times[-1]:
            last_ms = times[-1] if times else at_ms
            # What is said again is kept once.
            self.says.append(self.says[-1] if times and self.says[-1] == says else says)
            times.append(at_ms)
            phases = len(self.phases)
            self._read(len(times) - 1)
            changes = len(self.phases) > phases or (len(times) > 1 and _is_over(self.says[-2][0], at_ms))
            new_ms = max(last_ms, at_ms - STALE_MS) if changes else at_ms
            return new_ms, at_ms + STALE_MS
        index = bisect_left(times, at_ms)
        if times[index] != at_ms:
            times.insert(index, at_ms)
            self.says.insert(index, says)
        else:
            # Two messages of one instant that differ: one of them, whichever came first.
            loud = max(self.says[index], says, key=repr) if self.says[index] != says else self.says[index]
            if loud is self.says[index]:
                return None
            self.says[index] = loud
        while self.phases and self.phases[-1].last_ms >= at_ms:
            self.phases.pop()
        self._read(bisect_right(times, self.phases[-1].last_ms) if self.phases else 0)
        return at_ms - STALE_MS, at_ms + REACH_MS

    def _read(self, index: int) -> None:
        """Make the phases of the messages from an index on."""
        phases = self.phases
        for at_ms, (group, _) in zip(self.times[index:], self.says[index:], strict=True):
            last = phases[-1] if phases else None
            if last is not None and last.event_state == group.event_state and at_ms - last.last_ms <= STALE_MS:
                phases[-1] = last._replace(last_ms=at_ms)
                continue
            start_ms = at_ms
            if last is not None and at_ms - last.last_ms <= STALE_MS:
                before = self.says[bisect_left(self.times, last.last_ms)][0]
                start_ms = _change(before, last.last_ms, at_ms)
            phases.append(Phase(start_ms, group.event_state, at_ms, at_ms))

    def forget(self, before_ms: int) -> None:
        """Drop what was said before an instant."""
        number = bisect_left(self.times, before_ms)
        del self.times[:number], self.says[:number]
        del self.phases[: bisect_left(self.phases, before_ms, key=_last_ms)]


def _start_ms(phase: Phase) -> int:
    return phase.start_ms


def _last_ms(phase: Phase) -> int:
    return phase.last_ms


def sure(said: SignalGroupState) -> bool:
    """Whether its likely end is to be relied on: a confidence of 77 % at least."""
    return said.likely_end is not None and (said.confidence_percent or 0) >= _SURE_PERCENT


def _is_over(said: SignalGroupState, at_ms: int) -> bool:
    """Whether the state that a message told must have ended before an instant."""
    end = said.likely_end if sure(said) else said.max_end
    return end is not None and milliseconds(end) < at_ms


def _change(before: SignalGroupState, after_ms: int, until_ms: int) -> int:
    """When a state ended: as it had foretold, if that lies between two messages; else with the first that says so."""
    for end in (before.likely_end, before.min_end, before.max_end):
        if end is not None and after_ms < milliseconds(end) <= until_ms:
            return milliseconds(end)
    return until_ms
