"""Sparkplug B over several messages: aliases, sequence numbers, births and deaths.

The payloads are encoded here by hand, by the wire format of protobuf, not by the library that decodes them.
"""

import struct
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.energy import MeterReading
from schemas.status import DeviceStatus
from services.ingest.codecs.sparkplug import decode
from services.ingest.codecs.sparkplugsession import Session
from services.ingest.normalise import Outcome
from services.ingest.profiles import Message, Unparseable
from tests.cases import NAMES, normaliser

START = datetime(2026, 3, 3, 19, 15, tzinfo=UTC)
MS = int(START.timestamp() * 1000)


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _text(field: int, text: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(text)) + text


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _metric(*, name: str = "", alias: int = 0, unit: str = "", value: bytes = b"", datatype: int = 0) -> bytes:
    parts = [_text(1, name.encode()) if name else b"", _number(2, alias) if alias else b""]
    parts.append(_number(4, datatype) if datatype else b"")
    if unit:
        parts.append(_text(9, _text(1, b"engUnit") + _text(2, _text(8, unit.encode()))))
    return _text(2, b"".join(parts) + value)


def _payload(sequence: int | None, *metrics: bytes, minutes: int = 0) -> bytes:
    number = b"" if sequence is None else _number(3, sequence)
    return _number(1, MS + 60_000 * minutes) + b"".join(metrics) + number


def _wh(value: int) -> bytes:
    return _number(11, value)


class _Node:
    """A node that publishes, and the normaliser that reads it."""

    def __init__(self) -> None:
        self._normalise = normaliser(ZoneInfo("Europe/Paris"), {})
        self._minutes = 0

    def send(self, kind: str, sequence: int | None, *metrics: bytes) -> Outcome:
        """One message a minute."""
        self._minutes += 1
        topic = f"spBv1.0/g/{kind}/n" + ("/m" if kind.startswith("D") else "")
        at = START + timedelta(minutes=self._minutes)
        return self._normalise(Message(topic, _payload(sequence, *metrics, minutes=self._minutes), at))

    def born(self, *, sequence: int = 1, export: bool = False, death: int = 3) -> None:
        """A node with one meter: alias 10 is its import, or its export."""
        name = "Energy/Export" if export else "Energy/Import"
        self.send("NBIRTH", 0, _metric(name="bdSeq", value=_wh(death), datatype=8))
        self.send("DBIRTH", sequence, _metric(name=name, alias=10, unit="Wh", value=_wh(1000), datatype=8))


def _registers(outcome: Outcome) -> list[tuple[str, float, tuple[str, ...]]]:
    records = [event.record for event in outcome.events]
    return [
        (register.quantity, register.value, record.flags)
        for record in records
        if isinstance(record, MeterReading)
        for register in record.registers
    ]


def _missing(outcome: Outcome) -> list[timedelta]:
    found = [event.record for event in outcome.events if isinstance(event.record, DeviceStatus)]
    return [each.missing_until - each.missing_from for each in found if each.missing_from and each.missing_until]


def test_an_alias_is_what_the_last_birth_named() -> None:
    """Also when the node is born again with other names."""
    node = _Node()
    node.born()
    data = _metric(alias=10, value=_wh(2000))
    assert _registers(node.send("DDATA", 2, data)) == [("import_energy", 2.0, ())]
    node.born(export=True)
    assert _registers(node.send("DDATA", 2, data)) == [("export_energy", 2.0, ())]


@pytest.mark.parametrize("ending", ["restart", "NBIRTH", "DDEATH", "NDEATH"])
def test_an_alias_without_a_birth_is_refused(ending: str) -> None:
    """After a restart, and after the birth of the node or the death of the device."""
    node = _Node()
    if ending != "restart":
        node.born()
        node.send(ending, None if ending == "NDEATH" else 2, _metric(name="bdSeq", value=_wh(3), datatype=8))
    refused = node.send("DDATA", 3, _metric(alias=10, value=_wh(2000))).rejected
    assert refused is not None
    assert refused.reason == "missing_field"


def test_missing_messages_are_told_and_what_follows_is_in_doubt_until_a_birth() -> None:
    """From the last message before to the first after; a birth may have been among them."""
    node = _Node()
    node.born()
    gap = node.send("DDATA", 5, _metric(alias=10, value=_wh(2000)))
    assert _missing(gap) == [timedelta(minutes=1)]
    assert _registers(gap) == [("import_energy", 2.0, ("stale",))]
    later = node.send("DDATA", 6, _metric(alias=10, value=_wh(2001)))
    assert (_missing(later), _registers(later)) == ([], [("import_energy", 2.001, ("stale",))])
    node.born()
    assert _registers(node.send("DDATA", 2, _metric(alias=10, value=_wh(2002)))) == [("import_energy", 2.002, ())]


@given(numbers=st.lists(st.integers(0, 127), max_size=30), start=st.integers(0, 255))
def test_a_gap_is_told_exactly_when_numbers_are_missing(numbers: list[int], start: int) -> None:
    """Whatever the numbers, across 255 to 0; one that comes again is none."""
    session, sequence = Session(), start
    session.count(decode(_payload(start)), START)
    for index, skipped in enumerate(numbers, 1):
        at = START + timedelta(seconds=index)
        sequence = (sequence + 1 + skipped % 120) % 256
        missing = session.count(decode(_payload(sequence)), at)
        assert (missing is not None) == bool(skipped % 120)
        assert session.count(decode(_payload(sequence)), at) is None


def test_a_death_of_an_earlier_session_does_not_end_this_one() -> None:
    """The broker may send the will after the node is back (bdSeq differs)."""
    node = _Node()
    node.born(death=4)
    stale = node.send("NDEATH", None, _metric(name="bdSeq", value=_wh(3), datatype=8))
    assert stale.ignored is not None
    assert stale.ignored.rule == "death-of-an-earlier-session"
    assert _registers(node.send("DDATA", 2, _metric(alias=10, value=_wh(2000))))


def test_the_death_of_a_node_is_that_of_its_devices() -> None:
    """Nobody else will say that they are gone."""
    node = _Node()
    node.born()
    dead = node.send("NDEATH", None, _metric(name="bdSeq", value=_wh(3), datatype=8))
    offline = {each.record.device for each in dead.events if isinstance(each.record, DeviceStatus)}
    assert offline == {NAMES.device("sparkplug_b:g/n"), NAMES.device("sparkplug_b:g/n/m")}


def test_an_alias_given_twice_names_nothing() -> None:
    """Two metrics under one number: neither is chosen."""
    node = _Node()
    import_, export = (_metric(name=f"Energy/{way}", alias=10, unit="Wh") for way in ("Import", "Export"))
    node.send("DBIRTH", 1, import_, export)
    assert node.send("DDATA", 2, _metric(alias=10, value=_wh(2000))).rejected is not None


@given(datatype=st.integers(1, 4), value=st.integers(-(2**7), 2**7 - 1), extended=st.booleans())
def test_signed_integers_are_read_by_their_type(datatype: int, value: int, *, extended: bool) -> None:
    """Two's complement, in as many bits as the type has or extended to the field."""
    bits = (8, 16, 32, 64)[datatype - 1]
    width = max(bits, 32) if extended else bits
    field = 11 if datatype == 4 else 10
    payload = decode(_payload(0, _metric(name="x", datatype=datatype, value=_number(field, value % 2**width))))
    assert payload.metrics[0].value(None) == value
    untyped = decode(_payload(0, _metric(name="x", value=_number(field, value % 2**width))))
    assert untyped.metrics[0].value(datatype) == value


@given(payload=st.binary(max_size=120))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    """Arbitrary protobuf, or none."""
    try:
        decoded = decode(payload)
    except Unparseable:
        return
    assert decoded.sequence is None or 0 <= decoded.sequence <= 255


@pytest.mark.parametrize(
    ("topic", "rule"),
    [("spBv1.0/STATE/scada", "state-of-a-host"), ("spBv1.0/g/NCMD/n", "command"), ("spBv1.0/g/DCMD/n/m", "command")],
)
def test_what_is_said_to_a_node_or_by_a_host_is_ignored(topic: str, rule: str) -> None:
    """Also where a site subscribes to all topics of Sparkplug."""
    normalise = normaliser(ZoneInfo("Europe/Paris"), {}, {"sparkplug_b": ("spBv1.0/#",)})
    outcome = normalise(Message(topic, _payload(0), START))
    assert outcome.ignored is not None
    assert outcome.ignored.rule == rule


@pytest.mark.parametrize("topic", ["spBv1.0/g/NBIRTH", "spBv1.0/g/NOTHING/n", "spBv1.0/g/DDATA/n/m/x"])
def test_a_topic_that_is_not_of_sparkplug_is_refused(topic: str) -> None:
    """Too short, too long, or of another type."""
    normalise = normaliser(ZoneInfo("Europe/Paris"), {}, {"sparkplug_b": ("spBv1.0/#",)})
    refused = normalise(Message(topic, _payload(0), START)).rejected
    assert refused is not None
    assert refused.reason == "wrong_shape"


def test_a_birth_is_one_event_in_every_process() -> None:
    """Each process subscribes to births; received at different instants they are the same news."""
    announced = normaliser(ZoneInfo("Europe/Paris"), {}).announcements
    assert {"spBv1.0/+/NBIRTH/+", "spBv1.0/+/DBIRTH/+/+"} <= set(announced)
    assert "spBv1.0/+/NDATA/+" not in announced
    birth = _payload(1, _metric(name="Energy/Import", alias=10, unit="Wh", value=_wh(1000), datatype=8))
    ids = set()
    for delay_s in (1, 2):
        normalise = normaliser(ZoneInfo("Europe/Paris"), {})
        outcome = normalise(Message("spBv1.0/g/DBIRTH/n/m", birth, START + timedelta(seconds=delay_s)))
        ids.add(tuple(event.id for event in outcome.events))
    assert len(ids) == 1


def test_a_name_that_is_no_text_is_refused() -> None:
    """Protobuf strings are UTF-8."""
    with pytest.raises(Unparseable) as refused:
        decode(_payload(0, _text(2, _text(1, b"\xff\xfe"))))
    assert refused.value.reason == "not_text"


def test_a_double_is_read_as_it_is_and_not_a_number_is_no_value() -> None:
    """NaN and infinity are null."""
    metrics = [_metric(name="x", value=_double(13, value)) for value in (1.5, float("nan"), float("inf"))]
    assert [metric.value(10) for metric in decode(_payload(0, *metrics)).metrics] == [1.5, None, None]
