"""Whether this process stood still: frozen, swapped out, its machine suspended. What it knew may be old then."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Stall"]

_TICK_S: Final = 0.5
_LONGEST_S: Final = 3.0
"""Half of the shortest session that Kafka grants (`kafka.session_timeout_s`)."""


class Stall:
    """Notices when the event loop has not run for longer than 3 s, by a clock that goes on meanwhile."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._suspected = False

    async def watch(self) -> None:
        """Look at the clock for ever."""
        while True:
            self.look()
            await asyncio.sleep(_TICK_S)

    def look(self) -> None:
        """Look at the clock now."""
        now = self._clock()
        self._suspected = self._suspected or now - self._last > _LONGEST_S
        self._last = now

    @property
    def suspected(self) -> bool:
        """Whether it stood still since `confirmed`."""
        self.look()
        return self._suspected

    def confirmed(self) -> None:
        """What is in hand is known to be ours still."""
        self._suspected = False
