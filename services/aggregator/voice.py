"""When a meter spoke at all: what tells a register that has not changed from a meter that was away. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["VOICE_MARGIN_MS", "VOICE_STEP_MS", "TooOld", "Voice"]

VOICE_STEP_MS: Final = 5 * 60_000
VOICE_MARGIN_MS: Final = 30_000
"""The topics of one telegram arrive one after the other: what came this shortly before belongs to it."""

_TAIL: Final = 3
"""So many instants before a checkpoint can matter after it: steps of five minutes, and the margin."""


class TooOld(Exception):
    """Something older than what is kept would have to be known: load from `from_ms` on, or from before it."""

    def __init__(self, from_ms: int) -> None:
        super().__init__(f"not in memory: {from_ms}")
        self.from_ms = from_ms


class Voice:
    """When a meter spoke at all, of whichever register: the first instant of every five minutes.

    Many gateways send a register only when it changes. A register that is silent while its meter speaks of others
    has not changed: no gap, and nothing to be spread over the silence (meters.md 2.2).
    """

    def __init__(self, tail_ms: Sequence[int] = (), kept_from_ms: int | None = None) -> None:
        """Go on from a checkpoint: its tail, and its instant."""
        self._instants_ms = list(tail_ms)
        self._kept_from_ms = kept_from_ms

    def hear(self, instants_ms: Iterable[int]) -> list[int]:
        """Take instants in any order; gives those that changed what is known.

        Raises:
            TooOld: one lies before what is kept in memory.
        """
        news = []
        known = self._instants_ms
        for at_ms in sorted(instants_ms):
            if self._kept_from_ms is not None and at_ms < self._kept_from_ms:
                raise TooOld(at_ms)
            index = bisect_left(known, at_ms - at_ms % VOICE_STEP_MS)
            if index < len(known) and known[index] // VOICE_STEP_MS == at_ms // VOICE_STEP_MS:
                if known[index] <= at_ms:
                    continue
                known[index] = at_ms
            else:
                known.insert(index, at_ms)
            news.append(at_ms)
        return news

    def before(self, at_ms: int) -> int | None:
        """The last instant that is kept and lies clearly before this one."""
        index = bisect_right(self._instants_ms, at_ms - VOICE_MARGIN_MS)
        return self._instants_ms[index - 1] if index else None

    def tail(self, until_ms: int) -> list[int]:
        """The last instants before this one."""
        index = bisect_left(self._instants_ms, until_ms)
        return self._instants_ms[max(0, index - _TAIL) : index]

    def forget(self, until_ms: int) -> None:
        """Drop what lies before, but for a tail."""
        bound_ms = until_ms - until_ms % VOICE_STEP_MS
        del self._instants_ms[: max(0, bisect_left(self._instants_ms, bound_ms) - _TAIL)]
        self._kept_from_ms = max(bound_ms, self._kept_from_ms or bound_ms)
