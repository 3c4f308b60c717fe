"""Hazards as they are stored: what stands there, merged with what a batch says.

Each event has its points by cause (`hazard`), and by cause at each junction in its reach (`junction_hazard`): the
latter from the messages under the junction's key, so that every point is written by one process.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from schemas.envelope import Event
from schemas.mobility import HazardNearby, RoadHazard
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

PlaceKey = tuple[str | None, EventKey]
"""The junction that an event is told to, none for the event itself, and the event."""


class Hazards:
    """The events that were heard of last; an older one is read back from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[PlaceKey, Known] = {}

    def clear(self) -> None:
        """Forget everything; it is read back when needed."""
        self._known.clear()

    async def take(self, placed: Sequence[tuple[Incoming, Event]]) -> list[Point]:
        """The points of hazards that a batch changes; a repetition changes none.

        Raises:
            Unavailable: the store cannot be read now.
        """
        said: dict[PlaceKey, Known] = {}
        for _, event in placed:
            record = event.record
            if type(record) is RoadHazard or type(record) is HazardNearby:
                zone = record.zone if isinstance(record, HazardNearby) else None
                key, known = (zone, key_of_hazard(record)), known_of(record)
                said[key] = said[key].merge(known) if key in said else known
        points: list[Point] = []
        for key, known in said.items():
            before = self._known.pop(key, None)
            # Of what was read back nobody knows whether all its points are stored: they are written once more.
            after = known.merge(before) if before is not None else await self._stored(key, known)
            self._known[key] = after
            if after != before:
                points.extend(_points(key, after))
        for key in list(self._known)[: max(0, len(self._known) - _MOST)]:
            del self._known[key]
        return points

    async def _stored(self, key: PlaceKey, known: Known) -> Known:
        zone, event = key
        at = instant(event[1])
        measurement, tags = ("hazard", None) if zone is None else ("junction_hazard", {"zone": zone})
        rows = await self._store.select(measurement, tags=tags, start=at, end=at + timedelta(milliseconds=1))
        stored = known_from([row for row in rows if row.time_ns == time_ns(event)])
        return known if stored is None else known.merge(stored)


def _points(key: PlaceKey, known: Known) -> list[Point]:
    zone, event = key
    points = hazard_points(event, known)
    if zone is None:
        return points
    return [Point("junction_hazard", (*each.tags, ("zone", zone)), each.fields, each.time_ns) for each in points]
