"""Binary C-ITS payloads as they come over MQTT: the bytes themselves, hexadecimal text, base64 text.

Bytes and text cannot be confused: a text begins with a letter or a digit, a message with a version number.
"""

import binascii
import re
from typing import Final

from services.ingest.profiles import Unparseable

__all__ = ["octets_of"]

_HEX: Final = re.compile(rb"(?:0[xX])?((?:[0-9A-Fa-f]{2}\s*)+)")
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/\s]+={0,2}")
_FIRST_TEXT: Final = 0x30
"""`0`: below are control characters and the version numbers of messages and packets."""


def octets_of(payload: bytes) -> bytes:
    """The bytes of the message.

    Hexadecimal comes before base64: a message in base64 begins with `A` and soon has a letter beyond `F`.

    Raises:
        Unparseable: empty, or a text that is neither.
    """
    if not payload:
        raise Unparseable("truncated", "payload: is empty")
    text = payload.strip()
    if payload[0] < _FIRST_TEXT and text[:1] < b"0":
        return payload
    found = _HEX.fullmatch(text)
    if found:
        return bytes.fromhex(found[1].decode("ascii"))
    if _BASE64.fullmatch(text):
        try:
            return binascii.a2b_base64(re.sub(rb"\s+", b"", text), strict_mode=True)
        except binascii.Error:
            pass
    raise Unparseable("not_binary", "payload: must be the bytes of a message, or these in hexadecimal or base64")
