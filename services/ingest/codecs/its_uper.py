"""ETSI ITS messages in UPER (ITU-T X.691), decoded by pycrate with the ASN.1 modules that it ships.

Both protocol versions: version 1 (ITS release of 2013-15, Compass4D's own) and version 2 differ in bit layout, and
version 0 occurs in the field and is version 1. Six bytes tell which decoder to use. pycrate keeps the decoded value
inside the object that describes the type, so two threads must not share one: a lock holds them apart.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from threading import Lock
from typing import Any, Final, NamedTuple

from schemas.rejection import Reason
from services.ingest.profiles import Unparseable

__all__ = ["KEPT", "MESSAGES", "Header", "decode", "peek", "unpack"]

MESSAGES: Final = {
    1: "denm",
    2: "cam",
    3: "poi",
    4: "spatem",
    5: "mapem",
    6: "ivim",
    7: "ev-rsr",
    8: "tistpg",
    9: "srem",
    10: "ssem",
    11: "evcsn",
    12: "saem",
    13: "rtcmem",
    14: "cpm",
    15: "imzm",
    16: "vam",
}
"""messageID of the ITS PDU header (TS 102 894-2)."""
_HEADER_BYTES: Final = 6
_NEWEST_VERSION: Final = 2
_TYPES: Final = {
    # message: candidates by version, as (module, ASN.1 module, type); of two the first that decodes counts
    "cam": {
        1: (("ITS_r1318", "CAM_PDU_Descriptions", "CAM"),),
        2: (("ITS_CAM_2", "CAM_PDU_Descriptions", "CAM"),),
    },
    "denm": {
        1: (("ITS_r1318", "DENM_PDU_Descriptions", "DENM"),),
        2: (("ITS_DENM_3", "DENM_PDU_Descriptions", "DENM"),),
    },
} | {
    name.lower(): {
        # TS 103 301 went on with version 1 for a while, with the later types.
        1: (("ITS_r1318", f"{name}_PDU_Descriptions", name), ("ITS_IS", f"{name}_PDU_Descriptions", name)),
        2: (("ITS_IS", f"{name}_PDU_Descriptions", name),),
    }
    for name in ("SPATEM", "MAPEM", "SREM", "SSEM")
}
KEPT: Final = frozenset(_TYPES)
_lock = Lock()


class Header(NamedTuple):
    """ItsPduHeader; `protocol_version` is 1 or 2."""

    protocol_version: int
    message: str
    station_id: int


def peek(pdu: bytes) -> Header:
    """The header, without ASN.1.

    Raises:
        Unparseable: shorter than a header, a version or a message that no standard names.
    """
    if len(pdu) < _HEADER_BYTES:
        raise Unparseable("truncated", "ITS PDU: shorter than its header of six bytes")
    version = pdu[0] or 1
    if version > _NEWEST_VERSION:
        raise Unparseable("unsupported_version", "protocolVersion: must be 0, 1 or 2")
    name = MESSAGES.get(pdu[1])
    if name is None:
        raise Unparseable("wrong_shape", "messageID: no message of the standards")
    return Header(version, name, int.from_bytes(pdu[2:6], "big"))


def decode(pdu: bytes, header: Header) -> dict[str, Any]:
    """The value of a message that is kept: dict, list, int, str, `(alternative, value)`, `(bits, length)`.

    Raises:
        Unparseable: cut off, not this message, or with bytes behind it.
    """
    candidates = _TYPES[header.message][header.protocol_version]
    for place in candidates[:-1]:
        try:
            return unpack(place, pdu, header.message)
        except Unparseable:
            continue
    return unpack(candidates[-1], pdu, header.message)


def unpack(place: tuple[str, str, str], octets: bytes, what: str) -> dict[str, Any]:
    """Decode one type of one of pycrate's modules.

    Args:
        place: pycrate's module, the ASN.1 module, the type.
        octets: the encoding, to its last byte.
        what: its name, for the error texts.

    Raises:
        Unparseable: see `decode`.
    """
    kind, charpy = _type(place)
    with _lock:
        reader = charpy(octets)
        try:
            kind.from_uper(reader)
            value: dict[str, Any] = kind.get_val()
        except Exception as error:  # a decoder of foreign bytes raises what it likes
            reason: Reason = "truncated" if type(error).__name__ == "CharpyErr" else "bad_value"
            raise Unparseable(reason, f"{what}: the bytes end too early, or are no {what}") from error
    behind = reader.len_bit() // 8
    if behind:
        raise Unparseable("wrong_shape", f"{what}: {behind} bytes behind the end of the message")
    return value


@cache
def _type(place: tuple[str, str, str]) -> tuple[Any, Callable[[bytes], Any]]:
    """The object that describes a type. Loading takes 0.1 s and 27 MB: only where such messages come."""
    module, asn1_module, name = place
    loaded = import_module(f"pycrate_asn1dir.{module}")
    return getattr(getattr(loaded, asn1_module), name), import_module("pycrate_core.charpy").Charpy
