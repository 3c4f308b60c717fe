"""Time in C-ITS messages, exactly as c-its.md 2.7 says.

TimestampIts counts TAI milliseconds since 2004 (ETSI TS 102 894-2); generationDeltaTime is its remainder by 65536
(EN 302 637-2); moy, DSecond and TimeMark are UTC (ISO/TS 19091). All functions are of integers of milliseconds.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.base import Flag
from services.ingest.clock import Reading, believe
from services.ingest.profiles import Context

__all__ = [
    "FRESH_MS",
    "ITS_EPOCH_MS",
    "delta_time",
    "from_its",
    "instant",
    "leaps_ms",
    "milliseconds",
    "minute_of_year",
    "second_of_minute",
    "time_mark",
    "to_its",
    "unix_time",
]

ITS_EPOCH_MS: Final = 1_072_915_200_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_LEAP_SECONDS: Final = tuple(
    (datetime(year, month, 1, tzinfo=UTC) - _EPOCH) // _MS
    for year, month in ((2006, 1), (2009, 1), (2012, 7), (2015, 7), (2017, 1))
)
_LAST_MS: Final = (datetime(9998, 1, 1, tzinfo=UTC) - _EPOCH) // _MS
_HOUR_MS: Final = 3_600_000
_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_YOUNGEST_MS, _OLDEST_MS = -10_000, 60_000
"""Ages that 16 bits can tell apart."""
_CERTAIN_MS: Final = 50_000
"""A message whose envelope is older may be older than 55.5 s itself: then 16 bits would put it into the future."""
_LEAP_SUSPECT_MS: Final = (4500, 6500)
FRESH_MS: Final = (-2000, 10_000)
_NO_MINUTE: Final = 527_040
_FIRST_UNKNOWN_SECOND: Final = 61_000
_MARKS: Final = 36_000
"""From here on a TimeMark is no instant: 36000 more than an hour or indefinite, 36001 unknown."""


def milliseconds(at: datetime) -> int:
    """Unix time, cut to milliseconds."""
    return (at - _EPOCH) // _MS


def instant(unix_ms: int) -> datetime | None:
    """The instant; `None` outside of the years that a datetime can hold."""
    return _EPOCH + timedelta(milliseconds=unix_ms) if 0 <= unix_ms <= _LAST_MS else None


def to_its(unix_ms: int, *, tai: bool = True) -> int:
    """TimestampIts of a Unix time; `tai=False` for senders that ignore leap seconds."""
    leaps = sum(unix_ms >= leap for leap in _LEAP_SECONDS) if tai else 0
    return unix_ms - ITS_EPOCH_MS + 1000 * leaps


def leaps_ms(unix_ms: int) -> int:
    """Leap seconds since 2004, in milliseconds."""
    return 1000 * sum(unix_ms >= leap for leap in _LEAP_SECONDS)


def from_its(its_ms: int, *, tai: bool = True) -> int:
    """Unix time of a TimestampIts."""
    unix_ms = its_ms + ITS_EPOCH_MS
    if not tai:
        return unix_ms
    leaps = sum(unix_ms >= leap + 1000 * earlier for earlier, leap in enumerate(_LEAP_SECONDS, start=1))
    return unix_ms - 1000 * leaps


def delta_time(delta_ms: int, received_at: datetime, envelope_ms: int | None, context: Context) -> Reading:
    """When a CAM was generated.

    Args:
        delta_ms: generationDeltaTime.
        received_at: when it arrived.
        envelope_ms: Unix time that the envelope says. It decides only where the message may be older than
            generationDeltaTime can tell (55.5 s), or is from the future.
        context: the sender's leap-second policy and how far a clock is believed.
    """
    received_ms = (received_at - _EPOCH) // _MS
    base_ms = received_ms
    if envelope_ms is not None and not _YOUNGEST_MS <= received_ms - envelope_ms <= _CERTAIN_MS:
        base_ms = envelope_ms
    age_ms = (to_its(base_ms, tai=context.its_leap_seconds != "utc") - delta_ms) & 0xFFFF
    if age_ms > 55_536:
        age_ms -= 65_536
    generated_at = instant(base_ms - age_ms)
    if generated_at is None:
        return Reading(received_at, "its", ("clock",))
    flags: tuple[Flag, ...] = ()
    if _LEAP_SUSPECT_MS[0] <= age_ms <= _LEAP_SUSPECT_MS[1]:
        flags = ("leap_suspect",)
    if base_ms != received_ms:
        reading = believe(Reading(generated_at, "its", flags), received_at, context)
        if "clock" in reading.flags:
            return reading
        flags = ("stale", *reading.flags)
    elif not FRESH_MS[0] <= age_ms <= FRESH_MS[1]:
        flags = (*flags, "stale")
    if "stale" in flags and not _is_confirmed(base_ms - age_ms, envelope_ms, received_ms):
        flags = (*flags, "clock_ambiguous")
    return Reading(generated_at, "its", flags)


def _is_confirmed(generated_ms: int, envelope_ms: int | None, received_ms: int) -> bool:
    """Whether a message is known to be old: it was put into its envelope when it was generated, and not in the future.

    Without, its 16 bits leave open which turn of 65.536 s is meant.
    """
    if envelope_ms is None or max(generated_ms, envelope_ms) - received_ms > -FRESH_MS[0]:
        return False
    return FRESH_MS[0] <= envelope_ms - generated_ms <= FRESH_MS[1]


def unix_time(unix_ms: int | None, received_at: datetime, context: Context) -> Reading:
    """The time of an envelope; without one the receive time stands for it."""
    if unix_ms is None:
        return Reading(received_at, "none")
    at = instant(unix_ms)
    return (
        Reading(received_at, "epoch_ms", ("clock",))
        if at is None
        else believe(Reading(at, "epoch_ms"), received_at, context)
    )


def minute_of_year(minute: int, millisecond: int, reference_ms: int) -> int | None:
    """Unix time of a minute of the UTC year and a DSecond, in the year that is nearest to the reference.

    `None` if the minute is unavailable; a DSecond that is unavailable counts as 0.
    """
    if minute >= _NO_MINUTE:
        return None
    offset_ms = minute * _MINUTE_MS + (millisecond if millisecond < _FIRST_UNKNOWN_SECOND else 0)
    year = (instant(reference_ms) or _EPOCH).year
    starts = ((datetime(each, 1, 1, tzinfo=UTC) - _EPOCH) // _MS for each in (year, year - 1, year + 1))
    found = [start + offset_ms for start in starts]
    if abs(found[0] - reference_ms) <= _DAY_MS:
        return found[0]
    return min(found, key=lambda each: abs(each - reference_ms))


def second_of_minute(millisecond: int, reference_ms: int) -> int | None:
    """Unix time of a DSecond without its minute: the one of the reference, or the minute before or after.

    As with a CAM, a message is at most 10 s ahead of its reception.
    """
    if millisecond >= _FIRST_UNKNOWN_SECOND:
        return None
    at_ms = reference_ms - reference_ms % _MINUTE_MS + millisecond
    if at_ms - reference_ms > -_YOUNGEST_MS:
        return at_ms - _MINUTE_MS
    return at_ms + _MINUTE_MS if reference_ms - at_ms > _OLDEST_MS + _YOUNGEST_MS else at_ms


def time_mark(mark: int | None, reference_ms: int) -> datetime | None:
    """The instant of a TimeMark, tenths of a second in the hour of the reference or the next."""
    if mark is None or mark >= _MARKS:
        return None
    at_ms = reference_ms - reference_ms % _HOUR_MS + 100 * mark
    if at_ms < reference_ms - _MINUTE_MS:
        at_ms += _HOUR_MS
    elif at_ms > reference_ms + _HOUR_MS - _MINUTE_MS:
        at_ms -= _HOUR_MS
    return instant(at_ms)
