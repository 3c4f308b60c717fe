"""Hazards as they are stored: what stands there, merged with what a batch says."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from schemas.envelope import Event
from schemas.mobility import RoadHazard
from services.aggregator.mobility.announcements import (
    EventKey,
    Known,
    hazard_points,
    key_of_hazard,
    known_from,
    known_of,
    time_ns,
)
from services.aggregator.points import instant
from services.aggregator.ports import Incoming, Point, Store

__all__ = ["Hazards"]

_MOST: Final = 4096


class Hazards:
    """The events that were heard of last; an older one is read back from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[EventKey, Known] = {}

    def clear(self) -> None:
        """Forget everything; it is read back when needed."""
        self._known.clear()

    async def take(self, placed: Sequence[tuple[Incoming, Event]]) -> list[Point]:
        """The points of hazards that a batch changes; a repetition changes none.

        Raises:
            Unavailable: the store cannot be read now.
        """
        said: dict[EventKey, Known] = {}
        for _, event in placed:
            if isinstance(event.record, RoadHazard):
                key, known = key_of_hazard(event.record), known_of(event.record)
                said[key] = said[key].merge(known) if key in said else known
        points: list[Point] = []
        for key, known in said.items():
            before = self._known.pop(key, None)
            # Of what was read back nobody knows whether all its points are stored: they are written once more.
            after = known.merge(before) if before is not None else await self._stored(key, known)
            self._known[key] = after
            if after != before:
                points.extend(hazard_points(key, after))
        for key in list(self._known)[: max(0, len(self._known) - _MOST)]:
            del self._known[key]
        return points

    async def _stored(self, key: EventKey, known: Known) -> Known:
        at = instant(key[1])
        rows = await self._store.select("hazard", start=at, end=at + timedelta(milliseconds=1))
        stored = known_from([row for row in rows if row.time_ns == time_ns(key)])
        return known if stored is None else known.merge(stored)
