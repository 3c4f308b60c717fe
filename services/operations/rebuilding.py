"""`garonne rebuild`: compute the time series anew from the event log, beside the live service, and compare.

The same pipeline that the aggregator runs is fed with the whole log and writes into a fresh file. What the live time
series holds must be the same to the last bit: it is a function of the records in the log (promise 2).

While the site is alive both move. So the fresh file catches up and is compared again; a difference counts when neither
side has touched it between two comparisons, or when nothing came in meanwhile.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.lineprotocol import series
from services.aggregator.mobility.geometry import Junction
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import BUCKETS, FieldValue, Incoming, Partition, Point, Refusal, Row, Store
from services.aggregator.scanning import EVENTS, Scan
from services.aggregator.telemetry import AggregatorTelemetry
from services.embedded.series import SqliteStore
from services.runtime.settings import AggregatorSettings

__all__ = ["MEASUREMENTS", "Comparison", "Identity", "Look", "Pair", "Rebuild", "RebuildProblem"]

MEASUREMENTS: Final = tuple(name for name, bucket in BUCKETS.items() if bucket != "kpi")
"""What is computed from the log; indicators are made by `garonne report`."""
_ROUNDS: Final = 6
_LOOK_S: Final = 0.5
_SPAN: Final = timedelta(days=7)
_TOPIC_OF: Final = {
    **dict.fromkeys(("meter", "checkpoint", "interval", "weather", "energy"), "garonne.energy"),
    "device": "garonne.status",
}
"""What a measurement rests on; the others on `garonne.mobility`."""
_MARGIN: Final = timedelta(days=1)
"""A point this long after the first record that is kept rests on records that are kept (late vehicles: six hours)."""

Fields = Mapping[str, FieldValue]


class Identity(NamedTuple):
    """What makes a point one point."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    time_ns: int

    def __str__(self) -> str:
        return series(self.measurement, self.tags)


class RebuildProblem(Exception):
    """It cannot be compared; the text says what to do."""


class Pair(NamedTuple):
    """A point as it was computed anew and as it is stored; `None` where it is missing."""

    fresh: Fields | None
    live: Fields | None

    def __str__(self) -> str:
        if self.live is None:
            return "missing in the time series"
        if self.fresh is None:
            return "stored, and no record of the log makes it"
        names = sorted({*self.fresh, *self.live})
        return ", ".join(
            f"{name} is {self.live.get(name)}, must be {self.fresh.get(name)}"
            for name in names
            if self.fresh.get(name) != self.live.get(name)
        )


class Look(NamedTuple):
    """What one comparison found.

    Attributes:
        found: points that are not the same.
        settled: those of them that nothing has touched since the last look, or nothing came in at all.
        still: whether nothing came in.
    """

    found: dict[Identity, Pair]
    settled: dict[Identity, Pair]
    still: bool


@dataclass
class Comparison:
    """The result.

    Attributes:
        records: read from the log.
        points: compared, by measurement.
        differences: points that are settled and not the same.
        moving: points that changed while they were compared.
        from_: from when on a measurement is compared, where the log has not kept everything.
        rejected: records and points that were refused on the way.
    """

    records: int = 0
    points: dict[str, int] = field(default_factory=dict)
    differences: dict[Identity, Pair] = field(default_factory=dict)
    moving: int = 0
    from_: dict[str, datetime] = field(default_factory=dict)
    rejected: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "records": self.records,
            "points": self.points,
            "moving": self.moving,
            "compared_from": {name: at.isoformat() for name, at in self.from_.items()},
            "rejected": self.rejected,
            "differences": [
                {"series": str(place), "time_ns": place.time_ns, "detail": str(pair)}
                for place, pair in sorted(self.differences.items())
            ],
        }


class _WholeLog:
    """The port `Log` over a part of the log: no group, nothing is committed, what is refused is counted."""

    def __init__(self, scan: Scan, start: Mapping[Partition, int], ends: Mapping[Partition, int]) -> None:
        self._scan = scan
        self._batches = scan.read(ends, start=start).__aiter__()
        self._held: list[Incoming] = []
        self.rejected = 0

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        """The next records; empty at the end."""
        del timeout_s
        while not self._held:
            try:
                self._held = list(await anext(self._batches))
            except StopAsyncIteration:
                return []
        batch, self._held = self._held[:limit], self._held[limit:]
        return batch

    def lost(self) -> frozenset[Partition]:
        """Never any."""
        return frozenset()

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Nothing is kept."""

    async def holds(self, starts: Mapping[Partition, int]) -> bool:
        """Always: nobody else reads."""
        del starts
        return True

    def since(self, partition: Partition, timestamp_ms: int, until_offset: int) -> AsyncIterator[Sequence[Incoming]]:
        """Read again."""
        return self._scan.read({partition: until_offset}, timestamp_ms)

    async def lag(self) -> Mapping[Partition, int]:
        """Nobody asks."""
        return {}

    async def reject(self, key: bytes, value: bytes, timestamp_ms: int) -> None:
        """It stands in `garonne.rejected` since it was first read."""
        del key, value, timestamp_ms
        self.rejected += 1


class _Fresh(SqliteStore):
    """A new file that knows what times it holds."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.times_ns: dict[str, tuple[int, int]] = {}

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Store, and note the times."""
        for each in points:
            least, most = self.times_ns.get(each.measurement, (each.time_ns, each.time_ns))
            self.times_ns[each.measurement] = min(least, each.time_ns), max(most, each.time_ns)
        return await super().write(points)


class Rebuild:
    """Computes into a fresh file and compares."""

    def __init__(  # noqa: PLR0913 - what a computation rests on
        self,
        scan: Scan,
        live: Store,
        path: Path,
        zone: ZoneInfo,
        *,
        patience_s: float = 120.0,
        surveyed: Mapping[str, Junction] | None = None,
    ) -> None:
        """Set up.

        Args:
            scan: the event log.
            live: the time series as they are.
            path: a file that does not exist yet.
            zone: of local days.
            patience_s: how long the live aggregator may take to store what the log has.
            surveyed: lanes of junctions from the site's file, as the live aggregator has them.
        """
        self._scan = scan
        self._live = live
        self._fresh = _Fresh(path)
        self._zone = zone
        self._patience_s = patience_s
        self._surveyed = surveyed
        self._at: Mapping[Partition, int] = {}
        self._result = Comparison()

    async def close(self) -> None:
        """Close the fresh file."""
        await self._fresh.close()

    async def total(self) -> int:
        """How many records the log has now."""
        begins, ends = await self._scan.begins(EVENTS), await self._scan.ends(EVENTS)
        return sum(end - begins.get(part, 0) for part, end in ends.items())

    async def check(
        self, since: datetime | None, until: datetime | None, watch: Callable[[int], None] = lambda _records: None
    ) -> Comparison:
        """Compute everything, and compare the points with times in [since, until).

        Raises:
            Unavailable: log or time series do not answer.
            RebuildProblem: the live aggregator does not store what the log has.
        """
        await self.begin(watch)
        before: dict[Identity, Pair] = {}
        for _ in range(_ROUNDS):
            look = await self.look(since, until, before)
            self._result.differences = look.settled
            self._result.moving = len(look.found) - len(look.settled)
            if look.still or not look.found:
                break
            before = look.found
            await self.catch_up(watch)
        return self._result

    async def begin(self, watch: Callable[[int], None]) -> None:
        """Compute everything that the log has now.

        Raises:
            Unavailable: log or time series do not answer.
        """
        await self._bound()
        await self._compute(await self._scan.ends(EVENTS), watch)

    async def catch_up(self, watch: Callable[[int], None]) -> None:
        """Compute what came in meanwhile.

        Raises:
            Unavailable: log or file do not answer.
        """
        await self._compute(await self._scan.ends(EVENTS), watch)

    async def look(self, since: datetime | None, until: datetime | None, before: Mapping[Identity, Pair]) -> "Look":
        """Compare when the live aggregator has stored all that is computed here; `before` is what was found last.

        Raises:
            Unavailable: log or time series do not answer.
            RebuildProblem: the live aggregator does not store what the log has.
        """
        await self._until_live_is_here()
        found = await self._compare(since, until)
        still = await self._scan.ends(EVENTS) == self._at
        return Look(found, found if still else {k: v for k, v in found.items() if before.get(k) == v}, still)

    async def compute(
        self, watch: Callable[[int], None] = lambda _records: None
    ) -> tuple[int, Mapping[Partition, int]]:
        """Compute everything; gives the number of records and where the log ended.

        Raises:
            Unavailable: log or file do not answer.
        """
        await self._compute(await self._scan.ends(EVENTS), watch)
        return self._result.records, self._at

    async def _bound(self) -> None:
        """What rests on records that the log does not have any more cannot be computed anew."""
        shortened = {part: first for part, first in (await self._scan.begins(EVENTS)).items() if first > 0}
        kept: dict[str, datetime] = {}
        async for batch in self._scan.read({part: first + 1 for part, first in shortened.items()}):
            for each in batch:
                at = datetime.fromtimestamp(each.timestamp_ms / 1000, UTC)
                kept[each.topic] = max(at, kept.get(each.topic, at))
        for measurement in MEASUREMENTS:
            first_kept = kept.get(_TOPIC_OF.get(measurement, "garonne.mobility"))
            if first_kept is not None:
                self._result.from_[measurement] = first_kept + _MARGIN

    async def _compute(self, ends: Mapping[Partition, int], watch: Callable[[int], None]) -> None:
        """Feed what lies between where the fresh file is and `ends`; a new process knows what it has to read back."""
        log = _WholeLog(self._scan, self._at, ends)
        settings = AggregatorSettings()
        sealing = Sealing(lambda _topic, content: content, "d_0000000000000000")
        pipeline = Pipeline(log, self._fresh, sealing, settings, self._zone, AggregatorTelemetry(), self._surveyed)
        while batch := await log.poll(settings.batch, 0):
            await pipeline.store(batch)
            self._result.records += len(batch)
            watch(len(batch))
        self._result.rejected += log.rejected
        self._at = ends

    async def _until_live_is_here(self) -> None:
        patience_ends = time.monotonic() + self._patience_s
        while waiting := await self._waiting():
            if time.monotonic() > patience_ends:
                raise RebuildProblem(f"{waiting} records wait for `garonne aggregate`: is it running?")
            await asyncio.sleep(_LOOK_S)

    async def _waiting(self) -> int:
        committed = await self._scan.committed(EVENTS)
        return sum(max(0, end - committed.get(part, 0)) for part, end in self._at.items())

    async def _compare(self, since: datetime | None, until: datetime | None) -> dict[Identity, Pair]:
        found: dict[Identity, Pair] = {}
        for measurement in MEASUREMENTS:
            number = 0
            bound = self._result.from_.get(measurement)
            first = max(since or bound, bound) if bound is not None else since
            for start, end in _spans(self._fresh.times_ns.get(measurement), first, until):
                fresh = _points(measurement, await self._fresh.select(measurement, start=start, end=end))
                live = _points(measurement, await self._live.select(measurement, start=start, end=end))
                number += len(fresh)
                for place in fresh.keys() | live.keys():
                    pair = Pair(fresh.get(place), live.get(place))
                    if pair.fresh != pair.live:
                        found[place] = pair
            self._result.points[measurement] = number
        return found


def _points(measurement: str, rows: Iterable[Row]) -> dict[Identity, Fields]:
    return {Identity(measurement, tuple(sorted(row.tags.items())), row.time_ns): dict(row.fields) for row in rows}


def _spans(
    times_ns: tuple[int, int] | None, since: datetime | None, until: datetime | None
) -> Iterable[tuple[datetime | None, datetime | None]]:
    """Weeks that cover all times, open at both ends, cut to [since, until)."""
    if times_ns is None:
        yield since, until
        return
    first, last = (datetime.fromtimestamp(each // 1_000_000_000, UTC) for each in times_ns)
    start, edge = since, max(first, since) if since is not None else first
    while edge <= last and (until is None or edge < until):
        yield start, edge
        start, edge = edge, edge + _SPAN
    yield start, until
