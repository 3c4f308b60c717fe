"""ETSI ITS messages in UPER over MQTT: bytes, hexadecimal or base64, protocol versions 1 and 2."""

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_octets import octets_of
from services.ingest.codecs.its_packet import is_packet
from services.ingest.codecs.its_pdu import read_pdu
from services.ingest.codecs.its_tree import Arrival
from services.ingest.profiles import Context, Ignored, Message, Profile, Unparseable

__all__ = ["PROFILE"]


def _takes(message: Message) -> bool:
    """Whether this is not a radio packet, which comes on the same topics."""
    try:
        return not is_packet(octets_of(message.payload))
    except Unparseable:
        return True


def _parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    return read_pdu(octets_of(message.payload), Arrival(message, context))


PROFILE = Profile(
    name="etsi_uper",
    topics=("v2x/#",),
    parse=_parse,
    stability="alpha",
    summary="ETSI CAM, DENM, SPATEM, MAPEM, SREM, SSEM in UPER: bytes, hexadecimal or base64; versions 1 and 2",
    takes=_takes,
    clock_is_elsewhere=True,  # a CAM tells its time modulo 65,536 ms, a BSM the second of the minute
)
