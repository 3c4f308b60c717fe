"""A process that stood still asks its group before it writes: what it computed may be older than what is stored."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.codec import encode
from schemas.energy import MeterReading, Register
from schemas.envelope import Event
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Incoming, LogUnavailable, Partition, Point, Refusal, Row
from services.aggregator.stall import Stall
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import MemoryLog, MemoryStore

_AT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)


class _Clock:
    """Stands where the test puts it."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class _Log(MemoryLog):
    """A group that may have given the partition to somebody else."""

    ours = True
    asked = 0

    async def holds(self, starts: Mapping[Partition, int]) -> bool:
        """What the group says."""
        assert starts
        self.asked += 1
        return self.ours


class _Slow(MemoryStore):
    """The process is frozen while the store is read for a batch, right before the first write."""

    freeze_s = 0.0

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock
        self.writes = 0

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        """Read, and sleep."""
        self._clock.now_s += self.freeze_s
        return await super().select(measurement, fields=fields, tags=tags, start=start, end=end)

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Count."""
        self.writes += 1
        return await super().write(points)


def _reading(number: int) -> Incoming:
    at = _AT + timedelta(minutes=20 * number)
    record = MeterReading(
        household="h_0000000000000000",
        meter="m_0000000000000000",
        carrier="electricity",
        observed_at=at,
        received_at=at,
        clock="utc_z",
        registers=(Register(quantity="import_energy", name="total", value=100 + number / 10, unit="kWh"),),
    )
    return Incoming("garonne.energy", 0, 0, b"h", encode(Event(f"{number:032x}", "tasmota", record)), 1_768_201_200_000)


async def _stored(log: _Log, store: _Slow, clock: _Clock) -> None:
    sealing = Sealing(lambda _topic, content: content, "d_0000000000000000")
    pipeline = Pipeline(log, store, sealing, AggregatorSettings(), ZoneInfo("Europe/Paris"), AggregatorTelemetry())
    pipeline._stall = Stall(clock)
    await pipeline.store(await log.poll(100, 0))


async def test_a_batch_that_is_no_longer_ours_is_not_written() -> None:
    """Another member stores it, and more: its windows stay. Nothing is committed."""
    clock = _Clock()
    log, store = _Log([_reading(number) for number in range(4)]), _Slow(clock)
    log.ours, store.freeze_s = False, 10.0
    with pytest.raises(LogUnavailable, match="stood still"):
        await _stored(log, store, clock)
    assert (store.writes, log.committed) == (0, {})


async def test_a_batch_that_is_still_ours_is_written_after_a_question() -> None:
    """A slow disk or a busy machine costs one question, no data."""
    clock = _Clock()
    log, store = _Log([_reading(number) for number in range(4)]), _Slow(clock)
    store.freeze_s = 10.0
    await _stored(log, store, clock)
    assert log.asked == 1
    assert log.committed == {"garonne.energy": 4}


async def test_nobody_is_asked_while_all_goes_well() -> None:
    """No round trip is added to a batch."""
    clock = _Clock()
    log, store = _Log([_reading(number) for number in range(4)]), _Slow(clock)
    store.freeze_s = 1.0
    await _stored(log, store, clock)
    assert log.asked == 0
    assert store.writes > 0
