"""The file of the site's secret, and of earlier ones. Pure: bytes in, bytes out.

A file that holds anything else than this text is one secret, whole. After a rotation it is a text, the newest key last:

    garonne-keys 1
    1 2026-03-01 first q83v…
    2 2026-11-24 keep  7wEj…

`keep`: homes, meters, devices and members go by the names that they had under the key before; all that is sealed from
now on, and the names of vehicles, are under the new one. `cut`: everybody has a new name, and nothing but this file
says which was whose.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Sequence
from datetime import date
from typing import Final, Literal, NamedTuple, get_args

__all__ = ["Key", "Mode", "RingProblem", "parse_ring", "ring_bytes"]

_HEAD: Final = b"garonne-keys 1\n"
_PARTS: Final = 4
Mode = Literal["first", "keep", "cut"]


class RingProblem(ValueError):
    """The text is wrong; says in which line."""


class Key(NamedTuple):
    """A secret, and how names under it relate to those before."""

    number: int
    made: date | None
    mode: Mode
    secret: bytes


def parse_ring(content: bytes) -> tuple[Key, ...]:
    """The keys of a file, the newest last.

    Raises:
        RingProblem: names the line; never a secret.
    """
    if not content.startswith(_HEAD):
        return (Key(1, None, "first", content),)
    keys: list[Key] = []
    for number, line in enumerate(content.decode("ascii", "replace").splitlines()[1:], start=2):
        if line.strip():
            keys.append(_key(number, line, first=not keys))
    if not keys:
        raise RingProblem("there is no key in it")
    if [each.number for each in keys] != sorted({each.number for each in keys}):
        raise RingProblem("the numbers of the keys do not rise")
    return tuple(keys)


def _key(line_number: int, line: str, *, first: bool) -> Key:
    parts = line.split()
    if len(parts) != _PARTS or not parts[0].isdigit() or parts[2] not in get_args(Mode):
        raise RingProblem(f"line {line_number}: write number, day, first, keep or cut, and the key in base 64")
    if first and parts[2] == "keep":
        raise RingProblem(f"line {line_number}: there is no key before this one whose names could be kept")
    mode: Mode = "keep" if parts[2] == "keep" else "cut" if parts[2] == "cut" else "first"
    try:
        made = None if parts[1] == "-" else date.fromisoformat(parts[1])
        return Key(int(parts[0]), made, mode, b64decode(parts[3], validate=True))
    except (ValueError, Error):
        raise RingProblem(f"line {line_number}: the day or the base 64 is wrong") from None


def ring_bytes(keys: Sequence[Key]) -> bytes:
    """The text of several keys."""
    lines = [f"{k.number} {k.made or '-'} {k.mode} {b64encode(k.secret).decode()}\n" for k in keys]
    return _HEAD + "".join(lines).encode()
