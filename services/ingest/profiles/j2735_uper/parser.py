"""Reading a MessageFrame: two bytes of message number, a length, the message.

SPAT, MapData, SRM and SSM are the types of ISO/TS 19091, bit for bit; the core of a BSM is read by its own table.
"""

from typing import Final

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_bsm import core_of, read_core
from services.ingest.codecs.its_map import intersection_geometries
from services.ingest.codecs.its_octets import octets_of
from services.ingest.codecs.its_pdu import not_kept
from services.ingest.codecs.its_priority import priority_requests, priority_statuses
from services.ingest.codecs.its_security import IEEE_1609_2, unwrap
from services.ingest.codecs.its_signals import signal_states
from services.ingest.codecs.its_tree import Arrival, fold
from services.ingest.codecs.its_uper import unpack
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FRAMES: Final = {18: "map", 19: "spat", 20: "bsm", 29: "srm", 30: "ssm", 31: "tim", 32: "psm", 41: "sdsm"}
"""DSRCmsgID (SAE J2735)."""
_TYPES: Final = {
    "map": "MapData",
    "spat": "SPAT",
    "srm": "SignalRequestMessage",
    "ssm": "SignalStatusMessage",
}
_HEADER_BYTES: Final = 3


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one frame.

    Raises:
        Unparseable: cut off, encrypted, no frame, or not what its number says.
    """
    octets = octets_of(message.payload)
    if octets[0] == IEEE_1609_2:
        octets = unwrap(octets)
    kind, value = _frame(octets)
    arrival = Arrival(message, context)
    if kind == "bsm":
        return read_core(core_of(value), arrival)
    if kind not in _TYPES:
        return not_kept(kind)
    tree = fold(unpack(("ITS_IS", "DSRC", _TYPES[kind]), value, kind))
    match kind:
        case "map":
            return intersection_geometries(tree, arrival)
        case "spat":
            return signal_states(tree, arrival)
        case "srm":
            return priority_requests(tree, arrival)
        case _:
            return priority_statuses(tree, arrival)


def _frame(octets: bytes) -> tuple[str, bytes]:
    """The message's name and its bytes (an open type of X.691: a length of one or two bytes before it)."""
    if len(octets) < _HEADER_BYTES:
        raise Unparseable("truncated", "frame: shorter than its header")
    kind = FRAMES.get(int.from_bytes(octets[:2], "big"))
    if kind is None:
        raise Unparseable("wrong_shape", "frame.messageId: no message that is read here")
    length, start = octets[2], _HEADER_BYTES
    if length & 0x80:
        if length & 0x40 or len(octets) == start:
            raise Unparseable("truncated", "frame: ends in its length, or is longer than 16383 bytes")
        length, start = (length & 0x3F) << 8 | octets[3], start + 1
    if len(octets) < start + length:
        raise Unparseable("truncated", "frame: shorter than the length that it says")
    if any(octets[start + length :]):  # zeros are padding, jpo-ode's own bytes have them
        raise Unparseable("wrong_shape", "frame: bytes behind the end of the message")
    return kind, octets[start : start + length]
