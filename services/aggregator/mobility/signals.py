"""What a signal group showed at an instant, from the set of SPATEM of a junction (c-its.md 2.6, 5). Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple

from schemas.mobility import SignalGroupState, SignalState
from services.aggregator.points import milliseconds

__all__ = ["AMBER", "ASKED_BEFORE_MS", "GREEN", "RED", "STALE_MS", "Phase", "PredictionError", "Shown", "Signals"]

RED: Final = frozenset({2, 3})
GREEN: Final = frozenset({5, 6})
AMBER: Final = frozenset({7, 8})
STALE_MS: Final = 2000
"""A SPATEM older than this says nothing of now."""

_SURE_PERCENT: Final = 77
ASKED_BEFORE_MS: Final = 10_000


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
    """The phases of each group of one junction; the same for any order and any copies of the messages."""

    def __init__(self, records: Iterable[SignalState]) -> None:
        said: dict[int, dict[int, tuple[SignalGroupState, int | None]]] = defaultdict(dict)
        for record in records:
            at_ms = milliseconds(record.observed_at)
            for group in record.groups:
                known, says = said[group.signal_group], (group, record.revision)
                # Two messages of one instant that differ: one of them, whichever came first.
                known[at_ms] = max(known[at_ms], says, key=repr) if known.get(at_ms, says) != says else says
        self._said = {group: dict(sorted(at.items())) for group, at in said.items()}
        self._times = {group: list(at) for group, at in self._said.items()}
        self._phases = {group: _phases(at) for group, at in self._said.items()}
        self._starts = {group: [each.start_ms for each in phases] for group, phases in self._phases.items()}

    def phases(self, group: int) -> list[Phase]:
        """Its phases by time."""
        return self._phases.get(group, [])

    def heard(self, low_ms: int, high_ms: int) -> dict[int, int]:
        """Instants in [low, high) at which each group was heard of; groups without any are left out."""
        counts = {group: bisect_left(at, high_ms) - bisect_left(at, low_ms) for group, at in self._times.items()}
        return {group: count for group, count in sorted(counts.items()) if count}

    def at(self, group: int, at_ms: int) -> Shown | None:
        """What the group showed; `None` if no SPATEM of the two seconds before says it."""
        heard = bisect_right(self._times.get(group, ()), at_ms) - 1
        if heard < 0 or at_ms - self._times[group][heard] > STALE_MS:
            return None
        phase = self._phases[group][bisect_right(self._starts[group], at_ms) - 1]
        heard_ms = self._times[group][heard]
        revision = self._said[group][heard_ms][1]
        return Shown(phase.event_state, phase.start_ms, at_ms - heard_ms, revision)

    def foretold(self, group: int, at_ms: int) -> SignalGroupState | None:
        """The newest message of the last two seconds about a group."""
        heard = bisect_right(self._times.get(group, ()), at_ms) - 1
        if heard < 0 or at_ms - self._times[group][heard] > STALE_MS:
            return None
        return self._said[group][self._times[group][heard]][0]

    def prediction_errors(self) -> list[PredictionError]:
        """For each change: when it came, less what was foretold ten seconds before; `None` if nothing was."""
        found = []
        for group, phases in sorted(self._phases.items()):
            for before, phase in pairwise(phases):
                # A short phase, like amber, was foretold by its own first message at the earliest.
                said = self.foretold(group, max(before.first_ms, phase.start_ms - ASKED_BEFORE_MS))
                if said is not None:
                    end = said.likely_end if sure(said) else said.min_end
                    error_s = None if end is None else (phase.start_ms - milliseconds(end)) / 1000
                    found.append(PredictionError(group, phase.start_ms, error_s))
        return found


def sure(said: SignalGroupState) -> bool:
    """Whether its likely end is to be relied on: a confidence of 77 % at least."""
    return said.likely_end is not None and (said.confidence_percent or 0) >= _SURE_PERCENT


def _phases(said: dict[int, tuple[SignalGroupState, int | None]]) -> list[Phase]:
    phases: list[Phase] = []
    before: SignalGroupState | None = None
    for at_ms, (group, _) in said.items():
        last = phases[-1] if phases else None
        if last is None or last.event_state != group.event_state or at_ms - last.last_ms > STALE_MS:
            start_ms = at_ms
            if last is not None and before is not None and at_ms - last.last_ms <= STALE_MS:
                start_ms = _change(before, last.last_ms, at_ms)
            phases.append(Phase(start_ms, group.event_state, at_ms, at_ms))
        else:
            phases[-1] = last._replace(last_ms=at_ms)
        before = group
    return phases


def _change(before: SignalGroupState, after_ms: int, until_ms: int) -> int:
    """When a state ended: as it had foretold, if that lies between two messages; else with the first that says so."""
    for end in (before.likely_end, before.min_end, before.max_end):
        if end is not None and after_ms < milliseconds(end) <= until_ms:
            return milliseconds(end)
    return until_ms
