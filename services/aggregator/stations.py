"""How often stations spoke, by minute: what is in memory of each partition, and the log read again for what is not.

As for minutes of traffic (`traffic`), a minute's figures are a function of the set of messages about it and about the
ten seconds before; a message that comes late changes its own minute and perhaps the next one.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from schemas.base import Record
from schemas.envelope import Event
from services.aggregator.mobility.quality import (
    MINUTE_MS,
    SERIES_MS,
    Spoken,
    StationMinute,
    spoken,
    station_point,
)
from services.aggregator.ports import Incoming, Log, Partition, Point
from services.aggregator.rereading import records_since
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS, MARGIN_MS

__all__ = ["Stations"]

_KEPT_MS: Final = 2 * MARGIN_MS

Cell = tuple[str, str, str, int]
"""Junction, type of station, message, Unix milliseconds of a minute."""


class _Kept:
    """The minutes of one partition that are in memory: all that was received since `complete_from_ms`."""

    def __init__(self) -> None:
        self.complete_from_ms: int | None = None
        self._cells: dict[Cell, dict[str, StationMinute]] = {}
        self._newest_ms = 0

    def knows(self, at_ms: int) -> bool:
        """Whether all earlier messages about an instant's minute are in memory."""
        start_ms = at_ms - at_ms % MINUTE_MS
        return self.complete_from_ms is not None and start_ms - SERIES_MS - MARGIN_MS >= self.complete_from_ms

    def add(self, said: Spoken, changed: set[Cell]) -> None:
        """Take a message; the cells that have news go into `changed`."""
        zone, station, message, source, at_ms = said
        start_ms = at_ms - at_ms % MINUTE_MS
        cell = (zone, station, message, start_ms)
        of = self._cells.get(cell)
        if of is None:
            of = self._cells[cell] = {}
            self._newest_ms = max(self._newest_ms, start_ms)
        minute = of.get(source)
        if minute is None:
            minute = of[source] = StationMinute(said.bounds)
        if not minute.add(at_ms):
            return
        changed.add(cell)
        if minute.before_ms is None and minute.at[0] == at_ms:
            before = self._minute(cell, source, -MINUTE_MS)
            if before is not None:
                minute.follow(before.at[-1])
        if start_ms < self._newest_ms:
            after = self._minute(cell, source, MINUTE_MS)
            if after is not None and after.follow(minute.at[-1]):
                changed.add((*cell[:3], start_ms + MINUTE_MS))

    def _minute(self, cell: Cell, source: str, further_ms: int) -> StationMinute | None:
        return self._cells.get((*cell[:3], cell[3] + further_ms), {}).get(source)

    def point(self, cell: Cell) -> Point:
        """What is known of a cell."""
        return station_point(*cell, list(self._cells[cell].values()))

    def forget(self, now_ms: int) -> None:
        """Drop minutes well in the past of the newest time that is told of."""
        bound_ms = now_ms - now_ms % MINUTE_MS - _KEPT_MS
        if self.complete_from_ms is not None and bound_ms > self.complete_from_ms:
            self.complete_from_ms = bound_ms
            for cell in [cell for cell in self._cells if cell[3] - MARGIN_MS + MINUTE_MS < bound_ms]:
                del self._cells[cell]


class Stations:
    """The minutes of all partitions of this process."""

    def __init__(self, log: Log, telemetry: AggregatorTelemetry) -> None:
        self._log = log
        self._telemetry = telemetry
        self._kept: dict[Partition, _Kept] = defaultdict(_Kept)

    def forget(self, lost: frozenset[Partition]) -> None:
        """Another member took these partitions over."""
        for partition in lost:
            self._kept.pop(partition, None)

    def clear(self) -> None:
        """Forget everything; it is read again when needed."""
        self._kept.clear()

    async def take(self, placed: Sequence[tuple[Incoming, Event]]) -> list[Point]:
        """The points of the minutes that a batch changes.

        Raises:
            Unavailable: the log cannot be read now.
        """
        told: dict[Partition, list[tuple[Incoming, Spoken]]] = defaultdict(list)
        for incoming, event in placed:
            said = _believed(event.record)
            if said is not None:
                told[incoming.topic, incoming.partition].append((incoming, said))
        return [point for place, of in told.items() for point in await self._of_partition(place, of)]

    async def _of_partition(self, place: Partition, told: Sequence[tuple[Incoming, Spoken]]) -> list[Point]:
        kept, first_offset = self._kept[place], told[0][0].offset
        if kept.complete_from_ms is None and first_offset == 0:
            kept.complete_from_ms = -(2**62)
        first_ms = min(said.at_ms for _, said in told)
        if not kept.knows(first_ms):
            from_ms = first_ms - first_ms % MINUTE_MS - SERIES_MS - MARGIN_MS
            async for record in records_since(self._log, place, from_ms, first_offset):
                if (known := _believed(record)) is not None:
                    kept.add(known, set())
            kept.complete_from_ms = from_ms
            self._telemetry.reread.inc()
        changed: set[Cell] = set()
        for _, said in told:
            kept.add(said, changed)
        points = [kept.point(cell) for cell in sorted(changed)]
        # What was delivered late has its own now: else the log would be read again for each batch of it.
        kept.forget(min(max(incoming.timestamp_ms for incoming, _ in told), max(said.at_ms for _, said in told)))
        return points


_EARLIEST: Final = timedelta(milliseconds=-MARGIN_MS)
_LATEST: Final = timedelta(milliseconds=HORIZON_MS)


def _believed(record: Record) -> Spoken | None:
    """What it says of its station, if it comes in time to change a minute."""
    return spoken(record) if _EARLIEST <= record.received_at - record.observed_at <= _LATEST else None
