"""The junctions that are in memory, by partition of the log, and the passages that news about them changes.

As for minutes (`traffic`), a passage is known for certain only while all messages about it are in memory; for an
older one the log is read again, some 25 minutes of it (docs/adr/0025). The signals and the vehicles of a junction share
a key, so a partition. Maps are read back from the time series (`mobility.maps`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

from schemas.envelope import Event
from schemas.mobility import IntersectionGeometry, PriorityRequest, PriorityStatus, SignalState, VehicleState
from services.aggregator.mobility.crossings import BACK_MS
from services.aggregator.mobility.fixes import fix_of
from services.aggregator.mobility.geometry import Junction
from services.aggregator.mobility.hours import HOUR_MS, crowd_bit
from services.aggregator.mobility.maps import DAY_MS
from services.aggregator.mobility.points import passage_point, signal_points
from services.aggregator.mobility.requests import RequestKey, priority_points, request_key
from services.aggregator.mobility.slots import AHEAD_MS, SLOT_MS, ZoneRecords, slot_of, slots_of
from services.aggregator.mobility.tracking import LOOK_BACK_MS
from services.aggregator.mobility.zones import BEFORE_MS
from services.aggregator.points import instant, milliseconds
from services.aggregator.ports import Incoming, Log, Partition, Point, Row, Store
from services.aggregator.rereading import records_since
from services.aggregator.rollups import Crowd
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS

__all__ = ["Changes", "JunctionRecord", "Junctions"]

JunctionRecord = VehicleState | SignalState | IntersectionGeometry | PriorityRequest | PriorityStatus

_CELL: Final = "q:"
_EARLY_MS: Final = 60_000
"""What is dated more than a minute ahead of its reception changes nothing: what its vehicle met nobody can tell."""

_DEPENDS_MS: Final = BACK_MS + LOOK_BACK_MS
_WINDOW_MS: Final = _DEPENDS_MS + BEFORE_MS + SLOT_MS + _EARLY_MS
_KEPT_MS: Final = _WINDOW_MS + 300_000
"""28 minutes: what comes five minutes late is still told from memory."""

_EARLIEST: Final = timedelta(milliseconds=-_EARLY_MS)
_LATEST: Final = timedelta(milliseconds=HORIZON_MS)
_MAPS_BACK_MS: Final = 40 * DAY_MS


class Told(NamedTuple):
    """A record that is believed, with its own time."""

    incoming: Incoming
    record: JunctionRecord
    at_ms: int


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
    """What is in memory of one partition: all that was received since `complete_from_ms`."""

    def __init__(self, surveyed: Mapping[str, Junction]) -> None:
        self.complete_from_ms: int | None = None
        self.zones = _Zones(surveyed)
        self.requests: dict[tuple[str, RequestKey], set[PriorityRequest | PriorityStatus]] = defaultdict(set)

    @property
    def known_from_ms(self) -> int:
        """All that the minutes from here on depend on is in memory."""
        return 2**62 if self.complete_from_ms is None else self.complete_from_ms + _EARLY_MS + _DEPENDS_MS

    def knows(self, at_ms: int) -> bool:
        """Whether all that the passages around an instant depend on is in memory."""
        return self.complete_from_ms is not None and at_ms - _WINDOW_MS >= self.complete_from_ms

    def forget(self, now_ms: int) -> None:
        """Drop what is well in the past of the newest time that is told of."""
        bound_ms = slot_of(now_ms) - _KEPT_MS
        if self.complete_from_ms is None or bound_ms < self.complete_from_ms + SLOT_MS:
            return
        self.complete_from_ms = bound_ms
        for zone in self.zones.values():
            zone.forget(bound_ms + _EARLY_MS)
        bound = instant(bound_ms + _EARLY_MS)
        for key, records in list(self.requests.items()):
            self.requests[key] = {record for record in records if record.observed_at >= bound}
            if not self.requests[key]:
                del self.requests[key]


class Junctions:
    """Passages of all partitions of this process."""

    def __init__(
        self,
        log: Log,
        telemetry: AggregatorTelemetry,
        surveyed: Mapping[str, Junction] | None = None,
        store: Store | None = None,
    ) -> None:
        """`surveyed`: the lanes of junctions, by their id, where the site's file says them; `store`: where maps are."""
        self._log = log
        self._telemetry = telemetry
        self._store = store
        self._kept: dict[Partition, _Kept] = defaultdict(partial(_Kept, surveyed or {}))

    def forget(self, lost: frozenset[Partition]) -> None:
        """Another member took these partitions over."""
        for partition in lost:
            self._kept.pop(partition, None)

    def clear(self) -> None:
        """Forget everything; it is read again when needed."""
        self._kept.clear()

    async def take(self, placed: Sequence[tuple[Incoming, Event]]) -> Changes:
        """The points of passages, requests, signals and maps that a batch changes.

        Raises:
            Unavailable: the log or the store cannot be read now.
        """
        told: dict[Partition, list[Told]] = defaultdict(list)
        for incoming, event in placed:
            record = event.record
            if isinstance(record, JunctionRecord) and (at_ms := _believed(record)) is not None:
                told[incoming.topic, incoming.partition].append(Told(incoming, record, at_ms))
        changes = Changes([], defaultdict(int))
        for place, records in told.items():
            await self._of_partition(place, records, changes)
        return changes

    async def _of_partition(self, place: Partition, told: Sequence[Told], changes: Changes) -> None:
        kept, first_offset = self._kept[place], told[0].incoming.offset
        if kept.complete_from_ms is None and first_offset == 0:
            kept.complete_from_ms = -(2**62)
        mapped_ms = await self._hear_maps(kept, told, changes)
        unknown = [at_ms for at_ms in (*(each.at_ms for each in told), *mapped_ms) if not kept.knows(at_ms)]
        if unknown:
            from_ms = min(unknown) - _WINDOW_MS
            async for record in records_since(self._log, place, from_ms, first_offset):
                if isinstance(record, JunctionRecord) and (at_ms := _believed(record)) is not None:
                    _remember(kept, record, at_ms)
            for zone in kept.zones.values():
                zone.begin_anew()
            kept.complete_from_ms = from_ms
            self._telemetry.reread.inc()
        _change(kept, told, changes)
        kept.forget(_now_ms(told))

    async def _hear_maps(self, kept: _Kept, told: Sequence[Told], changes: Changes) -> list[int]:
        """The maps of a batch, after what is stored; gives the instants from which on other lanes hold."""
        mapped_ms = []
        for zone_name in {_zone_of(each.record) for each in told}:
            maps = kept.zones[zone_name].maps
            if not maps.is_loaded:
                maps.load(await self._stored_maps(zone_name, max(each.at_ms for each in told)))
        for each in told:
            if isinstance(each.record, IntersectionGeometry):
                zone_name = each.record.intersection
                point, from_ms = kept.zones[zone_name].add_map(each.record)
                if point is not None:
                    changes.points.append(point)
                if from_ms is not None:
                    mapped_ms.append(from_ms)
        return mapped_ms

    async def _stored_maps(self, zone: str, at_ms: int) -> Sequence[Row]:
        if self._store is None:
            return ()
        rows = await self._store.select("map", tags={"zone": zone}, start=instant(at_ms - _MAPS_BACK_MS))
        return rows or await self._store.select("map", tags={"zone": zone})


def _now_ms(told: Sequence[Told]) -> int:
    """The newest time that a batch tells of, at most its reception: what was delivered late has its own now.

    Else memory would keep what is near to the reception, and the log be read again for each batch of an old hour.
    """
    received_ms = max(each.incoming.timestamp_ms for each in told)
    said = (each.at_ms for each in told if not isinstance(each.record, IntersectionGeometry))
    return min(received_ms, max(said, default=received_ms))


def _believed(record: JunctionRecord) -> int | None:
    """Its time, if it comes in time to change a passage and tells of a junction rather than of a cell.

    A map is taken whenever it comes: it holds from its reception at the latest.
    """
    if _zone_of(record).startswith(_CELL):
        return None
    if isinstance(record, IntersectionGeometry):
        return milliseconds(record.received_at)
    return milliseconds(record.observed_at) if _EARLIEST <= record.received_at - record.observed_at <= _LATEST else None


def _zone_of(record: JunctionRecord) -> str:
    return record.zone if isinstance(record, VehicleState) else record.intersection


def _remember(kept: _Kept, record: JunctionRecord, at_ms: int) -> tuple[str, RequestKey] | None:
    """Put a record into memory; gives the request that it says something new of."""
    if isinstance(record, VehicleState):
        fix = fix_of(record, at_ms)
        if fix is not None:
            kept.zones[record.zone].add_fix(fix)
    elif isinstance(record, SignalState):
        kept.zones[record.intersection].add_signal(record, at_ms)
    elif isinstance(record, (PriorityRequest, PriorityStatus)):
        key = request_key(record)
        if key is not None and record not in kept.requests[record.intersection, key]:
            kept.requests[record.intersection, key].add(record)
            return record.intersection, key
    return None


def _change(kept: _Kept, told: Sequence[Told], changes: Changes) -> None:
    """The points of all minutes of signals, vehicles and requests that these records may change."""
    asked: dict[tuple[str, RequestKey], list[int]] = defaultdict(list)
    for _, record, at_ms in told:
        news = _remember(kept, record, at_ms)
        if news is not None:
            asked[news].append(at_ms)
    for (zone_name, key), times in sorted(asked.items()):
        minutes = (min(times) - SLOT_MS - AHEAD_MS, max(times) + BACK_MS)
        for point in priority_points(zone_name, kept.requests[zone_name, key], minutes):
            changes.add(point, "role", key[0])
    for zone_name in sorted({_zone_of(each.record) for each in told}):
        zone = kept.zones[zone_name]
        for start_ms in zone.spoken():
            changes.points.extend(signal_points(zone_name, zone.signals, start_ms))
        for vehicle, starts in sorted(zone.changed(kept.known_from_ms).items()):
            for slot in slots_of(zone_name, zone, vehicle, starts):
                changes.add(passage_point(slot), "station", vehicle)
