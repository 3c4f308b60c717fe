"""From raw messages to all that is stored of traffic: complete without any MAPEM, and no identifier anywhere in it."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.codec import encode
from schemas.envelope import Event, key_of, topic_of
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import TAGS, milliseconds
from services.aggregator.ports import Incoming
from services.aggregator.surveyed import surveyed_junctions
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.assembly import build_normaliser
from services.ingest.codecs.its_time import to_its
from services.ingest.profiles import Message
from services.runtime.settings import AggregatorSettings, Settings
from services.simulator.formats import awareness
from tests.fakes_aggregator import MemoryLog, MemoryStore

START: Final = datetime(2026, 5, 11, 7, 0, tzinfo=UTC)
START_MS: Final = milliseconds(START)
VEHICLES: Final = (3_141_592_653, 2_718_281_828)
UNIT, ACTION = 1_618_033_988, 47_123
LATITUDE, LONGITUDE = 44.84, -0.58
NORTH_M: Final = 111_118.4
MEASUREMENTS: Final = {
    "passage",
    "signal",
    "priority",
    "hazard",
    "hazard_exposure",
    "junction_hazard",
    "station_quality",
    "traffic",
}


def _north(metres: float) -> float:
    return LATITUDE + metres / NORTH_M


def _feature(kind: str, points: Any, shape: str = "LineString", **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"kind": kind, **properties},
        "geometry": {"type": shape, "coordinates": points},
    }


def _site(folder: Path) -> Settings:
    """A junction that messages call 33:4101, with one approach from the south under signal group 1."""
    east = LONGITUDE + 15 / (NORTH_M * math.cos(math.radians(LATITUDE)))
    features = [
        _feature(
            "junction", [LONGITUDE, LATITUDE], "Point", id="place-gambetta", radius_m=400, intersections=["33:4101"]
        ),
        _feature(
            "approach", [[LONGITUDE, _north(-320)], [LONGITUDE, _north(0)]],
            junction="place-gambetta", approach=1, signal_group=1,
        ),
        _feature(
            "stop_line", [[2 * LONGITUDE - east, _north(-12)], [east, _north(-12)]],
            junction="place-gambetta", approach=1,
        ),
    ]  # fmt: skip
    path = folder / "junctions.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return Settings(storage="embedded", junctions_file=path)


def _message(kind: str, source: str, at_ms: int, body: dict[str, Any]) -> Message:
    envelope = {"message_type": kind, "version": "2.0.1", "source_uuid": source, "timestamp": at_ms, "message": body}
    received_at = START + timedelta(milliseconds=at_ms - START_MS + 100)
    return Message(f"bx/outQueue/v2x/{kind}/{source}/0/3/1", json.dumps(envelope).encode(), received_at)


def _drive(station_id: int, from_s: int) -> Iterator[Message]:
    """330 m up to the junction and 60 m beyond it, at 12 m/s, once a second."""
    for second in range(33):
        at_ms = START_MS + 1000 * (from_s + second) + 200
        latitude = _north(-330 + 12 * second)
        said = awareness(station_id, at_ms, round(latitude * 1e7), round(LONGITUDE * 1e7), 1200, 0)
        yield Message(said.topic, said.payload, START + timedelta(milliseconds=at_ms - START_MS + 100))


def _signals() -> Iterator[Message]:
    minute = (START_MS - milliseconds(datetime(2026, 1, 1, tzinfo=UTC))) // 60_000
    for second in range(120):
        event = {"event_state": 6 if second < 100 else 3, "timing": {"min_end_time": 1000}}
        state = {
            "id": {"region": 33, "id": 4101}, "revision": 2, "moy": minute + second // 60,
            "time_stamp": 1000 * (second % 60), "states": [{"signal_group": 1, "state_time_speed": [event]}],
        }  # fmt: skip
        yield _message(
            "spatem", f"rsu_{UNIT}", START_MS + 1000 * second, {"station_id": UNIT, "intersections": [state]}
        )


def _others() -> Iterator[Message]:
    """A queue on the approach, a bus that asks for priority, and the answer."""
    detected = to_its(START_MS + 5000)
    management = {
        "action_id": {"originating_station_id": UNIT, "sequence_number": ACTION},
        "detection_time": detected, "reference_time": detected, "validity_duration": 60, "station_type": 15,
        "event_position": {"latitude": round(_north(-20) * 1e7), "longitude": round(LONGITUDE * 1e7)},
    }  # fmt: skip
    situation = {"information_quality": 5, "event_type": {"cause": 27, "subcause": 1}}
    body = {"station_id": UNIT, "management": management, "situation": situation}
    yield _message("denm", f"rsu_{UNIT}", START_MS + 5500, body)
    place = {"latitude": round(_north(-200) * 1e7), "longitude": round(LONGITUDE * 1e7)}
    request = {"id": {"region": 33, "id": 4101}, "request_id": 9, "request_type": 1}
    requestor = {"id": VEHICLES[0], "type": {"role": 16}, "position": {"position": place}}
    srem = {"station_id": VEHICLES[0], "second": 6000, "requests": [{"request": request}], "requestor": requestor}
    yield _message("srem", f"com_car_{VEHICLES[0]}", START_MS + 6000, srem)
    answer = {"requester": {"id": VEHICLES[0], "request": 9, "sequence_number": 3}, "status": 4}
    status = {"sequence_number": 1, "id": {"region": 33, "id": 4101}, "sig_status": [answer]}
    yield _message("ssem", f"rsu_{UNIT}", START_MS + 7000, {"station_id": UNIT, "second": 7000, "status": [status]})


async def _stored(folder: Path) -> tuple[dict[Any, Any], set[str]]:
    """All that is stored, and the pseudonyms that the log has."""
    settings = _site(folder)
    normaliser, _ = build_normaliser(settings, trial=True)
    messages = [*_drive(VEHICLES[0], 0), *_drive(VEHICLES[1], 10), *_signals(), *_others()]
    incoming: list[Incoming] = []
    for message in sorted(messages, key=lambda each: each.received_at):
        outcome = normaliser(message)
        assert outcome.rejected is None
        incoming += [_incoming(event, len(incoming) + number) for number, event in enumerate(outcome.events)]
    log, store = MemoryLog(incoming), MemoryStore()
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    surveyed = surveyed_junctions(settings.junctions_file)
    zone, aggregator = ZoneInfo("Europe/Paris"), AggregatorSettings()
    pipeline = Pipeline(log, store, sealing, aggregator, zone, AggregatorTelemetry(), surveyed)
    while batch := await log.poll(50, 0.01):
        await pipeline.store(batch)
    named = {word for each in incoming for word in each.value.decode().split('"') if word[:2] in {"v_", "a_"}}
    return store.content, named


def _incoming(event: Event, offset: int) -> Incoming:
    record = event.record
    at_ms = milliseconds(record.received_at)
    return Incoming(topic_of(record), 0, offset, key_of(record).encode(), encode(event), at_ms)


async def test_raw_messages_and_the_file_make_everything_that_is_told_of_a_junction(tmp_path: Path) -> None:
    """No MAPEM in the world: two passages on green, one request and its grant, one hazard that both cars pass."""
    content, _ = await _stored(tmp_path)
    rows = {
        name: [row for (of, _), at in content.items() if of == name for row in at.values()] for name in MEASUREMENTS
    }
    assert sum(row["passages"] for row in rows["passage"]) == 2
    assert sum(row["arrival_green"] for row in rows["passage"]) == 2
    for where in ("hazard", "junction_hazard"):
        assert [(row["hazards"], row["duration_s"], row["dissemination_s"]) for row in rows[where]] == [(1, 60.0, 0.6)]
    assert sum(row["aware_vehicles"] for row in rows["hazard_exposure"]) == 2
    assert sum(row["requests"] for row in rows["priority"]) == 1
    assert sum(row["messages"] for row in rows["signal"]) == 120
    assert sum(row["messages"] for row in rows["station_quality"]) == 2 * 33 + 120


async def test_all_of_traffic_is_tagged_by_junction_approach_type_or_cause_and_names_nobody(tmp_path: Path) -> None:
    """No station, action, source or pseudonym is in a tag or field of any point; junctions have their public name."""
    content, pseudonyms = await _stored(tmp_path)
    assert {name for name, _ in content} >= MEASUREMENTS
    assert len(pseudonyms) == 3  # two cars and an event
    identifiers = {*map(str, VEHICLES), str(UNIT), f"{UNIT}:{ACTION}", "com_car", "rsu_", *pseudonyms}
    for (name, tags), times in content.items():
        assert tuple(tag for tag, _ in tags) == TAGS[name]
        assert dict(tags).get("zone", "place-gambetta") == "place-gambetta"
        written = json.dumps([tags, list(times.values())])
        assert [each for each in identifiers if each in written] == [], name
