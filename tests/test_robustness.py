"""Whatever bytes come on whatever topic: records, `Ignored` or `Rejected`, and no identifier in the clear."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codec import decode, encode
from schemas.rejection import Rejected
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Message, discover
from tests.cases import Case, find_cases, normaliser

CASES = find_cases()
JSON_CASES = [case for case in CASES if case.message.payload.lstrip().startswith((b"{", b"["))]
NORMALISE = normaliser(ZoneInfo("Europe/Paris"), {"SML.x": "volume total m3 water", "y": "active_power net kW"})
RECEIVED_AT = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400) | st.just("E261025023000"),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=8,
)
LEVELS = st.sampled_from(
    ["tele", "stat", "SENSOR", "STATUS10", "LWT", "teleinfo", "tempo", "status", "a", ""]
) | st.text(max_size=5)


def _assert_accounted_for(outcome: Outcome) -> None:
    """Exactly one of the three ends; events survive the way to Kafka and back; nothing is a defect of ours."""
    assert bool(outcome.events) != (outcome.ignored is not None)
    for event in outcome.events:
        assert decode(encode(event)) == event
    rejected = outcome.rejected
    assert rejected is None or rejected.reason != "profile_fault", rejected.detail


def _topics() -> st.SearchStrategy[str]:
    free = st.lists(LEVELS, min_size=1, max_size=5).map("/".join)
    return free | st.sampled_from(sorted({case.message.topic for case in CASES}))


@given(topic=_topics(), payload=st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_on_any_topic_are_accounted_for(topic: str, payload: bytes) -> None:
    """Arbitrary input gives records, `Ignored` or `Rejected`, never an exception."""
    _assert_accounted_for(NORMALISE(Message(topic, payload, RECEIVED_AT)))


def _paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        found.extend(_paths(child, (*at, key)))
    return found


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copied


def _parsed(case: Case) -> Any:
    try:
        return json.loads(case.message.payload)
    except (ValueError, RecursionError):
        return None


MUTABLE = [(case, parsed) for case in JSON_CASES if (parsed := _parsed(case)) is not None]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_message_with_wrong_parts_is_accounted_for(data: st.DataObject) -> None:
    """Golden messages in which some values were replaced by any JSON, for every profile."""
    case, value = data.draw(st.sampled_from(MUTABLE))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(_paths(value)))
        value = _replaced(value, path, data.draw(JSON))
    message = Message(case.message.topic, json.dumps(value).encode(), case.message.received_at)
    _assert_accounted_for(_site(case)(message))


@given(data=st.data())
def test_a_damaged_message_is_accounted_for(data: st.DataObject) -> None:
    """Golden messages cut short, or with bytes changed, for every profile."""
    case = data.draw(st.sampled_from(CASES))
    payload = bytearray(case.message.payload[: data.draw(st.integers(0, 4096))])
    for _ in range(data.draw(st.integers(0, 3)) if payload else 0):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    _assert_accounted_for(_site(case)(Message(case.message.topic, bytes(payload), case.message.received_at)))


def _site(case: Case) -> Normaliser:
    return normaliser(ZoneInfo(case.timezone), case.mapping)


def test_every_profile_has_messages_to_damage() -> None:
    """The tests above reach every profile."""
    assert {case.profile for case in CASES} == set(discover())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_identifier_leaves_in_the_clear(case: Case) -> None:
    """Meter numbers, delivery points and topics of the golden cases are in no event, except sealed."""
    for event in case.run().events:
        encoded = encode(event)
        for identifier in (*case.identifiers, case.message.topic):
            assert identifier.encode() not in encoded
        if isinstance(event.record, Rejected):
            assert case.message.payload not in event.record.sealed
