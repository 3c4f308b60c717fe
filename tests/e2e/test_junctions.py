"""Passages, signals, requests and hazards are the same on Kafka and InfluxDB as embedded, kill -9 or not."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.codec import encode
from schemas.envelope import AnyRecord, Event, key_of, topic_of
from schemas.mobility import PriorityRequest, PriorityStatus, RoadHazard, VehicleState
from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import milliseconds
from services.aggregator.ports import Incoming, Log, Store
from services.aggregator.telemetry import AggregatorTelemetry
from services.embedded.eventlog import SqliteLog, SqliteSink
from services.embedded.series import SqliteStore
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.ports import Outgoing
from services.runtime.settings import AggregatorSettings, read_settings
from tests.e2e.ledger import until_committed
from tests.e2e.site import Site, wait_until
from tests.fakes_aggregator import MemoryLog, MemoryStore
from tests.junctions import START, Car, drive, geometry, heard, signals

_LASTS_S = 150.0
_MEASUREMENTS = ("passage", "signal", "priority", "hazard", "map", "mobility", "traffic")
_OTHER = "33:4102"

Content = dict[tuple[str, tuple[tuple[str, str], ...], int], dict[str, Any]]


def _at(junction: list[AnyRecord], minutes: float, zone: str | None = None) -> list[AnyRecord]:
    """The same, so much later, or at another junction."""
    moved = timedelta(minutes=minutes)
    found = []
    for each in junction:
        name = {} if zone is None else {"zone" if isinstance(each, VehicleState) else "intersection": zone}
        times = {"observed_at": each.observed_at + moved, "received_at": each.received_at + moved}
        found.append(each.model_copy(update={**times, **name}))
    return found


def _cars(chance: random.Random, every: int) -> list[AnyRecord]:
    cars = [Car(0, 5.0), Car(1, 12.0, obeys=False), Car(2, 30.0)]
    drive(cars, _LASTS_S)
    late = chance.randint(20, 300)
    return [
        each.model_copy(update={"received_at": each.received_at + timedelta(seconds=late)})
        if chance.random() < 0.02
        else each
        for each in heard(cars, chance, every=every)
    ]


def _asked() -> list[AnyRecord]:
    """A bus asks and is granted; roadworks begin and are over."""
    common: dict[str, Any] = {"clock": "its", "intersection": "33:4101", "requestor": f"v_{7:016x}", "request_id": 7}
    at = [START + timedelta(seconds=each) for each in (20, 24, 90)]
    hazard: dict[str, Any] = {
        "clock": "its",
        "action_id": f"a_{9:016x}",
        "station_type": 15,
        "detection_time": START,
        "cause_code": 3,
        "validity_s": 600,
    }
    return [
        PriorityRequest(observed_at=at[0], received_at=at[0], request_type="request", role=1, **common),
        PriorityStatus(observed_at=at[1], received_at=at[1], status=4, **common),
        RoadHazard(observed_at=START, received_at=at[0], ends_at=START + timedelta(seconds=600), **hazard),
        RoadHazard(observed_at=at[2], received_at=at[2], ends_at=at[2], termination="cancellation", **hazard),
    ]


def _log() -> list[Outgoing]:
    """Two junctions. The map of the first is heard once, and cars come again 40 minutes later."""
    chance = random.Random(11)  # noqa: S311
    first: list[AnyRecord] = [*signals(_LASTS_S, chance), *_cars(chance, 4)]
    other: list[AnyRecord] = [geometry(), *signals(_LASTS_S, chance), *_cars(chance, 10)]
    records = [geometry(), *first, *_at(first, 40), *_at(other, 1, _OTHER), *_asked()]
    events = [(Event(f"{number:032x}", "its_client_json", each), each) for number, each in enumerate(records)]
    sent = [
        Outgoing(topic_of(each), key_of(each).encode(), encode(event), milliseconds(each.received_at))
        for event, each in events
    ]
    return sorted(sent, key=lambda each: each.timestamp_ms)


async def _run(log: Log, store: Store, batch: int, batches: int | None = None) -> None:
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    pipeline = Pipeline(log, store, sealing, AggregatorSettings(), ZoneInfo("Europe/Paris"), AggregatorTelemetry())
    while (batches is None or batches > 0) and (records := await log.poll(batch, 0.01)):
        await pipeline.store(records)
        batches = None if batches is None else batches - 1


async def _content(store: Store) -> Content:
    return {
        (name, tuple(sorted(row.tags.items())), row.time_ns): dict(row.fields)
        for name in _MEASUREMENTS
        for row in await store.select(name)
    }


async def _expected(sent: Sequence[Outgoing]) -> Content:
    store = MemoryStore()
    log = MemoryLog(Incoming(each.topic, 0, 0, each.key, each.value, each.timestamp_ms) for each in sent)
    await _run(log, store, len(sent))
    content = await _content(store)
    passages = dict.fromkeys(("33:4101", _OTHER), 0)
    for (name, tags, _), fields in content.items():
        if name == "passage":
            passages[dict(tags)["zone"]] += fields["passages"]
    assert passages == {"33:4101": 6, _OTHER: 3}
    assert {name for name, _, _ in content} == set(_MEASUREMENTS)
    return content


@pytest.mark.parametrize("batch", [70, 1000])
async def test_embedded_junctions_survive_restarts(tmp_path: Path, batch: int) -> None:
    """On SQLite, a new process every third batch and one that dies before it has committed: as in one batch."""
    sent = _log()
    async with SqliteSink(tmp_path / "log") as sink, SqliteStore(tmp_path / "series") as store:
        await sink.send(sent)
        for restart in range(len(sent) // batch // 3 + 2):
            async with SqliteLog(tmp_path / "log") as log:
                if restart % 2:
                    await _run(_Uncommitted(log), store, batch, 2)
            async with SqliteLog(tmp_path / "log") as log:
                await _run(log, store, batch, 3)
        assert await _content(store) == await _expected(sent)


class _Uncommitted:
    """A log whose reader is killed after it has stored and before it has committed."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def commit(self, positions: object) -> None:
        """Killed."""


@pytest.mark.servers
@pytest.mark.slow
async def test_junctions_on_kafka_and_influxdb_survive_a_kill(tmp_path: Path) -> None:
    """The aggregator is killed with a half of the log read: what InfluxDB holds is what one batch in memory makes."""
    sent = _log()
    half = len(sent) // 2
    with Site(tmp_path) as site:
        settings = read_settings(site.configure("read"))
        sink = KafkaSink(settings.kafka)
        await sink.send(sent[:half])
        aggregator = site.service("aggregate", aggregator={"batch": 150})
        wait_until(lambda: aggregator.metric("garonne_aggregator_points_total") > 0, "it stores")
        aggregator.kill()
        await sink.send(sent[half:])
        await sink.close()
        aggregator.start()
        await asyncio.to_thread(until_committed, site)
        async with InfluxStore(settings.influxdb) as store:
            assert await _content(store) == await _expected(sent)
