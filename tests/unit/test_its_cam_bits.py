"""The table of bits gives what the general decoder gives, for every message, whole or damaged."""

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.codecs.its_cam_bits import read_cam_bits
from services.ingest.codecs.its_pdu import read_by_decoder
from services.ingest.codecs.its_tree import Arrival
from services.ingest.codecs.its_uper import Header, peek
from services.ingest.profiles import Context, Message, Unparseable
from tests.cams import GENERATED_AT, cams, encoded
from tests.cases import NAMES, NoJunctions, find_cases

ARRIVAL = Arrival(
    Message("v2x/cam", b"", GENERATED_AT + timedelta(milliseconds=154)), Context(names=NAMES, zones=NoJunctions())
)
GOLDEN = [case for case in find_cases() if case.profile == "etsi_uper" and case.folder.name.startswith("cam_v")]


def _by_decoder(pdu: bytes, version: int) -> Any:
    """Records, or the refusal; a message that the header calls something else is read as the CAM it is given as."""
    try:
        return read_by_decoder(Header(version, "cam", int.from_bytes(pdu[2:6], "big")), pdu, ARRIVAL)
    except Unparseable as refusal:
        return refusal


@given(cams())
@settings(max_examples=500)
def test_a_usual_message_is_read_by_its_bits(cam: dict[str, Any]) -> None:
    """Every vehicle's CAM without extensions is, and gives the decoder's record; a roadside unit's is left to it."""
    pdu = encoded(cam)
    version = cam["header"]["protocolVersion"]
    found = read_cam_bits(pdu, version, ARRIVAL)
    is_vehicle = cam["cam"]["camParameters"]["highFrequencyContainer"][0] == "basicVehicleContainerHighFrequency"
    assert (found is not None) == is_vehicle
    if is_vehicle:
        assert found == _by_decoder(pdu, version)


@given(cam=cams(), data=st.data())
@settings(max_examples=1000)
def test_a_damaged_message_is_never_read_otherwise(cam: dict[str, Any], data: st.DataObject) -> None:
    """Bits flipped, cut, lengthened: what the table reads is what the decoder reads; else it leaves it alone."""
    octets = bytearray(encoded(cam))
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.sampled_from((len(octets), len(octets), len(octets) - 1, len(octets) + 1, len(octets) // 2)))
    damaged = bytes(octets[:cut]) + bytes(max(0, cut - len(octets)))
    version = cam["header"]["protocolVersion"]
    found = read_cam_bits(damaged, version, ARRIVAL)
    if found is not None:
        assert found == _by_decoder(damaged, version)


@given(octets=st.binary(min_size=41, max_size=64), version=st.sampled_from((1, 2)))
@settings(max_examples=1000)
def test_random_bits_are_never_read_otherwise(octets: bytes, version: int) -> None:
    """Behind a valid header, any bytes."""
    pdu = bytes((version, 2)) + octets
    found = read_cam_bits(pdu, version, ARRIVAL)
    if found is not None:
        assert found == _by_decoder(pdu, version)


def test_the_golden_vehicles_are_read_by_their_bits() -> None:
    """The quick way is the one that is taken."""
    taken = 0
    for case in GOLDEN:
        pdu = case.message.payload
        if pdu[:1] in (b"\1", b"\2"):
            taken += read_cam_bits(pdu, peek(pdu).protocol_version, ARRIVAL) is not None
    assert taken >= 3
