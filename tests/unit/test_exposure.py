"""Exposure to hazards and the response of drivers: from messages of one junction, the same in any order, of nobody."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import decode, encode
from schemas.envelope import AnyRecord, Event, key_of, topic_of
from schemas.mobility import HazardNearby, Position, RoadHazard, VehicleState
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import TAGS, milliseconds
from services.aggregator.ports import Incoming
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.codecs.its_hazard import road_hazard
from services.ingest.codecs.its_time import to_its
from services.ingest.codecs.its_tree import Arrival, fold
from services.ingest.profiles import Context, Message
from services.ingest.zones import nearby_of, zones_of
from services.runtime.junctionfile import read_junctions
from services.runtime.settings import AggregatorSettings
from tests.cases import NAMES, NoJunctions
from tests.fakes_aggregator import Crash, MemoryLog, MemoryStore

START = datetime(2026, 5, 11, 7, 0, tzinfo=UTC)
ZONE = "33:4101"
NORTH_M = 111_118.4
WITHOUT_CAUSE = ("hazard_exposure", (("cause", "none"), ("zone", ZONE)))
PLACE = Position(latitude_deg=44.84, longitude_deg=-0.58)


def _after(second: float) -> datetime:
    return START + timedelta(milliseconds=round(1000 * second))


def _denm(reference_s: float = 0, late_s: float = 0.5, **changes: Any) -> HazardNearby:
    """An event 600 s after the start, valid for ten minutes, at the end of a queue."""
    at = _after(600 + reference_s)
    said = {
        "zone": ZONE,
        "action_id": "a_0000000000000001",
        "detection_time": _after(600),
        "ends_at": at if changes.get("termination") else _after(1200),
        "cause_code": 27,
        "position": PLACE,
        "relevance_distance_m": 200.0,
    }
    times = {"observed_at": at, "received_at": at + timedelta(seconds=late_s), "clock": "its"}
    return HazardNearby(**{**times, **said, **changes})


def _cam(vehicle: int, second: float, before_m: float, speed_mps: float, late_s: float = 0.1) -> VehicleState:
    at = _after(second)
    place = Position(latitude_deg=round(44.84 - before_m / NORTH_M, 7), longitude_deg=-0.58)
    return VehicleState(
        observed_at=at, received_at=at + timedelta(seconds=late_s), clock="its", zone=ZONE,
        vehicle=f"v_{vehicle:016x}", station_type=5, position=place, speed_mps=speed_mps, heading_deg=0.0,
    )  # fmt: skip


def _drive(vehicle: int, from_s: float, far_mps: float, near_mps: float) -> list[VehicleState]:
    """From 330 m before the event to 20 m before it, once a second; slower in the last 150 m."""
    records, before_m, second = [], 330.0, from_s
    while before_m > 20:
        speed_mps = far_mps if before_m > 150 else near_mps
        records.append(_cam(vehicle, second, before_m, speed_mps))
        before_m, second = before_m - speed_mps, second + 1
    return records


def _incoming(record: AnyRecord, number: int) -> Incoming:
    event = Event(f"{number:032x}", "its_client_json", record)
    return Incoming(topic_of(record), 0, 0, key_of(record).encode(), encode(event), milliseconds(record.received_at))


async def _run(log: MemoryLog, store: MemoryStore, batch: int) -> None:
    log.restart()
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    pipeline = Pipeline(log, store, sealing, AggregatorSettings(), ZoneInfo("Europe/Paris"), AggregatorTelemetry())
    while records := await log.poll(batch, 0.01):
        await pipeline.store(records)


def _of(store: MemoryStore) -> dict[Any, Any]:
    """What is stored of hazards at the junction: exposure by minute, and the life of each event."""
    return {key: times for key, times in store.content.items() if key[0] in {"hazard_exposure", "junction_hazard"}}


async def _stored(records: Sequence[AnyRecord], batch: int = 10_000) -> dict[Any, Any]:
    store = MemoryStore()
    await _run(MemoryLog([_incoming(each, number) for number, each in enumerate(records)]), store, batch)
    return _of(store)


async def _total(records: Sequence[AnyRecord], cause: str = "27") -> dict[str, float]:
    """The sum of each field over all minutes of a cause."""
    series = (await _stored(records)).get(("hazard_exposure", (("cause", cause), ("zone", ZONE))), {})
    total: dict[str, float] = {}
    for row in series.values():
        for name, value in row.items():
            total[name] = total.get(name, 0) + value
    return total


def _response_mps(total: dict[str, float], whose: str) -> float:
    """Mean speed in the last 100 m, less that of 300 to 200 m before the event."""
    return total[f"{whose}_near_mps"] / total[f"{whose}_near"] - total[f"{whose}_far_mps"] / total[f"{whose}_far"]


def _before_and_after() -> list[AnyRecord]:
    """Six cars before the event, that go on at 14 m/s; six while it is known, that slow down to 8."""
    before: list[AnyRecord] = [each for car in range(6) for each in _drive(car, 60 + 70 * car, 14, 14)]
    after = [each for car in range(6) for each in _drive(10 + car, 610 + 70 * car, 14, 8)]
    return sorted([*before, _denm(), *after], key=lambda each: each.received_at)


async def test_who_was_warned_slows_down_and_who_passed_before_did_not() -> None:
    """The response with awareness is 8 less 14 m/s; without, before it, there is none."""
    total = await _total(_before_and_after())
    assert (total["aware_vehicles"], total["unaware_vehicles"]) == (6, 6)
    assert _response_mps(total, "aware") == pytest.approx(-6)
    assert _response_mps(total, "unaware") == pytest.approx(0)


async def test_exposed_is_who_is_in_reach_and_on_the_way_while_the_event_lives() -> None:
    """200 m are the relevance zone: one inside, one further away, one before the detection, one after the end."""
    cars: list[AnyRecord] = [
        _cam(1, 660, 190, 10),
        _cam(2, 660, 210, 10),
        _cam(3, 590, 190, 10),
        _cam(4, 1201, 190, 10),
    ]
    total = await _total([_denm(), *cars])
    assert (total["aware_vehicles"], total["unaware_vehicles"]) == (1, 1)
    opposite = _denm(event_heading_deg=180.0, relevance_direction=1)
    assert (await _total([opposite, *cars]))["aware_vehicles"] == 0


async def test_nobody_is_aware_before_the_first_message_was_received() -> None:
    """A DENM that took 40 s: who passed meanwhile was not warned."""
    total = await _total([_denm(late_s=40), _cam(1, 630, 100, 10), _cam(2, 650, 100, 10)])
    assert (total["aware_vehicles"], total["unaware_vehicles"]) == (1, 1)


async def test_the_life_of_an_event_stands_at_each_junction_that_it_was_told_to() -> None:
    """Cause, duration until the cancellation, dissemination, updates; other junctions have points of their own."""
    records = [_denm(), _denm(30), _denm(90, termination="cancellation", cause_code=None), _denm(zone="33:4102")]
    stored = await _stored(records)
    said = {}
    for (name, tags), times in stored.items():
        if name == "junction_hazard" and dict(tags)["cause"] == "27":
            (row,) = times.values()
            said[dict(tags)["zone"]] = (row["hazards"], row["duration_s"], row["dissemination_s"], row["updates"])
    assert said == {ZONE: (1, 90.0, 0.5, 1), "33:4102": (1, 600.0, 0.5, 0)}


async def test_two_messages_of_one_danger_count_a_vehicle_once() -> None:
    """Three stations announce the same queue, as events of their own: one car is one car."""
    announced = [_denm(action_id=f"a_{number:016x}") for number in range(3)]
    total = await _total([*announced, _cam(1, 660, 100, 10)])
    assert (total["events"], total["aware_vehicles"]) == (3, 1)


@pytest.mark.parametrize("late_s", [0.5, 500])
async def test_an_event_that_was_called_off_exposes_nobody_after(late_s: float) -> None:
    """Also when the cancellation, which names no cause, is received after the cars were counted: minutes go to zero."""
    cars: list[AnyRecord] = [_cam(number, 610 + 60 * number, 100, 10) for number in range(9)]
    off = _denm(100, late_s, termination="cancellation", cause_code=None)
    records = sorted([_denm(), *cars, off], key=lambda each: each.received_at)
    for batch in (1, 100):
        stored = await _stored(records, batch)
        rows = stored["hazard_exposure", (("cause", "27"), ("zone", ZONE))]
        assert sum(row["aware_vehicles"] for row in rows.values()) == 2
        assert all(row["aware_vehicles"] == 0 for row in stored.get(WITHOUT_CAUSE, {}).values())


async def test_no_point_names_a_vehicle_or_an_event() -> None:
    """Tags are cause and junction; no tag or field holds a pseudonym."""
    stored = await _stored(_before_and_after())
    assert {(name, tuple(tag for tag, _ in tags)) for name, tags in stored} == {
        ("hazard_exposure", TAGS["hazard_exposure"]),
        ("junction_hazard", TAGS["junction_hazard"]),
    }
    assert "v_0" not in repr(stored)
    assert "a_0" not in repr(stored)


@st.composite
def _messages(draw: st.DrawFn) -> list[AnyRecord]:
    """Events with updates and ends, of two causes, on time and late; vehicles before, during and after them."""
    records: list[AnyRecord] = []
    late = st.sampled_from([0.1, 0.5, 0.5, 70, 1500])
    for _ in range(draw(st.integers(1, 6))):
        reference_s = draw(st.sampled_from([0, 0, 30, 300, 1500]))
        changes: dict[str, Any] = {
            "action_id": f"a_{draw(st.integers(1, 2)):016x}",
            "cause_code": draw(st.sampled_from([27, 94, None])),
            "termination": draw(st.sampled_from([None, None, "cancellation"])),
        }
        if changes["termination"] is None and draw(st.booleans()):
            changes["ends_at"] = _after(3000)
        records.append(_denm(reference_s, draw(late), **changes))
    for _ in range(draw(st.integers(1, 12))):
        second = draw(st.sampled_from([0, 590, 600, 660, 1190, 1500, 2900])) + draw(st.integers(0, 40)) / 10
        before_m = draw(st.sampled_from([-20, 50, 150, 250]))
        records.append(_cam(draw(st.integers(1, 3)), second, before_m, draw(st.integers(0, 15)), draw(late)))
    return records


@given(
    records=_messages(),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 8),
    crashes=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 8)), max_size=3),
)
@settings(max_examples=150, deadline=None)
async def test_order_copies_batches_and_crashes_change_nothing_that_is_stored(
    records: list[AnyRecord], seed: int, batch: int, crashes: list[tuple[int, int]]
) -> None:
    """Promise 2: any permutation with copies, in any batches, with kills between any two points: the same points."""
    chance = random.Random(seed)  # noqa: S311
    expected = await _stored(records)
    shuffled = records + chance.sample(records, k=len(records) // 3)
    chance.shuffle(shuffled)
    log, store = MemoryLog([_incoming(each, number) for number, each in enumerate(shuffled)]), MemoryStore()
    for points, other_batch in crashes:
        store.crash_after = points
        try:
            await _run(log, store, other_batch)
        except Crash:
            continue
    store.crash_after = None
    await _run(log, store, batch)
    assert _of(store) == expected


@pytest.mark.parametrize("batch", [1, 50])
async def test_memory_that_forgets_changes_nothing(batch: int) -> None:
    """Five hours of cars and hazards, and late messages about the first of them: the log is read again."""
    records: list[AnyRecord] = [_cam(number % 5, 100.0 * number, 100, 10) for number in range(180)]
    for hour in range(5):
        action = f"a_{hour:016x}"
        at: dict[str, Any] = {
            "detection_time": _after(600 + 3600 * hour),
            "ends_at": _after(1200 + 3600 * hour),
            "action_id": action,
        }
        records.append(_denm(3600 * hour, **at))
    records += [_cam(7, 700, 100, 10, late_s=12_000), _denm(30, late_s=900, action_id="a_0000000000000000")]
    records.sort(key=lambda each: each.received_at)
    assert await _stored(records, batch) == await _stored(records)


def _site(folder: Path) -> Context:
    """Two junctions 400 m apart, and a third 3 km away."""
    places = (("near", 0), ("next", 400), ("far", 3000))
    features = [
        {
            "type": "Feature",
            "properties": {"id": name, "radius_m": 100},
            "geometry": {"type": "Point", "coordinates": [-0.58, 44.84 + north_m / NORTH_M]},
        }
        for name, north_m in places
    ]
    path = folder / "junctions.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    file = read_junctions(path)
    return Context(names=NAMES, zones=zones_of(file), nearby=nearby_of(file))


def _said(context: Context, relevance: int | None, latitude: int = 448_400_000) -> tuple[AnyRecord, ...]:
    management: dict[str, Any] = {
        "actionID": {"originatingStationID": 7, "sequenceNumber": 1},
        "detectionTime": to_its(milliseconds(START)),
        "referenceTime": to_its(milliseconds(START)),
        "eventPosition": {"latitude": latitude, "longitude": -5_800_000},
    }
    if relevance is not None:
        management["relevanceDistance"] = relevance
    return road_hazard(fold({"management": management}), Arrival(Message("t", b"", START), context))


@pytest.mark.parametrize(
    ("relevance", "zones"), [(2, ["near"]), (3, ["near", "next"]), (7, ["near", "next"]), (None, ["near", "next"])]
)
def test_an_event_is_told_to_the_junctions_in_its_reach(
    tmp_path: Path, relevance: int | None, zones: list[str]
) -> None:
    """200 m, 500 m, over 10 km (no more than 1 km is looked at), none said: the nearest first, each under its key."""
    first, *nearby = _said(_site(tmp_path), relevance)
    assert isinstance(first, RoadHazard)
    assert [key_of(each) for each in nearby] == zones
    for each in nearby:
        assert isinstance(each, HazardNearby)
        assert (each.action_id, each.position) == (first.action_id, first.position)
        assert decode(encode(Event("0", "x", each))).record == each
        assert topic_of(each) == topic_of(first)


def test_an_event_that_no_junction_is_near_is_told_alone(tmp_path: Path) -> None:
    """Far away, without a place, or where there are only cells."""
    assert len(_said(_site(tmp_path), 3, 458_400_000)) == 1
    assert len(_said(_site(tmp_path), 3, 900_000_001)) == 1
    assert len(_said(Context(names=NAMES, zones=NoJunctions()), 3)) == 1
