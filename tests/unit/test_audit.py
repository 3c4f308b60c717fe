"""The audit adds up when nothing is wrong, whatever failed meanwhile, and names by its event whatever is."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.codec import decode
from schemas.energy import OutdoorTemperature
from services.aggregator.lineprotocol import series
from services.aggregator.ports import Point
from services.aggregator.scanning import EVENTS, LEDGER
from services.ingest.normalise import Normaliser
from services.ingest.pipeline import outgoing
from services.ingest.profiles import Context, Ignored, Message, Profile
from services.ingest.pseudonyms import Pseudonyms
from services.operations.accounts import Period
from services.operations.auditing import Audit, audit
from tests.fakes import Nowhere, counting_normaliser, payload, poison
from tests.fakes_aggregator import MemoryStore
from tests.operated import AT, KEYS, Refusing, World, knows_nothing

_HOUR = timedelta(hours=1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An empty event log."""
    async with World(tmp_path) as made:
        yield made


async def _audited(world: World, store: MemoryStore, period: Period | None = None) -> Audit:
    return await audit(world.scan, store, KEYS, period or Period(), kept=None)


def _named(result: Audit) -> list[tuple[str, str]]:
    return [(each.what, each.event) for each in result.differences]


def _delete(world: World, topic: str, value: bytes) -> None:
    with closing(sqlite3.connect(world.path)) as file:
        (number,) = file.execute("SELECT id FROM topic WHERE name = ?", (topic,)).fetchone()
        gone = file.execute(f"DELETE FROM records_{number} WHERE value = ?", (value,)).rowcount  # noqa: S608
        file.commit()
    assert gone == 1


async def test_everything_adds_up_when_nothing_is_wrong(world: World) -> None:
    """Received = normalised + rejected + ignored; normalised = stored + duplicate."""
    ignoring = Profile("echo", ("echo/#",), lambda _m, _c: Ignored("an-echo"), "stable", "for tests")
    store = MemoryStore()
    await world.take_in(counting_normaliser(), [payload(1), payload(2), payload(1), poison(3)])
    await world.take_in(Normaliser({"echo": ignoring}, {"echo": Context(Pseudonyms(KEYS), Nowhere())}, KEYS,
                                   {"echo": ("counting/+",)}), [b"a", b"b"], minute=1)  # fmt: skip
    await world.aggregate(store)
    result = await _audited(world, store)
    assert _named(result) == []
    counting, echo = result.accounts["counting"], result.accounts["echo"]
    assert (counting.received, counting.normalised, counting.rejected) == (4, 3, 1)
    assert (echo.received, echo.normalised, echo.ignored) == (2, 0, {"an-echo": 2})
    (weather,) = [counts for row, counts in result.rows.items() if row.kind == "outdoor_temperature"]
    assert (weather["copies"], weather["distinct"], weather["duplicates"], weather["stored"]) == (3, 2, 1, 2)
    assert result.refusals == {("parse", "not_json", "counting"): 1}


async def test_a_period_is_full_hours_of_reception(world: World) -> None:
    """What came before and after is not counted, and events of the hour are found though the ledger goes on."""
    store = MemoryStore()
    for hour in range(3):
        await world.take_in(counting_normaliser(), [payload(10 * hour + i) for i in range(hour + 1)], minute=60 * hour)
    await world.aggregate(store)
    result = await _audited(world, store, Period(AT + _HOUR, AT + 2 * _HOUR))
    assert _named(result) == []
    assert result.accounts["counting"].received == 2
    assert [counts["stored"] for counts in result.rows.values()] == [2]


async def test_a_lost_point_is_named_by_its_event(world: World) -> None:
    """Somebody deletes a point of the time series."""
    store = MemoryStore()
    await world.take_in(counting_normaliser(), [payload(1), payload(2)])
    await world.aggregate(store)
    event = counting_normaliser()(Message("counting/one", payload(2), AT)).events[0]
    for (_, tags), rows in store.content.items():
        if ("station", "s2") in tags:
            rows.clear()
    assert _named(await _audited(world, store)) == [("missing in the time series", event.id)]


async def test_a_lost_event_is_named_by_how_its_id_begins(world: World) -> None:
    """A record is gone from the event log: the ledger still names it."""
    store = MemoryStore()
    await world.take_in(counting_normaliser(), [payload(1), payload(2)])
    await world.take_in(counting_normaliser(), [payload(3)])
    await world.aggregate(store)
    record = (await world.records(*EVENTS))[1]
    _delete(world, record.topic, record.value)
    result = await _audited(world, store, Period(AT, AT + _HOUR))
    assert _named(result) == [("lost in the event log", decode(record.value).id[:16])]


async def test_a_point_that_no_event_made_is_named(world: World) -> None:
    """In an audit of everything also what is too much is found."""
    store = MemoryStore()
    await world.take_in(counting_normaliser(), [payload(1)])
    await world.aggregate(store)
    stranger = Point("weather", (("station", "s9"),), (("temperature_degc", 1.0),), 1_768_000_000_000_000_000)
    await store.write([stranger])
    (difference,) = (await _audited(world, store)).differences
    assert difference.what == "stored without an event"
    assert series(stranger.measurement, stranger.tags) in difference.detail


async def test_equal_bytes_that_are_taken_for_another_meter_are_an_event_of_their_own(world: World) -> None:
    """The number in a frame is damaged: it is of the meter last heard on its topic. Both points are accounted for."""
    store = MemoryStore()
    (first, *entries) = world.batch(counting_normaliser(), [payload(1)])
    event = decode(first.value)
    assert isinstance(event.record, OutdoorTemperature)
    other = event._replace(record=event.record.model_copy(update={"station": "s9"}))
    await world.sink.send([first, *entries, outgoing(other), outgoing(other)])
    await world.aggregate(store)
    result = await _audited(world, store)
    assert _named(result) == []
    (row,) = result.rows.values()
    assert (row["copies"], row["distinct"], row["duplicates"], row["stored"]) == (3, 2, 1, 2)


async def test_an_event_that_the_ledger_does_not_know_is_named(world: World) -> None:
    """An entry of the ledger is gone, or somebody else writes to the log."""
    store = MemoryStore()
    await world.take_in(counting_normaliser(), [payload(1)])
    await world.take_in(counting_normaliser(), [payload(2)])
    await world.aggregate(store)
    (_, entry) = await world.records(LEDGER)
    _delete(world, LEDGER, entry.value)
    event = counting_normaliser()(Message("counting/one", payload(2), AT)).events[0]
    assert _named(await _audited(world, store)) == [("in the event log and not in the ledger", event.id)]


async def test_what_waits_for_the_aggregator_is_no_difference(world: World) -> None:
    """It is said."""
    await world.take_in(counting_normaliser(), [payload(1), payload(2)])
    result = await _audited(world, MemoryStore())
    assert _named(result) == []
    assert "2 events wait for the aggregator" in result.notes


async def test_a_batch_that_was_sent_twice_is_duplicates(world: World) -> None:
    """The answer got lost: the entry has the same id, and counts once."""
    store = MemoryStore()
    batch = world.batch(counting_normaliser(), [payload(1), poison(2)])
    await world.sink.send(batch)
    await world.sink.send(batch)
    world.ledger.stored(batch)
    await world.aggregate(store)
    result = await _audited(world, store)
    assert _named(result) == []
    assert result.accounts["counting"].received == 2
    assert sorted(counts["duplicates"] for counts in result.rows.values()) == [1, 1]


@pytest.mark.parametrize("kept", ["events", "entry"])
async def test_a_process_that_ends_while_its_batch_is_stored_leaves_no_difference(world: World, kept: str) -> None:
    """Kafka took a part of the batch; nothing was acknowledged, the messages come again to another process."""
    store = MemoryStore()
    await world.take_in(counting_normaliser(), [payload(0)])
    batch = world.batch(counting_normaliser(), [payload(1), payload(2)])
    await world.sink.send([each for each in batch if (each.topic == LEDGER) == (kept == "entry")])
    after = World(world.path.parent)
    await after.take_in(counting_normaliser(), [payload(1), payload(2)], minute=1)
    await after.sink.close()
    await world.aggregate(store)
    result = await _audited(world, store)
    assert _named(result) == []
    assert result.accounts["counting"].received == 3


async def test_an_entry_without_events_that_nothing_certifies_is_unfinished(world: World) -> None:
    """Its messages are still at the broker: not acknowledged, not lost."""
    await world.take_in(counting_normaliser(), [payload(0)])
    batch = world.batch(counting_normaliser(), [payload(1)])
    await world.sink.send([each for each in batch if each.topic == LEDGER])
    result = await _audited(world, MemoryStore())
    assert _named(result) == []
    assert result.accounts["counting"].received == 1
    assert result.notes[0].startswith("1 messages were in batches that a process did not finish")


async def test_what_was_brought_back_in_is_accounted_for(world: World) -> None:
    """Received + reopened = normalised + rejected + ignored."""
    store = MemoryStore()
    await world.take_in(knows_nothing(), [payload(1), poison(2)])
    await world.replay(counting_normaliser())
    await world.aggregate(store)
    result = await _audited(world, store)
    assert _named(result) == []
    assert (result.accounts["none"].received, result.accounts["none"].rejected) == (2, 2)
    assert (result.accounts["counting"].reopened, result.accounts["counting"].normalised) == (1, 1)


async def test_refused_points_are_told_from_lost_ones(world: World) -> None:
    """While they are open; a point that was brought back in and is not there is missing."""
    store = Refusing()
    await world.take_in(counting_normaliser(), [payload(1)])
    await world.aggregate(store)
    result = await _audited(world, store)
    assert _named(result) == []
    assert "1 points are refused" in result.notes[0]
    await world.replay(counting_normaliser())
    event = counting_normaliser()(Message("counting/one", payload(1), AT)).events[0]
    assert _named(await _audited(world, store)) == [("missing in the time series", event.id)]
    store.ill = False
    await world.aggregate(store)
    assert (await _audited(world, store)).differences == []


async def test_events_from_before_the_ledger_are_no_difference(world: World) -> None:
    """A site that had no ledger yet."""
    store = MemoryStore()
    old = world.batch(counting_normaliser(), [payload(1)], AT - 5 * _HOUR)
    await world.sink.send([each for each in old if each.topic != LEDGER])
    await world.take_in(counting_normaliser(), [payload(2)])
    await world.aggregate(store)
    result = await _audited(world, store)
    assert _named(result) == []
    assert result.notes == ["1 events are older than the ledger, and are counted in the event log only"]


async def test_what_the_log_does_not_keep_so_long_is_not_lost(world: World) -> None:
    """A topic has a retention; the ledger is kept longer. What should still be there and is not is still named."""
    store = MemoryStore()
    await world.take_in(counting_normaliser(), [payload(1), payload(2)])
    await world.take_in(counting_normaliser(), [payload(3), payload(4)], minute=120)
    await world.take_in(counting_normaliser(), [payload(5)], minute=125)
    await world.aggregate(store)
    for record in (await world.records(*EVENTS))[:2]:
        _delete(world, record.topic, record.value)
    result = await _audited(world, store)
    assert _named(result) == []
    assert result.notes == ["2 messages are older than the event log keeps their topic"]
    lost = (await world.records(*EVENTS))[1]
    _delete(world, lost.topic, lost.value)
    assert _named(await _audited(world, store)) == [("lost in the event log", decode(lost.value).id[:16])]
