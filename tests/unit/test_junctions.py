"""Promise 2 for passages: what is stored is a function of the messages in the log, not of order, copies or restarts."""

import contextlib
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.envelope import AnyRecord, Event, key_of, topic_of
from schemas.mobility import IntersectionGeometry, PriorityRequest, PriorityStatus, SignalState, VehicleState
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import TAGS, milliseconds
from services.aggregator.ports import Incoming
from services.aggregator.telemetry import AggregatorTelemetry
from services.aggregator.traffic import HORIZON_MS
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import Crash, MemoryLog, MemoryStore
from tests.junctions import START, ZONE, Car, drive, geometry, heard, signals

LASTS_S = 150.0


def _incoming(record: AnyRecord, number: int) -> Incoming:
    event = Event(f"{number:032x}", "its_client_json", record)
    at_ms = milliseconds(record.received_at)
    return Incoming(topic_of(record), 0, 0, key_of(record).encode(), encode(event), at_ms)


def _cars() -> list[Car]:
    cars = [Car(0, 5.0), Car(1, 12.0, obeys=False), Car(2, 30.0)]
    drive(cars, LASTS_S)
    return cars


def _log(chance: random.Random, every: int = 10) -> list[Incoming]:
    """A map, signals and three cars, by reception; some messages come minutes and hours late."""
    records: list[AnyRecord] = [geometry(), *signals(LASTS_S, chance), *heard(_cars(), chance, every=every)]
    late = [
        each.model_copy(update={"received_at": each.received_at + timedelta(seconds=chance.choice([90, 3000, 9000]))})
        if chance.random() < 0.05
        else each
        for each in records
    ]
    return sorted((_incoming(each, number) for number, each in enumerate(late)), key=lambda each: each.timestamp_ms)


async def _run(log: MemoryLog, store: MemoryStore, batch: int) -> None:
    log.restart()
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    pipeline = Pipeline(log, store, sealing, AggregatorSettings(), ZoneInfo("Europe/Paris"), AggregatorTelemetry())
    while records := await log.poll(batch, 0.01):
        await pipeline.store(records)


async def _stored(records: Sequence[Incoming], batch: int = 10_000) -> dict[Any, Any]:
    store = MemoryStore()
    await _run(MemoryLog(records), store, batch)
    return store.content


def _passages(content: dict[Any, Any]) -> list[dict[str, Any]]:
    return [row for (name, _), times in content.items() if name == "passage" for row in times.values()]


async def test_each_car_is_one_passage_on_its_approach() -> None:
    """Three cars, one of them over the red: sums over all points say so, and points without passage say nothing."""
    content = await _stored(_log(random.Random(3)))  # noqa: S311
    rows = _passages(content)
    assert sum(row["passages"] for row in rows) == 3
    assert sum(row[name] for row in rows for name in row if name.startswith("arrival_")) == 3
    assert all(sum(map(float, row.values())) == 0 for row in rows if not row["passages"])


async def test_no_point_of_a_passage_names_its_vehicle() -> None:
    """Tags are those of the table, and no tag or field holds a pseudonym."""
    content = await _stored(_log(random.Random(3)))  # noqa: S311
    series = {tags for name, tags in content if name == "passage"}
    assert {tuple(name for name, _ in tags) for tags in series} == {TAGS["passage"]}
    assert {dict(tags)["zone"] for tags in series} == {ZONE}
    assert "v_0000" not in repr([(tags, content["passage", tags]) for tags in series])


@given(
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 300),
    crashes=st.lists(st.tuples(st.integers(0, 60), st.integers(5, 300)), max_size=3),
)
@settings(max_examples=25, deadline=None)
async def test_order_copies_batches_and_crashes_do_not_change_what_is_stored(
    seed: int, batch: int, crashes: list[tuple[int, int]]
) -> None:
    """The log as it came, in one batch, gives the same points as any permutation of it with copies and kills."""
    chance = random.Random(seed)  # noqa: S311
    records = _log(chance, every=20)
    expected = await _stored(records)
    assert sum(row["passages"] for row in _passages(expected)) >= 1
    shuffled = records + chance.sample(records, k=len(records) // 4)
    chance.shuffle(shuffled)
    log, store = MemoryLog(shuffled), MemoryStore()
    for points, other_batch in crashes:
        store.crash_after = points
        try:
            await _run(log, store, other_batch)
        except Crash:
            continue
    store.crash_after = None
    await _run(log, store, batch)
    assert store.content == expected


@pytest.mark.parametrize("batch", [1, 7, 100])
async def test_memory_that_forgets_changes_nothing(batch: int) -> None:
    """Cars of four hours, then messages of the first ones: the log is read again, and all is as in one batch."""
    chance = random.Random(9)  # noqa: S311
    records: list[AnyRecord] = []
    for hour in range(4):
        moved = timedelta(hours=hour)
        of_hour: list[VehicleState | SignalState | IntersectionGeometry] = [
            geometry(),
            *signals(LASTS_S, chance)[::5],
            *heard(_cars(), chance, every=20),
        ]
        for each in of_hour:
            at = {"observed_at": each.observed_at + moved, "received_at": each.received_at + moved}
            records.append(each.model_copy(update=at))
    late = [chance.randrange(len(records)) for _ in range(6)]
    end = max(each.received_at for each in records)
    came = [
        each.model_copy(update={"received_at": end + timedelta(seconds=1)}) if number in late else each
        for number, each in enumerate(records)
    ]
    log = sorted((_incoming(each, number) for number, each in enumerate(came)), key=lambda each: each.timestamp_ms)
    assert await _stored(log, batch) == await _stored(log)


async def test_what_comes_after_the_horizon_changes_nothing() -> None:
    """A message more than six hours late leaves every passage as it was."""
    records = _log(random.Random(3))  # noqa: S311
    car = Car(9, 40.0)
    drive([car], LASTS_S)
    late = [
        each.model_copy(update={"received_at": each.observed_at + timedelta(milliseconds=HORIZON_MS + 1)})
        for each in heard([car], random.Random(4))  # noqa: S311
    ]
    more = [_incoming(each, 10_000 + number) for number, each in enumerate(late)]
    assert _passages(await _stored([*records, *more])) == _passages(await _stored(records))


async def test_signals_that_keep_their_word_have_no_error() -> None:
    """The changes of group 1 were foretold to the tenth of a second; group 2 never changes; no copy counts."""
    shown = signals(LASTS_S, random.Random(3), loss=0.0)  # noqa: S311
    content = await _stored([_incoming(each, number) for number, each in enumerate([*shown, *shown[:9]])])
    rows = {
        group: [row for (name, tags), at in content.items() if ("signal_group", group) in tags for row in at.values()]
        for group in ("1", "2")
    }
    assert [sum(row["changes"] for row in rows[group]) for group in ("1", "2")] == [8, 0]
    assert sum(row["foretold"] for row in rows["1"]) == 8
    assert sum(row["error_s"] for row in rows["1"]) == 0
    assert sum(row["messages"] for row in rows["1"]) == LASTS_S


def _asked(second: float, number: int, kind: str, status: int | None = None) -> PriorityRequest | PriorityStatus:
    at = START + timedelta(seconds=second)
    named = {
        "observed_at": at,
        "received_at": at,
        "clock": "its",
        "intersection": ZONE,
        "requestor": f"v_{number:016x}",
        "request_id": number,
    }
    if status is not None:
        return PriorityStatus.model_validate({**named, "status": status})
    return PriorityRequest.model_validate({**named, "request_type": kind, "role": number % 2})


@given(seed=st.integers(0, 2**32), batch=st.integers(1, 10), crash=st.integers(0, 12))
@settings(max_examples=50, deadline=None)
async def test_order_copies_and_a_crash_do_not_change_what_became_of_requests(
    seed: int, batch: int, crash: int
) -> None:
    """Two buses: one is granted after four seconds, one is refused and asks again ten minutes later."""
    chance = random.Random(seed)  # noqa: S311
    records: list[AnyRecord] = [
        _asked(58, 1, "request"),
        _asked(61, 1, "update"),
        _asked(59, 1, "", 2),
        _asked(62, 1, "", 4),
        _asked(70, 2, "request"),
        _asked(71, 2, "", 5),
        _asked(670, 2, "request"),
    ]
    log = [_incoming(each, number) for number, each in enumerate(records)]
    expected = await _stored(log)
    rows = [row for (name, _), times in expected.items() if name == "priority" for row in times.values()]
    names = ("requests", "updates", "granted", "granted_s", "rejected", "unanswered", "answered")
    assert {name: sum(row[name] for row in rows) for name in names} == {
        "requests": 3, "updates": 1, "granted": 1, "granted_s": 4, "rejected": 1, "unanswered": 1, "answered": 2,
    }  # fmt: skip
    shuffled = log + chance.sample(log, k=3)
    chance.shuffle(shuffled)
    partial, store = MemoryLog(shuffled), MemoryStore()
    store.crash_after = crash
    with contextlib.suppress(Crash):
        await _run(partial, store, batch)
    store.crash_after = None
    await _run(partial, store, batch)
    assert store.content == expected


@pytest.mark.parametrize("last", [VehicleState, SignalState, IntersectionGeometry])
@pytest.mark.parametrize("batch", [40, 10_000])
async def test_whichever_kind_of_message_comes_last_its_passages_are_corrected(last: type, batch: int) -> None:
    """Maps, signals or vehicles that come after all others, one kind alone, change what stands there already."""
    chance = random.Random(5)  # noqa: S311
    records: list[AnyRecord] = [geometry(), *signals(LASTS_S, chance), *heard(_cars(), chance)]
    came = sorted(records, key=lambda each: isinstance(each, last))
    log = MemoryLog([_incoming(each, number) for number, each in enumerate(came)])
    store, first = MemoryStore(), sum(not isinstance(each, last) for each in came)
    late = [log.records["garonne.mobility"].pop() for _ in range(len(came) - first)]
    await _run(log, store, batch)
    for each in reversed(late):
        log.append(each)
    await _run(log, store, batch)
    assert store.content == await _stored([_incoming(each, number) for number, each in enumerate(records)])
    assert sum(row["passages"] for row in _passages(store.content)) == 3
