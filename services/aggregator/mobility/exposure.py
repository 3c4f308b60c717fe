"""Who passes a hazard, and how fast, before and after anybody was warned of it (c-its.md 5). Pure; nobody is named.

A minute at a junction is a function of the set of its vehicles in it and of the announcements received around it: from
the quarter of an hour before that of the minute until twenty minutes after. A roadside unit repeats what holds, so an
event that nobody repeats is known for a quarter of an hour and the rest of another (docs/adr/0026).

Vehicles are *aware* from the first reception of the event until its end, as its messages then told it. They are *not
aware* before that, from a quarter of an hour before the detection on: the same place, with nothing announced there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.mobility import HazardNearby
from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.hazards import FAR_BAND_M, Relevance, band_of, relevance_of
from services.aggregator.points import milliseconds
from services.aggregator.ports import FieldValue, Point

__all__ = ["HEARD_MS", "LATE_MS", "MINUTE_MS", "Heard", "Told", "causes_of", "exposure_point", "minutes_of", "told_of"]

MINUTE_MS: Final = 60_000
HEARD_MS: Final = 900_000
"""An announcement holds for the quarter of an hour in which it was received, and for the next."""

LATE_MS: Final = 1_200_000
"""An announcement received this long after a minute no longer changes it."""

_BEFORE_MS: Final = 900_000
_UNKNOWN_MS: Final = 300_000
"""So long after the detection, at most, nobody knows: after that the first message was heard earlier than we look."""

_NO_CAUSE: Final = "none"


class Told(NamedTuple):
    """What one DENM says of an event, but for when it was received."""

    action_id: str
    detected_ms: int
    reference_ms: int
    is_end: bool
    ends_ms: int
    cause: str
    relevance: Relevance


Heard = Mapping[tuple[Told, int], int]
"""By announcement and quarter of an hour of reception: when it was first received in it, all in Unix milliseconds."""


class _Event(NamedTuple):
    cause: str
    detected_ms: int
    first_ms: int
    ended_ms: int
    relevance: Relevance

    def is_active(self, at_ms: int) -> bool:
        return max(self.detected_ms, self.first_ms) <= at_ms < self.ended_ms

    def is_unknown(self, at_ms: int) -> bool:
        until_ms = min(self.first_ms, self.detected_ms + _UNKNOWN_MS)
        return self.detected_ms - _BEFORE_MS <= at_ms < until_ms


def told_of(record: HazardNearby) -> Told:
    """What a record says."""
    relevance = relevance_of(record)
    assert relevance is not None  # noqa: S101 - it always has a position
    return Told(
        record.action_id,
        milliseconds(record.detection_time),
        milliseconds(record.observed_at),
        record.termination is not None,
        milliseconds(record.ends_at),
        _NO_CAUSE if record.cause_code is None else str(record.cause_code),
        relevance,
    )


def minutes_of(told: Told, received_ms: int) -> tuple[int, int]:
    """The first instant, and the end, of the minutes that an announcement can change: an end also those after it."""
    low_ms = max(received_ms - LATE_MS, told.detected_ms - _BEFORE_MS)
    return low_ms - low_ms % MINUTE_MS, received_ms - received_ms % HEARD_MS + 2 * HEARD_MS


def causes_of(heard: Heard, start_ms: int) -> set[str]:
    """The causes that have a point in a minute with vehicles: more messages only add to them."""
    found: set[str] = set()
    for of in _known(heard, start_ms).values():
        if any(told.detected_ms - _BEFORE_MS < start_ms + MINUTE_MS and start_ms < told.ends_ms for told, _ in of):
            found |= {told.cause for told, _ in of}
    return found


def exposure_point(zone: str, cause: str, start_ms: int, fixes: Mapping[int, Iterable[Fix]], heard: Heard) -> Point:
    """The point of a cause at a junction in a minute: counts and sums, zeros where nothing was.

    Args:
        zone: the junction.
        cause: the cause code.
        start_ms: the minute.
        fixes: by minute; those of the minute before tell who came in this one.
        heard: the announcements around it.
    """
    events = _events(heard, start_ms)
    own = [each for each in events if each.cause == cause]
    here = _Passing(fixes.get(start_ms, ()), events, own)
    before = _Passing(fixes.get(start_ms - MINUTE_MS, ()), events, own)
    end_ms = start_ms + MINUTE_MS
    active = sum(max(each.detected_ms, each.first_ms) < end_ms and each.ended_ms > start_ms for each in own)
    fields: dict[str, FieldValue] = {"events": active}
    fields |= _figures("aware", here.aware, before.aware)
    fields |= _figures("unaware", here.unaware, before.unaware)
    tags = (("cause", cause), ("zone", zone))
    return Point("hazard_exposure", tags, tuple(sorted(fields.items())), start_ms * 1_000_000)


class _Passing:
    """The vehicles of a minute that were warned of some events, and those that pass these and were warned of none."""

    def __init__(self, fixes: Iterable[Fix], events: Iterable[_Event], own: Iterable[_Event]) -> None:
        seen = list(fixes)
        warned = {fix for fix in seen for each in events if each.is_active(fix.at_ms) and _concerns(each, fix)}
        self.aware = [(each, fix) for fix in seen for each in own if each.is_active(fix.at_ms)]
        unknown = [fix for fix in seen if fix not in warned]
        self.unaware = [(each, fix) for fix in unknown for each in own if each.is_unknown(fix.at_ms)]


def _concerns(event: _Event, fix: Fix) -> bool:
    return event.relevance.before_m(fix) is not None or event.relevance.before_m(fix, FAR_BAND_M[1]) is not None


def _vehicles(passing: Iterable[tuple[_Event, Fix]]) -> set[str]:
    return {fix.vehicle for event, fix in passing if event.relevance.before_m(fix) is not None}


def _figures(
    name: str, passing: Sequence[tuple[_Event, Fix]], before: Iterable[tuple[_Event, Fix]]
) -> dict[str, FieldValue]:
    """Vehicles that came into the relevance zone; messages and speeds of both bands, once for each event."""
    counts, speeds_cmps = {"far": 0, "near": 0}, {"far": 0, "near": 0}
    for event, fix in passing:
        before_m = event.relevance.before_m(fix, FAR_BAND_M[1])
        band = None if before_m is None else band_of(before_m)
        if band is not None:
            counts[band] += 1
            speeds_cmps[band] += round(100 * fix.speed_mps)
    return {
        f"{name}_vehicles": len(_vehicles(passing) - _vehicles(before)),
        **{f"{name}_{band}": counts[band] for band in counts},
        **{f"{name}_{band}_mps": speeds_cmps[band] / 100 for band in counts},
    }


def _known(heard: Heard, start_ms: int) -> dict[tuple[str, int], list[tuple[Told, int]]]:
    """By event, the announcements around a minute, and when they were first received."""
    oldest_ms = start_ms - start_ms % HEARD_MS - HEARD_MS
    known: dict[tuple[str, int], list[tuple[Told, int]]] = defaultdict(list)
    for (told, quarter_ms), first_ms in heard.items():
        if quarter_ms >= oldest_ms and first_ms < start_ms + LATE_MS:
            known[told.action_id, told.detected_ms].append((told, first_ms))
    return known


def _events(heard: Heard, start_ms: int) -> list[_Event]:
    """The events that are known around a minute, as the announcements around it tell them."""
    known = _known(heard, start_ms).values()
    return [_event([told for told, _ in of], min(first_ms for _, first_ms in of)) for of in known]


@lru_cache(maxsize=4096)
def _place_in_order(told: Told) -> tuple[int, bool, int, str]:
    return told.reference_ms, told.is_end, told.ends_ms, repr(told)


def _event(told: list[Told], first_ms: int) -> _Event:
    said = sorted(told, key=_place_in_order)
    cause = next((each.cause for each in reversed(said) if each.cause != _NO_CAUSE), _NO_CAUSE)
    newest = said[-1]
    return _Event(cause, newest.detected_ms, first_ms, newest.ends_ms, newest.relevance)
