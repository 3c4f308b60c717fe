"""The event log as one SQLite file, in place of Kafka: what ingest sends to and the aggregator reads from.

One table per topic, its primary key is the offset. A batch is one transaction with `synchronous=FULL`: when `send`
returns, the batch is on disk. WAL lets one process write while others read. There is one partition per topic,
because there is one reader: a file on one machine is no place to share work out.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from weakref import WeakSet

from services.aggregator import ports as reading
from services.aggregator.ports import Incoming, Partition
from services.embedded.sqlite import open_file
from services.ingest import ports as writing
from services.ingest.ports import Outgoing

__all__ = ["SqliteLog", "SqliteSink"]

_TOPICS: Final = ("garonne.energy", "garonne.mobility", "garonne.citizen", "garonne.status")
_REJECTED: Final = "garonne.rejected"
_PAGE: Final = 5000
"""Records read at once by `since`."""
_LOOK_AGAIN_S: Final = 0.05
"""How soon a waiting reader sees what another process wrote; its own process wakes it at once."""

_Result = TypeVar("_Result")
_waiting: WeakSet["SqliteLog"] = WeakSet()
"""The readers of this process, for writers of this process to wake."""


class _File:
    """A connection that lives in one thread of its own, so that the event loop never waits for the disk."""

    def __init__(self, path: Path, unavailable: type[Exception]):
        self.path = path.resolve()
        self._unavailable = unavailable
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="event-log")
        self._connection: sqlite3.Connection | None = None
        self._tables: dict[str, str] = {}

    async def run(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do `work` in the thread; whatever SQLite complains of is `Unavailable`."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._open()))
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable(f"event log {self.path.name}: {error}; is there room on the disk?") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_file(self.path, _SCHEMA)
        return self._connection

    def table(self, connection: sqlite3.Connection, topic: str) -> str:
        """The table of a topic, made if it is new."""
        if topic not in self._tables:
            connection.execute("INSERT OR IGNORE INTO topic (name) VALUES (?)", (topic,))
            (number,) = connection.execute("SELECT id FROM topic WHERE name = ?", (topic,)).fetchone()
            connection.execute(_TABLE.format(number=number))
            connection.execute(_INDEX.format(number=number))
            self._tables[topic] = f"records_{number}"
        return self._tables[topic]

    def forget_tables(self) -> None:
        """After a rollback a table that was made in the transaction is gone."""
        self._tables.clear()

    def close(self) -> None:
        """Close the file after what the thread still has to do; safe to call twice."""
        self._thread.shutdown()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS position (
    member TEXT NOT NULL, topic TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (member, topic)
) WITHOUT ROWID;
"""
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS records_{number} "
    "(number INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB NOT NULL, timestamp_ms INTEGER NOT NULL)"
)
_INDEX: Final = "CREATE INDEX IF NOT EXISTS received_{number} ON records_{number} (timestamp_ms)"


def _append(file: _File, connection: sqlite3.Connection, batch: Sequence[Outgoing]) -> None:
    """Append in one transaction, offsets without gaps from 0."""
    by_topic: dict[str, list[Outgoing]] = {}
    for each in batch:
        by_topic.setdefault(each.topic, []).append(each)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for topic, records in by_topic.items():
            table = file.table(connection, topic)
            (first,) = connection.execute(f"SELECT coalesce(max(number) + 1, 0) FROM {table}").fetchone()  # noqa: S608
            connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?)",  # noqa: S608 - the name is ours
                [(first + i, each.key, each.value, each.timestamp_ms) for i, each in enumerate(records)],
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        file.forget_tables()
        raise


def _wake(path: Path) -> None:
    for log in list(_waiting):
        log.wake(path)


class SqliteSink:
    """Appends batches; the port `Sink` of ingest."""

    def __init__(self, path: Path):
        self._file = _File(path, writing.Unavailable)

    async def __aenter__(self) -> Self:
        """Nothing to connect to: the file is opened when it is first needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        await self.close()

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Store the batch; it is on disk on return.

        Raises:
            Unavailable: (of `services.ingest.ports`) nothing of it is stored.
        """
        if batch:
            await self._file.run(lambda connection: _append(self._file, connection, batch))
            _wake(self._file.path)

    async def close(self) -> None:
        """Close the file; safe to call twice."""
        await asyncio.to_thread(self._file.close)


class SqliteLog:
    """Reads as the only member of its group; the port `Log` of the aggregator.

    Args:
        path: The file; made when it is missing.
        group: Whose positions are kept.
        topics: What to read; also those that do not exist yet.
    """

    def __init__(self, path: Path, group: str = "garonne-aggregator", topics: Sequence[str] = _TOPICS):
        self._file = _File(path, reading.LogUnavailable)
        self._group = group
        self._topics = list(topics)
        self._next: dict[str, int] = {}
        self._news: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        """Nothing to connect to: the file is opened when it is first needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        await self.close()

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        """The next records, at most `limit`; empty after `timeout_s` without any."""
        if self._news is None:
            self._news, self._loop = asyncio.Event(), asyncio.get_running_loop()
            _waiting.add(self)
        end = time.monotonic() + timeout_s
        while True:
            self._news.clear()
            found = await self._file.run(lambda connection: self._read(connection, limit))
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            try:
                await asyncio.wait_for(self._news.wait(), min(left, _LOOK_AGAIN_S))
            except TimeoutError:
                continue  # another process wakes nobody: look again

    def wake(self, path: Path) -> None:
        """Say that this process wrote to `path`; from any thread."""
        if path == self._file.path and self._loop is not None and self._news is not None:
            if self._loop.is_closed():
                _waiting.discard(self)
            else:
                self._loop.call_soon_threadsafe(self._news.set)

    def lost(self) -> frozenset[Partition]:
        """Never any: there is no other member."""
        return frozenset()

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Keep the positions on disk; they are where the next process starts."""
        rows = [(self._group, topic, number) for (topic, _), number in positions.items()]
        statement = "INSERT OR REPLACE INTO position VALUES (?, ?, ?)"
        await self._file.run(lambda connection: _together(connection, statement, rows))

    async def holds(self, starts: Mapping[Partition, int]) -> bool:
        """Always: nobody else reads."""
        del starts
        return True

    async def since(
        self, partition: Partition, timestamp_ms: int, until_offset: int
    ) -> AsyncIterator[Sequence[Incoming]]:
        """Read again from the first record received at or after `timestamp_ms`, up to (not with) `until_offset`."""
        topic = partition[0]
        if partition[1] != 0:
            return  # there is one partition
        number = await self._file.run(lambda connection: self._first_since(connection, topic, timestamp_ms))
        while number is not None and number < until_offset:
            start = number
            many = min(_PAGE, until_offset - start)
            found = await self._file.run(lambda connection: self._page(connection, topic, start, many))  # noqa: B023
            found = [each for each in found if each.offset < until_offset]
            if not found:
                return
            number = found[-1].offset + 1
            yield found

    async def lag(self) -> Mapping[Partition, int]:
        """Records that are not committed, by topic."""
        return await self._file.run(self._lag)

    async def reject(self, key: bytes, value: bytes, timestamp_ms: int) -> None:
        """Append to `garonne.rejected`; on disk on return."""
        batch = [Outgoing(_REJECTED, key, value, timestamp_ms)]
        await self._file.run(lambda connection: _append(self._file, connection, batch))
        _wake(self._file.path)

    async def close(self) -> None:
        """Close the file; safe to call twice."""
        _waiting.discard(self)
        await asyncio.to_thread(self._file.close)

    def _committed(self, connection: sqlite3.Connection, topic: str) -> int:
        query = "SELECT number FROM position WHERE member = ? AND topic = ?"
        row = connection.execute(query, (self._group, topic)).fetchone()
        return int(row[0]) if row else 0

    def _page(self, connection: sqlite3.Connection, topic: str, start: int, limit: int) -> list[Incoming]:
        query = f"SELECT * FROM {self._file.table(connection, topic)} WHERE number >= ? ORDER BY number LIMIT ?"  # noqa: S608
        return [
            Incoming(topic, 0, number, key, value, timestamp_ms)
            for number, key, value, timestamp_ms in connection.execute(query, (start, limit))
        ]

    def _read(self, connection: sqlite3.Connection, limit: int) -> list[Incoming]:
        found: list[Incoming] = []
        for topic in self._topics:
            if topic not in self._next:
                self._next[topic] = self._committed(connection, topic)
            page = self._page(connection, topic, self._next[topic], limit - len(found))
            if page:
                self._next[topic] = page[-1].offset + 1
                found += page
            if len(found) >= limit:
                break
        # The topic that came first comes last next time, so that a busy one starves none.
        self._topics.append(self._topics.pop(0))
        return found

    def _first_since(self, connection: sqlite3.Connection, topic: str, timestamp_ms: int) -> int | None:
        query = f"SELECT min(number) FROM {self._file.table(connection, topic)} WHERE timestamp_ms >= ?"  # noqa: S608
        number: int | None = connection.execute(query, (timestamp_ms,)).fetchone()[0]
        return number

    def _lag(self, connection: sqlite3.Connection) -> dict[Partition, int]:
        waiting: dict[Partition, int] = {}
        for topic in self._topics:
            query = f"SELECT coalesce(max(number) + 1, 0) FROM {self._file.table(connection, topic)}"  # noqa: S608
            (end,) = connection.execute(query).fetchone()
            waiting[topic, 0] = max(0, end - self._committed(connection, topic))
        return waiting


def _together(connection: sqlite3.Connection, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Run a statement for all rows, all or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(statement, rows)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
