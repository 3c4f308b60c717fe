"""ETSI ITS messages inside of GeoNetworking and BTP packets, as radio units forward them."""

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_octets import octets_of
from services.ingest.codecs.its_packet import PORTS, is_packet, read_packet
from services.ingest.codecs.its_pdu import read_pdu
from services.ingest.codecs.its_tree import Arrival
from services.ingest.codecs.its_uper import peek
from services.ingest.profiles import Context, Ignored, Message, Profile, Unparseable

__all__ = ["PROFILE"]


def _takes(message: Message) -> bool:
    """Whether this is a packet; a bare message comes on the same topics."""
    try:
        return is_packet(octets_of(message.payload))
    except Unparseable:
        return False


def _parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    packet = read_packet(octets_of(message.payload))
    if packet is None:
        return Ignored("packet-without-message")
    expected = PORTS.get(packet.port)
    if expected is not None and peek(packet.pdu).message != expected:
        raise Unparseable("wrong_shape", "packet: the BTP port and the messageID name different messages")
    return read_pdu(packet.pdu, Arrival(message, context))


PROFILE = Profile(
    name="geonetworking_btp",
    topics=("v2x/#",),
    parse=_parse,
    stability="alpha",
    summary="ETSI messages in GeoNetworking and BTP packets (SHB, TSB, GBC, GAC, GUC), signed or not",
    takes=_takes,
    clock_is_elsewhere=True,  # a CAM tells its time modulo 65,536 ms, a BSM the second of the minute
)
