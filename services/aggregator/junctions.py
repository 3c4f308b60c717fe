"""The junctions that are in memory, by partition of the log, and the passages that news about them changes.

As for minutes (`traffic`), a passage is known for certain only while all messages about it are in memory; for an
older one the log is read again. A map, the signals and the vehicles of a junction share a key, so a partition.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from schemas.envelope import Event
from schemas.mobility import IntersectionGeometry, PriorityRequest, PriorityStatus, SignalState, VehicleState
from services.aggregator.mobility.fixes import fix_of
from services.aggregator.mobility.geometry import Junction
from services.aggregator.mobility.hours import HOUR_MS, crowd_bit
from services.aggregator.mobility.points import passage_point, signal_points
from services.aggregator.mobility.requests import RequestKey, priority_points, request_key
from services.aggregator.mobility.signals import ASKED_BEFORE_MS, STALE_MS
from services.aggregator.mobility.slots import AHEAD_MS, BACK_MS, MAP_MS, SLOT_MS, ZoneRecords, slot_of, slots_of
from services.aggregator.points import instant, milliseconds
from services.aggregator.ports import Incoming, Log, Partition, Point
from services.aggregator.rereading import records_since
from services.aggregator.rollups import Crowd
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS, MARGIN_MS

__all__ = ["Changes", "JunctionRecord", "Junctions"]

JunctionRecord = VehicleState | SignalState | IntersectionGeometry | PriorityRequest | PriorityStatus

_CELL: Final = "q:"
_WINDOW_MS: Final = BACK_MS + AHEAD_MS + 2 * SLOT_MS
_KEPT_MS: Final = _WINDOW_MS + MARGIN_MS + MAP_MS + 600_000
_MAPS_KEPT_MS: Final = _KEPT_MS + 2 * MAP_MS


class News(NamedTuple):
    """Whose minutes a record may change: those of a vehicle, a request, or all vehicles, that begin in [low, high]."""

    zone: str
    of: str | RequestKey | None
    low_ms: int
    high_ms: int


class _Zones(dict[str, ZoneRecords]):
    """Junctions by name, made when they are first heard of, with what the site's file says of their lanes."""

    def __init__(self, surveyed: Mapping[str, Junction]) -> None:
        super().__init__()
        self._surveyed = surveyed

    def __missing__(self, name: str) -> ZoneRecords:
        self[name] = made = ZoneRecords(self._surveyed.get(name))
        return made


class Changes(NamedTuple):
    """Points of minutes, and by hour and group the bits of those whom they are about (`mobility.hours`)."""

    points: list[Point]
    crowds: defaultdict[Crowd, int]

    def add(self, point: Point, group: str, whose: str) -> None:
        """A point, the tag that names its group, and the pseudonym that it is of."""
        self.points.append(point)
        tags, at_ms = dict(point.tags), point.time_ns // 1_000_000
        self.crowds[point.measurement, tags["zone"], at_ms - at_ms % HOUR_MS, tags[group]] |= crowd_bit(
            tags["zone"], whose
        )


class _Kept:
    """What is in memory of one partition: all that was received since `complete_from_ms`, maps since `maps_from_ms`."""

    def __init__(self, surveyed: Mapping[str, Junction]) -> None:
        self.complete_from_ms: int | None = None
        self.maps_from_ms: int | None = None
        self.zones = _Zones(surveyed)
        self.requests: dict[tuple[str, RequestKey], set[PriorityRequest | PriorityStatus]] = defaultdict(set)

    def knows(self, at_ms: int) -> bool:
        """Whether all that the passages around an instant depend on is in memory."""
        complete_ms, maps_ms = self.complete_from_ms, self.maps_from_ms
        if complete_ms is None or maps_ms is None:
            return False
        return at_ms - _WINDOW_MS - MARGIN_MS >= complete_ms and _maps_from(at_ms) >= maps_ms

    def forget(self, now_ms: int) -> None:
        """Drop what is well in the past of the newest receive time."""
        if self.complete_from_ms is None or self.maps_from_ms is None:
            return
        bound_ms = slot_of(now_ms) - _KEPT_MS
        if bound_ms < self.complete_from_ms + SLOT_MS:
            return
        self.complete_from_ms = bound_ms
        self.maps_from_ms = max(self.maps_from_ms, slot_of(now_ms) - _MAPS_KEPT_MS)
        for name, zone in list(self.zones.items()):
            zone.forget(self.complete_from_ms + MARGIN_MS, self.maps_from_ms + MARGIN_MS - MAP_MS)
            if not zone:
                del self.zones[name]
        for key, records in list(self.requests.items()):
            bound = instant(self.complete_from_ms + MARGIN_MS)
            self.requests[key] = {record for record in records if record.observed_at >= bound}
            if not self.requests[key]:
                del self.requests[key]


def _maps_from(at_ms: int) -> int:
    first_ms = at_ms - _WINDOW_MS
    return first_ms - first_ms % MAP_MS - MAP_MS - MARGIN_MS


class Junctions:
    """Passages of all partitions of this process."""

    def __init__(
        self, log: Log, telemetry: AggregatorTelemetry, surveyed: Mapping[str, Junction] | None = None
    ) -> None:
        """`surveyed`: the lanes of junctions, by their id, where the site's file says them."""
        self._log = log
        self._telemetry = telemetry
        self._kept: dict[Partition, _Kept] = defaultdict(partial(_Kept, surveyed or {}))

    def forget(self, lost: frozenset[Partition]) -> None:
        """Another member took these partitions over."""
        for partition in lost:
            self._kept.pop(partition, None)

    def clear(self) -> None:
        """Forget everything; it is read again when needed."""
        self._kept.clear()

    async def take(self, placed: Sequence[tuple[Incoming, Event]]) -> Changes:
        """The points of passages, requests and signals that a batch changes.

        Raises:
            Unavailable: the log cannot be read now.
        """
        told: dict[Partition, list[tuple[Incoming, JunctionRecord]]] = defaultdict(list)
        for incoming, event in placed:
            if isinstance(event.record, JunctionRecord) and _is_believed(event.record):
                told[incoming.topic, incoming.partition].append((incoming, event.record))
        changes = Changes([], defaultdict(int))
        for place, records in told.items():
            await self._of_partition(place, records, changes)
        return changes

    async def _of_partition(
        self, place: Partition, believed: Sequence[tuple[Incoming, JunctionRecord]], changes: Changes
    ) -> None:
        kept, first_offset = self._kept[place], believed[0][0].offset
        if kept.complete_from_ms is None and first_offset == 0:
            kept.complete_from_ms = kept.maps_from_ms = -(2**62)
        unknown = [at_ms for _, record in believed if not kept.knows(at_ms := _first_ms(record))]
        if unknown:
            from_ms = min(min(unknown) - _WINDOW_MS - MARGIN_MS, _maps_from(min(unknown)))
            async for record in records_since(self._log, place, from_ms, first_offset):
                if isinstance(record, JunctionRecord) and _is_believed(record):
                    _remember(kept, record)
            kept.complete_from_ms = kept.maps_from_ms = from_ms
            self._telemetry.reread.inc()
        _change(kept, [record for _, record in believed], changes)
        kept.forget(max(incoming.timestamp_ms for incoming, _ in believed))


def _is_believed(record: JunctionRecord) -> bool:
    """Whether it comes in time to change a passage, and tells of a junction rather than of a cell."""
    if _zone_of(record).startswith(_CELL):
        return False
    return -MARGIN_MS <= milliseconds(record.received_at) - milliseconds(record.observed_at) <= HORIZON_MS


def _zone_of(record: JunctionRecord) -> str:
    return record.zone if isinstance(record, VehicleState) else record.intersection


def _first_ms(record: JunctionRecord) -> int:
    """The earliest instant that a record tells of: a map holds from the start of its quarter of an hour on."""
    at_ms = milliseconds(record.observed_at)
    return at_ms - at_ms % MAP_MS if isinstance(record, IntersectionGeometry) else at_ms


def _remember(kept: _Kept, record: JunctionRecord) -> News | None:
    """Put a record into memory; nothing for one that says nothing new."""
    at_ms = milliseconds(record.observed_at)
    if isinstance(record, (PriorityRequest, PriorityStatus)):
        key = request_key(record)
        if key is None or record in kept.requests[record.intersection, key]:
            return None
        kept.requests[record.intersection, key].add(record)
        return News(record.intersection, key, at_ms - SLOT_MS - AHEAD_MS, at_ms + BACK_MS)
    zone = kept.zones[_zone_of(record)]
    if isinstance(record, VehicleState):
        fix = fix_of(record)
        if fix is None or not zone.add_fix(fix):
            return None
        return News(_zone_of(record), fix.vehicle, at_ms - SLOT_MS - AHEAD_MS, at_ms + BACK_MS)
    if isinstance(record, SignalState):
        # A change can be dated two seconds before the message that tells of it, a crossing five after its anchor.
        return (
            News(_zone_of(record), None, at_ms - SLOT_MS - 10_000, at_ms + BACK_MS) if zone.add_signal(record) else None
        )
    slot_ms = at_ms - at_ms % MAP_MS
    return News(_zone_of(record), None, slot_ms, slot_ms + 2 * MAP_MS) if zone.add_map(record) else None


def _change(kept: _Kept, records: Sequence[JunctionRecord], changes: Changes) -> None:
    """The points of all minutes of vehicles and requests that these records may change."""
    dirty: dict[tuple[str, str], set[int]] = defaultdict(set)
    spoken: dict[str, set[int]] = defaultdict(set)
    points = changes.points
    for news in {news for record in records if (news := _remember(kept, record)) is not None}:
        if isinstance(news.of, tuple):
            minutes = (news.low_ms, news.high_ms)
            for point in priority_points(news.zone, kept.requests[news.zone, news.of], minutes):
                changes.add(point, "role", news.of[0])
            continue
        zone = kept.zones[news.zone]
        for vehicle in list(zone.fixes) if news.of is None else [news.of]:
            dirty[news.zone, vehicle].update(
                each for each in zone.minutes(vehicle) if news.low_ms <= each <= news.high_ms
            )
    for record in (each for each in records if isinstance(each, SignalState)):
        at_ms = milliseconds(record.observed_at)
        minutes_of = kept.zones[record.intersection].signal_minutes
        spoken[record.intersection] |= minutes_of(at_ms - SLOT_MS - STALE_MS, at_ms + ASKED_BEFORE_MS + STALE_MS)
    for zone_name, starts in sorted(spoken.items()):
        for start_ms in sorted(starts):
            points += signal_points(zone_name, kept.zones[zone_name].shown(start_ms).signals, start_ms)
    for (zone_name, vehicle), starts in sorted(dirty.items()):
        for slot in slots_of(zone_name, kept.zones[zone_name], vehicle, starts):
            changes.add(passage_point(slot), "station", vehicle)
