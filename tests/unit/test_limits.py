"""Input that is made to harm: it gets a clear reason, costs a bounded amount, and hurts nobody else."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.rejection import Reason
from services.ingest.limits import TOO_FAST, TOO_MANY_METERS, Bounds, Limits
from services.ingest.normalise import MAX_PAYLOAD_BYTES, MAX_RECORDS, MAX_TOPIC_BYTES, Normaliser, Outcome
from services.ingest.profiles import Message
from tests.cases import find_cases, normaliser

AT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)
DEEP = 100_000


def _site(messages_per_minute: int = 1000, new_meters_per_h: int = 1000) -> Normaliser:
    site = normaliser(ZoneInfo("UTC"), {})
    site.limits = Limits(Bounds(messages_per_minute, new_meters_per_h))
    return site


def _message(device: str, at: datetime = AT, received_at: datetime | None = None, kwh: float = 88.5) -> Message:
    payload = json.dumps({"Time": f"{at:%Y-%m-%dT%H:%M:%S}", "ENERGY": {"Total": kwh}}).encode()
    return Message(f"tele/{device}/SENSOR", payload, received_at or at)


def _rule(outcome: Outcome) -> str | None:
    return outcome.ignored.rule if outcome.ignored else None


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "says"),
    [
        ("tele/a/SENSOR", b'{"ENERGY":{"Total":' + b"9" * 100_000 + b"}}", "bad_value", "digits"),
        ("tele/a/SENSOR", b'{"ENERGY":{"Total":1e999}}', "bad_value", "Total"),
        ("tele/a/SENSOR", b'{"ENERGY":{"Total":-1e999}}', "bad_value", "Total"),
        ("tele/a/SENSOR", b"[" * DEEP, "too_deep", "nested"),
        ("tele/a/SENSOR", b'{"a":' * 50_000, "too_deep", "nested"),
        ("tele/a/SENSOR", b'{"ENERGY":' + b"[" * DEEP + b"]" * DEEP + b"}", "too_deep", "nested"),
        ("tele/a/SENSOR", b"{}" + b" " * MAX_PAYLOAD_BYTES, "too_large", str(MAX_PAYLOAD_BYTES)),
        ("tele/" + "a" * MAX_TOPIC_BYTES + "/SENSOR", b"{}", "too_large", "topic"),
        ("/" * 60_000, b"{}", "too_large", "topic"),
        ("tele/a/SENSOR", b"\x1f\x8b\x08" + b"\0" * 1000, "not_json", "JSON"),
        ("tele/a/SENSOR", b"[" + b"{}," * 80_000 + b"{}]", "wrong_shape", "object"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "",
)
def test_a_bomb_has_a_reason(topic: str, payload: bytes, reason: Reason, says: str) -> None:
    """Numbers, nesting, arrays, topics; nothing is ever unpacked, so a compressed bomb is no JSON."""
    rejected = _site()(Message(topic, payload, AT)).rejected
    assert rejected is not None
    assert rejected.reason == reason
    assert says in rejected.detail


def test_no_bomb_is_a_defect_in_any_family() -> None:
    """The same bombs on the topics of every family: refused or ignored, never a fault of a profile."""
    bombs = (b"9" * 100_000, b"[" * DEEP, b'{"a":' * 50_000, b"\x9f" * DEEP, b"\x81" * DEEP, b"\xd8\x40" * 50_000)
    site = _site()
    for topic in sorted({case.message.topic for case in find_cases()}):
        for bomb in bombs:
            rejected = site(Message(topic, bomb, AT)).rejected
            assert rejected is None or rejected.reason != "profile_fault", (topic, rejected.detail)


def test_a_short_message_cannot_become_very_many_records() -> None:
    """A SenML pack of thousands of devices is refused as a whole, with its bytes."""
    (case,) = [each for each in find_cases() if each.profile == "senml" and each.run().events][:1]
    many = [
        {"bn": f"urn:dev:ow:{i:016x}/", "bt": 1_768_201_200, "n": "energy", "u": "kWh", "v": 1} for i in range(3000)
    ]
    outcome = _site(10**6, 10**6)(Message(case.message.topic, json.dumps(many, separators=(",", ":")).encode(), AT))
    rejected = outcome.rejected
    assert rejected is not None
    assert len(outcome.events) == 1
    assert rejected.reason == "too_large"
    assert f"more than {MAX_RECORDS} records" in rejected.detail


def test_a_device_that_goes_wild_is_held_back_and_harms_nobody() -> None:
    """Of a hundred messages for one minute of its time ten are kept; a neighbour loses none, the next minute is new."""
    site = _site(messages_per_minute=10)
    wild = [site(_message("wild", AT, kwh=88 + i / 1000)) for i in range(100)]
    calm = [site(_message("calm", AT + timedelta(seconds=10 * i))) for i in range(6)]
    assert sum(bool(each.events) for each in wild) == 10
    assert {_rule(each) for each in wild if not each.events} == {TOO_FAST}
    assert all(each.events for each in calm)
    assert site(_message("wild", AT + timedelta(minutes=1))).events


def test_what_a_broker_held_back_is_no_flood() -> None:
    """A day of readings received within one second after an outage: each has a time of its own, and all are kept."""
    site = _site(messages_per_minute=2)
    late = AT + timedelta(days=1)
    assert all(site(_message("one", AT + timedelta(minutes=i), received_at=late)).events for i in range(1440))


def test_new_meters_are_bounded_by_the_hour_and_known_ones_go_on() -> None:
    """Somebody invents meters: the first ones are taken, those that are known speak on, the next hour takes more."""
    site = _site(new_meters_per_h=5)
    first = [site(_message(f"meter-{i}")) for i in range(20)]
    assert [_rule(each) for each in first] == [None] * 5 + [TOO_MANY_METERS] * 15
    assert site(_message("meter-0", AT + timedelta(minutes=1))).events
    assert site(_message("meter-19", AT + timedelta(hours=1))).events
