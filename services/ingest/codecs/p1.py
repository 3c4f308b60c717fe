"""Telegrams of the P1 port (DSMR 2.2 to 5, e-MUCS, and the D0 output of IEC 62056-21): frame, CRC, lines.

Sources: DSMR P1 companion standard 5.0.2, 5.2 and 6.2; IEC 62056-21, 5.8; meters.md 2.2. A telegram is `/`, the
identification, lines `A-B:C.D.E(value)...`, `!`, and from DSMR 4 on a CRC16 over everything from `/` to `!`.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from services.ingest.codecs.obis import Code, read_code
from services.ingest.profiles import Unparseable

__all__ = ["Quantity", "Telegram", "quantity", "telegrams"]

GENERAL_GLO_CIPHERING: Final = b"\xdb"
"""First byte of a ciphered APDU (DLMS green book); Luxembourg, Austria, parts of Belgium."""

_ENCRYPTED: Final = re.compile(rb"\xdb|\s*[Dd][Bb]08[0-9A-Fa-f\s]{30}")
_END: Final = re.compile(rb"[\r\n]!([0-9A-Fa-f]{1,4})?[ \t]*(?=[\r\n\0]|\Z)")
"""A `!` counts as the end only alone on its line, or with the CRC: a byte hit on the wire makes no shorter telegram."""
_LINE: Final = re.compile(r"([0-9]+-[0-9]+:[0-9.]+(?:\*[0-9]+)?)((?:\([^()]*\))+)")
_QUANTITY: Final = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,12}))?\*([A-Za-z0-9]{1,5})")
_FEWEST_DIGITS: Final = 5
"""An index with fewer digits is not written with leading zeros, and does not show where it rolls over."""

_VERSION_WITH_CRC: Final = 40


class Quantity(NamedTuple):
    """A value with its unit as written, and the value at which its digits are used up."""

    value: float
    unit: str
    modulus: float | None


class Telegram(NamedTuple):
    """The identification behind `/`, and the values in brackets by code; of two equal codes the first counts."""

    identification: str
    lines: Mapping[Code, tuple[str, ...]]


def telegrams(payload: bytes) -> list[Telegram]:
    """The telegrams of a payload.

    Raises:
        Unparseable: none, encrypted, cut, or a CRC that is missing or does not fit.
    """
    if _ENCRYPTED.match(payload):
        raise Unparseable("encrypted", "payload: an encrypted P1 port; have the gateway decrypt it with the key")
    read = []
    start = payload.find(b"/")
    while start >= 0 and (end := _END.search(payload, start)):
        signed = payload[start : end.start() + 2]
        telegram = _telegram(signed.decode("latin-1"))
        _check(signed, end[1], telegram)
        read.append(telegram)
        start = payload.find(b"/", end.end())
    if not read:
        if start >= 0:
            raise Unparseable("truncated", "payload: no end of the telegram ('!')")
        raise Unparseable("wrong_shape", "payload: no telegram ('/', lines, '!')")
    return read


def _check(signed: bytes, crc: bytes | None, telegram: Telegram) -> None:
    if crc is None:
        version = telegram.lines.get(Code(1, 3, "0.2.8"), ("",))[0]
        if version.isdecimal() and int(version) >= _VERSION_WITH_CRC:
            raise Unparseable("bad_checksum", "payload: no CRC behind '!', which this version must have")
        return
    # Brokers' scripts like to turn CR LF into LF; the CRC was made with CR LF.
    if int(crc, 16) == _crc16(signed):
        return
    if int(crc, 16) != _crc16(signed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")):
        raise Unparseable("bad_checksum", "payload: the CRC16 does not fit")


def _telegram(text: str) -> Telegram:
    identification, *lines = text.strip("/!").splitlines()
    read: dict[Code, tuple[str, ...]] = {}
    last: Code | None = None
    for line in lines:
        stripped = line.strip()
        if stripped.startswith("(") and last is not None:
            # DSMR 2.2 and 3 put the value of a gas meter on a line of its own.
            read[last] += tuple(stripped.strip("()").split(")("))
            continue
        match = _LINE.fullmatch(stripped)
        code = read_code(match[1]) if match else None
        last = code if code not in read else None
        if match and last is not None:
            read[last] = tuple(match[2][1:-1].split(")("))
    return Telegram(identification.strip(), read)


def quantity(text: str) -> Quantity | None:
    """`003120.441*kWh`; `None` if it is not a number with a unit."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return None
    sign, whole, fraction, unit = match.groups()
    modulus = float(10 ** len(whole)) if len(whole) >= _FEWEST_DIGITS else None
    return Quantity(float(f"{sign}{whole}.{fraction or 0}") + 0.0, unit, modulus)


def _table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


_CRC: Final = _table()


def _crc16(data: bytes) -> int:
    """CRC16/ARC: polynomial x16 + x15 + x2 + 1, least significant bit first, initial value 0."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value
