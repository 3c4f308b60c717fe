"""Secured messages: taken out of their envelope where it is only signed, refused where it is encrypted.

Signatures are not checked here: on MQTT the trust rests on the broker's clients and topics (c-its.md 6). Two
formats: TS 103 097 v1.3.1 and later is IEEE 1609.2 in COER (first byte 3), v1.2.1 is a format of its own (2).
"""

from typing import Final

from services.ingest.profiles import Unparseable

__all__ = ["IEEE_1609_2", "unwrap"]

IEEE_1609_2: Final = 3
_ETSI_2013: Final = 2
_UNSECURED, _SIGNED = 0, 1
_UNSECURED_DATA, _SIGNED_DATA, _ENCRYPTED_DATA = 0x80, 0x81, 0x82
_DATA_IS_THERE: Final = 0x40
_DEEPEST: Final = 4


def unwrap(octets: bytes) -> bytes:
    """What a secured message carries.

    Raises:
        Unparseable: `encrypted`, cut off, or of another format.
    """
    if not octets:
        raise Unparseable("truncated", "secured message: is empty")
    if octets[0] == IEEE_1609_2:
        return _ieee(octets, 0)
    if octets[0] == _ETSI_2013:
        return _etsi(octets)
    raise Unparseable("unsupported_version", "secured message: protocol version must be 2 or 3")


def _ieee(octets: bytes, at: int, depth: int = 0) -> bytes:
    """The innermost unsecuredData of the Ieee1609Dot2Data that begins at a byte.

    Only what stands before it is read: version, alternative, hash algorithm, which payload is there. A general decoder
    would follow the number of elements that foreign bytes claim, without end.
    """
    head = octets[at : at + 4]
    if len(head) < 4:
        raise Unparseable("truncated", "secured message: ends in its header")
    version, alternative, _hash, parts = head
    if version != IEEE_1609_2 or depth == _DEEPEST:
        raise Unparseable("wrong_shape", "secured message: of another version inside, or nested too deeply")
    if alternative == _UNSECURED_DATA:
        return _octet_string(octets, at + 2)
    if alternative == _ENCRYPTED_DATA:
        raise Unparseable("encrypted", "secured message: is encrypted")
    if alternative != _SIGNED_DATA or not parts & _DATA_IS_THERE:
        raise Unparseable("wrong_shape", "secured message: carries no message")
    return _ieee(octets, at + 4, depth + 1)


def _octet_string(octets: bytes, at: int) -> bytes:
    """An OCTET STRING in COER (ITU-T X.696): its length in one byte, or the number of bytes of its length."""
    length, start = octets[at], at + 1
    if length & 0x80:
        more = length & 0x7F
        length, start = int.from_bytes(octets[start : start + more], "big"), start + more
    if start + length > len(octets):
        raise Unparseable("truncated", "secured message: ends in its payload")
    return octets[start : start + length]


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
