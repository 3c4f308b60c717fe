"""Sealed copies of refused messages that are a household's: found, and put behind a tombstone or overwritten.

A message that was refused has no record, so it lies in `garonne.rejected` under the pseudonym of its device, where the
registry knows it, else under that of its topic. A copy of the first sort is found by its key. To find those of the
second each copy is opened with the site's key. A tombstone under a copy's key says: what came before it is settled as
forgotten, and nobody reads it. Where several households speak on one topic, the copies of the others are appended once
more behind the tombstone: nothing of theirs is lost.
"""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from schemas.codec import CodecError, decode, encode
from schemas.rejection import Rejected
from services.aggregator.ports import Incoming, Unavailable
from services.aggregator.scanning import REJECTED, Scan
from services.embedded.erasing import overwrite
from services.ingest.ports import Outgoing, Sink
from services.ingest.pseudonyms import KeyProblem, Keys
from services.operations.rejections import settled_in

__all__ = ["Copies", "Sought", "forget_copies", "look_for_copies"]

_AT_ONCE: Final = 100
_Place = tuple[int, bytes]
"""Partition and key."""


@dataclass(frozen=True, slots=True)
class Sought:
    """By what a copy is known: keys under which it lies, and names that stand in it."""

    keys: frozenset[bytes]
    names: tuple[bytes, ...]


@dataclass(slots=True)
class Copies:
    """What a look at `garonne.rejected` found.

    Attributes:
        read: copies that were looked at.
        opened: of these, how many had to be opened with the site's key.
        sealed_otherwise: copies under a key that this site does not have: nobody can say whose they are.
        living: the household's copies that no tombstone follows.
        behind: those that one does: nobody reads them, and they go with the retention of the topic.
        overwritten: those of which only the account is left.
    """

    read: int = 0
    opened: int = 0
    sealed_otherwise: int = 0
    living: list[Incoming] = field(default_factory=list)
    behind: int = 0
    overwritten: int = 0


def _belongs(each: Incoming, sought: Sought, keys: Keys, found: Copies) -> bool:
    if each.key in sought.keys:
        return True
    try:
        record = decode(each.value).record
    except CodecError:
        return False
    if not isinstance(record, Rejected) or not record.sealed:
        return False
    found.opened += 1
    try:
        topic, content = keys.unseal(record.sealed)
    except KeyProblem:
        found.sealed_otherwise += 1
        return False
    clear = topic.encode() + b"\n" + content
    return any(name in clear for name in sought.names)


def _is_stub(value: bytes) -> bool:
    try:
        record = decode(value).record
    except CodecError:
        return False
    return isinstance(record, Rejected) and not record.sealed


async def _tombstones(scan: Scan) -> dict[_Place, list[int]]:
    """Offsets of the tombstones of each key, in order."""
    found: dict[_Place, list[int]] = {}
    async for batch in scan.read(await scan.ends([REJECTED])):
        for each in batch:
            if not each.value:
                found.setdefault((each.partition, each.key), []).append(each.offset)
    return found


async def look_for_copies(scan: Scan, sought: Sought, keys: Keys) -> Copies:
    """Look at every copy.

    Raises:
        LogUnavailable: no answer now.
    """
    graves, found = await _tombstones(scan), Copies()
    async for batch in scan.read(await scan.ends([REJECTED])):
        for each in batch:
            if not each.value:
                continue
            found.read += 1
            if each.key in sought.keys and _is_stub(each.value):
                found.overwritten += 1
            elif _belongs(each, sought, keys, found):
                if each.offset < max(graves.get((each.partition, each.key), [-1])):
                    found.behind += 1
                else:
                    found.living.append(each)
    return found


async def forget_copies(  # noqa: PLR0913 - where they are, whose they are
    scan: Scan, sink: Sink, sought: Sought, keys: Keys, now_ms: int, *, file: Path | None = None
) -> None:
    """Put every copy of the household behind a tombstone; doing it twice changes nothing more.

    Args:
        scan: the event log, for reading.
        sink: the event log, for writing.
        sought: whose.
        keys: to look into copies.
        now_ms: Unix milliseconds, of the tombstones.
        file: of the embedded event log, whose records can be overwritten.

    Raises:
        Unavailable: (of either port) not all is done; once more is right.
    """
    living = (await look_for_copies(scan, sought, keys)).living
    buried = sorted({each.key for each in living})
    await sink.send([Outgoing(REJECTED, key, b"", now_ms) for key in buried])
    await _bring_back(scan, sink, sought, keys)
    if file is None:
        return

    def stub(value: bytes) -> bytes | None:
        return _stub(value, sought, keys)

    try:
        for key in await _keys(scan):
            overwrite(file, REJECTED, key, stub if key not in sought.keys else _emptied)
    except sqlite3.Error as error:
        raise Unavailable(f"event log {file.name}: {error}; once more is right") from error


async def _keys(scan: Scan) -> list[bytes]:
    found: set[bytes] = set()
    async for batch in scan.read(await scan.ends([REJECTED])):
        found.update(each.key for each in batch)
    return sorted(found)


async def _bring_back(scan: Scan, sink: Sink, sought: Sought, keys: Keys) -> None:
    """Append what others said under a key of which the last tombstone is this household's, unless that was done."""
    graves = await _tombstones(scan)
    own: set[_Place] = set()
    others: dict[_Place, list[Incoming]] = {}
    came_after: set[tuple[_Place, bytes]] = set()
    async for batch in scan.read(await scan.ends([REJECTED])):
        for each in batch:
            place = (each.partition, each.key)
            several = graves.get(place, [])
            if not each.value or not several or each.key in sought.keys:
                continue
            if each.offset > several[-1]:
                came_after.add((place, each.value))
            elif len(several) == 1 or each.offset > several[-2]:
                if _belongs(each, sought, keys, Copies()):
                    own.add(place)
                else:
                    others.setdefault(place, []).append(each)
    waiting = [each for place in own & others.keys() for each in others[place] if (place, each.value) not in came_after]
    settled = {each.id: (each.partition, each.offset) for each in await settled_in(scan)} if waiting else {}
    again = [
        Outgoing(REJECTED, each.key, each.value, each.timestamp_ms)
        for each in {each.value: each for each in waiting}.values()
        if (each.partition, each.offset) > settled.get(_id_of(each.value), (-1, -1))
    ]
    for first in range(0, len(again), _AT_ONCE):
        await sink.send(again[first : first + _AT_ONCE])


def _id_of(value: bytes) -> str:
    try:
        return decode(value).id
    except CodecError:
        return ""


def _stub(value: bytes, sought: Sought, keys: Keys) -> bytes | None:
    incoming = Incoming(REJECTED, 0, 0, b"", value, 0)
    return _emptied(value) if _belongs(incoming, sought, keys, Copies()) else None


def _emptied(value: bytes) -> bytes | None:
    """The refusal without its bytes: its id, its reason and its time stay, for the account."""
    try:
        event = decode(value)
    except CodecError:
        return b"{}"
    if not isinstance(event.record, Rejected) or not event.record.sealed:
        return None
    return encode(event._replace(record=event.record.model_copy(update={"sealed": b""})))
