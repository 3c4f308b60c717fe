"""What is in `garonne.rejected`, and what of it is still open.

A rejection is open until the ledger says that it is settled: brought back in, and how. Copies that come after that
open it again; a point that InfluxDB refuses once more is such a copy. A tombstone settles what came before it under its
key: its household is forgotten, and nobody opens it any more.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from sys import intern
from typing import Any, Final, NamedTuple

from schemas.codec import CodecError, decode
from schemas.ledger import LedgerEntry, Settled
from schemas.rejection import Rejected
from services.aggregator.scanning import LEDGER, REJECTED, Scan

__all__ = [
    "FORGOTTEN",
    "Found",
    "PointPlace",
    "Rejection",
    "Wanted",
    "counted",
    "find_rejections",
    "place_of",
    "settled_in",
]

_SETTLES: Final = b'"settled":['
"""An entry of the ledger that settles nothing does not say so at all."""
FORGOTTEN: Final = "forgotten"
_LINE: Final = re.compile(rb"((?:\\.|[^ \\])+) .* (-?\d+)", re.DOTALL)

PointPlace = tuple[str, int]
"""Series and time of a point, as line protocol writes them: what makes it one point."""


def place_of(line: bytes) -> PointPlace:
    """The place of a refused point; empty for what is no line."""
    found = _LINE.fullmatch(line)
    return (found[1].decode(), int(found[2])) if found else ("", 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rejections: `None` is any. Times are of reception, for a refused point its own; `until` is not included."""

    reason: str | None = None
    stage: str | None = None
    profile: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, record: Rejected) -> bool:
        """Whether this is one of them."""
        return (
            self.reason in {None, record.reason}
            and self.stage in {None, record.stage}
            and self.profile in {None, record.profile or "none"}
            and (self.since is None or record.received_at >= self.since)
            and (self.until is None or record.received_at < self.until)
        )

    @property
    def from_ms(self) -> int:
        """Where reading the log may begin, Unix milliseconds."""
        return 0 if self.since is None else int(self.since.timestamp() * 1000)


@dataclass(slots=True)
class Rejection:
    """One rejection, without its bytes. `partition` and `offset` are of its last copy."""

    id: str
    stage: str
    reason: str
    profile: str
    detail: str
    received_at: datetime
    size_bytes: int
    partition: int
    offset: int
    copies: int = 1
    settled: str | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Partition and offset of the last copy."""
        return self.partition, self.offset

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "id": self.id,
            "received_at": self.received_at.isoformat(),
            "stage": self.stage,
            "reason": self.reason,
            "profile": self.profile,
            "detail": self.detail,
            "size_bytes": self.size_bytes,
            "copies": self.copies,
            "settled": self.settled,
        }


@dataclass(slots=True)
class Found:
    """Rejections by id, in the order of the log; `unreadable` records are none."""

    rejections: dict[str, Rejection] = field(default_factory=dict)
    unreadable: int = 0

    def still_open(self) -> list[Rejection]:
        """Those that nobody brought back in, oldest first."""
        return [each for each in self.all() if each.settled is None]

    def all(self) -> list[Rejection]:
        """All of them, oldest first."""
        return sorted(self.rejections.values(), key=lambda each: (each.received_at, each.id))


async def find_rejections(scan: Scan, wanted: Wanted) -> Found:
    """Read `garonne.rejected`, and from the ledger what is settled.

    Raises:
        LogUnavailable: the log does not answer.
    """
    found = Found()
    graves: dict[tuple[int, bytes], int] = {}
    under: dict[str, tuple[int, bytes]] = {}
    async for batch in scan.read(await scan.ends([REJECTED]), wanted.from_ms):
        for incoming in batch:
            place = (incoming.partition, incoming.key)
            if not incoming.value:
                graves[place] = incoming.offset
                continue
            try:
                event = decode(incoming.value)
            except CodecError:
                found.unreadable += 1
                continue
            if not isinstance(event.record, Rejected) or not wanted.takes(event.record):
                continue
            known = found.rejections.get(event.id)
            copies = 1 if known is None else known.copies + 1
            under[event.id] = place
            found.rejections[event.id] = _seen(event.id, event.record, incoming.partition, incoming.offset, copies)
    for said in await settled_in(scan) if found.rejections else ():
        rejection = found.rejections.get(said.id)
        if rejection is not None and (said.partition, said.offset) >= rejection.place:
            rejection.settled = said.outcome
    _bury(found, under, graves)
    return found


def _bury(found: Found, under: Mapping[str, tuple[int, bytes]], graves: Mapping[tuple[int, bytes], int]) -> None:
    """Settle what a tombstone of its key follows."""
    for identity, rejection in found.rejections.items():
        if rejection.offset < graves.get(under[identity], -1):
            rejection.settled = FORGOTTEN


def _seen(identity: str, record: Rejected, partition: int, offset: int, copies: int) -> Rejection:
    return Rejection(
        id=identity,
        stage=record.stage,
        reason=record.reason,
        profile=intern(record.profile or "none"),
        detail=intern(record.detail),
        received_at=record.received_at,
        size_bytes=record.size_bytes,
        partition=partition,
        offset=offset,
        copies=copies,
    )


async def settled_in(scan: Scan) -> list[Settled]:
    """What the ledger says was brought back in.

    Raises:
        LogUnavailable: the log does not answer.
    """
    settled: list[Settled] = []
    async for batch in scan.read(await scan.ends([LEDGER])):
        for incoming in batch:
            if _SETTLES in incoming.value:
                record = decode(incoming.value).record
                if isinstance(record, LedgerEntry):
                    settled += record.settled
    return settled


class Line(NamedTuple):
    """How many rejections are alike, and when the first and the last came."""

    stage: str
    reason: str
    profile: str
    open: int
    settled: int
    first: datetime
    last: datetime


def counted(rejections: Iterable[Rejection]) -> Sequence[Line]:
    """Rejections by stage, reason and profile; the most frequent first."""
    groups: dict[tuple[str, str, str], list[Rejection]] = {}
    for each in rejections:
        groups.setdefault((each.stage, each.reason, each.profile), []).append(each)
    return sorted((_line(key, group) for key, group in groups.items()), key=lambda line: (-line.open, line[:3]))


def _line(key: tuple[str, str, str], group: Sequence[Rejection]) -> Line:
    states: Mapping[bool, int] = Counter(each.settled is None for each in group)
    times = [each.received_at.astimezone(UTC) for each in group]
    return Line(*key, open=states[True], settled=states[False], first=min(times), last=max(times))
