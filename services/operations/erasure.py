"""What a household may ask for: its data, and that they are forgotten (GDPR articles 17 and 20).

The operator names the household as the registry does; its pseudonyms are computed with the site's key. Its data are
under its own key in `garonne.energy` and under those of its devices in `garonne.status`, and carry the same tags in the
time series.
"""

import csv
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from schemas.codec import CodecError, decode
from services.aggregator.erasure import TAG_OF, read_stub, stub_of
from services.aggregator.ports import BUCKETS, Incoming, Row, Store, Unavailable
from services.aggregator.report.tables import safe_cell
from services.aggregator.scanning import REJECTED, Scan
from services.embedded.erasing import overwrite
from services.ingest.ports import Outgoing, Sink
from services.ingest.pseudonyms import KeyProblem, Keys
from services.operations.replaying import unsealed
from services.runtime.registry import Registry

__all__ = ["Forgotten", "NoHousehold", "Subject", "export", "forget", "subject_of"]

_TOPICS: Final = {tag: topic for topic, tag in TAG_OF.items()}
_SHORTEST_NAME: Final = 4
"""A shorter part of a device's name is found in messages of others as well."""


class NoHousehold(Exception):
    """Nobody is called so; the text says what to write."""


class Subject(NamedTuple):
    """A household: its pseudonyms by tag, and the names by which its messages can be known."""

    pseudonyms: Mapping[str, frozenset[str]]
    names: tuple[str, ...]

    @property
    def places(self) -> set[tuple[str, bytes]]:
        """Topic and key of its records."""
        return {(_TOPICS[tag], each.encode()) for tag, several in self.pseudonyms.items() for each in several}


@dataclass
class Forgotten:
    """What forgetting did, and what a recount found after it.

    Attributes:
        records: overwritten in the event log.
        remaining: records before the tombstones that the log still holds, unread, until its retention ends.
        points: rows of the time series that were there.
        left: rows that a recount still found: 0, or it is not done.
        rejected: sealed copies of refused messages that name its devices, until their retention ends.
    """

    records: int = 0
    remaining: int = 0
    points: int = 0
    left: int = 0
    rejected: int = 0
    notes: list[str] = field(default_factory=list)


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
        "household": frozenset({keys.pseudonym("household", household)}),
        "device": frozenset(keys.pseudonym("device", each) for each in devices),
    }
    names = tuple(each.partition(":")[2] for each in devices)
    return Subject(pseudonyms, tuple(each for each in names if len(each) >= _SHORTEST_NAME))


async def _records(scan: Scan, subject: Subject) -> AsyncIterator[Incoming]:
    places = subject.places
    async for batch in scan.read(await scan.ends(sorted({topic for topic, _ in places}))):
        for each in batch:
            if (each.topic, each.key) in places:
                yield each


async def _rows(store: Store, subject: Subject) -> AsyncIterator[tuple[str, Row]]:
    for measurement in BUCKETS:
        for tag, several in subject.pseudonyms.items():
            for each in sorted(several):
                for row in await store.select(measurement, tags={tag: each}):
                    yield measurement, row


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
    last: dict[tuple[str, int, bytes], int] = {}
    async for each in _records(scan, subject):
        if not each.value:
            last[each.topic, each.partition, each.key] = each.offset
    async for each in _records(scan, subject):
        if each.offset > last.get((each.topic, each.partition, each.key), -1):
            yield each


async def forget(  # noqa: PLR0913 - the places where a household's data are
    scan: Scan, sink: Sink, store: Store, subject: Subject, keys: Keys, *, file: Path | None = None
) -> Forgotten:
    """Forget a household, and count again. Doing it twice changes nothing more.

    Args:
        scan: the event log, for reading.
        sink: the event log, for the tombstones.
        store: the time series.
        subject: the household.
        keys: to look into refused messages.
        file: of the embedded event log, whose records can be overwritten.

    Raises:
        Unavailable: (of either port) not all is done; once more is right.
    """
    result = Forgotten()
    async for _ in _rows(store, subject):
        result.points += 1
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    await sink.send([Outgoing(topic, key, b"", now_ms) for topic, key in sorted(subject.places)])
    if file is not None:
        try:
            result.records = sum(overwrite(file, topic, key, _stub) for topic, key in sorted(subject.places))
        except sqlite3.Error as error:
            raise Unavailable(f"event log {file.name}: {error}; once more is right") from error
    await _delete(store, ({tag: each} for tag, several in subject.pseudonyms.items() for each in several))
    async for _ in _rows(store, subject):
        result.left += 1
    async for each in _records(scan, subject):
        result.remaining += bool(each.value) and read_stub(each.value) is None
    result.rejected = await _refused(scan, subject, keys)
    return result


async def _delete(store: Store, several: Iterable[dict[str, str]]) -> None:
    for tags in several:
        await store.forget(tags)


def _stub(value: bytes) -> bytes | None:
    try:
        return None if read_stub(value) is not None else stub_of(decode(value))
    except CodecError:
        return b"{}"


async def _refused(scan: Scan, subject: Subject, keys: Keys) -> int:
    """How many sealed copies of refused messages name a device of the household, or its pseudonyms."""
    pseudonyms = [each for several in subject.pseudonyms.values() for each in several]
    wanted = [each.encode() for each in (*subject.names, *pseudonyms)]
    number = 0
    async for batch in scan.read(await scan.ends([REJECTED])):
        for each in batch:
            try:
                _, topic, content = unsealed(each, keys)
            except (CodecError, KeyProblem):
                continue
            clear = topic.encode() + b"\n" + content
            number += any(name in clear for name in wanted)
    return number
