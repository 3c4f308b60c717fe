"""What a household or a member of the panel may ask for: their data, and to be forgotten (GDPR articles 17 and 20).

The operator names the household as the registry does; its pseudonyms are computed with the site's keys, earlier ones
too. Its data are under its own key in `garonne.energy` and under those of its devices in `garonne.status` and
`garonne.rejected`, and carry the same tags in the time series. What a member of the panel said lies under the key of
its application, and carries the member as a field.
"""

import asyncio
import csv
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from schemas.codec import CodecError, decode
from services.aggregator.erasure import (
    CITIZEN,
    TAG_OF,
    forget_member,
    member_rows,
    read_mark,
    read_stub,
    stub_of,
    write_mark,
)
from services.aggregator.ports import BUCKETS, Incoming, Row, Store, Unavailable
from services.aggregator.report.tables import safe_cell
from services.aggregator.scanning import EVENTS, LEDGER, REJECTED, Scan
from services.embedded.erasing import overwrite
from services.ingest.ports import Outgoing, Sink
from services.ingest.pseudonyms import Keys
from services.operations.erasedcopies import Sought, forget_copies, look_for_copies
from services.runtime.registry import Registry

__all__ = ["Forgotten", "NoHousehold", "Seen", "Subject", "export", "forget", "member_of", "subject_of", "verify"]

_TOPICS: Final = {tag: topic for topic, tag in TAG_OF.items()}
_SHORTEST_NAME: Final = 4
"""A shorter part of a device's name is found in messages of others as well."""
_ROUNDS: Final = 5
"""What was on its way when consent was withdrawn comes after the first tombstone: then there is a second one."""
_LOOK_S: Final = 0.2


class NoHousehold(Exception):
    """Nobody is called so; the text says what to write."""


class Subject(NamedTuple):
    """A household or a member: pseudonyms by tag (`member` is a field), and names by which messages can be known."""

    pseudonyms: Mapping[str, frozenset[str]]
    names: tuple[str, ...]

    @property
    def places(self) -> set[tuple[str, bytes]]:
        """Topic and key of the records that are a household's alone."""
        return {
            (_TOPICS[tag], each.encode())
            for tag, several in self.pseudonyms.items()
            if tag in _TOPICS
            for each in several
        }

    @property
    def members(self) -> list[str]:
        """Pseudonyms of a member of the panel."""
        return sorted(self.pseudonyms.get("member", ()))

    @property
    def tags(self) -> list[dict[str, str]]:
        """Of all points of a household."""
        return [{tag: each} for tag, several in self.pseudonyms.items() if tag != "member" for each in sorted(several)]

    @property
    def sought(self) -> Sought:
        """By what refused messages are known."""
        said = [*self.names, *(each for several in self.pseudonyms.values() for each in several)]
        devices = self.pseudonyms.get("device", frozenset())
        return Sought(frozenset(each.encode() for each in devices), tuple(each.encode() for each in said))


class Seen(NamedTuple):
    """What a look found in one place: how much was read, what is left, what lies unread behind a tombstone."""

    where: str
    read: int
    left: int
    behind: int = 0
    note: str = ""


@dataclass
class Forgotten:
    """What forgetting did, and what a look at everything found after it.

    Attributes:
        records: overwritten in the event log.
        points: rows of the time series that were there.
        seen: every place that was looked at, once more, at the end.
        notes: what an operator has to know.
    """

    records: int = 0
    points: int = 0
    seen: list[Seen] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """What is still there: 0, or it is not done."""
        return sum(each.left for each in self.seen)

    @property
    def behind(self) -> int:
        """Records that lie unread behind tombstones until the retention of the log ends."""
        return sum(each.behind for each in self.seen)


def subject_of(household: str, registry: Registry, keys: Keys) -> Subject:
    """The household of a name.

    Raises:
        NoHousehold: it is neither in the registry nor a device.
    """
    known = {each.id: (*each.devices, *each.same_meter) for each in registry.households}
    if household not in known and ":" not in household:
        raise NoHousehold(
            f"household {household!r} is not in households_file; name it as there, or write <profile>:<identifier>"
        )
    devices = known.get(household, (household,))
    pseudonyms = {
        "household": keys.every_pseudonym("household", household),
        "device": frozenset().union(*(keys.every_pseudonym("device", each) for each in devices)),
        "meter": frozenset().union(*(keys.every_pseudonym("meter", each) for each in devices)),
    }
    names = tuple(each.partition(":")[2] for each in devices)
    return Subject(pseudonyms, tuple(each for each in names if len(each) >= _SHORTEST_NAME))


def member_of(member: str, keys: Keys) -> Subject:
    """The member of the panel of a name, which is the third level of the topics that it publishes to."""
    names = (f"/{member}/",)  # in a topic; a short name stands in messages of others as well
    return Subject({"member": keys.every_pseudonym("member", member)}, names)


async def _records(scan: Scan, subject: Subject) -> AsyncIterator[Incoming]:
    """Everything under its keys, tombstones too; of a member what it said, and the marks."""
    places = subject.places
    members = [each.encode() for each in subject.members]
    topics = {topic for topic, _ in places} | ({CITIZEN} if members else set())
    async for batch in scan.read(await scan.ends(sorted(topics))):
        for each in batch:
            if (each.topic, each.key) in places or any(name in each.value for name in members):
                yield each


async def _rows(store: Store, subject: Subject) -> AsyncIterator[tuple[str, Row]]:
    seen: set[tuple[str, int, tuple[tuple[str, str], ...]]] = set()
    for measurement in BUCKETS:
        for tags in subject.tags:
            for row in await store.select(measurement, tags=tags):
                place = (measurement, row.time_ns, tuple(sorted(row.tags.items())))
                if place not in seen:  # a household's point carries its meter as well
                    seen.add(place)
                    yield measurement, row
    for member in subject.members:
        for row in await member_rows(store, member):
            yield "evaluation", row


async def export(scan: Scan, store: Store, subject: Subject, records: TextIO, points: TextIO) -> tuple[int, int]:
    """Write all that there is of a household: records as JSON lines, points as CSV, one field a row.

    Returns:
        How many records and rows.

    Raises:
        Unavailable: log or store do not answer; what was written is not all.
    """
    number = 0
    async for incoming in _living(scan, subject):
        records.write(incoming.value.decode() + "\n")
        number += 1
    table, rows = csv.writer(points), 0
    table.writerow(("measurement", "time", "tags", "field", "value"))
    async for measurement, row in _rows(store, subject):
        rows += 1
        at = datetime.fromtimestamp(row.time_ns / 1e9, UTC).isoformat()
        tags = " ".join(f"{name}={value}" for name, value in sorted(row.tags.items()))
        for name, value in sorted(row.fields.items()):
            said = safe_cell(value) if isinstance(value, str) else value  # a device chose the words of its states
            table.writerow((measurement, at, tags, name, said))
    return number, rows


async def _living(scan: Scan, subject: Subject) -> AsyncIterator[Incoming]:
    """Its records behind its last tombstone."""
    last = await _graves(scan, subject)
    async for each in _records(scan, subject):
        if _is_record(each) and each.offset > last.get((each.topic, each.partition, each.key), -1):
            yield each


async def _graves(scan: Scan, subject: Subject) -> dict[tuple[str, int, bytes], int]:
    last: dict[tuple[str, int, bytes], int] = {}
    async for each in _records(scan, subject):
        if not each.value or read_mark(each.value) is not None:
            last[each.topic, each.partition, each.key] = each.offset
    return last


def _is_record(each: Incoming) -> bool:
    return bool(each.value) and read_stub(each.value) is None and read_mark(each.value) is None


async def forget(  # noqa: PLR0913 - the places where a household's data are
    scan: Scan,
    sink: Sink,
    store: Store,
    subject: Subject,
    keys: Keys,
    *,
    file: Path | None = None,
    patience_s: float = 0.0,
) -> Forgotten:
    """Forget a household or a member, and look at everything again. Doing it twice changes nothing more.

    Args:
        scan: the event log, for reading.
        sink: the event log, for the tombstones.
        store: the time series.
        subject: who.
        keys: to look into refused messages.
        file: of the embedded event log, whose records can be overwritten.
        patience_s: how long to wait for an aggregator that does not come on.

    Raises:
        Unavailable: (of either port) not all is done; once more is right.
    """
    result = Forgotten()
    async for _ in _rows(store, subject):
        result.points += 1
    for _ in range(_ROUNDS):
        result.records += await _bury(scan, sink, subject, file)
        await forget_copies(scan, sink, subject.sought, keys, _now_ms(), file=file)
        await _delete(store, subject)
        if not await _taken(scan, subject, patience_s):
            result.notes.append(
                "The aggregator has not come to the tombstones yet: what it stores until then it deletes when it does"
            )
        result.seen = await verify(scan, store, subject, keys)
        if not result.left:
            break
    return result


async def _bury(scan: Scan, sink: Sink, subject: Subject, file: Path | None) -> int:
    """Tombstones for all keys, marks in all partitions where a member spoke; gives how many were overwritten."""
    spoken = {each.key async for each in _records(scan, subject)} if subject.members else set()
    await sink.send(
        [
            *(Outgoing(topic, key, b"", _now_ms()) for topic, key in sorted(subject.places)),
            *(
                Outgoing(CITIZEN, key, write_mark(member), _now_ms())
                for key in sorted(spoken)
                for member in subject.members
            ),
        ]
    )
    if file is None:
        return 0
    members = [each.encode() for each in subject.members]

    def of_member(value: bytes) -> bytes | None:
        return _stub(value) if any(name in value for name in members) else None

    try:
        number = sum(overwrite(file, topic, key, _stub) for topic, key in sorted(subject.places))
        return number + sum(overwrite(file, CITIZEN, key, of_member) for key in sorted(spoken))
    except sqlite3.Error as error:
        raise Unavailable(f"event log {file.name}: {error}; once more is right") from error


async def _delete(store: Store, subject: Subject) -> None:
    for tags in subject.tags:
        await store.forget(tags)
    for member in subject.members:
        await forget_member(store, member)


async def _taken(scan: Scan, subject: Subject, patience_s: float) -> bool:
    """Wait until the aggregator has come to the tombstones; gives up when it stands still for so long."""
    topics = sorted({topic for topic, _ in subject.places} | ({CITIZEN} if subject.members else set()))
    ends = {place: end for place, end in (await scan.ends(topics)).items() if end}
    before: Mapping[tuple[str, int], int] = {}
    waited_s = 0.0
    while True:
        committed = await scan.committed(topics)
        if all(committed.get(place, 0) >= end for place, end in ends.items()):
            return True
        waited_s = waited_s + _LOOK_S if committed == before else 0.0
        if waited_s > patience_s:
            return False
        before = committed
        await asyncio.sleep(min(_LOOK_S, patience_s))


async def verify(scan: Scan, store: Store, subject: Subject, keys: Keys) -> list[Seen]:
    """Look at everything that is kept, and say what of it is theirs. Trusts nothing that was done before.

    Every record of every topic is read, and searched for every pseudonym, whatever its key; every measurement is asked
    for every pseudonym; each sealed copy is found by its key or opened.

    Raises:
        Unavailable: log or store do not answer.
    """
    pseudonyms = [each.encode() for several in subject.pseudonyms.values() for each in several]
    graves = await _graves(scan, subject)
    seen = []
    for topic in (*EVENTS, LEDGER):
        read = left = behind = 0
        async for batch in scan.read(await scan.ends([topic])):
            for each in batch:
                read += 1
                if _is_record(each) and (each.key in pseudonyms or any(name in each.value for name in pseudonyms)):
                    buried = each.offset < graves.get((each.topic, each.partition, each.key), -1)
                    left, behind = left + (not buried), behind + buried
        seen.append(Seen(topic, read, left, behind))
    copies = await look_for_copies(scan, subject.sought, keys)
    note = f"{copies.opened} opened with the key"
    if copies.sealed_otherwise:
        note += f", {copies.sealed_otherwise} sealed under a key that is not here: nobody can say whose they are"
    seen.append(Seen(REJECTED, copies.read, len(copies.living), copies.behind, note))
    found = dict.fromkeys(BUCKETS, 0)
    async for measurement, _ in _rows(store, subject):
        found[measurement] += 1
    asked = len(subject.tags) + len(subject.members)
    return [*seen, *(Seen(f"{BUCKETS[name]}: {name}", asked, number) for name, number in found.items())]


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _stub(value: bytes) -> bytes | None:
    try:
        return stub_of(decode(value)) if _is_record_value(value) else None
    except CodecError:
        return b"{}"


def _is_record_value(value: bytes) -> bool:
    return read_stub(value) is None and read_mark(value) is None
