"""Frames and groups of the Linky customer output as the meter sends them, with their checksums.

Sources: Enedis-NOI-CPT_02E (historique) and Enedis-NOI-CPT_54E (standard), 5.3.6 (checksum); meters.md 2.1.
STX, groups, ETX; a group is LF label SEP [horodate SEP] data SEP check CR. EOT aborts a frame. The checksum counts
label to data in historique mode (SEP is a space), and the last HT too in standard mode.
"""

from typing import Final, NamedTuple

from services.ingest.profiles import Unparseable

__all__ = ["RawGroup", "frames", "groups"]

STX: Final = b"\x02"
ETX: Final = b"\x03"
EOT: Final = b"\x04"
HT: Final = 9
SPACE: Final = 32
SHORTEST: Final = len("A  B")
"""Label, separator, no data, separator, check."""


class RawGroup(NamedTuple):
    """A group whose checksum fits; the horodate as text (`H260112081542`), where the group has one."""

    label: str
    horodate: str | None
    data: str


def frames(payload: bytes) -> list[bytes]:
    """The complete frames of a payload, without STX and ETX; the payload itself, if it has no control characters.

    Raises:
        Unparseable: no frame is complete: aborted by EOT, or cut.
    """
    if not any(mark in payload for mark in (STX, ETX, EOT)):
        return [payload]
    complete = []
    for piece in payload.split(STX)[1:]:
        body, end, _ = piece.partition(ETX)
        if end and EOT not in body:
            complete.append(body)
    if not complete:
        aborted = "the frame was aborted by EOT" if EOT in payload else "no frame from STX to ETX"
        raise Unparseable("truncated", f"payload: {aborted}")
    return complete


def groups(frame: bytes) -> tuple[list[RawGroup], int]:
    """The groups of a frame whose checksum fits, and the number of those whose does not."""
    good: list[RawGroup] = []
    damaged = 0
    for line in frame.split(b"\n"):
        # Some recorders double the CR. The check character itself may be a space, so nothing else is stripped.
        text = line.rstrip(b"\r")
        if not text:
            continue
        group = _group(text)
        if group is None:
            damaged += 1
        else:
            good.append(group)
    return good, damaged


def _group(text: bytes) -> RawGroup | None:
    standard = HT in text
    if len(text) < SHORTEST or text[-2] != (HT if standard else SPACE):
        return None
    counted = text[:-1] if standard else text[:-2]
    if (sum(counted) & 0x3F) + 0x20 != text[-1] or not text.isascii():
        return None
    parts = text[:-2].decode("ascii").split("\t" if standard else " ", 2 if standard else 1)
    if len(parts) == 3:
        return RawGroup(parts[0], parts[1], parts[2])
    return RawGroup(parts[0], None, parts[1]) if len(parts) == 2 else None
