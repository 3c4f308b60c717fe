"""The port `Scan` on the embedded event log: reads beside the process that writes."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from services.aggregator.ports import Incoming, LogUnavailable, Partition

__all__ = ["SqliteScan"]

_PAGE: Final = 5000


class SqliteScan:
    """Reads whole topics of the file `path`, which must exist."""

    def __init__(self, path: Path, group: str) -> None:
        self._path = path.resolve()
        self._group = group

    async def begins(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """The first offset that is still there, by topic."""
        return {part: first for part, (first, _) in (await asyncio.to_thread(self._bounds, topics)).items()}

    async def ends(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """The offset that the next record will get, by topic."""
        return {part: end for part, (_, end) in (await asyncio.to_thread(self._bounds, topics)).items()}

    async def read(
        self, until: Mapping[Partition, int], from_ms: int = 0, start: Mapping[Partition, int] | None = None
    ) -> AsyncIterator[Sequence[Incoming]]:
        """Everything before `until`, one topic after the other."""
        for (topic, partition), end in until.items():
            first = (start or {}).get((topic, partition), 0)
            if from_ms:
                first = max(first, await asyncio.to_thread(self._first_since, topic, from_ms, end))
            while first < end:
                batch = await asyncio.to_thread(self._page, topic, first, end)
                if not batch:
                    break
                first = batch[-1].offset + 1
                yield batch

    async def committed(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """Where the group stands."""
        return await asyncio.to_thread(self._committed, topics)

    def _open(self) -> sqlite3.Connection:
        if not self._path.is_file():
            raise LogUnavailable(f"there is no event log {self._path}: has anything been taken in yet?")
        return sqlite3.connect(self._path, timeout=30.0, isolation_level=None)

    def _bounds(self, topics: Iterable[str]) -> dict[Partition, tuple[int, int]]:
        found = {}
        try:
            with closing(self._open()) as connection:
                for topic in topics:
                    table = _table(connection, topic)
                    if table is not None:
                        query = f"SELECT coalesce(min(number), 0), coalesce(max(number) + 1, 0) FROM {table}"  # noqa: S608
                        found[topic, 0] = connection.execute(query).fetchone()
        except sqlite3.Error as error:
            raise LogUnavailable(f"event log {self._path.name}: {error}") from error
        return found

    def _first_since(self, topic: str, from_ms: int, end: int) -> int:
        try:
            with closing(self._open()) as connection:
                table = _table(connection, topic)
                query = f"SELECT coalesce(min(number), ?) FROM {table} WHERE timestamp_ms >= ?"  # noqa: S608
                return int(connection.execute(query, (end, from_ms)).fetchone()[0]) if table else end
        except sqlite3.Error as error:
            raise LogUnavailable(f"event log {self._path.name}: {error}") from error

    def _page(self, topic: str, first: int, end: int) -> list[Incoming]:
        try:
            with closing(self._open()) as connection:
                table = _table(connection, topic)
                query = f"SELECT * FROM {table} WHERE number >= ? AND number < ? ORDER BY number LIMIT ?"  # noqa: S608
                rows = connection.execute(query, (first, end, _PAGE)).fetchall() if table else []
        except sqlite3.Error as error:
            raise LogUnavailable(f"event log {self._path.name}: {error}") from error
        return [Incoming(topic, 0, *row) for row in rows]

    def _committed(self, topics: Iterable[str]) -> dict[Partition, int]:
        query = "SELECT number FROM position WHERE member = ? AND topic = ?"
        try:
            with closing(self._open()) as connection:
                rows = {topic: connection.execute(query, (self._group, topic)).fetchone() for topic in topics}
        except sqlite3.Error as error:
            raise LogUnavailable(f"event log {self._path.name}: {error}") from error
        return {(topic, 0): int(row[0]) if row else 0 for topic, row in rows.items()}


def _table(connection: sqlite3.Connection, topic: str) -> str | None:
    row = connection.execute("SELECT id FROM topic WHERE name = ?", (topic,)).fetchone()
    return None if row is None else f"records_{int(row[0])}"
