"""Opening a SQLite file that several processes share, durable at each commit."""

import sqlite3
import time
from pathlib import Path
from typing import Final

__all__ = ["open_file"]

_BUSY_S: Final = 30.0
_PRAGMAS: Final = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"


def open_file(path: Path, schema: str) -> sqlite3.Connection:
    """Open or make the file, with these tables; transactions are begun by hand.

    WAL lets one process write while others read; `synchronous=FULL` puts each commit on the disk.

    Raises:
        sqlite3.Error: not a database, or in use for longer than half a minute.
        OSError: the folder cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    patience_ends = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.executescript(_PRAGMAS + schema)
        except sqlite3.OperationalError as error:
            # The change to WAL does not wait for another process that opens the file: SQLite says so at once.
            if "locked" not in str(error) or time.monotonic() > patience_ends:
                connection.close()
                raise
            time.sleep(0.01)
        except BaseException:
            connection.close()
            raise
        else:
            return connection
