"""What the aggregator keeps in memory, and what it makes of a batch of events: points.

Windows come before the raw points that they were computed from: a reading that stands in the raw bucket has its
windows stored. So a reading that comes again, after a crash or a restart, needs nothing more if it is known.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from schemas.energy import IntervalEnergy, MeterReading
from schemas.envelope import Event
from schemas.mobility import VehicleState
from services.aggregator.erasure import forget_member, split
from services.aggregator.exposure import Exposures
from services.aggregator.hazards import Hazards
from services.aggregator.hourly import Hours
from services.aggregator.intervals import PREFIX, Interval, IntervalHistory
from services.aggregator.junctions import Junctions
from services.aggregator.meters import Checkpoint, Merged, Meter, RegisterKey, checkpoint_before
from services.aggregator.mobility.geometry import Junction
from services.aggregator.points import (
    TAGS,
    SeriesKey,
    checkpoint_point,
    instant,
    interval_of,
    interval_point,
    milliseconds,
    raw_point,
    readings_of,
    stored_checkpoints,
    stored_intervals,
    stored_readings,
    traffic_point,
    window_point,
)
from services.aggregator.ports import Incoming, Log, Partition, Point, Store
from services.aggregator.registers import Reading
from services.aggregator.rereading import records_since
from services.aggregator.rollups import Rollups
from services.aggregator.stations import Stations
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS, MARGIN_MS, MINUTE_MS, Minutes, Sample, sample_of
from services.aggregator.voice import TooOld

__all__ = ["Batch", "Projection"]

_RECENT: Final = timedelta(days=40)


class Placed(NamedTuple):
    """An event with its place in the log."""

    incoming: Incoming
    event: Event


IntervalKey = tuple[SeriesKey, RegisterKey]
"""A register of a meter that tells intervals."""

_WITH_WINDOWS: Final = frozenset({"kWh", "m3", "kvarh"})

Said = dict[RegisterKey, list[Reading]]
"""What a batch says of the registers of one meter."""


class Batch(NamedTuple):
    """Points of a batch: windows, minutes and checkpoints that are void first, raw after them, then checkpoints."""

    derived: list[Point]
    raw: list[Point]
    checkpoints: list[Point]


def _by_interval(event: Event) -> bool:
    """Whether it is an interval that makes windows, and so its raw point is made with them."""
    return isinstance(event.record, IntervalEnergy) and event.record.unit in _WITH_WINDOWS


class Projection:
    """Histories of registers and minutes of junctions, loaded when they are first touched."""

    def __init__(
        self,
        log: Log,
        store: Store,
        zone: ZoneInfo,
        telemetry: AggregatorTelemetry,
        surveyed: Mapping[str, Junction] | None = None,
    ) -> None:
        self._log = log
        self._store = store
        self._zone = zone
        self._telemetry = telemetry
        self._meters: dict[SeriesKey, Meter] = {}
        self._intervals: dict[IntervalKey, IntervalHistory] = {}
        self._partition_of: dict[SeriesKey, Partition] = {}
        self._minutes: dict[Partition, Minutes] = defaultdict(Minutes)
        self._hours: dict[Partition, Hours] = defaultdict(lambda: Hours(store, zone))
        self._junctions = Junctions(log, telemetry, surveyed, store)
        self._hazards = Hazards(store)
        self._stations = Stations(log, telemetry)
        self._exposures = Exposures(log, telemetry)
        self._rollups = Rollups(store, zone)

    @property
    def kept(self) -> int:
        """Readings of registers, and intervals, that are in memory."""
        readings = sum(len(register) for meter in self._meters.values() for register in meter.registers.values())
        return readings + sum(map(len, self._intervals.values()))

    def forget(self, lost: frozenset[Partition]) -> None:
        """Another member took these partitions over, and will store more than what is in memory here."""
        for partition in lost:
            self._minutes.pop(partition, None)
            self._hours.pop(partition, None)
        self._junctions.forget(lost)
        self._stations.forget(lost)
        self._exposures.forget(lost)
        if lost:
            self._hazards.clear()
            self._rollups.clear()
        for series in [series for series, partition in self._partition_of.items() if partition in lost]:
            self._meters.pop(series, None)
            del self._partition_of[series]
        held = self._partition_of.keys()
        self._intervals = {key: history for key, history in self._intervals.items() if key[0] in held}

    def clear(self) -> None:
        """Forget everything; it is loaded again when needed."""
        self._meters.clear()
        self._intervals.clear()
        self._partition_of.clear()
        self._minutes.clear()
        self._hours.clear()
        self._junctions.clear()
        self._stations.clear()
        self._exposures.clear()
        self._hazards.clear()
        self._rollups.clear()

    async def erase(self, batch: Sequence[Incoming]) -> Sequence[Incoming]:
        """What a batch leaves to be taken: at a tombstone all that was made of its key is deleted, here and stored.

        Raises:
            Unavailable: the store does not delete now.
        """
        living, erased = split(batch)
        for each in erased:
            if each.member is not None:
                await forget_member(self._store, each.member)
                continue
            await self._store.forget(each.tags)
            household = each.tags.get("household")
            for series in [series for series in self._partition_of if series[1] == household]:
                self._meters.pop(series, None)
                del self._partition_of[series]
            self._intervals = {key: history for key, history in self._intervals.items() if key[0][1] != household}
        return living

    async def take(self, placed: Sequence[Placed]) -> Batch:
        """The points that a batch of events makes.

        Raises:
            Unavailable: the store or the log cannot be read now.
        """
        derived: list[Point] = []
        meters: dict[SeriesKey, Said] = defaultdict(lambda: defaultdict(list))
        intervals: dict[IntervalKey, list[Interval]] = defaultdict(list)
        vehicles: dict[Partition, list[tuple[Incoming, Sample]]] = defaultdict(list)
        for incoming, event in placed:
            record = event.record
            place = (incoming.topic, incoming.partition)
            if isinstance(record, MeterReading):
                series: SeriesKey = (record.carrier, record.household, record.meter)
                for key, reading in readings_of(record).items():
                    meters[series][key].append(reading)
                self._partition_of[series] = place
            elif isinstance(record, IntervalEnergy) and record.unit in _WITH_WINDOWS:
                series = (record.carrier, record.household, record.meter)
                intervals[series, (record.quantity, record.register_name, record.unit)].append(interval_of(record))
                self._partition_of[series] = place
            elif isinstance(record, VehicleState):
                sample = self._sample(record)
                if sample is not None:
                    vehicles[place].append((incoming, sample))
        checkpoints: list[Point] = []
        for series, said in meters.items():
            merged = await self._merged(series, said)
            derived.extend(checkpoint_point(series, each) for each in merged.void)
            derived.extend(window_point(series, key, changed) for key, changed in merged.changed)
            checkpoints.extend(checkpoint_point(series, each) for each in merged.right)
        raw = [point for _, event in placed if not _by_interval(event) and (point := raw_point(event)) is not None]
        for register, told in intervals.items():
            points = await self._told(register, told)
            derived.extend(points.derived)
            raw.extend(points.raw)
        for place, samples in vehicles.items():
            derived.extend(await self._traffic(place, samples))
        junctions = await self._junctions.take(placed)
        derived.extend(junctions.points)
        derived.extend(await self._rollups.take(junctions.points, junctions.crowds))
        derived.extend(await self._hazards.take(placed))
        derived.extend(await self._stations.take(placed))
        derived.extend(await self._exposures.take(placed))
        return Batch(derived, raw, checkpoints)

    async def _merged(self, series: SeriesKey, said: Said) -> Merged:
        from_ms = min((reading.at_ms for readings in said.values() for reading in readings), default=0)
        meter = self._meters.get(series)
        while True:
            if meter is None:
                meter = self._meters[series] = await self._load(series, from_ms)
            try:
                return meter.merge(said)
            except TooOld as wanted:
                from_ms, meter = min(from_ms, wanted.from_ms), None

    async def _told(self, key: IntervalKey, intervals: Sequence[Interval]) -> Batch:
        """Windows of intervals, and their raw points: only of those that say something new."""
        series, (quantity, name, unit) = key
        history = self._intervals.setdefault(key, IntervalHistory(series[0], unit, self._zone))
        from_ms = history.needs_from_ms(intervals)
        if history.from_ms is None or from_ms < history.from_ms:
            tags = dict(zip(TAGS["interval"], (*series, quantity, name), strict=True))
            rows = await self._store.select("interval", tags=tags, start=instant(from_ms))
            history.load(stored_intervals(rows, unit), from_ms)
        news, changed = history.merge(intervals)
        windows = [window_point(series, (quantity, PREFIX + name, unit), each) for each in changed]
        return Batch(windows, [interval_point(series, key[1], each) for each in news], [])

    async def _load(self, series: SeriesKey, from_ms: int) -> Meter:
        """The meter as the raw bucket has it, from the last checkpoint before an instant on."""
        carrier, household, meter = series
        tags = {"carrier": carrier, "household": household, "meter": meter}
        checkpoint = await self._checkpoint(series, tags, from_ms)
        start = None if checkpoint is None else instant(checkpoint.cut_ms)
        rows = await self._store.select("meter", tags=tags, start=start)
        self._telemetry.loaded.inc()
        loaded = Meter(carrier, self._zone, checkpoint)
        loaded.load(stored_readings(rows))
        return loaded

    async def _checkpoint(self, series: SeriesKey, tags: dict[str, str], from_ms: int) -> Checkpoint | None:
        end = instant(from_ms + 1)
        for start in (end - _RECENT, None):
            rows = await self._store.select("checkpoint", tags=tags, start=start, end=end)
            found = checkpoint_before(stored_checkpoints(rows), from_ms, series[0], self._zone)
            if found is not None:
                return found
        return None

    def _sample(self, record: VehicleState) -> Sample | None:
        at_ms = milliseconds(record.observed_at)
        if not -MARGIN_MS <= milliseconds(record.received_at) - at_ms <= HORIZON_MS:
            self._telemetry.too_late.inc()
            return None
        return sample_of(record, at_ms)

    async def _traffic(self, place: Partition, samples: Sequence[tuple[Incoming, Sample]]) -> list[Point]:
        minutes = self._minutes[place]
        first_offset = samples[0][0].offset
        if minutes.complete_from_ms is None and first_offset == 0:
            minutes.complete_from_ms = 0
        unknown = [sample.at_ms for _, sample in samples if not minutes.knows(sample)]
        if unknown:
            await self._read_again(place, minutes, min(unknown), first_offset)
        news = [minute for _, sample in samples if (minute := minutes.add(sample)) is not None]
        touched = set(news)
        figures = [minutes.figures(minute) for minute in sorted(touched)]
        points = [traffic_point(each) for each in figures]
        points += await self._hours[place].take(figures, minutes)
        # What was delivered late has its own now: else the log would be read again for each batch of it.
        minutes.forget(
            min(max(incoming.timestamp_ms for incoming, _ in samples), max(each.at_ms for _, each in samples))
        )
        return points

    async def _read_again(self, place: Partition, minutes: Minutes, oldest_ms: int, until_offset: int) -> None:
        """Bring back every message about the minutes from `oldest_ms` on that the log has before this batch."""
        from_ms = oldest_ms - oldest_ms % MINUTE_MS - MARGIN_MS
        async for record in records_since(self._log, place, from_ms, until_offset):
            if isinstance(record, VehicleState) and (sample := self._sample(record)) is not None:
                minutes.add(sample)
        minutes.complete_from_ms = from_ms
        self._telemetry.reread.inc()
