"""What is tried with the content of a message, whoever was let in: bombs, injections, forged names, floods."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.codec import encode
from schemas.energy import MeterReading
from services.aggregator.lineprotocol import line
from services.aggregator.ports import Point
from services.ingest.limits import Bounds, Limits
from services.ingest.normalise import Normaliser, Outcome
from services.ingest.profiles import Message
from tests.cases import find_cases, normaliser
from tests.security.registry import attack

AT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)
_DEVICE = "a device of a household"
_STRANGER = "who got hold of a device"


def _site(messages_per_minute: int = 1000, new_meters_per_h: int = 1000) -> Normaliser:
    site = normaliser(ZoneInfo("UTC"), {})
    site.limits = Limits(Bounds(messages_per_minute, new_meters_per_h))
    return site


def _end(outcome: Outcome) -> str:
    if outcome.rejected is not None:
        return outcome.rejected.reason
    return outcome.ignored.rule if outcome.ignored else f"{len(outcome.events)} events"


def _of(payload: bytes, topic: str = "tele/cave/SENSOR") -> str:
    return _end(_site()(Message(topic, payload, AT)))


def _reading(at: datetime, kwh: float = 88.5) -> bytes:
    return json.dumps({"Time": f"{at:%Y-%m-%dT%H:%M:%S}", "ENERGY": {"Total": kwh}}).encode()


@attack(
    "none",
    "bomb-gzip",
    who=_STRANGER,
    tries="sends compressed bytes that would unpack to gigabytes",
    refusal="not_json",
)
def _gzip(_: object) -> str:
    return _of(b"\x1f\x8b\x08" + bytes(100_000))


@attack("none", "bomb-nesting", who=_STRANGER, tries="nests 100,000 arrays", refusal="too_deep")
def _nesting(_: object) -> str:
    return _of(b"[" * 100_000)


@attack("none", "bomb-nesting-cbor", who=_STRANGER, tries="nests 20,000 arrays in CBOR", refusal="not_binary")
def _nesting_cbor(_: object) -> str:
    return _of(b"\x81" * 20_000, "senml/home-1")


@attack("none", "bomb-digits", who=_STRANGER, tries="sends a number of 100,000 digits", refusal="bad_value")
def _digits(_: object) -> str:
    return _of(b'{"ENERGY":{"Total":' + b"9" * 100_000 + b"}}")


@attack("none", "bomb-time", who=_STRANGER, tries="sends a time of 400 digits", refusal="receive time, flagged")
def _time(_: object) -> str:
    payload = b'{"energy": 88.41, "power": 312.4, "last_seen": ' + b"9" * 400 + b"}"
    (event,) = _site()(Message("zigbee2mqtt/prise", payload, AT)).events
    record = event.record
    flagged = "clock" in record.flags and record.observed_at == AT
    return "receive time, flagged" if flagged else str(record.observed_at)


@attack("none", "bomb-bytes", who=_STRANGER, tries="sends a message of 300 kB", refusal="too_large")
def _bytes(_: object) -> str:
    return _of(b"{}" + b" " * 300_000)


@attack("none", "bomb-topic", who=_STRANGER, tries="publishes on a topic of 60,000 levels", refusal="too_large")
def _topic(_: object) -> str:
    return _of(b"{}", "/" * 60_000)


@attack("none", "bomb-records", who=_STRANGER, tries="describes 3,000 meters in one message", refusal="too_large")
def _records(_: object) -> str:
    pack = [{"n": f"urn:dev:ow:{i:016x}/energy", "bt": 1_768_201_200, "u": "kWh", "v": 1} for i in range(3000)]
    return _of(json.dumps(pack).encode(), "senml/home-1")


@attack("none", "infinity", who=_STRANGER, tries="sends 1e999 as a counter", refusal="bad_value")
def _infinity(_: object) -> str:
    return _of(b'{"ENERGY":{"Total":1e999}}')


@attack("none", "not-a-number", who=_STRANGER, tries="sends NaN as a counter", refusal="not_json")
def _nan(_: object) -> str:
    return _of(b'{"ENERGY":{"Total":NaN}}')


@attack("none", "invalid-utf8", who=_STRANGER, tries="sends overlong and half characters", refusal="not_json")
def _utf8(_: object) -> str:
    return _of(b'{"ENERGY":{"Total":1,"\xc0\xaf":"\xed\xa0\x80"}}')


@attack("none", "equal-keys", who=_STRANGER, tries="says the same counter twice in one object", refusal="one reading")
def _equal_keys(_: object) -> str:
    (event,) = _site()(Message("tele/cave/SENSOR", b'{"ENERGY":{"Total":1,"Total":2}}', AT)).events
    assert isinstance(event.record, MeterReading)
    return "one reading" if [each.value for each in event.record.registers] == [2.0] else "two readings"


@attack(
    "none",
    "keys-of-objects",
    who=_STRANGER,
    tries="sends `__proto__`, `__class__` and `constructor`",
    refusal="no trace",
)
def _keys(_: object) -> str:
    inner = '{"Total":1,"__proto__":{"Total":9},"__class__":{"x":1},"constructor":{"name":9}}'
    payload = f'{{"__proto__":{{"ENERGY":{{"Total":9}}}},"ENERGY":{inner}}}'.encode()
    (event,) = _site()(Message("tele/cave/SENSOR", payload, AT)).events
    wire = encode(event)
    return "no trace" if not any(word in wire for word in (b"proto", b"__class__", b"constructor")) else wire.decode()


@attack("none", "path-traversal", who=_STRANGER, tries="is called `../../etc/passwd`", refusal="a pseudonym")
def _path(_: object) -> str:
    (event,) = _site()(Message("tele/../../SENSOR", _reading(AT), AT)).events
    assert isinstance(event.record, MeterReading)
    return "a pseudonym" if event.record.meter.startswith("m_") and b".." not in encode(event) else "a path"


@attack(
    "none",
    "forged-meter",
    who=_DEVICE,
    tries="says another Linky's number on its own topic",
    refusal="identity_mismatch",
)
def _forged_meter(_: object) -> str:
    payload = b'{"ADSC":{"raw":"041876000999","value":41876000999},"EAST":{"raw":"000000100","value":100}}'
    return _of(payload, "teleinfo/041876000103")


@attack("none", "forged-station", who="a car", tries="names another source than its topic", refusal="identity_mismatch")
def _forged_station(_: object) -> str:
    (case,) = [each for each in find_cases() if str(each) == "its_client_json/cam_car"]
    topic = case.message.topic.replace("car_7f31", "car_0001")
    return _end(_site()(Message(topic, case.message.payload, case.message.received_at)))


@attack(
    "none",
    "flood-of-a-device",
    who=_STRANGER,
    tries="sends 5,000 messages in a minute",
    refusal="200 taken, the others' too",
)
def _flood(_: object) -> str:
    site = _site(messages_per_minute=200)
    wild = [
        site(Message("tele/wild/SENSOR", _reading(AT, 80 + i / 1e4), AT + timedelta(milliseconds=i)))
        for i in range(5000)
    ]
    others = [site(Message(f"tele/calm-{i}/SENSOR", _reading(AT), AT)) for i in range(100)]
    taken = sum(bool(each.events) for each in wild)
    return f"{taken} taken, the others' too" if all(each.events for each in others) else "the others are harmed"


@attack("none", "flood-of-meters", who=_STRANGER, tries="invents 1,000 meters", refusal="50 taken, known ones too")
def _meters(_: object) -> str:
    site = _site(new_meters_per_h=50)
    known = Message("tele/known/SENSOR", _reading(AT), AT)
    assert site(known).events
    made = [site(Message(f"tele/made-{i}/SENSOR", _reading(AT), AT)) for i in range(1000)]
    again = site(Message("tele/known/SENSOR", _reading(AT + timedelta(minutes=1)), AT + timedelta(minutes=1)))
    taken = sum(bool(each.events) for each in made) + 1
    return f"{taken} taken, known ones too" if again.events else "known ones are harmed"


@attack(
    "none",
    "line-protocol-injection",
    who=_DEVICE,
    tries="says a state with a line break and a second point",
    refusal="one line",
)
def _line_protocol(_: object) -> str:
    said = 'on"\nenergy,household=h_one value=9 1'
    text = line(Point("meter", (("meter", "m_0"),), (("state", said),), 1))
    assert text.endswith(b'one value=9 1" 1'), text
    try:
        line(Point("meter", (("meter", said),), (("value", 1.0),), 1))
    except ValueError:
        return "one line"
    return "two lines"


@attack(
    "none",
    "log-injection",
    who=_DEVICE,
    tries="puts line breaks and colours into what is refused",
    refusal="no value in the reason",
)
def _log(_: object) -> str:
    said = "\n2026-01-12 ERROR everything is fine\x1b[31m"
    forms = (
        ("tele/cave/SENSOR", json.dumps({"ENERGY": {"Total": said}})),
        (f"tele/{said}/SENSOR", "{"),
        ("pionniers/app/m/events", json.dumps({"specversion": said})),
        ("teleinfo/1", json.dumps({said: 1})),
    )
    for topic, payload in forms:
        rejected = _site()(Message(topic, payload.encode(), AT)).rejected
        assert rejected is not None, topic
        if any(part in rejected.detail for part in ("\n", "\x1b", "fine")):
            return rejected.detail
    return "no value in the reason"
