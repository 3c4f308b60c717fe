"""TIC frames: what was hit on the line is left out, and nothing else."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.codecs.ticframe import RawGroup, frames, groups
from services.ingest.profiles import Message, Unparseable
from tests.cases import normaliser

HISTORIQUE = b"\nPTEC HP..  \r\nIINST 002 Y\r"
"""Two groups as a meter sends them (Enedis-NOI-CPT_02E); the check character of the first is a space."""
STANDARD = b"\nDATE\tE220615092559\t\tL\r"
"""Label, horodate and no data (meters.md 2.1)."""

LABELS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-", min_size=1, max_size=8)
DATA = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./()", min_size=1, max_size=16)


def _historique(label: str, data: str) -> bytes:
    counted = f"{label} {data}".encode()
    return b"\n" + counted + b" " + bytes([(sum(counted) & 0x3F) + 0x20]) + b"\r"


def _standard(label: str, data: str) -> bytes:
    counted = f"{label}\t{data}\t".encode()
    return b"\n" + counted + bytes([(sum(counted) & 0x3F) + 0x20]) + b"\r"


def test_groups_of_both_modes_are_read() -> None:
    """Checksums of real groups fit, a space as check character too."""
    assert groups(HISTORIQUE) == ([RawGroup("PTEC", None, "HP.."), RawGroup("IINST", None, "002")], 0)
    assert groups(STANDARD) == ([RawGroup("DATE", "E220615092559", "")], 0)
    assert groups(HISTORIQUE.replace(b"\r", b"\r\r")) == groups(HISTORIQUE)


@given(label=LABELS, data=DATA, standard=st.booleans(), at=st.integers(1, 30), bit=st.integers(0, 5))
def test_one_bit_hit_on_the_line_is_found(label: str, data: str, *, standard: bool, at: int, bit: int) -> None:
    """A single bit of label, data or check, flipped within the 6 bits that are counted, is never read as a value."""
    whole = _standard(label, data) if standard else _historique(label, data)
    assert groups(whole) == ([RawGroup(label, None, data)], 0)
    hit = bytearray(whole)
    place = min(at, len(whole) - 2)
    hit[place] ^= 1 << bit
    if hit[place] in b"\t\r\n " or whole[place] in b"\t ":
        return  # another separator makes another group, which the next property covers
    good, damaged = groups(bytes(hit))
    assert not good
    assert damaged == 1


def test_of_a_frame_cut_anywhere_only_whole_groups_are_read() -> None:
    """Every prefix of two groups gives the groups that are whole in it."""
    sent = _standard("EAST", "027610400") + _standard("SINSTS", "00870")
    whole = [RawGroup("EAST", None, "027610400"), RawGroup("SINSTS", None, "00870")]
    ends = [len(_standard("EAST", "027610400")) - 1, len(sent) - 1]
    for cut in range(len(sent)):
        good, _ = groups(sent[:cut])
        assert good == whole[: sum(cut >= end for end in ends)]


@pytest.mark.parametrize(
    ("payload", "complete"),
    [
        (b"\x02a\x03\x02b\x03", [b"a", b"b"]),
        (b"tail\x03\x02b\x03\x02head", [b"b"]),
        (b"\x02a\x04\x02b\x03", [b"b"]),
        (b"\nno marks\r", [b"\nno marks\r"]),
    ],
)
def test_complete_frames_are_found(payload: bytes, complete: list[bytes]) -> None:
    """From STX to ETX, without EOT in between."""
    assert frames(payload) == complete


@pytest.mark.parametrize("payload", [b"\x02a", b"a\x03", b"\x02a\x04", b"\x02a\x04b\x03"])
def test_no_complete_frame_is_refused(payload: bytes) -> None:
    """Cut or aborted: nothing of it counts."""
    with pytest.raises(Unparseable) as refused:
        frames(payload)
    assert refused.value.reason == "truncated"


def _meters(*frames_in_order: bytes) -> list[str]:
    normalise = normaliser(ZoneInfo("Europe/Paris"), {})
    start = datetime(2026, 1, 12, 7, 15, tzinfo=UTC)
    times = [start + timedelta(seconds=2 * number) for number in range(len(frames_in_order))]
    messages = [
        Message("tic/home/frame", b"\x02" + f + b"\x03", at) for f, at in zip(frames_in_order, times, strict=True)
    ]
    return [event.record.meter for each in messages for event in normalise(each).events]  # type: ignore[union-attr]


NUMBER = _historique("ADCO", "021876000301")
INDEX = _historique("BASE", "000012345")
DAMAGED = NUMBER.replace(b"301", b"31")


def test_a_frame_whose_number_was_hit_is_of_the_meter_that_the_topic_said() -> None:
    """Before any number was said, each is of a meter of its own: one reading credits nothing."""
    first, second, good, later = _meters(DAMAGED + INDEX, DAMAGED + INDEX, NUMBER + INDEX, DAMAGED + INDEX)
    assert later == good
    assert len({first, second, good}) == 3


def test_a_gateway_that_never_says_the_number_is_known_by_its_topic() -> None:
    """Also when another group of the frame was hit."""
    good, hit = _meters(INDEX, INDEX + DAMAGED)
    assert good == hit
