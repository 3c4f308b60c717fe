"""Reading clocks: one function for each clock policy, and the rule on when a clock is believed.

Sources: meters.md 4.3, c-its.md 2.7. The rule of belief is ADR 0006: a time ahead of reception by more
than `newest`, or behind it by more than `oldest`, is not believed: the receive time stands for it and
`clock` is flagged. A time in between that is more than ten minutes old is `late`, and kept: a message
that waited in a broker while Garonne was down is old, not wrong.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from schemas.base import ClockPolicy, Flag
from services.ingest.profiles import Context

__all__ = [
    "Reading",
    "believe",
    "dsmr_ws",
    "epoch",
    "fake_utc_local",
    "local_naive",
    "receive_time",
    "tic_horodate",
    "wall_clock_text",
]

_LATE = timedelta(minutes=10)
_YEARS = (1971, 9998)
_SHORTEST_TIME = len("2026-01-12T07:15")


class Reading(NamedTuple):
    """An instant with the policy that read it and the doubts about it."""

    at: datetime
    clock: ClockPolicy
    flags: tuple[Flag, ...] = ()


def receive_time(received_at: datetime) -> Reading:
    """For payloads without a clock."""
    return Reading(received_at, "none")


def believe(reading: Reading, received_at: datetime, context: Context) -> Reading:
    """Replace a source time that cannot be true by the receive time; flag what is late."""
    age = received_at - reading.at
    if age < -context.newest or age > context.oldest:
        return Reading(received_at, reading.clock, (*reading.flags, "clock"))
    if age > _LATE:
        return Reading(reading.at, reading.clock, (*reading.flags, "late"))
    return reading


def local_naive(local: datetime, zone: ZoneInfo, received_at: datetime, clock: ClockPolicy = "local_naive") -> Reading:
    """A wall clock without zone. In the hour that occurs twice the later instant not after reception wins."""
    if not _YEARS[0] <= local.year <= _YEARS[1]:
        # Not a time that any rule of summer time covers; `believe` refuses it.
        return Reading(local.replace(tzinfo=UTC), clock)
    offset = _offset_of_hour(zone, local.year, local.month, local.day, local.hour)
    if offset is not None:
        return Reading((local - offset).replace(tzinfo=UTC), clock)
    first = local.replace(tzinfo=zone, fold=0)
    second = local.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return Reading(first.astimezone(UTC), clock)
    first_utc, second_utc = first.astimezone(UTC), second.astimezone(UTC)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        # The missing hour of spring: the offset of before the change, shifted forward.
        return Reading(first_utc, clock, ("clock_missing_hour",))
    chosen = second_utc if second_utc <= received_at + _LATE else first_utc
    return Reading(chosen, clock, ("clock_ambiguous",))


@lru_cache(maxsize=4096)
def _offset_of_hour(zone: ZoneInfo, year: int, month: int, day: int, hour: int) -> timedelta | None:
    """The offset that holds for a whole hour of wall clock; `None` where the clock changes."""
    start = datetime(year, month, day, hour, tzinfo=zone)
    ends = (start, start.replace(fold=1), start.replace(minute=59, second=59), start.replace(minute=59, fold=1))
    offsets = {each.utcoffset() for each in ends}
    return offsets.pop() if len(offsets) == 1 else None


@lru_cache(maxsize=4096)
def _unambiguous(text: str, zone: ZoneInfo) -> datetime | None:
    """The UTC instant of a local ISO time, where it does not depend on anything else.

    Remembered, because at a high rate many devices write the same second.
    """
    try:
        local = datetime.fromisoformat(text) if len(text) >= _SHORTEST_TIME else None
    except ValueError:
        return None
    if local is None or local.tzinfo is not None or not _YEARS[0] <= local.year <= _YEARS[1]:
        return None
    offset = _offset_of_hour(zone, local.year, local.month, local.day, local.hour)
    return None if offset is None else (local - offset).replace(tzinfo=UTC)


def tic_horodate(
    local: datetime, season: str, zone: ZoneInfo, received_at: datetime, clock: ClockPolicy = "tic_horodate"
) -> Reading:
    """A Linky horodate: `H` or `E` decides the hour that occurs twice; lower case = degraded clock.

    Source: Enedis-NOI-CPT_54E, horodate format.
    """
    flags: tuple[Flag, ...] = ("clock_degraded",) if season in ("h", "e") else ()
    civil = local_naive(local, zone, received_at, clock)
    if "clock_ambiguous" not in civil.flags or season.upper() not in ("H", "E"):
        # One hour a year apart, the season says nothing that the date does not say.
        return civil._replace(flags=(*flags, *civil.flags))
    aware = local.replace(tzinfo=zone, fold=1 if season.upper() == "H" else 0)
    return Reading(aware.astimezone(UTC), clock, flags)


_LATEST_EPOCH_S = 253_000_000_000


def epoch(number: float, clock: ClockPolicy = "epoch_s") -> Reading | None:
    """Seconds since 1970 (or milliseconds, with the policy `epoch_ms`); `None` for what is no instant."""
    per_second = 1000 if clock == "epoch_ms" else 1
    if not 0 <= number <= _LATEST_EPOCH_S * per_second:  # a whole number of a thousand digits cannot be divided
        return None
    return Reading(datetime.fromtimestamp(number / per_second, UTC), clock)


_DSMR_DIGITS = 12
_DSMR_CENTURY = 70


def dsmr_ws(text: str, zone: ZoneInfo, received_at: datetime) -> Reading | None:
    """`YYMMDDhhmmss` with `W` (winter) or `S` (summer) behind it; DSMR 2 and 3 have no letter.

    The letter decides in the hour that occurs twice and nowhere else: meters are known that say `S` in February.
    `None` for what is no time: `632525252525W`, and `700101010000W`, an M-Bus meter that was never read.
    Source: DSMR P1 companion standard 5.0.2, 6.4 (TST); meters.md 0 and 2.2.
    """
    digits, season = text[:_DSMR_DIGITS], text[_DSMR_DIGITS:]
    if len(digits) < _DSMR_DIGITS or not (digits.isascii() and digits.isdecimal()) or season not in ("W", "S", ""):
        return None
    year, month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(0, _DSMR_DIGITS, 2))
    try:
        local = datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001 - the zone follows
    except ValueError:
        return None
    if year >= _DSMR_CENTURY:
        return None
    return tic_horodate(local, {"W": "H", "S": "E"}.get(season, ""), zone, received_at, "dsmr_ws")


def fake_utc_local(local: datetime, dst: str, zone: ZoneInfo, received_at: datetime) -> Reading:
    """A Paris wall clock that was written as if it were UTC (teleinfo2mqtt `timestamp.date`).

    `winter` is said for `H` alone, `summer` for all the rest, so it counts as `E` in the hour that occurs
    twice, where a meter that knows its season says so. Source: meters.md 2.1.
    """
    return tic_horodate(local, "H" if dst == "winter" else "E", zone, received_at, "fake_utc_local")


def wall_clock_text(text: Any, received_at: datetime, context: Context) -> Reading:
    """An ISO time: local without zone, or with an offset; believed or not (see `believe`).

    Without a text the receive time stands; a text that is no time is flagged `clock`.
    """
    if text is None:
        return Reading(received_at, "none")
    known = _unambiguous(text, context.timezone) if type(text) is str else None
    if known is not None:
        return believe(Reading(known, "local_naive"), received_at, context)
    try:
        instant = datetime.fromisoformat(text) if len(text) >= _SHORTEST_TIME else None
    except (TypeError, ValueError):
        instant = None
    if instant is None:
        return Reading(received_at, "none", ("clock",))
    if instant.tzinfo is None:
        return believe(local_naive(instant, context.timezone, received_at), received_at, context)
    if not _YEARS[0] <= instant.year <= _YEARS[1]:
        return Reading(received_at, "iso_offset", ("clock",))
    return believe(Reading(instant.astimezone(UTC), "iso_offset"), received_at, context)
