"""Secured messages: taken out of their envelope where it is only signed, refused where it is encrypted.

Signatures are not checked here: on MQTT the trust rests on the broker's clients and topics (c-its.md 6). Two
formats: TS 103 097 v1.3.1 and later is IEEE 1609.2 in COER (first byte 3), v1.2.1 is a format of its own (2).
"""

from typing import Any, Final

from services.ingest.codecs.its_uper import unpack_coer
from services.ingest.profiles import Unparseable

__all__ = ["IEEE_1609_2", "unwrap"]

IEEE_1609_2: Final = 3
_ETSI_2013: Final = 2
_UNSECURED, _SIGNED = 0, 1
_PLACE: Final = ("ITS_IEEE1609_2", "Ieee1609Dot2", "Ieee1609Dot2Data")
_DEEPEST: Final = 4


def unwrap(octets: bytes) -> bytes:
    """What a secured message carries.

    Raises:
        Unparseable: `encrypted`, cut off, or of another format.
    """
    if not octets:
        raise Unparseable("truncated", "secured message: is empty")
    if octets[0] == IEEE_1609_2:
        return _ieee(unpack_coer(_PLACE, octets, "secured message"), 0)
    if octets[0] == _ETSI_2013:
        return _etsi(octets)
    raise Unparseable("unsupported_version", "secured message: protocol version must be 2 or 3")


def _ieee(value: dict[str, Any], depth: int) -> bytes:
    """The innermost unsecuredData of an Ieee1609Dot2Data."""
    alternative, content = value["content"]
    if alternative == "unsecuredData":
        return bytes(content)
    if alternative == "encryptedData":
        raise Unparseable("encrypted", "secured message: is encrypted")
    inner = content["tbsData"]["payload"].get("data") if alternative == "signedData" else None
    if inner is None or depth == _DEEPEST:
        raise Unparseable("wrong_shape", "secured message: carries no message")
    return _ieee(inner, depth + 1)


def _etsi(octets: bytes) -> bytes:
    """The payload of a SecuredMessage of TS 103 097 v1.2.1: version, header fields, payload, trailer fields."""
    length, start = _variable(octets, 1)
    kind_at = start + length
    if kind_at >= len(octets):
        raise Unparseable("truncated", "secured message: ends in its header")
    kind = octets[kind_at]
    if kind not in (_UNSECURED, _SIGNED):
        raise Unparseable("encrypted", "secured message: is encrypted, or carries no message")
    length, start = _variable(octets, kind_at + 1)
    if start + length > len(octets):
        raise Unparseable("truncated", "secured message: ends in its payload")
    return octets[start : start + length]


def _variable(octets: bytes, at: int) -> tuple[int, int]:
    """A length whose leading ones count its further bytes (IntX), and where it ends."""
    first = octets[at] if at < len(octets) else 0xFF
    more = 0
    while first & (0x80 >> more) and more < 8:
        more += 1
    end = at + 1 + more
    if more > 3 or end > len(octets):
        raise Unparseable("truncated", "secured message: ends in a length")
    return int.from_bytes(bytes((first & (0x7F >> more),)) + octets[at + 1 : end], "big"), end
