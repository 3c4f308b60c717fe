"""GeoNetworking and BTP around an ITS PDU (ETSI EN 302 636-4-1 v1.2.1 to v1.4.1, EN 302 636-5-1; c-its.md 3)."""

from typing import Final, NamedTuple

from services.ingest.codecs.its_security import unwrap
from services.ingest.profiles import Unparseable

__all__ = ["PORTS", "Packet", "is_packet", "read_packet"]

PORTS: Final = {
    2001: "cam",
    2002: "denm",
    2003: "mapem",
    2004: "spatem",
    2006: "ivim",
    2007: "srem",
    2008: "ssem",
    2013: "rtcmem",
}
_BASIC_BYTES, _COMMON_BYTES, _BTP_BYTES = 4, 8, 4
_ANY, _COMMON, _SECURED = 0, 1, 2
_BTP = (1, 2)
_EXTENDED_BYTES: Final = {
    # (header type, subtype or None for any)
    (2, None): 48,  # GUC
    (3, None): 44,  # GAC
    (4, None): 44,  # GBC
    (5, 0): 28,  # SHB
    (5, 1): 28,  # TSB
}
_WITHOUT_MESSAGE: Final = (1, 6)
"""Beacon and location service."""


class Packet(NamedTuple):
    """A BTP packet: its destination port and what it carries."""

    port: int
    pdu: bytes


def is_packet(octets: bytes) -> bool:
    """Whether this begins as a GeoNetworking basic header: version 0 or 1, next header, reserved byte of 0.

    An ITS PDU never does: its second byte is the messageID, from 1.
    """
    return (
        len(octets) >= 2
        and octets[0] >> 4 in (0, 1)
        and octets[0] & 15 in (_ANY, _COMMON, _SECURED)
        and (octets[1] == 0)
    )


def read_packet(octets: bytes) -> Packet | None:
    """The BTP packet inside; `None` for a beacon or a location service packet, which carry no message.

    Raises:
        Unparseable: cut off, encrypted, or no packet of the standard.
    """
    if not is_packet(octets):
        raise Unparseable("wrong_shape", "packet: must begin with a GeoNetworking header")
    inner = octets[_BASIC_BYTES:]
    if octets[0] & 15 == _SECURED:
        inner = unwrap(inner)
    if len(inner) < _COMMON_BYTES:
        raise Unparseable("truncated", "packet: ends in its common header")
    kind, subtype = inner[1] >> 4, inner[1] & 15
    if kind in _WITHOUT_MESSAGE:
        return None
    extended = _EXTENDED_BYTES.get((kind, subtype), _EXTENDED_BYTES.get((kind, None)))
    if extended is None or inner[0] >> 4 not in _BTP:
        raise Unparseable("wrong_shape", "packet: header type or transport of no C-ITS message")
    return _transport(inner[_COMMON_BYTES + extended :], int.from_bytes(inner[4:6], "big"))


def _transport(payload: bytes, length: int) -> Packet:
    """BTP-A or BTP-B; what is behind the length that the packet says is padding of the link."""
    if length < _BTP_BYTES or len(payload) < length:
        raise Unparseable("truncated", "packet: shorter than the payload length that it says")
    return Packet(int.from_bytes(payload[:2], "big"), payload[_BTP_BYTES:length])
