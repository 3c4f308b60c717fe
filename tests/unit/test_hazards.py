"""Hazards and priority: lives and answers from the set of messages, and points that no order changes."""

import functools
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.envelope import Event, key_of, topic_of
from schemas.mobility import Position, PriorityRequest, PriorityStatus, RoadHazard
from services.aggregator.mobility.announcements import Known, known_of
from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.hazards import active_at, exposed_to, hazards_of, speed_response_mps
from services.aggregator.mobility.priority import priorities_of
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import TAGS, milliseconds
from services.aggregator.ports import Incoming
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import Crash, MemoryLog, MemoryStore

START = datetime(2026, 5, 11, 7, 0, tzinfo=UTC)
PLACE = Position(latitude_deg=44.84, longitude_deg=-0.58)
NORTH_M = 111_118.4


def _denm(reference_s: int, received_s: float | None = None, **changes: Any) -> RoadHazard:
    at = START + timedelta(seconds=reference_s)
    late_s = reference_s + 0.1 if received_s is None else received_s
    ended = {"ends_at": at} if changes.get("termination") else {}
    return RoadHazard(
        **{
            "observed_at": at,
            "received_at": START + timedelta(seconds=late_s),
            "clock": "its",
            "action_id": "a_0000000000000001",
            "station_type": 15,
            "detection_time": START,
            "ends_at": START + timedelta(seconds=600),
            "validity_s": 600,
            "cause_code": 27,
            "sub_cause_code": 1,
            "position": PLACE,
            "relevance_distance_m": 500.0,
            **ended,
            **changes,
        }
    )


def test_a_late_repetition_does_not_open_an_event_again() -> None:
    """Cancelled at 200 s; what was announced before and comes after it changes neither end nor updates."""
    records = [_denm(0), _denm(30), _denm(200, termination="cancellation"), _denm(30, 260)]
    (hazard,) = hazards_of(records)
    assert (hazard.duration_s, hazard.ending, hazard.updates) == (200, "cancellation", 1)
    assert active_at([hazard], START + timedelta(seconds=199)) == [hazard]
    assert active_at([hazard], START + timedelta(seconds=261)) == []


def test_the_first_reception_is_the_dissemination() -> None:
    """However often it is repeated."""
    (hazard,) = hazards_of([_denm(0, 4.0), _denm(0, 0.5), _denm(0, 9.0)])
    assert hazard.dissemination_s == 0.5


def _fix(vehicle: int, second: int, before_m: float, speed_mps: float, heading_deg: float = 0.0) -> Fix:
    at_ms = milliseconds(START) + 1000 * second
    return Fix(f"v_{vehicle:016x}", at_ms, 44.84 - before_m / NORTH_M, -0.58, speed_mps, heading_deg, 5, 0)


def test_exposed_are_vehicles_in_place_and_time_counted_once() -> None:
    """One is near twice, one is far, one comes when all is over."""
    (hazard,) = hazards_of([_denm(0)])
    fixes = [_fix(1, 10, 100, 10), _fix(1, 11, 90, 10), _fix(2, 10, 900, 10), _fix(3, 601, 100, 10)]
    assert exposed_to(hazard, fixes) == 1


def test_the_speed_response_compares_two_bands_before_the_event() -> None:
    """12 m/s at 300 to 200 m, 8 m/s in the last 100 m; who goes away from it does not count; two are too few."""
    (hazard,) = hazards_of([_denm(0)])
    far = [_fix(number, 10, 250, 12) for number in range(3)]
    near = [_fix(number, 30, 50, 8) for number in range(3)]
    away = [_fix(9, 30, 50, 30, heading_deg=180.0)]
    assert speed_response_mps(hazard, [*far, *near, *away]) == -4
    assert speed_response_mps(hazard, [*far, *near[:2]]) is None


def _request(second: int, kind: str = "request") -> PriorityRequest:
    at = START + timedelta(seconds=second)
    return PriorityRequest(
        observed_at=at, received_at=at, clock="its", intersection="33:4101", requestor="v_0000000000000001",
        request_id=4, request_type=kind, role=1,
    )  # fmt: skip


def _status(second: int, status: int) -> PriorityStatus:
    at = START + timedelta(seconds=second)
    return PriorityStatus(
        observed_at=at, received_at=at, clock="its", intersection="33:4101", requestor="v_0000000000000001",
        request_id=4, status=status,
    )  # fmt: skip


def test_a_request_with_updates_is_one_request_that_was_granted() -> None:
    """Answered after one second, granted after five, in any order and twice over."""
    requests = [_request(0), _request(3, "update"), _request(3, "update")]
    statuses = [_status(5, 4), _status(1, 2), _status(5, 4)]
    (found,) = priorities_of(requests, statuses)
    assert (found.outcome, found.updates, found.answered_s, found.granted_s) == ("granted", 1, 1, 5)


def test_a_refused_and_an_unanswered_request_are_told_apart() -> None:
    """An id that was quiet for more than five minutes is a new request."""
    refused, unanswered = priorities_of([_request(0), _request(400)], [_status(2, 5)])
    assert (refused.outcome, refused.rejected_status, refused.granted_s) == ("rejected", 5, None)
    assert (unanswered.outcome, unanswered.answered_s) == ("unanswered", None)


def _incoming(record: RoadHazard, number: int) -> Incoming:
    event = Event(f"{number:032x}", "its_client_json", record)
    at_ms = milliseconds(record.received_at)
    return Incoming(topic_of(record), 0, 0, key_of(record).encode(), encode(event), at_ms)


async def _run(log: MemoryLog, store: MemoryStore, batch: int) -> None:
    log.restart()
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    pipeline = Pipeline(log, store, sealing, AggregatorSettings(), ZoneInfo("Europe/Paris"), AggregatorTelemetry())
    while records := await log.poll(batch, 0.01):
        await pipeline.store(records)


@st.composite
def _messages(draw: st.DrawFn) -> list[RoadHazard]:
    """Two events with updates, changed causes, ends without a cause, and ids that are used again."""
    records = []
    for _ in range(draw(st.integers(1, 12))):
        reference_s = draw(st.integers(0, 5)) * 30
        changes: dict[str, Any] = {
            "action_id": f"a_{draw(st.integers(1, 2)):016x}",
            "cause_code": draw(st.sampled_from([27, 27, 94, None])),
            "termination": draw(st.sampled_from([None, None, "cancellation", "negation"])),
            "detection_time": START + timedelta(hours=draw(st.sampled_from([0, 0, 0, 2]))),
        }
        records.append(_denm(reference_s, reference_s + draw(st.integers(0, 90)), **changes))
    return records


def test_an_event_that_is_updated_for_hours_stays_small_in_any_order() -> None:
    """Two thousand updates fit into a field, and the newest still says how it ends."""
    said = [known_of(_denm(second)) for second in range(2000)]
    forwards = functools.reduce(Known.merge, said)
    assert functools.reduce(Known.merge, reversed(said)) == forwards
    assert max(forwards.announcements)[0] == milliseconds(START) + 1_999_000
    assert len(forwards.text.encode()) < 65_536


@given(
    records=_messages(),
    seed=st.integers(0, 2**32),
    batch=st.integers(1, 6),
    crashes=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 6)), max_size=4),
)
@settings(max_examples=200, deadline=None)
async def test_order_copies_batches_and_crashes_change_no_hazard_that_is_stored(
    records: list[RoadHazard], seed: int, batch: int, crashes: list[tuple[int, int]]
) -> None:
    """Any permutation with copies, kills between any two points: the same points; one hazard for each event."""
    expected, chance = MemoryStore(), random.Random(seed)  # noqa: S311
    log = [_incoming(each, number) for number, each in enumerate(records)]
    await _run(MemoryLog(log), expected, 100)
    shuffled = log + chance.sample(log, k=len(log) // 2)
    chance.shuffle(shuffled)
    partial, store = MemoryLog(shuffled), MemoryStore()
    for points, other_batch in crashes:
        store.crash_after = points
        try:
            await _run(partial, store, other_batch)
        except Crash:
            continue
    store.crash_after = None
    await _run(partial, store, batch)
    assert store.content == expected.content
    rows = [row for (name, _), times in store.content.items() if name == "hazard" for row in times.values()]
    assert sum(int(row["hazards"]) for row in rows) == len({(each.action_id, each.detection_time) for each in records})
    assert {tuple(name for name, _ in tags) for _, tags in store.content} == {TAGS["hazard"]}
    assert "a_0000" not in repr(rows)
