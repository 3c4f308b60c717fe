"""What is stored is what the log says: `rebuild --check` proves it, and finds every bit that is not."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.aggregator.ports import Point
from services.aggregator.scanning import EVENTS
from services.aggregator.telemetry import AggregatorTelemetry
from services.embedded.series import SqliteStore
from services.ingest.normalise import Normaliser
from services.ingest.profiles import Context, discover
from services.ingest.pseudonyms import Pseudonyms
from services.operations.rebuilding import Comparison, Rebuild, RebuildProblem
from services.operations.swapping import swap_embedded
from services.runtime.http import serve_telemetry
from services.runtime.settings import AggregatorSettings, EmbeddedSettings, IngestSettings, Settings
from tests.fakes import Nowhere
from tests.operated import AT, KEYS, World
from tests.servers.running import free_port

_PARIS = ZoneInfo("Europe/Paris")


def _normaliser() -> Normaliser:
    """A family with registers, so that there are windows and checkpoints."""
    profile = discover()["tasmota"]
    context = Context(Pseudonyms(KEYS), Nowhere(), timezone=_PARIS)
    return Normaliser({"tasmota": profile}, {"tasmota": context}, KEYS)


def _reading(number: int) -> bytes:
    at = (AT - timedelta(days=3) + timedelta(minutes=20 * number)).astimezone(_PARIS)
    return json.dumps({"Time": f"{at:%FT%T}", "ENERGY": {"Total": 100 + number / 10, "Power": 300}}).encode()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An empty event log."""
    async with World(tmp_path, "tele/plug/SENSOR") as made:
        yield made


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """The live time series."""
    async with SqliteStore(tmp_path / "live.sqlite") as store:
        yield store


async def _checked(world: World, live: SqliteStore, patience_s: float = 60.0) -> Comparison:
    fresh = world.path.with_name("fresh.sqlite")
    fresh.unlink(missing_ok=True)
    work = Rebuild(world.scan, live, fresh, _PARIS, patience_s=patience_s)
    try:
        return await work.check(None, None)
    finally:
        await work.close()


async def test_late_readings_duplicates_and_restarts_leave_what_the_log_says(world: World, live: SqliteStore) -> None:
    """The live aggregator saw it in pieces and out of order; computed at once it is the same."""
    for numbers in ((0, 1, 2, 90, 91), (40, 41, 40), (5, 92), (60,)):
        await world.take_in(_normaliser(), [_reading(number) for number in numbers])
        await world.aggregate(live)
    result = await _checked(world, live)
    assert result.differences == {}
    assert result.records == 11
    assert result.points["meter"] == 10
    assert result.points["energy"] > 0
    assert result.points["checkpoint"] > 0


@pytest.mark.parametrize("what", ["changed", "missing", "too much"])
async def test_a_single_wrong_bit_is_found_and_named(world: World, live: SqliteStore, what: str) -> None:
    """A window that somebody changed, a point that is gone, one that no record makes."""
    await world.take_in(_normaliser(), [_reading(number) for number in range(6)])
    await world.aggregate(live)
    (first, *_) = await live.select("energy")
    tags = tuple(sorted(first.tags.items()))
    if what == "changed":
        value = float(first.fields["energy_kwh"])
        await live.write([Point("energy", tags, (("energy_kwh", value + 2**-40),), first.time_ns)])
    elif what == "missing":
        await live._run(lambda file: file.execute("DELETE FROM point WHERE time_ns = ?", (first.time_ns,)))
    else:
        await live.write([Point("energy", tags, (("energy_kwh", 1.0),), first.time_ns - 10**18)])
    found = {place.time_ns: str(pair) for place, pair in (await _checked(world, live)).differences.items()}
    said = {"changed": "energy_kwh is", "missing": "missing in the time series", "too much": "no record of the log"}
    assert any(said[what] in text for text in found.values())
    assert (first.time_ns if what != "too much" else first.time_ns - 10**18) in found


async def test_what_comes_in_meanwhile_is_caught_up_with(
    world: World, live: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The site is alive: between two looks at the log more arrives and is stored."""
    await world.take_in(_normaliser(), [_reading(number) for number in range(6)])
    await world.aggregate(live)
    original, looks = Rebuild._compare, 0

    async def compare(self: Rebuild, *times: None) -> object:
        nonlocal looks
        looks += 1
        if looks == 1:
            await world.take_in(_normaliser(), [_reading(7)])
            await world.aggregate(live)
        return await original(self, *times)

    monkeypatch.setattr(Rebuild, "_compare", compare)
    result = await _checked(world, live)
    assert (looks, result.differences, result.moving) == (2, {}, 0)
    assert result.records == 7


async def test_what_rests_on_records_that_are_not_kept_is_not_compared(world: World, live: SqliteStore) -> None:
    """A topic has a retention: the points of what is gone stay, and nothing can be said of them."""
    await world.take_in(_normaliser(), [_reading(number) for number in range(6)])
    await world.take_in(_normaliser(), [_reading(number) for number in range(144 * 3, 144 * 3 + 6)], minute=3 * 1440)
    await world.aggregate(live)
    (first, *_) = await world.records(*EVENTS)
    with closing(sqlite3.connect(world.path)) as file:
        (number,) = file.execute("SELECT id FROM topic WHERE name = ?", (first.topic,)).fetchone()
        file.execute(f"DELETE FROM records_{number} WHERE number < 6")  # noqa: S608
        file.commit()
    result = await _checked(world, live)
    assert result.from_["meter"] > AT + timedelta(days=1)
    assert all(place.time_ns >= result.from_["meter"].timestamp() * 1e9 for place in result.differences)


async def test_an_aggregator_that_does_not_store_is_not_waited_for_for_ever(world: World, live: SqliteStore) -> None:
    """It is said how much waits, and what to look at."""
    await world.take_in(_normaliser(), [_reading(1), _reading(2)])
    with pytest.raises(RebuildProblem, match="2 records wait for `garonne aggregate`"):
        await _checked(world, live, patience_s=0.0)
    assert len(await world.records(*EVENTS)) == 2


def _stopped(world: World) -> Settings:
    """A site whose services do not run."""
    return Settings(
        storage="embedded",
        embedded=EmbeddedSettings(folder=world.path.parent),
        ingest=IngestSettings(metrics_port=free_port()),
        aggregator=AggregatorSettings(metrics_port=free_port()),
    )


async def _swap(world: World, settings: Settings) -> int:
    path = world.path.with_name("series.sqlite")
    async with SqliteStore(path) as live:
        return await swap_embedded(
            settings, world.scan, lambda fresh: Rebuild(world.scan, live, fresh, _PARIS), lambda _records: None
        )


async def test_a_time_series_that_was_spoilt_is_made_anew(world: World) -> None:
    """What somebody changed is right again, indicators stay, and nothing is read twice afterwards."""
    indicator = Point("kpi", (("kpi", "saving"),), (("value", 0.08),), 1_768_000_000_000_000_000)
    await world.take_in(_normaliser(), [_reading(number) for number in range(6)])
    async with SqliteStore(world.path.with_name("series.sqlite")) as live:
        await world.aggregate(live)
        (window, *_) = right = await live.select("energy")
        tags = tuple(sorted(window.tags.items()))
        await live.write([indicator, Point("energy", tags, (("energy_kwh", 99.0),), window.time_ns)])
    await world.take_in(_normaliser(), [_reading(6)])  # not aggregated yet
    assert await _swap(world, _stopped(world)) == 7
    async with SqliteStore(world.path.with_name("series.sqlite")) as live:
        assert len(await live.select("meter")) == 7
        assert len(await live.select("kpi")) == 1
        made = {(row.tags["window"], row.time_ns): row.fields["energy_kwh"] for row in await live.select("energy")}
        assert made[window.tags["window"], window.time_ns] != 99.0
        assert len(made) >= len(right)
        assert (await _checked(world, live, patience_s=0.0)).differences == {}


async def test_nothing_is_replaced_under_a_running_service(world: World) -> None:
    """It would go on writing into the old file."""
    await world.take_in(_normaliser(), [_reading(1)])
    telemetry = AggregatorTelemetry()
    async with serve_telemetry(telemetry.registry, telemetry.health, 0) as port:
        settings = _stopped(world)
        settings = settings.model_copy(update={"aggregator": AggregatorSettings(metrics_port=port)})
        with pytest.raises(RebuildProblem, match="aggregator is running"):
            await asyncio.to_thread(asyncio.run, _swap(world, settings))
