"""Binary C-ITS messages: what an independent encoder writes is what the records say; damage never crashes."""

import json
from base64 import b64encode
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrate_asn1dir import ITS_IEEE1609_2

from schemas.mobility import VehicleState
from services.ingest.codecs.its_bsm import core_of, read_core
from services.ingest.codecs.its_octets import octets_of
from services.ingest.codecs.its_packet import is_packet, read_packet
from services.ingest.codecs.its_pdu import read_pdu
from services.ingest.codecs.its_security import unwrap
from services.ingest.codecs.its_tree import Arrival
from services.ingest.codecs.its_uper import peek
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from tests.cams import GENERATED_AT, ROLES, cams, encoded
from tests.cases import NAMES, NoJunctions, find_cases

CONTEXT = Context(names=NAMES, zones=NoJunctions())
MESSAGE = Message("v2x/cam", b"", GENERATED_AT + timedelta(milliseconds=154))
ARRIVAL = Arrival(MESSAGE, CONTEXT)


def _scaled(raw: int, steps: int, *nothing: int) -> float | None:
    return None if raw in nothing else raw / steps


def _expected(cam: dict[str, Any]) -> dict[str, Any]:
    """What the record must say of a CAM, from the values that went into the encoder."""
    parameters = cam["cam"]["camParameters"]
    kind, high = parameters["highFrequencyContainer"]
    low = parameters.get("lowFrequencyContainer", (None, {}))[1]
    special = parameters.get("specialVehicleContainer", (None, {}))[1]
    expected = {
        "station_type": parameters["basicContainer"]["stationType"],
        "vehicle": NAMES.vehicle(cam["header"]["stationID"], GENERATED_AT),
        "vehicle_role": ROLES.index(low["vehicleRole"]) if low else None,
        "embarkation": special.get("embarkationStatus"),
        "observed_at": GENERATED_AT,
    }
    if kind != "basicVehicleContainerHighFrequency":
        return expected | {"speed_mps": None, "heading_deg": None, "brake_pedal": None}
    speed = _scaled(high["speed"]["speedValue"], 100, 16382, 16383)
    heading = high["heading"]["headingValue"]
    steps = {1: 30_000, 2: 10_000}[cam["header"]["protocolVersion"]]
    controls = high.get("accelerationControl")
    return expected | {
        "speed_mps": -speed if speed and high["driveDirection"] == "backward" else speed,
        "heading_deg": None if heading == 3601 else heading % 3600 / 10,
        "longitudinal_acceleration_mps2": _scaled(
            high["longitudinalAcceleration"]["longitudinalAccelerationValue"], 10, 161
        ),
        "yaw_rate_degps": _scaled(high["yawRate"]["yawRateValue"], 100, 32767),
        "curvature_per_m": _scaled(high["curvature"]["curvatureValue"], steps, 1023 if steps == 10_000 else 30001),
        "vehicle_length_m": _scaled(high["vehicleLength"]["vehicleLengthValue"], 10, 1022, 1023),
        "vehicle_width_m": _scaled(high["vehicleWidth"], 10, 61, 62),
        "brake_pedal": None if controls is None else bool(controls[0] & 0x40),
    }


def _record(octets: bytes) -> VehicleState:
    records = read_pdu(octets, ARRIVAL)
    assert not isinstance(records, Ignored)
    (record,) = records
    assert isinstance(record, VehicleState)
    return record


@given(cams())
@settings(max_examples=300)
def test_a_record_says_what_was_encoded(cam: dict[str, Any]) -> None:
    """Every value of every valid CAM of both versions, by an encoder that shares nothing with the reader."""
    record = _record(encoded(cam))
    for name, value in _expected(cam).items():
        assert getattr(record, name) == value, name
    place = cam["cam"]["camParameters"]["basicContainer"]["referencePosition"]
    at = (place["latitude"], place["longitude"])
    if at[0] == 900000001 or at[1] == 1800000001 or at == (0, 0):
        assert record.position is None
    else:
        assert record.position is not None
        assert (record.position.latitude_deg, record.position.longitude_deg) == (at[0] / 1e7, at[1] / 1e7)
        assert record.position.altitude_m == _scaled(place["altitude"]["altitudeValue"], 100, 800001)


@given(cam=cams(), data=st.data())
@settings(max_examples=300)
def test_a_damaged_message_is_read_or_refused(cam: dict[str, Any], data: st.DataObject) -> None:
    """Cut, lengthened or with bits flipped: records, `Ignored` or `Unparseable`, and nothing else is raised."""
    octets = bytearray(encoded(cam))
    for _ in range(data.draw(st.integers(0, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(octets) + 2))
    damaged = bytes(octets[:cut]) + bytes(max(0, cut - len(octets)))
    with suppress(Unparseable):
        read_pdu(damaged, ARRIVAL)


@given(st.binary(max_size=80))
def test_any_bytes_have_an_end(octets: bytes) -> None:
    """Packets, security envelopes and messages of nonsense are refused, whatever they are."""
    for read in (octets_of, unwrap, read_packet, peek, core_of, lambda each: read_pdu(each, ARRIVAL)):
        with suppress(Unparseable):
            read(octets)


@given(st.integers(1, 16), st.integers(0, 2), st.binary(max_size=20))
def test_a_message_is_never_taken_for_a_packet(message_id: int, version: int, body: bytes) -> None:
    """Both come on the same topics; two bytes tell them apart."""
    assert not is_packet(bytes((version, message_id)) + body)


@given(st.binary(min_size=8, max_size=120))
def test_hexadecimal_and_base64_are_the_same_bytes(body: bytes) -> None:
    """Of a message that begins as messages do, in each of the three ways."""
    octets = b"\x02\x02\x12" + body
    assert octets_of(octets) == octets
    assert octets_of(octets.hex().encode()) == octets
    assert octets_of(b"0x" + octets.hex().upper().encode() + b"\n") == octets
    assert octets_of(b64encode(octets)) == octets


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_signed_message_is_unwrapped_and_an_encrypted_one_refused(depth: int) -> None:
    """IEEE 1609.2, also signed several times."""
    kind = ITS_IEEE1609_2.Ieee1609Dot2.Ieee1609Dot2Data
    content: tuple[str, Any] = ("unsecuredData", b"inside")
    for _ in range(depth):
        signature = ("ecdsaNistP256Signature", {"rSig": ("x-only", bytes(32)), "sSig": bytes(32)})
        signed = {"payload": {"data": {"protocolVersion": 3, "content": content}}, "headerInfo": {"psid": 36}}
        content = (
            "signedData",
            {"hashId": "sha256", "tbsData": signed, "signer": ("digest", bytes(8)), "signature": signature},
        )
    kind.set_val({"protocolVersion": 3, "content": content})
    assert unwrap(kind.to_coer()) == b"inside"
    encrypted = {
        "recipients": [("pskRecipInfo", bytes(8))],
        "ciphertext": ("aes128ccm", {"nonce": bytes(12), "ccmCiphertext": bytes(24)}),
    }
    kind.set_val({"protocolVersion": 3, "content": ("encryptedData", encrypted)})
    with pytest.raises(Unparseable, match="encrypted"):
        unwrap(kind.to_coer())


def _golden(name: str) -> Any:
    (case,) = (case for case in find_cases() if str(case) == name)
    return case


@pytest.mark.parametrize(
    "other", ["etsi_uper/cam_v2", "geonetworking_btp/cam_in_single_hop_broadcast", "vanetza_nap_json/cam"]
)
def test_the_same_car_is_the_same_record_in_every_encoding(other: str) -> None:
    """JSON, UPER, a radio packet and SI floats: nothing is lost on the way."""
    records = [_golden(name).run().events[0].record for name in ("its_client_json/cam_car", other)]
    assert records[0] == records[1]


def test_the_same_safety_message_is_the_same_record_in_bits_and_in_json() -> None:
    """The reader of bits and the reader of jpo-ode's JSON agree on the golden messages."""
    octets = _golden("j2735_uper/bsm").message.payload
    message = _golden("jpo_ode_json/bsm").message
    core = json.loads(message.payload)["payload"]["data"]["coreData"]
    records = read_core(core_of(octets[3:]), Arrival(Message("", b"", message.received_at), CONTEXT))
    assert not isinstance(records, Ignored)
    (record,) = records
    assert isinstance(record, VehicleState)
    assert record.position is not None
    assert record.position.latitude_deg == core["position"]["latitude"]
    assert record.heading_deg == core["heading"]
    assert record.vehicle == NAMES.vehicle(int(core["id"], 16), record.observed_at)
