"""Reading clocks: one function for each clock policy, and the rule on when a clock is believed.

Sources: meters.md 4.3, c-its.md 2.7. The rule of belief is ADR 0006: a time ahead of reception by more
than `newest`, or behind it by more than `oldest`, is not believed: the receive time stands for it and
`clock` is flagged. A time in between that is more than ten minutes old is `late`, and kept: a message
that waited in a broker while Garonne was down is old, not wrong.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.base import ClockPolicy, Flag
from services.ingest.profiles import Context

__all__ = ["Reading", "believe", "local_naive", "receive_time", "tic_horodate"]

_LATE = timedelta(minutes=10)


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


def tic_horodate(
    local: datetime, season: str, zone: ZoneInfo, received_at: datetime, clock: ClockPolicy = "tic_horodate"
) -> Reading:
    """A Linky horodate: `H` or `E` decides the hour that occurs twice; lower case = degraded clock.

    Source: Enedis-NOI-CPT_54E, horodate format.
    """
    flags: tuple[Flag, ...] = ("clock_degraded",) if season in ("h", "e") else ()
    if season.upper() in ("H", "E"):
        aware = local.replace(tzinfo=zone, fold=1 if season.upper() == "H" else 0)
        return Reading(aware.astimezone(UTC), clock, flags)
    return local_naive(local, zone, received_at, clock)._replace(flags=flags)
