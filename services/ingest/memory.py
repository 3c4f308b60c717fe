"""What a profile may remember from one message to the next: little, bounded, and lost at a restart.

Some formats spread a fact over messages: Sparkplug B names its metrics once, in the birth; Homie and dsmr-reader put
unit and clock on topics of their own. A profile that needs such a fact asks here, and says in its README what it
does without it: refuse, leave out, or take the receive time. It never guesses.

With several processes on one shared subscription each has its own memory. Rejected messages keep their bytes.
"""

from collections import OrderedDict
from typing import Any, Final

__all__ = ["Memory"]

CAPACITY: Final = 1_000_000


class Memory:
    """Values by key; what was not used for longest goes first when all weights together exceed the capacity."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[tuple[str, ...], tuple[Any, int]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def recall(self, key: tuple[str, ...]) -> Any:
        """The value of a key, or `None`. A key begins with the name of the profile."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def remember(self, key: tuple[str, ...], value: Any, weight: int = 1) -> None:
        """Keep a value; `weight` is how many small things it holds."""
        self.forget(key)
        self._entries[key] = (value, weight)
        self._weight += weight
        while self._weight > self._capacity:
            _, (_, freed) = self._entries.popitem(last=False)
            self._weight -= freed

    def forget(self, key: tuple[str, ...]) -> None:
        """Drop a key, if it is there."""
        _, freed = self._entries.pop(key, (None, 0))
        self._weight -= freed
