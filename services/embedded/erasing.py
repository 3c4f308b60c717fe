"""Overwrites records of the embedded event log, so that not a byte of them stays in the file."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from services.embedded.sqlite import open_file

__all__ = ["overwrite"]

_PAGE: Final = 1000


def overwrite(path: Path, topic: str, key: bytes, stub: Callable[[bytes], bytes | None]) -> int:
    """Put a stub in the place of each record of a key; records without a value stay.

    Args:
        path: the file of the event log.
        topic: where.
        key: whose records.
        stub: what takes the place of a value, or `None` for a value that can stay.

    Returns:
        The number of records that were overwritten.

    Raises:
        sqlite3.Error: the file cannot be written; nothing or a part is overwritten, and doing it again is right.
    """
    number = 0
    with closing(open_file(path, "")) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        row = connection.execute("SELECT id FROM topic WHERE name = ?", (topic,)).fetchone()
        if row is None:
            return 0
        table, after = f"records_{int(row[0])}", -1
        query = f"SELECT number, value FROM {table} WHERE key = ? AND number > ? ORDER BY number LIMIT ?"  # noqa: S608
        update = f"UPDATE {table} SET value = ? WHERE number = ?"  # noqa: S608 - the name is ours
        while rows := connection.execute(query, (key, after, _PAGE)).fetchall():
            after = rows[-1][0]
            changed = [(new, offset) for offset, value in rows if value and (new := stub(value)) is not None]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(update, changed)
            connection.execute("COMMIT")
            number += len(changed)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return number
