"""For how long a member of a group may believe that its partitions are its own."""

import time
from collections.abc import Callable
from typing import Final

__all__ = ["Lease"]

_OF_A_SESSION: Final = 0.5


def _clock_s() -> float:
    """Goes on while the process is frozen, and while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Lease:
    """Half a session, from the moment before the group was asked; a whole one is what Kafka grants after it answered.

    Kafka takes nobody's partitions away within a session of a commit that it accepted, except when the member itself
    joins again: then `end` is called.
    """

    def __init__(self, session_s: float, clock: Callable[[], float] = _clock_s) -> None:
        self._good_for_s = session_s * _OF_A_SESSION
        self._clock = clock
        self._since_s = float("-inf")

    def now_s(self) -> float:
        """To be noted before the group is asked."""
        return self._clock()

    def grant(self, asked_s: float) -> None:
        """The group accepted what it was asked at `asked_s`."""
        self._since_s = max(self._since_s, asked_s)

    def end(self) -> None:
        """Nothing is certain until the group is asked again."""
        self._since_s = float("-inf")

    @property
    def valid(self) -> bool:
        """Whether nobody else can have been given our partitions."""
        return self._clock() - self._since_s < self._good_for_s
