"""Time series in one SQLite file, in place of InfluxDB, with the same rules.

A row is an instant of a series, its fields are one JSON object: a write merges into what stands there. The first
value of a field pins its type for the measurement, as in InfluxDB; a point that breaks this, or that line protocol
cannot say, is refused and its neighbours are stored. One write is one transaction with `synchronous=FULL`.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from pydantic_core import from_json, to_json

from services.aggregator.lineprotocol import line, nanoseconds, series
from services.aggregator.ports import FieldValue, Point, Refusal, Row, Unavailable
from services.embedded.sqlite import open_file

__all__ = ["SqliteStore"]

_FIRST_NS: Final = -(2**63)
_LAST_NS: Final = 2**63 - 1
_PLAIN: Final = 2**62
"""Numbers up to here can be stored without a closer look."""
_NAMES: Final = {float: "float", int: "integer", bool: "boolean", str: "string"}
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, measurement TEXT NOT NULL, tags TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS series_of ON series (measurement);
CREATE TABLE IF NOT EXISTS field (
    measurement TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, PRIMARY KEY (measurement, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS point (
    series INTEGER NOT NULL, time_ns INTEGER NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (series, time_ns)
) WITHOUT ROWID;
"""
# json_patch (RFC 7396) keeps the members that the new object does not name, and the spelling of numbers.
_UPSERT: Final = """
INSERT INTO point VALUES (?, ?, ?) ON CONFLICT (series, time_ns)
DO UPDATE SET fields = json_patch(fields, excluded.fields)
"""
_SELECT: Final = "SELECT time_ns, fields FROM point WHERE series = ? AND time_ns >= ? AND time_ns < ? ORDER BY time_ns"

_Result = TypeVar("_Result")


class SqliteStore:
    """Time series in the file `path`, made when it is missing; the port `Store` of the aggregator."""

    def __init__(self, path: Path):
        self._path = path.resolve()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="series")
        self._connection: sqlite3.Connection | None = None
        self._ids: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
        self._types: dict[str, dict[str, type]] = {}
        self._version = -1

    async def __aenter__(self) -> Self:
        """Nothing to connect to: the file is opened when it is first needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        await self.close()

    async def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await asyncio.get_running_loop().run_in_executor(self._thread, connection.close)
        await asyncio.to_thread(self._thread.shutdown)

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Store points, merged with what stands at the same series and time; on disk on return.

        Returns:
            The points refused for good; all others are stored.

        Raises:
            Unavailable: SQLite could not write; nothing of `points` is stored.
        """
        return await self._run(lambda connection: self._write(connection, points))

    async def forget(self, tags: Mapping[str, str]) -> None:
        """Delete every point of every series with these tags, and the series, from the file too.

        Raises:
            Unavailable: SQLite could not write; nothing is deleted.
        """
        await self._run(lambda connection: self._forget(connection, tags))

    def _forget(self, connection: sqlite3.Connection, tags: Mapping[str, str]) -> None:
        query = "SELECT DISTINCT measurement FROM series"
        measurements = [row[0] for row in connection.execute(query)]
        gone = [(number,) for each in measurements for number, _ in _matching(connection, each, tags)] if tags else []
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany("DELETE FROM point WHERE series = ?", gone)
            connection.executemany("DELETE FROM series WHERE id = ?", gone)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._version = -1
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def remove(self, points: Sequence[tuple[str, tuple[tuple[str, str], ...], int]]) -> None:
        """Delete single points, from the file too.

        Raises:
            Unavailable: SQLite could not write; nothing is deleted.
        """
        await self._run(lambda connection: self._remove(connection, points))

    @staticmethod
    def _remove(connection: sqlite3.Connection, points: Sequence[tuple[str, tuple[tuple[str, str], ...], int]]) -> None:
        query = "DELETE FROM point WHERE time_ns = ? AND series = (SELECT id FROM series WHERE text = ?)"
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(query, [(time_ns, series(name, tags)) for name, tags, time_ns in points])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        """Rows of a measurement in [start, end), by time; no `fields` means all of them.

        Raises:
            Unavailable: SQLite could not read.
        """
        first = _FIRST_NS if start is None else nanoseconds(start)
        last = _LAST_NS if end is None else nanoseconds(end)
        wanted = frozenset(fields)
        return await self._run(
            lambda connection: sorted(
                _rows(connection, _matching(connection, measurement, tags or {}), wanted, (first, last)),
                key=lambda row: row.time_ns,
            )
        )

    async def _run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._open()))
        except (sqlite3.Error, OSError) as error:
            raise Unavailable(f"time series {self._path.name}: {error}; is there room on the disk?") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_file(self._path, _SCHEMA)
        return self._connection

    def _write(self, connection: sqlite3.Connection, points: Sequence[Point]) -> list[Refusal]:
        refusals: list[Refusal] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._refresh(connection)
            rows = []
            for point in points:
                number = self._ids.get((point.measurement, point.tags))
                if number is None or not _is_plain(point, self._types.get(point.measurement, {})):
                    refusal = self._check(connection, point)
                    if refusal is not None:
                        refusals.append(refusal)
                        continue
                    number = self._series(connection, point)
                rows.append((number, point.time_ns, to_json(dict(point.fields)).decode()))
            connection.executemany(_UPSERT, rows)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._version = -1  # what was learnt in the transaction is void
            raise
        return refusals

    def _refresh(self, connection: sqlite3.Connection) -> None:
        """Learn series and types again if another process wrote, or a transaction was rolled back."""
        (version,) = connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            by_name = {name: kind for kind, name in _NAMES.items()}
            self._types = {}
            for measurement, name, kind in connection.execute("SELECT measurement, name, type FROM field"):
                self._types.setdefault(measurement, {})[name] = by_name[kind]
            self._ids = {}
            self._version = version

    def _check(self, connection: sqlite3.Connection, point: Point) -> Refusal | None:
        """Refuse what InfluxDB would refuse; pin the types of new fields."""
        new = []
        types = self._types.setdefault(point.measurement, {})
        for name, value in point.fields:
            pinned = types.get(name)
            if pinned is None:
                new.append((name, type(value)))
            elif pinned is not type(value):
                is_type, was_type = _NAMES.get(type(value), type(value).__name__), _NAMES[pinned]
                detail = f"field {name!r} of {point.measurement!r} is {is_type}, but holds {was_type}"
                return Refusal(point, "field_type", detail)
        try:
            line(point)
        except ValueError as error:
            return Refusal(point, "refused", str(error))
        for name, kind in new:
            connection.execute("INSERT INTO field VALUES (?, ?, ?)", (point.measurement, name, _NAMES[kind]))
            types[name] = kind
        return None

    def _series(self, connection: sqlite3.Connection, point: Point) -> int:
        number = self._ids.get((point.measurement, point.tags))
        if number is None:
            row = (series(point.measurement, point.tags), point.measurement, to_json(dict(point.tags)).decode())
            connection.execute("INSERT OR IGNORE INTO series (text, measurement, tags) VALUES (?, ?, ?)", row)
            (number,) = connection.execute("SELECT id FROM series WHERE text = ?", row[:1]).fetchone()
            self._ids[point.measurement, point.tags] = number
        return int(number)


def _is_plain(point: Point, types: Mapping[str, type]) -> bool:
    """Whether a point of a known series can be stored without a closer look: nearly all of them.

    Its fields are pinned to the types it has, so their names can be said; its numbers and its time are small enough.
    """
    if not point.fields or not -_PLAIN <= point.time_ns <= _PLAIN:
        return False
    for name, value in point.fields:
        kind = type(value)
        if types.get(name) is not kind:
            return False
        # A difference of infinities or with NaN is NaN, never 0.
        if kind is float and value - value != 0.0:  # type: ignore[operator] # it is a float
            return False
        if kind is int and not -_PLAIN <= value <= _PLAIN:  # type: ignore[operator] # it is an int
            return False
    return True


def _matching(
    connection: sqlite3.Connection, measurement: str, tags: Mapping[str, str]
) -> list[tuple[int, dict[str, str]]]:
    """Number and tags of the series that carry these tags, in the order of their text."""
    query = "SELECT id, tags FROM series WHERE measurement = ? ORDER BY text"
    found = [(number, from_json(text)) for number, text in connection.execute(query, (measurement,))]
    return [(number, its) for number, its in found if all(its.get(name) == value for name, value in tags.items())]


def _rows(
    connection: sqlite3.Connection,
    matching: Sequence[tuple[int, dict[str, str]]],
    wanted: frozenset[str],
    span_ns: tuple[int, int],
) -> Iterator[Row]:
    for number, tags in matching:
        for time_ns, text in connection.execute(_SELECT, (number, *span_ns)):
            fields: dict[str, Any] = from_json(text)
            values: dict[str, FieldValue] = (
                {name: value for name, value in fields.items() if name in wanted} if wanted else fields
            )
            if values:
                yield Row(time_ns, tags, values)
