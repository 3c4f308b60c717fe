"""`garonne rebuild` on the embedded files: the time series made anew takes the place of the old one.

The services are stopped meanwhile; what was stored of indicators is taken over, for no record of the log makes it. The
new file comes first and the position in the log after it: whoever ends in between leaves a position that is too early,
and what is read again changes nothing.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.aggregator.ports import BUCKETS, Point
from services.aggregator.scanning import Scan
from services.embedded.eventlog import SqliteLog
from services.embedded.series import SqliteStore
from services.operations.rebuilding import Rebuild, RebuildProblem
from services.operations.status import addresses, look_at
from services.runtime.settings import Settings

__all__ = ["swap_embedded"]

_KEPT: Final = tuple(name for name, bucket in BUCKETS.items() if bucket == "kpi")
_FRESH: Final = "series.rebuilt.sqlite"
_BEFORE: Final = "series.before.sqlite"


async def swap_embedded(
    settings: Settings, scan: Scan, work: Callable[[Path], Rebuild], watch: Callable[[int], None]
) -> int:
    """Make the time series anew from the whole log and put it in place; gives the records that were read.

    The old file stays beside it as `series.before.sqlite`.

    Raises:
        Unavailable: log or time series do not answer.
        RebuildProblem: a service is running, or the log has not kept everything.
    """
    folder = settings.embedded.folder
    for name, url in zip(("ingest", "aggregator"), addresses(settings), strict=True):
        if not look_at(name, url).problems.get(name, "").startswith("nobody answers"):
            raise RebuildProblem(f"{name} is running: stop it first, or use --check, which can be done beside it")
    fresh, live = folder / _FRESH, folder / "series.sqlite"
    for leftover in folder.glob(f"{_FRESH}*"):
        leftover.unlink()
    rebuild = work(fresh)
    try:
        records, positions = await rebuild.compute(watch)
    finally:
        await rebuild.close()
    if any((await scan.begins([topic for topic, _ in positions])).values()):
        raise RebuildProblem("the event log has not kept everything: a swap would lose what rests on what is gone")
    async with SqliteStore(live) as old, SqliteStore(fresh) as new:
        for name in _KEPT:
            rows = await old.select(name)
            await new.write(
                [Point(name, tuple(sorted(r.tags.items())), tuple(sorted(r.fields.items())), r.time_ns) for r in rows]
            )
    os.replace(live, folder / _BEFORE)  # noqa: PTH105 - closed in order: no journal is left of either
    os.replace(fresh, live)  # noqa: PTH105
    async with SqliteLog(settings.embedded.folder / "events.sqlite", settings.kafka.group) as log:
        await log.commit(positions)
    return records
