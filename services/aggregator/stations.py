"""How often stations spoke, by minute: what is in memory of each partition, and the log read again for what is not.

As for minutes of traffic (`traffic`), a minute's figures are a function of the set of messages about it and about the
ten seconds before; a message that comes late changes its own minute and perhaps the next one.
"""

from collections import defaultdict
from collections.abc import Sequence
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
from services.aggregator.points import milliseconds
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

    def knows(self, said: Spoken) -> bool:
        """Whether all earlier messages about its minute are in memory."""
        start_ms = said.at_ms - said.at_ms % MINUTE_MS
        return self.complete_from_ms is not None and start_ms - SERIES_MS - MARGIN_MS >= self.complete_from_ms

    def add(self, said: Spoken) -> list[Cell]:
        """Take a message; the cells that have news."""
        start_ms = said.at_ms - said.at_ms % MINUTE_MS
        cell = (said.zone, said.station, said.message, start_ms)
        of = self._cells.setdefault(cell, {})
        minute = of.get(said.source)
        is_first = minute is None
        if minute is None:
            minute = of[said.source] = StationMinute(said.bounds)
        if not minute.add(said.at_ms):
            return []
        changed = [cell]
        if is_first and (before := self._minute(cell, said.source, -MINUTE_MS)) is not None:
            minute.follow(before.at[-1])
        elif minute.before_ms is None and said.at_ms == minute.at[0]:
            before = self._minute(cell, said.source, -MINUTE_MS)
            if before is not None:
                minute.follow(before.at[-1])
        after = self._minute(cell, said.source, MINUTE_MS)
        if after is not None and after.follow(minute.at[-1]):
            changed.append((*cell[:3], start_ms + MINUTE_MS))
        return changed

    def _minute(self, cell: Cell, source: str, further_ms: int) -> StationMinute | None:
        return self._cells.get((*cell[:3], cell[3] + further_ms), {}).get(source)

    def point(self, cell: Cell) -> Point:
        """What is known of a cell."""
        return station_point(*cell, list(self._cells[cell].values()))

    def forget(self, now_ms: int) -> None:
        """Drop minutes well in the past of the newest receive time."""
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
        unknown = [said.at_ms for _, said in told if not kept.knows(said)]
        if unknown:
            from_ms = min(unknown) - min(unknown) % MINUTE_MS - SERIES_MS - MARGIN_MS
            async for record in records_since(self._log, place, from_ms, first_offset):
                if (known := _believed(record)) is not None:
                    kept.add(known)
            kept.complete_from_ms = from_ms
            self._telemetry.reread.inc()
        changed = {cell for _, said in told for cell in kept.add(said)}
        points = [kept.point(cell) for cell in sorted(changed)]
        kept.forget(max(incoming.timestamp_ms for incoming, _ in told))
        return points


def _believed(record: Record) -> Spoken | None:
    """What it says of its station, if it comes in time to change a minute."""
    if not -MARGIN_MS <= milliseconds(record.received_at) - milliseconds(record.observed_at) <= HORIZON_MS:
        return None
    return spoken(record)
