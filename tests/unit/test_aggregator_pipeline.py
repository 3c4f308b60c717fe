"""The aggregator's loop when its partners fail: it goes on, says who failed, stops when told, keeps what it rejects."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pydantic_core import from_json

from schemas.codec import encode
from schemas.energy import OutdoorTemperature
from schemas.envelope import Event
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import (
    FieldValue,
    Incoming,
    LogUnavailable,
    Partition,
    Point,
    Refusal,
    Row,
    Unavailable,
)
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.pseudonyms import Keys
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import MemoryLog, MemoryStore

_KEYS = Keys(b"k" * 32)
_AT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)


def _temperature(number: int) -> Incoming:
    at = _AT + timedelta(minutes=number)
    record = OutdoorTemperature(
        observed_at=at, received_at=at, clock="epoch_s", station=f"s{number}", temperature_degc=number % 30
    )
    return Incoming("garonne.energy", 0, 0, b"s", encode(Event(f"{number:032x}", "senml", record)), 1_768_201_200_000)


class _Log(MemoryLog):
    """Waits when nothing is there; `lag` and `poll` can fail; `taken_over` are the partitions that are lost next."""

    def __init__(self, records: Sequence[Incoming] = ()) -> None:
        super().__init__(records)
        self.lags = 0
        self.silent = False
        self.taken_over: frozenset[Partition] = frozenset()
        self.changed = asyncio.Event()

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        if self.silent:
            raise LogUnavailable("Kafka is silent")
        found = await super().poll(limit, timeout_s)
        if not found:
            await asyncio.sleep(0.001)
        return found

    async def lag(self) -> Mapping[Partition, int]:
        self.lags += 1
        raise LogUnavailable("no lag")

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        await super().commit(positions)
        self.changed.set()

    def lost(self) -> frozenset[Partition]:
        lost, self.taken_over = self.taken_over, frozenset()
        return lost


class _Store(MemoryStore):
    """Refuses stations by name; `down` answers nothing, and tells that it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses: set[str] = set()
        self.down = False
        self.asked = asyncio.Event()

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        self.asked.set()
        if self.down:
            raise Unavailable("InfluxDB is silent")
        refused = [point for point in points if dict(point.tags).get("station") in self.refuses]
        await super().write([point for point in points if point not in refused])
        return [Refusal(point, "field_type", "another type") for point in refused]

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        if self.down:
            raise Unavailable("InfluxDB is silent")
        return await super().select(measurement, fields=fields, tags=tags, start=start, end=end)

    def stations(self) -> set[FieldValue]:
        """Whose points are stored."""
        return {dict(tags)["station"] for _, tags in self.content}


@asynccontextmanager
async def _running(log: _Log, store: _Store) -> AsyncIterator[AggregatorTelemetry]:
    """The pipeline at work, stopped in good order at the end."""
    telemetry, stop = AggregatorTelemetry(), asyncio.Event()
    settings = AggregatorSettings(batch=3, poll_s=0.001)
    sealing = Sealing(_KEYS.seal, _KEYS.pseudonym("device", "aggregator"))
    pipeline = Pipeline(log, store, sealing, settings, ZoneInfo("Europe/Paris"), telemetry)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(pipeline.run(stop, drain_s=0.2))
        try:
            yield telemetry
        finally:
            stop.set()


async def _until_committed(log: _Log, number: int) -> None:
    async with asyncio.timeout(20):
        while log.committed.get("garonne.energy", 0) < number:
            log.changed.clear()
            await log.changed.wait()


async def test_a_lag_that_cannot_be_measured_ends_nothing() -> None:
    """It is a metric; records are stored and committed all the same, and the log is not called well."""
    log, store = _Log([_temperature(number) for number in range(7)]), _Store()
    async with _running(log, store) as telemetry:
        await _until_committed(log, 7)
        assert log.lags
        assert telemetry.registry.get_sample_value("garonne_aggregator_failures_total", {"partner": "event log"})
    assert store.stations() == {f"s{number}" for number in range(7)}


async def test_health_names_the_partner_that_fails() -> None:
    """A silent InfluxDB is not blamed on Kafka, nor the other way round."""
    log, store = _Log([_temperature(1)]), _Store()
    store.down = True
    async with _running(log, store) as telemetry:
        async with asyncio.timeout(20):
            await store.asked.wait()
            while telemetry.health.readyz()["time series"].text != "InfluxDB is silent":  # noqa: ASYNC110 - health has no event
                await asyncio.sleep(0)
        assert not telemetry.health.readyz()["time series"].ok
        assert "InfluxDB" not in telemetry.health.readyz()["event log"].text


async def test_a_stop_waits_neither_for_a_silent_store_nor_for_the_next_try() -> None:
    """The batch in hand is not committed: it is read again."""
    log, store = _Log([_temperature(1)]), _Store()
    store.down = True
    async with _running(log, store):
        await store.asked.wait()
    assert log.committed == {}
    store.down = False
    log.restart()
    async with _running(log, store):
        await _until_committed(log, 1)
    assert store.stations() == {"s1"}


async def test_a_silent_log_is_asked_again_and_a_stop_ends_the_waiting() -> None:
    """No batch, no end, no busy loop."""
    log, store = _Log([_temperature(1)]), _Store()
    log.silent = True
    async with _running(log, store) as telemetry:
        async with asyncio.timeout(20):
            while telemetry.health.readyz()["event log"].text != "Kafka is silent":  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        log.silent = False
        await _until_committed(log, 1)


async def test_events_are_counted_once_however_often_a_batch_is_tried_and_copies_as_copies() -> None:
    """Three events, one of them twice; the store answered nothing at first."""
    log, store = _Log([_temperature(number) for number in (1, 2, 1, 3)]), _Store()
    store.down = True
    async with _running(log, store) as telemetry:
        await store.asked.wait()
        store.down = False
        await _until_committed(log, 4)
    value = telemetry.registry.get_sample_value
    assert value("garonne_aggregator_events_total", {"kind": "outdoor_temperature"}) == 4
    assert value("garonne_aggregator_duplicates_total") == 1
    assert value("garonne_aggregator_undecodable_total") == 0


async def test_what_another_member_took_over_is_not_stored_by_us() -> None:
    """While InfluxDB was silent the partition went to another member, which knows more by now."""
    log, store = _Log([_temperature(1)]), _Store()
    store.down = True
    async with _running(log, store):
        await store.asked.wait()
        log.taken_over = frozenset({("garonne.energy", 0)})
        store.down = False
        log.append(_temperature(2))
        await _until_committed(log, 2)
    assert store.stations() == {"s2"}


async def test_a_refused_point_and_a_record_that_is_no_event_are_kept_whole() -> None:
    """Sealed with their bytes, so that they have a way back in; what is huge is cut, and its size told."""
    huge = b"x" * 1_500_000
    log = _Log([_temperature(1), _temperature(2), _temperature(3)._replace(value=huge)])
    store = _Store()
    store.refuses = {"s2"}
    async with _running(log, store):
        await _until_committed(log, 3)
    assert store.stations() == {"s1"}
    records = [from_json(value)["data"] for value in log.rejected]
    undecodable, refused = sorted(records, key=lambda record: str(record["reason"]), reverse=True)
    assert (undecodable["reason"], undecodable["size_bytes"]) == ("wrong_shape", len(huge))
    assert refused["reason"] == "field_type"
    assert len(max(log.rejected, key=len)) < 1024 * 1024
    measurement, text = _KEYS.unseal(b64decode(refused["sealed"]))
    assert measurement == "weather"
    assert text.startswith(b"weather,station=s2 temperature_degc=2")
