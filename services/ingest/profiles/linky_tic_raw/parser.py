"""Reading raw TIC frames: damaged groups are left out, what is left has the meaning of `codecs.tic`."""

from datetime import datetime
from typing import Final

from schemas.envelope import AnyRecord
from services.ingest.clock import Reading, believe, receive_time, tic_horodate
from services.ingest.codecs import tic
from services.ingest.codecs.ticframe import RawGroup, frames, groups
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "linky_tic_raw"
_HORODATE: Final = len("H260112081542")


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read the frames of a payload.

    Of frames without a clock only the last counts: nobody knows how old the others are.

    Raises:
        Unparseable: no complete frame, or none with a group of the TIC whose checksum fits.
    """
    read = [groups(frame) for frame in frames(message.payload)]
    dated = [one for one in read if any(group.label == "DATE" for group in one[0])]
    chosen = [one for one in read if one in dated or one is read[-1]]
    records = tuple(
        record
        for good, damaged in chosen
        if any(tic.is_label(group.label) for group in good)
        for record in tic.records(*_frame(good, damaged, message, context), context)
    )
    return records or _nothing(read)


def _nothing(read: list[tuple[list[RawGroup], int]]) -> Ignored:
    good = [group for one, _ in read for group in one]
    if any(damaged for _, damaged in read):
        raise Unparseable("bad_checksum", "payload: no metered group has a checksum that fits")
    if not any(tic.is_label(group.label) for group in good):
        raise Unparseable("wrong_shape", "payload: has no group of the TIC")
    for group in good:
        if group.label in tic.REGISTERS or group.label in tic.GAUGES:
            raise Unparseable("bad_value", f"{group.label}: must be a number of at most nine digits")
    return Ignored("no-metering-section")


def _frame(good: list[RawGroup], damaged: int, message: Message, context: Context) -> tuple[list[tic.Group], tic.Frame]:
    read = [tic.Group(each.label, each.data, _horodate(each.horodate, message, context)) for each in good]
    device = f"{FAMILY}:{_identity(good, damaged, message, context)}"
    date = next((group.at for group in read if group.label == "DATE" and group.at is not None), None)
    frame = tic.Frame(
        household=context.names.household(device),
        meter=context.names.meter(device),
        at=receive_time(message.received_at) if date is None else believe(date, message.received_at, context),
        received_at=message.received_at,
        retained=message.retained,
    )
    return read, frame


def _identity(good: list[RawGroup], damaged: int, message: Message, context: Context) -> str:
    """The meter's number; without one, that of the topic.

    Where the number itself may be what is damaged, the number that this topic last said counts. Before any was said
    the frame is of a meter of its own, that of this instant: a second one that goes by the topic would collect the
    same energy again.
    """
    key = (FAMILY, message.topic)
    number = next((each.data.strip() for each in good if each.label in tic.IDENTITIES and each.data.strip()), None)
    if number is None and damaged:
        known: str | None = context.memory.recall(key)
        return known or f"{message.topic} {message.received_at.isoformat()}"
    identity = number or message.topic
    context.memory.remember(key, identity)
    return identity


def _horodate(text: str | None, message: Message, context: Context) -> Reading | None:
    """`SYYMMDDhhmmss`: season and local time; the season is a space where the meter gives none."""
    if text is None or len(text) != _HORODATE or not text[1:].isdecimal():
        return None
    year, month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(1, _HORODATE, 2))
    try:
        local = datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone follows
    except ValueError:
        return None
    return tic_horodate(local, text[0], context.timezone, message.received_at)
