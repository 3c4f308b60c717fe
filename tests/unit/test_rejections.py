"""The way back in: what was refused is listed, comes back once with the events it would have had, and is settled."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.codec import CodecError, decode
from schemas.energy import OutdoorTemperature
from schemas.envelope import Event
from services.aggregator.pipeline import Sealing
from services.aggregator.ports import Incoming, Point, Refusal
from services.aggregator.scanning import EVENTS, LEDGER, REJECTED
from services.ingest.pipeline import outgoing
from services.ingest.ports import Outgoing, Unavailable
from services.ingest.profiles import Message
from services.ingest.pseudonyms import Keys
from services.operations.rejections import Wanted, counted, find_rejections
from services.operations.replaying import Replay
from tests.fakes import counting_normaliser, payload, poison
from tests.operated import AT, KEYS, Refusing, World, knows_nothing


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An empty event log."""
    async with World(tmp_path) as made:
        yield made


async def test_after_a_mend_refused_messages_become_the_events_they_would_have_been(world: World) -> None:
    """Same ids, original receive time; the log holds them once, and nothing is open any more."""
    payloads = [payload(number) for number in range(300)]
    await world.take_in(knows_nothing(), payloads)
    assert len(await world.open_ids()) == 300
    replayed = await world.replay(counting_normaliser())
    assert {each.outcome for each in replayed} == {"normalised"}
    events = [decode(each.value) for each in await world.records(*EVENTS)]
    mended = counting_normaliser()
    wanted = [
        mended(Message("counting/one", each, AT + timedelta(seconds=i))).events[0] for i, each in enumerate(payloads)
    ]
    assert sorted(events, key=lambda each: each.id) == sorted(wanted, key=lambda each: each.id)
    assert await world.open_ids() == set()


async def test_doing_it_twice_changes_nothing(world: World) -> None:
    """What is settled is not touched again."""
    await world.take_in(knows_nothing(), [payload(1), payload(2)])
    await world.replay(counting_normaliser())
    before = await world.records(*EVENTS, REJECTED, LEDGER)
    assert await world.replay(counting_normaliser()) == []
    assert await world.records(*EVENTS, REJECTED, LEDGER) == before


async def test_what_is_refused_again_stays_the_rejection_that_it_is(world: World) -> None:
    """Nothing is written for it, and its neighbours come back in."""
    await world.take_in(knows_nothing(), [poison(1), payload(2), poison(3)])
    before = await world.records(REJECTED)
    outcomes = [each.outcome for each in await world.replay(counting_normaliser())]
    assert sorted(outcomes) == ["normalised", "still refused", "still refused"]
    assert await world.records(REJECTED) == before
    assert len(await world.open_ids()) == 2


async def test_a_dry_run_writes_nothing(world: World) -> None:
    """It says what would become of them."""
    await world.take_in(knows_nothing(), [payload(1)])
    before = await world.records(*EVENTS, REJECTED, LEDGER)
    assert [each.outcome for each in await world.replay(counting_normaliser(), dry=True)] == ["normalised"]
    assert await world.records(*EVENTS, REJECTED, LEDGER) == before


async def test_a_replay_that_ends_before_the_ledger_has_it_is_done_again_with_the_same_ids(world: World) -> None:
    """The log has the event twice then, as after any redelivery."""
    await world.take_in(knows_nothing(), [payload(1)])

    class _Cut:
        async def send(self, batch: Sequence[Outgoing]) -> None:
            await world.sink.send([each for each in batch if each.topic != LEDGER])
            raise KeyboardInterrupt

    found = (await find_rejections(world.scan, Wanted())).still_open()
    with pytest.raises(KeyboardInterrupt):
        async for _ in Replay(world.scan, _Cut(), counting_normaliser(), KEYS).run(found):
            pass
    assert len(await world.open_ids()) == 1
    await world.replay(counting_normaliser())
    ids = [decode(each.value).id for each in await world.records(*EVENTS)]
    assert (len(ids), len(set(ids))) == (2, 1)


async def test_under_another_key_nothing_can_be_brought_back(world: World) -> None:
    """It is said, and the rejection stays."""
    await world.take_in(knows_nothing(), [payload(1)])
    found = (await find_rejections(world.scan, Wanted())).still_open()
    replay = Replay(world.scan, world.sink, counting_normaliser(), Keys(b"x" * 32))
    assert [each.outcome async for part in replay.run(found) for each in part] == ["another key"]
    assert len(await world.open_ids()) == 1


async def test_filters_and_counts(world: World) -> None:
    """By reason, stage, profile and time; stats say what is open and what is settled."""
    await world.take_in(knows_nothing(), [payload(1), payload(2)])
    await world.take_in(counting_normaliser(), [poison(3)], minute=10)
    assert [
        each.outcome for each in await world.replay(counting_normaliser(), reason="no_profile", profile="none")
    ] == ["normalised"] * 2
    everything = (await find_rejections(world.scan, Wanted())).all()
    assert [(line.reason, line.profile, line.open, line.settled) for line in counted(everything)] == [
        ("not_json", "counting", 1, 0),
        ("no_profile", "none", 0, 2),
    ]
    late = Wanted(since=AT + timedelta(minutes=5))
    assert [each.reason for each in (await find_rejections(world.scan, late)).all()] == ["not_json"]
    early = Wanted(until=AT + timedelta(minutes=5), stage="route")
    assert len((await find_rejections(world.scan, early)).all()) == 2


async def test_points_that_the_store_refused_come_back_after_its_mend(world: World) -> None:
    """Their events go through the aggregator once more; refused again they are open again, settled they are not."""
    store = Refusing()
    await world.take_in(counting_normaliser(), [payload(1), payload(2)])
    await world.aggregate(store)
    refused = await world.open_ids()
    assert len(refused) == 2
    assert [each.outcome for each in await world.replay(counting_normaliser())] == ["appended"] * 2
    assert await world.open_ids() == set()
    await world.aggregate(store)
    assert await world.open_ids() == refused, "refused again"
    store.ill = False
    await world.replay(counting_normaliser())
    await world.aggregate(store)
    assert await world.open_ids() == set()
    assert len(await store.select("weather")) == 2
    assert len({decode(each.value).id for each in await world.records(*EVENTS)}) == 2


async def test_a_point_that_line_protocol_cannot_say_is_kept_too(world: World) -> None:
    """Not a number, a name that cannot be written: it goes to the rejected, the aggregator goes on."""
    sealing = Sealing(KEYS.seal, "d_0000000000000001")
    point = Point("weather", (("station", "s"),), (("temperature_degc", float("nan")),), 1_768_000_000_000_000_000)
    await world.sink.send([Outgoing(REJECTED, *sealing.of_point(Refusal(point, "refused", "not a number")))])
    assert [each.outcome for each in await world.replay(counting_normaliser())] == ["gone"]
    assert len(await world.open_ids()) == 1


async def test_a_record_that_was_no_event_comes_back_when_it_is_one(world: World) -> None:
    """A newer Garonne may know its kind; bytes that are still none stay rejected."""
    record = OutdoorTemperature(observed_at=AT, received_at=AT, clock="epoch_s", station="s", temperature_degc=1)
    good = outgoing(Event("0" * 32, "senml", record))
    sealing = Sealing(KEYS.seal, "d_0000000000000001")
    for content in (good.value, b"{}"):
        incoming = Incoming("garonne.energy", 0, 0, b"", content, good.timestamp_ms)
        unwanted = sealing.of_record(incoming, _problem())
        await world.sink.send([Outgoing(REJECTED, *unwanted)])
    assert sorted(each.outcome for each in await world.replay(counting_normaliser())) == ["appended", "still refused"]
    assert [each.value for each in await world.records(*EVENTS)] == [good.value]


def _problem() -> CodecError:
    return CodecError("data: no such kind")


async def test_a_log_that_takes_nothing_leaves_everything_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some tries the command says so; nothing is lost."""
    await world.take_in(knows_nothing(), [payload(1)])

    class _Down:
        async def send(self, batch: Sequence[Outgoing]) -> None:
            del batch
            raise Unavailable("down")

    monkeypatch.setattr("services.operations.replaying.Backoff.next_s", lambda _self: 0.0)
    found = (await find_rejections(world.scan, Wanted())).still_open()
    with pytest.raises(Unavailable):
        async for _ in Replay(world.scan, _Down(), counting_normaliser(), KEYS).run(found):
            pass
    assert len(await world.open_ids()) == 1
