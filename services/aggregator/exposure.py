"""The hazards near junctions and the vehicles that pass them, by partition of the log.

Announcements of the last hour are always in memory. Vehicles are only where a hazard is: when one is announced, the log
is read again for those that were there before. All of a junction stands in one partition, so this needs no other.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from schemas.envelope import AnyRecord, Event
from schemas.mobility import HazardNearby, VehicleState
from services.aggregator.mobility.exposure import (
    HEARD_MS,
    LATE_MS,
    MINUTE_MS,
    Told,
    causes_of,
    exposure_point,
    minutes_of,
    told_of,
)
from services.aggregator.mobility.fixes import Fix, fix_of
from services.aggregator.points import milliseconds
from services.aggregator.ports import Incoming, Log, Partition, Point
from services.aggregator.rereading import records_since
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS, MARGIN_MS

__all__ = ["Exposures"]

_KEPT_MS: Final = 4 * HEARD_MS
_CELL: Final = "q:"
_NEVER: Final = 2**62
_EARLIEST: Final = timedelta(milliseconds=-MARGIN_MS)
_LATEST: Final = timedelta(milliseconds=HORIZON_MS)


class _Place:
    """What is in memory of one junction: announcements, and vehicles once a second since `fixes_from_ms`."""

    def __init__(self) -> None:
        self.heard: dict[tuple[Told, int], int] = {}
        self.fixes_from_ms = _NEVER
        self._fixes: dict[int, dict[tuple[str, int], Fix]] = defaultdict(dict)

    def hear(self, told: Told, received_ms: int) -> bool:
        """Take an announcement; whether it says something new, or earlier."""
        key = (told, received_ms - received_ms % HEARD_MS)
        if self.heard.get(key, _NEVER) <= received_ms:
            return False
        self.heard[key] = received_ms
        return True

    def see(self, fix: Fix) -> bool:
        """Take a fix; whether it is the one that counts for its second: the least, so that no order matters."""
        minute = self._fixes[fix.at_ms - fix.at_ms % MINUTE_MS]
        key = (fix.vehicle, fix.at_ms // 1000)
        known = minute.get(key)
        if known is not None and _order(known) <= _order(fix):
            return False
        minute[key] = fix
        return True

    def minutes(self, low_ms: int, high_ms: int) -> list[int]:
        """The minutes that begin in [low, high) and have vehicles."""
        return [each for each in self._fixes if low_ms <= each < high_ms]

    def points(self, zone: str, start_ms: int) -> Iterable[Point]:
        """The points of a minute."""
        if not self._fixes.get(start_ms):
            return
        minutes = (start_ms - MINUTE_MS, start_ms)
        fixes = {each: list(self._fixes[each].values()) for each in minutes if each in self._fixes}
        for cause in sorted(causes_of(self.heard, start_ms)):
            yield exposure_point(zone, cause, start_ms, fixes, self.heard)

    def forget(self, bound_ms: int) -> None:
        """Drop what was heard before an instant, and vehicles where nothing is left of hazards."""
        self.heard = {key: first_ms for key, first_ms in self.heard.items() if key[1] >= bound_ms}
        if not self.heard:
            self.fixes_from_ms = _NEVER
            self._fixes.clear()
        elif bound_ms > self.fixes_from_ms:
            self.fixes_from_ms = bound_ms
            for start_ms in [each for each in self._fixes if each < bound_ms]:
                del self._fixes[start_ms]


def _order(fix: Fix) -> tuple[int, str]:
    return fix.at_ms, repr(fix)


class _Kept:
    """Junctions of one partition; all announcements received since `heard_from_ms` are there."""

    def __init__(self) -> None:
        self.heard_from_ms = _NEVER
        self.places: dict[str, _Place] = defaultdict(_Place)

    def forget(self, now_ms: int) -> None:
        bound_ms = now_ms - now_ms % HEARD_MS - _KEPT_MS
        if bound_ms > self.heard_from_ms:
            self.heard_from_ms = bound_ms
            for zone, place in list(self.places.items()):
                place.forget(bound_ms)
                if not place.heard:
                    del self.places[zone]


class Exposures:
    """Exposure at the junctions of all partitions of this process."""

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
        """The points of minutes that a batch changes.

        Raises:
            Unavailable: the log cannot be read now.
        """
        told: dict[Partition, list[tuple[Incoming, AnyRecord]]] = defaultdict(list)
        for incoming, event in placed:
            record = event.record
            # An exact type is a third of the cost of asking pydantic, for every message of every vehicle.
            if (type(record) is VehicleState or type(record) is HazardNearby) and _is_believed(record):
                told[incoming.topic, incoming.partition].append((incoming, record))
        return [point for place, of in told.items() for point in await self._of_partition(place, of)]

    async def _of_partition(self, place: Partition, told: Sequence[tuple[Incoming, AnyRecord]]) -> list[Point]:
        kept, first_offset = self._kept[place], told[0][0].offset
        if kept.heard_from_ms == _NEVER and first_offset == 0:
            kept.heard_from_ms = -_NEVER
        records = [record for _, record in told]
        vehicles = [each for each in records if type(each) is VehicleState]
        if vehicles:
            needed_ms = _heard_since(min(each.observed_at for each in vehicles))
            if needed_ms < kept.heard_from_ms:
                await self._hear_again(place, kept, needed_ms, first_offset)
        dirty: dict[str, set[int]] = defaultdict(set)
        for each in (each for each in records if type(each) is HazardNearby):
            await self._announced(place, kept, each, first_offset, dirty)
        passing = [each for each in vehicles if each.zone in kept.places]
        for zone in {each.zone for each in passing}:
            from_ms = min(_start_ms(each) for each in passing if each.zone == zone) - MINUTE_MS - MARGIN_MS
            if from_ms < kept.places[zone].fixes_from_ms:
                await self._see_again(place, kept, zone, from_ms, first_offset)
        for vehicle in passing:
            fix = fix_of(vehicle)
            if fix is not None and kept.places[vehicle.zone].see(fix):
                start_ms = _start_ms(vehicle)
                dirty[vehicle.zone] |= {start_ms, start_ms + MINUTE_MS}
        points = [
            point
            for zone, starts in sorted(dirty.items())
            for start_ms in sorted(starts)
            for point in kept.places[zone].points(zone, start_ms)
        ]
        now_ms = max(incoming.timestamp_ms for incoming, _ in told)
        if vehicles:  # what was delivered late has its own now: else the log would be read again for each batch of it
            now_ms = min(now_ms, milliseconds(max(each.observed_at for each in vehicles)))
        kept.forget(now_ms)
        return points

    async def _announced(
        self, place: Partition, kept: _Kept, record: HazardNearby, first_offset: int, dirty: dict[str, set[int]]
    ) -> None:
        told, received_ms = told_of(record), milliseconds(record.received_at)
        if received_ms - LATE_MS - MINUTE_MS - 2 * HEARD_MS < kept.heard_from_ms:
            # A minute that it changes depends on announcements of half an hour before that minute.
            await self._hear_again(place, kept, received_ms - LATE_MS - 3 * HEARD_MS, first_offset)
        there = kept.places[record.zone]
        if not there.hear(told, received_ms):
            return
        low_ms, high_ms = minutes_of(told, received_ms)
        from_ms = low_ms - MINUTE_MS - MARGIN_MS
        if from_ms < there.fixes_from_ms:
            await self._see_again(place, kept, record.zone, from_ms, first_offset)
        dirty[record.zone].update(there.minutes(low_ms, high_ms))

    async def _hear_again(self, place: Partition, kept: _Kept, from_ms: int, until_offset: int) -> None:
        async for record in records_since(self._log, place, from_ms, until_offset):
            if isinstance(record, HazardNearby) and _is_believed(record):
                kept.places[record.zone].hear(told_of(record), milliseconds(record.received_at))
        kept.heard_from_ms = min(kept.heard_from_ms, from_ms)
        self._telemetry.reread.inc()

    async def _see_again(self, place: Partition, kept: _Kept, zone: str, from_ms: int, until_offset: int) -> None:
        there = kept.places[zone]
        async for record in records_since(self._log, place, from_ms, until_offset):
            if isinstance(record, VehicleState) and record.zone == zone and _is_believed(record):
                fix = fix_of(record)
                if fix is not None:
                    there.see(fix)
        there.fixes_from_ms = min(there.fixes_from_ms, from_ms)
        self._telemetry.reread.inc()


def _is_believed(record: HazardNearby | VehicleState) -> bool:
    """Whether it comes in time to change a minute; a repetition of a hazard is as old as the hazard."""
    if type(record) is HazardNearby:
        return not record.retained
    if record.zone.startswith(_CELL):
        return False
    return _EARLIEST <= record.received_at - record.observed_at <= _LATEST


def _start_ms(record: VehicleState) -> int:
    at_ms = milliseconds(record.observed_at)
    return at_ms - at_ms % MINUTE_MS


def _heard_since(at: datetime) -> int:
    """Since when announcements must be in memory to know what a vehicle passes at an instant."""
    at_ms = milliseconds(at)
    return at_ms - at_ms % HEARD_MS - HEARD_MS
