"""Whose a message is that nobody could read: the registered device that its topic or its bytes name. Pure.

A message that is refused has no record that says whose it is. So words of its topic and its bytes are looked up among
the identifiers of the registry. The refusal lies under the pseudonym of that device then: without consent it is not
kept at all, and a household's refusals can be found, and forgotten, without opening a single one.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

from services.ingest.profiles import Message

__all__ = ["Subjects"]

_WORD: Final = re.compile(r"[^\s\"'{}\[\](),;=<>/\x00-\x1f]{3,80}")
_INNER: Final = re.compile(r"[0-9A-Za-z]{3,80}")
_MOST_BYTES: Final = 16 * 1024
"""Of a payload: who names a device does it early, and hostile bytes shall not cost more than they must."""


class Subjects:
    """Registered devices by their identifiers."""

    def __init__(self, devices: Iterable[str], pseudonym: Callable[[str, str], str]) -> None:
        """Set up.

        Args:
            devices: `<profile>:<identifier>`. An identifier that several have says nothing.
            pseudonym: of a purpose of `pseudonyms.Keys` and an identifier.
        """
        self._pseudonym = pseudonym
        self._devices: dict[str, str] = {}
        several: set[str] = set()
        for device in devices:
            name = device.partition(":")[2]
            if self._devices.setdefault(name, device) != device:
                several.add(name)
        for name in several:
            del self._devices[name]

    def __call__(self, message: Message) -> str | None:
        """The pseudonym of the device that a message names; `None` if it names none, or more than one."""
        if not self._devices:
            return None
        found = self._named(message.topic)
        if not found:
            found = self._named(message.payload[:_MOST_BYTES].decode("utf-8", "replace"))
        return self._pseudonym("device", found.pop()) if len(found) == 1 else None

    def _named(self, text: str) -> set[str]:
        words = {*_WORD.findall(text), *_INNER.findall(text)}
        return {self._devices[each] for each in words & self._devices.keys()}
