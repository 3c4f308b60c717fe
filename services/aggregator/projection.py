"""What the aggregator keeps in memory, and what it makes of a batch of events: points.

Windows come before the raw points that they were computed from: a reading that stands in the raw bucket has its
windows stored. So a reading that comes again, after a crash or a restart, needs nothing more if it is known.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.codec import CodecError, decode
from schemas.energy import MeterReading
from schemas.envelope import Event
from schemas.mobility import VehicleState
from services.aggregator.history import RegisterHistory, TooOld, Voice
from services.aggregator.points import (
    RegisterKey,
    SeriesKey,
    milliseconds,
    raw_point,
    readings_of,
    stored_readings,
    traffic_point,
    window_point,
)
from services.aggregator.ports import Incoming, Log, Partition, Point, Store
from services.aggregator.registers import Reading, limits_for
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS, MARGIN_MS, MINUTE_MS, Minutes, Sample, sample_of
from services.aggregator.windows import WINDOWS, WindowName

__all__ = ["Batch", "Projection"]


class Placed(NamedTuple):
    """An event with its place in the log."""

    incoming: Incoming
    event: Event


Said = dict[RegisterKey, list[Reading]]
"""What a batch says of the registers of one meter."""


class Meter(NamedTuple):
    """What is in memory of one meter: its registers, and when it spoke at all."""

    registers: dict[RegisterKey, RegisterHistory]
    voice: Voice


class Batch(NamedTuple):
    """Points of a batch: windows and minutes first, raw after them."""

    derived: list[Point]
    raw: list[Point]


class Projection:
    """Histories of registers and minutes of junctions, loaded when they are first touched."""

    def __init__(self, log: Log, store: Store, zone: ZoneInfo, telemetry: AggregatorTelemetry) -> None:
        self._log = log
        self._store = store
        self._zone = zone
        self._telemetry = telemetry
        self._meters: dict[SeriesKey, Meter] = {}
        self._partition_of: dict[SeriesKey, Partition] = {}
        self._minutes: dict[Partition, Minutes] = defaultdict(Minutes)

    def forget(self, lost: frozenset[Partition]) -> None:
        """Another member took these partitions over, and will store more than what is in memory here."""
        for partition in lost:
            self._minutes.pop(partition, None)
        for series in [series for series, partition in self._partition_of.items() if partition in lost]:
            self._meters.pop(series, None)
            del self._partition_of[series]

    def clear(self) -> None:
        """Forget everything; it is loaded again when needed."""
        self._meters.clear()
        self._partition_of.clear()
        self._minutes.clear()

    async def take(self, placed: Sequence[Placed]) -> Batch:
        """The points that a batch of events makes.

        Raises:
            Unavailable: the store or the log cannot be read now.
        """
        derived: list[Point] = []
        meters: dict[SeriesKey, Said] = defaultdict(lambda: defaultdict(list))
        vehicles: dict[Partition, list[tuple[Incoming, Sample]]] = defaultdict(list)
        for incoming, event in placed:
            record = event.record
            place = (incoming.topic, incoming.partition)
            if isinstance(record, MeterReading):
                series: SeriesKey = (record.carrier, record.household, record.meter)
                for key, reading in readings_of(record).items():
                    meters[series][key].append(reading)
                self._partition_of[series] = place
            elif isinstance(record, VehicleState):
                sample = self._sample(record)
                if sample is not None:
                    vehicles[place].append((incoming, sample))
        for series, said in meters.items():
            derived.extend(await self._windows(series, said))
        for place, samples in vehicles.items():
            derived.extend(await self._traffic(place, samples))
        raw = [point for _, event in placed if (point := raw_point(event)) is not None]
        return Batch(derived, raw)

    async def _windows(self, series: SeriesKey, said: Said) -> list[Point]:
        meter = self._meters.get(series)
        if meter is None:
            meter = self._meters[series] = await self._load(series)
        try:
            return self._merge(series, meter, said)
        except TooOld:
            meter = self._meters[series] = await self._load(series)
            return self._merge(series, meter, said)

    def _merge(self, series: SeriesKey, meter: Meter, said: Said) -> list[Point]:
        heard_ms = meter.voice.hear({reading.at_ms for readings in said.values() for reading in readings})
        for key in said:
            if key not in meter.registers:
                meter.registers[key] = self._history(series, key, meter.voice)
        points = [
            window_point(series, key, changed)
            for key, history in meter.registers.items()
            for changed in history.merge(said.get(key, ()), heard_ms)
        ]
        for history in meter.registers.values():
            history.trim()
        needed = [history.needs_voice_from_ms for history in meter.registers.values()]
        if None not in needed:
            meter.voice.forget(min(each for each in needed if each is not None))
        return points

    def _history(self, series: SeriesKey, key: RegisterKey, voice: Voice) -> RegisterHistory:
        windows: tuple[WindowName, ...] = (*WINDOWS, "gas_day") if series[0] == "gas" else WINDOWS
        return RegisterHistory(limits_for(series[0], key[2]), self._zone, windows, voice)

    async def _load(self, series: SeriesKey) -> Meter:
        """The meter as the raw bucket has it."""
        carrier, household, meter = series
        rows = await self._store.select("meter", tags={"carrier": carrier, "household": household, "meter": meter})
        self._telemetry.loaded.inc()
        loaded = Meter({}, Voice())
        stored = stored_readings(rows)
        loaded.voice.hear({reading.at_ms for readings in stored.values() for reading in readings})
        for key, readings in stored.items():
            loaded.registers[key] = self._history(series, key, loaded.voice)
            loaded.registers[key].merge(readings)
        return loaded

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
        self._telemetry.duplicates.inc(len(samples) - len(news))
        touched = set(news)
        points = [traffic_point(minutes.figures(minute)) for minute in sorted(touched)]
        minutes.forget(max(incoming.timestamp_ms for incoming, _ in samples))
        return points

    async def _read_again(self, place: Partition, minutes: Minutes, oldest_ms: int, until_offset: int) -> None:
        """Bring back every message about the minutes from `oldest_ms` on that the log has before this batch."""
        from_ms = oldest_ms - oldest_ms % MINUTE_MS - MARGIN_MS
        async for batch in self._log.since(place, from_ms, until_offset):
            for incoming in batch:
                try:
                    record = decode(incoming.value).record
                except CodecError:
                    continue  # Was rejected when it was first read.
                if isinstance(record, VehicleState) and (sample := self._sample(record)) is not None:
                    minutes.add(sample)
        minutes.complete_from_ms = from_ms
        self._telemetry.reread.inc()


def kinds_of(placed: Iterable[Placed]) -> Counter[str]:
    """How many events of each kind."""
    return Counter(event.record.kind for _, event in placed)
