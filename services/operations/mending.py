"""`garonne rebuild` on the servers: time series computed anew take the place of what stands, beside the live service.

What stands is compared with what the whole event log gives, and replaced point by point: what differs is written, what
no record makes is deleted, what is right is left alone. Readers see no gap, buckets and tokens stay the same, and the
live aggregator goes on. A point that it may be about to write is not touched: only what is the same in two looks is.
At the end every member of the aggregator's group begins anew, for it may remember what was wrong; then nothing may
differ any more. Killed in the middle, it is begun again: what was replaced is right already.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from services.aggregator.ports import Point
from services.operations.rebuilding import Identity, Pair, Rebuild, RebuildProblem

__all__ = ["Mendable", "Mended", "mend"]

_ROUNDS: Final = 40
_QUIET_LOOKS: Final = 2
"""Looks in a row that find nothing to replace: the second one sees what a write of ours may have overwritten."""


class Mendable(Protocol):
    """The live time series, for whoever replaces points."""

    async def write(self, points: Sequence[Point]) -> Sequence[object]:
        """Store points; gives those that are refused for good."""

    async def remove(self, points: Sequence[tuple[str, tuple[tuple[str, str], ...], int]]) -> None:
        """Delete points: measurement, tags, time in ns."""


@dataclass
class Mended:
    """What was done.

    Attributes:
        records: read from the log.
        written: points that differed or were missing.
        deleted: points that no record makes.
        refused: points that the time series does not take.
    """

    records: int = 0
    written: int = 0
    deleted: int = 0
    refused: int = 0


async def mend(
    work: Rebuild,
    live: Mendable,
    times: tuple[datetime | None, datetime | None],
    anew: Callable[[], Awaitable[object]],
    watch: Callable[[int], None],
) -> Mended:
    """Compute everything, and replace the points with times in [from, to) that are not the same.

    Args:
        work: computes and compares.
        live: what is mended.
        times: from, to.
        anew: makes the members of the aggregator's group forget what they have in memory.
        watch: told of records as they are read.

    Raises:
        Unavailable: log or time series do not answer; begin again.
        RebuildProblem: the aggregator does not store what the log has, or points differ again and again.
    """
    done = Mended()

    def count(records: int) -> None:
        done.records += records
        watch(records)

    await work.begin(count)
    await _until_right(work, live, times, done, count)
    if done.written + done.deleted:
        await anew()
        await _until_right(work, live, times, done, count)
    return done


async def _until_right(
    work: Rebuild,
    live: Mendable,
    times: tuple[datetime | None, datetime | None],
    done: Mended,
    count: Callable[[int], None],
) -> None:
    before: Mapping[Identity, Pair] = {}
    quiet = 0
    for _ in range(_ROUNDS):
        look = await work.look(*times, before)
        if not look.found and look.still:
            return
        quiet = 0 if look.settled else quiet + 1
        if quiet > _QUIET_LOOKS:
            return
        await _replace(live, look.settled, done)
        before = {place: pair for place, pair in look.found.items() if place not in look.settled}
        await work.catch_up(count)
    raise RebuildProblem(f"{len(before)} points differ again and again: who else writes to these buckets?")


async def _replace(live: Mendable, settled: Mapping[Identity, Pair], done: Mended) -> None:
    surplus = [
        place
        for place, pair in settled.items()
        if pair.live is not None and (pair.fresh is None or pair.live.keys() - pair.fresh.keys())
    ]
    right = [
        Point(place.measurement, place.tags, tuple(sorted(pair.fresh.items())), place.time_ns)
        for place, pair in settled.items()
        if pair.fresh is not None
    ]
    await live.remove(surplus)
    done.refused += len(await live.write(right))
    done.written += len(right)
    done.deleted += sum(pair.fresh is None for pair in settled.values())
