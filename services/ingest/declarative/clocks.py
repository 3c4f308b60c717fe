"""The clocks of a table: where the source's own time stands, which one is believed, and how it is read."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.base import ClockPolicy
from services.ingest.clock import (
    Reading,
    believe,
    fake_utc_local,
    local_naive,
    receive_time,
    tic_horodate,
    wall_clock_text,
)
from services.ingest.declarative.pointers import Getter, getter
from services.ingest.declarative.table import Clock, Policy
from services.ingest.profiles import Context, Message

__all__ = ["ReadClock", "compile_clocks", "instant"]

ReadClock = Callable[[Any, Message, Context], Reading]
Read = Callable[[Any, datetime, Context], Reading]

_MILLISECONDS_FROM: Final = 100_000_000_000
"""Seconds since 1970 reach this in the year 5138; milliseconds did in 1973."""
_LATEST_EPOCH_S: Final = 253_000_000_000
_STALE: Final = timedelta(minutes=10)
_COMPACT: Final = 12
_HORODATE: Final = 13


def _not_a_time(received_at: datetime) -> Reading:
    return Reading(received_at, "none", ("clock",))


def _number(value: Any) -> float | None:
    if type(value) is int or type(value) is float:
        return value
    if type(value) is str and len(value) <= 20:
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _epoch(value: Any, received_at: datetime, context: Context, per_second: int, clock: ClockPolicy) -> Reading:
    number = _number(value)
    # Without a remainder: a whole number of a thousand digits has no quotient otherwise.
    if number is None or not -_LATEST_EPOCH_S < number // per_second < _LATEST_EPOCH_S:
        return _not_a_time(received_at)
    at = datetime.fromtimestamp(number / per_second, UTC)
    return believe(Reading(at, clock), received_at, context)


def _epoch_s(value: Any, received_at: datetime, context: Context) -> Reading:
    return _epoch(value, received_at, context, 1, "epoch_s")


def _epoch_ms(value: Any, received_at: datetime, context: Context) -> Reading:
    return _epoch(value, received_at, context, 1000, "epoch_ms")


def _auto(value: Any, received_at: datetime, context: Context) -> Reading:
    """An ISO text with or without offset, or seconds or milliseconds since 1970 as number or text."""
    number = _number(value)
    if number is None:
        return wall_clock_text(value, received_at, context)
    return (_epoch_ms if abs(number) >= _MILLISECONDS_FROM else _epoch_s)(number, received_at, context)


def _civil(value: Any, received_at: datetime, context: Context, read: Callable[[datetime], Reading]) -> Reading:
    try:
        local = datetime.fromisoformat(value).replace(tzinfo=None)
        return believe(read(local), received_at, context)
    except (TypeError, ValueError, OverflowError):
        return _not_a_time(received_at)


def _local(value: Any, received_at: datetime, context: Context) -> Reading:
    """A wall clock, whatever zone it claims."""
    return _civil(value, received_at, context, lambda local: local_naive(local, context.timezone, received_at))


def _fake_utc(value: Any, received_at: datetime, context: Context) -> Reading:
    zone: ZoneInfo = context.timezone
    return _civil(value, received_at, context, lambda local: fake_utc_local(local, "", zone, received_at))


def _digits(text: str) -> datetime | None:
    """YYMMDDhhmmss."""
    if len(text) != _COMPACT or not (text.isascii() and text.isdecimal()):
        return None
    pairs = [int(text[place : place + 2]) for place in range(0, _COMPACT, 2)]
    try:
        return datetime(2000 + pairs[0], *pairs[1:])  # type: ignore[arg-type]  # noqa: DTZ001 - the zone is the site's
    except ValueError:
        return None


def _compact(value: Any, received_at: datetime, context: Context) -> Reading:
    """`210314112233`, number or text, local (HomeWizard; DSMR without season)."""
    local = _digits(str(value)) if type(value) in (int, str) else None
    if local is None:
        return _not_a_time(received_at)
    return believe(local_naive(local, context.timezone, received_at), received_at, context)


def _horodate(value: Any, received_at: datetime, context: Context) -> Reading:
    """`E260614150520`: season and local time of a Linky."""
    text = value.replace(" ", "") if type(value) is str and len(value) <= _HORODATE + 1 else ""
    season = text[:1] if len(text) == _HORODATE else " "
    local = _digits(text[-_COMPACT:])
    if local is None or season not in ("H", "E", "h", "e", " "):
        return _not_a_time(received_at)
    return believe(tic_horodate(local, season, context.timezone, received_at), received_at, context)


_READ: Final[Mapping[Policy, Read]] = {
    "auto": _auto,
    "iso": wall_clock_text,
    "epoch_s": _epoch_s,
    "epoch_ms": _epoch_ms,
    "local_naive": _local,
    "local_compact": _compact,
    "tic_horodate": _horodate,
    "fake_utc_local": _fake_utc,
}


def instant(clock: Clock) -> Callable[[Any, Message, Context], datetime | None]:
    """A reader of one instant that belongs to a single value; `None` where it is not there or no time.

    It is not held against the time of reception: the peak of the month may be weeks old.
    """
    get, read = getter(clock.field), _READ[clock.policy]

    def at(root: Any, message: Message, context: Context) -> datetime | None:
        value = get(root)
        if value is None:
            return None
        reading = read(value, message.received_at, _believing(context))
        return None if "clock" in reading.flags else reading.at

    return at


_EVER: Final = timedelta(days=36_500)


def _believing(context: Context) -> Context:
    return replace(context, oldest=_EVER, newest=_EVER)


def compile_clocks(clocks: tuple[Clock, ...]) -> ReadClock:
    """The first clock that is there and believed; a later one takes over only if it is far newer.

    Gateways that send remembered values again send a remembered clock too: it may have stopped long ago.
    """
    readers = [(getter(clock.field), _READ[clock.policy]) for clock in clocks]
    if not readers:
        return lambda _root, message, _context: receive_time(message.received_at)
    if len(readers) == 1:
        return _only(*readers[0])

    def several(root: Any, message: Message, context: Context) -> Reading:
        chosen: Reading | None = None
        for get, read in readers:
            value = get(root)
            if value is None or value == "":
                continue
            reading = read(value, message.received_at, context)
            if chosen is None or (
                "clock" not in reading.flags and ("clock" in chosen.flags or reading.at - chosen.at > _STALE)
            ):
                chosen = reading
        return receive_time(message.received_at) if chosen is None else chosen

    return several


def _only(get: Getter, read: Read) -> ReadClock:
    def one(root: Any, message: Message, context: Context) -> Reading:
        value = get(root)
        if value is None or value == "":
            return receive_time(message.received_at)
        return read(value, message.received_at, context)

    return one
