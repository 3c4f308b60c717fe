"""An ITS PDU in UPER to records, wherever the bytes came from: raw, in an envelope, or out of a radio packet."""

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_cam import read_cam
from services.ingest.codecs.its_cam_bits import read_cam_bits
from services.ingest.codecs.its_hazard import road_hazard
from services.ingest.codecs.its_map import intersection_geometries
from services.ingest.codecs.its_priority import priority_requests, priority_statuses
from services.ingest.codecs.its_security import IEEE_1609_2, unwrap
from services.ingest.codecs.its_signals import signal_states
from services.ingest.codecs.its_tree import Arrival, child, fold
from services.ingest.codecs.its_units import CURVATURE_V1, CURVATURE_V2
from services.ingest.codecs.its_uper import KEPT, Header, decode, peek
from services.ingest.profiles import Ignored

__all__ = ["not_kept", "read_by_decoder", "read_pdu"]

_SECURED = bytes((IEEE_1609_2,))
"""No ITS PDU has this version; a security envelope has."""


def not_kept(name: str) -> Ignored:
    """The rule for a message that says nothing Garonne keeps, such as `ivim-not-kept`."""
    return Ignored(f"{name}-not-kept")


def read_pdu(pdu: bytes, arrival: Arrival) -> tuple[AnyRecord, ...] | Ignored:
    """The records of a message.

    Raises:
        Unparseable: cut off, of an unknown version, not what its header says, or against the standard.
    """
    if pdu[:1] == _SECURED:
        pdu = unwrap(pdu)
    header = peek(pdu)
    if header.message == "cam":
        usual = read_cam_bits(pdu, header.protocol_version, arrival)
        if usual is not None:
            return usual
    if header.message not in KEPT:
        return not_kept(header.message)
    return read_by_decoder(header, pdu, arrival)


def read_by_decoder(header: Header, pdu: bytes, arrival: Arrival) -> tuple[AnyRecord, ...] | Ignored:
    """The same for any message that is kept, by the general decoder.

    Raises:
        Unparseable: see `read_pdu`.
    """
    value = fold(decode(pdu, header))
    match header.message:
        case "cam":
            curvature = CURVATURE_V1 if header.protocol_version == 1 else CURVATURE_V2
            return read_cam(header.station_id, child(value, "cam"), arrival, curvature)
        case "denm":
            return road_hazard(child(value, "denm"), arrival)
        case "spatem":
            return signal_states(child(value, "spat"), arrival)
        case "mapem":
            return intersection_geometries(child(value, "map"), arrival)
        case "srem":
            return priority_requests(child(value, "srm"), arrival)
        case _:
            return priority_statuses(child(value, "ssm"), arrival)
