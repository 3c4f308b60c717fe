"""P1 telegrams: frame, CRC and lines, and the clock of the telegram."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.clock import dsmr_ws
from services.ingest.codecs.obis import Code, electricity, read_code
from services.ingest.codecs.p1 import Quantity, quantity, telegrams
from services.ingest.profiles import Unparseable

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
WINTER = datetime(2026, 3, 3, 19, 15, 11, tzinfo=UTC)
# The check value of CRC-16/ARC for "123456789" is BB3D; this telegram was made by hand and its CRC by another program.
TELEGRAM = b"/KFM5KAIFA-METER\r\n\r\n1-3:0.2.8(42)\r\n1-0:1.8.1(001581.123*kWh)\r\n!"


def _crc16(data: bytes) -> int:
    """Bit by bit, slow and obvious."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value


def test_the_reference_of_this_test_is_crc_16_arc() -> None:
    """By the published check value."""
    assert _crc16(b"123456789") == 0xBB3D


def test_a_telegram_with_its_crc_is_read() -> None:
    """Identification, and values by code."""
    (telegram,) = telegrams(TELEGRAM + b"%04X\r\n" % _crc16(TELEGRAM))
    assert telegram.identification == "KFM5KAIFA-METER"
    assert telegram.lines == {Code(1, 3, "0.2.8"): ("42",), Code(1, 0, "1.8.1"): ("001581.123*kWh",)}


@given(at=st.integers(1, len(TELEGRAM) - 2), change=st.integers(1, 255))
def test_one_byte_hit_on_the_wire_is_found(at: int, change: int) -> None:
    """Whichever byte between the first and the last: nothing is read of the telegram."""
    hit = bytearray(TELEGRAM + b"%04X\r\n" % _crc16(TELEGRAM))
    hit[at] ^= change
    with pytest.raises(Unparseable):
        telegrams(bytes(hit))


@pytest.mark.parametrize("crc", [b"", b"0000", b"%04X" % (_crc16(TELEGRAM) ^ 1)])
def test_a_crc_that_is_missing_or_wrong_is_refused(crc: bytes) -> None:
    """From version 4 on there must be one."""
    with pytest.raises(Unparseable) as refused:
        telegrams(TELEGRAM + crc + b"\r\n")
    assert refused.value.reason == "bad_checksum"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("003120.441*kWh", Quantity(3120.441, "kWh", 1e6)),
        ("006545766*Wh", Quantity(6545766.0, "Wh", 1e9)),
        ("00.244*kW", Quantity(0.244, "kW", None)),
        ("-02124.86*W", Quantity(-2124.86, "W", 1e5)),
        ("9.5*kWh", Quantity(9.5, "kWh", None)),
        ("1*", None),
        ("kWh", None),
        ("1e5*kWh", None),
    ],
)
def test_a_quantity_is_a_number_with_a_unit(text: str, expected: Quantity | None) -> None:
    """And its digits say where it rolls over, if it is written with leading zeros."""
    assert quantity(text) == expected


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("260303201510W", AMSTERDAM, datetime(2026, 3, 3, 19, 15, 10, tzinfo=UTC)),
        ("260303201510", AMSTERDAM, datetime(2026, 3, 3, 19, 15, 10, tzinfo=UTC)),
        ("230202132747S", ZoneInfo("Europe/Dublin"), datetime(2023, 2, 2, 13, 27, 47, tzinfo=UTC)),
        ("251026024500S", AMSTERDAM, datetime(2025, 10, 26, 0, 45, tzinfo=UTC)),
        ("251026024500W", AMSTERDAM, datetime(2025, 10, 26, 1, 45, tzinfo=UTC)),
        ("632525252525W", AMSTERDAM, None),
        ("700101010000W", AMSTERDAM, None),
        ("26030320151W", AMSTERDAM, None),
        ("260303201510X", AMSTERDAM, None),
        ("", AMSTERDAM, None),
    ],
)
def test_the_letter_decides_only_the_hour_that_occurs_twice(text: str, zone: ZoneInfo, at: datetime | None) -> None:
    """And what says "never read" is no time (meters.md 0)."""
    reading = dsmr_ws(text, zone, WINTER)
    assert (None if reading is None else reading.at) == at


def test_codes_are_read_with_and_without_their_last_part() -> None:
    """`*255` and `.255` are the same code; another channel or medium is not the main meter."""
    assert {read_code(text) for text in ("1-0:1.8.0", "1-0:1.8.0*255", "1-0:1.8.0.255")} == {Code(1, 0, "1.8.0")}
    assert read_code("1.8.0") is None
    assert electricity(Code(1, 0, "1.8.0")) is not None
    assert electricity(Code(1, 1, "1.8.0")) is None
    assert electricity(None) is None
