"""A SPATEM of whatever encoding to `SignalState` records (ISO/TS 19091 DSRC; c-its.md 2.6)."""

from typing import Any, Final

from schemas.mobility import SignalColour, SignalGroupState, SignalState
from services.ingest.clock import Reading, believe
from services.ingest.codecs import its_time
from services.ingest.codecs.its_tree import (
    Arrival,
    Enumeration,
    Tree,
    child,
    first,
    flags_set,
    integer,
    items,
    part,
)
from services.ingest.codecs.its_units import whole
from services.ingest.profiles import Context, Ignored, Unparseable

__all__ = ["COLOURS", "EVENT_STATE", "NO_INTERSECTION", "intersection_of", "message_time", "signal_states"]

NO_INTERSECTION: Final = Ignored("no-intersection")

EVENT_STATE: Final = Enumeration(
    "eventState",
    "unavailable",
    "dark",
    "stop-Then-Proceed",
    "stop-And-Remain",
    "pre-Movement",
    "permissive-Movement-Allowed",
    "protected-Movement-Allowed",
    "permissive-clearance",
    "protected-clearance",
    "caution-Conflicting-Traffic",
)
COLOURS: Final[tuple[SignalColour, ...]] = (
    "unavailable",
    "dark",
    "red",
    "red",
    "red_amber",
    "green",
    "green",
    "amber",
    "amber",
    "flashing_amber",
)
STATUS: Final = (
    "manualControlIsEnabled",
    "stopTimeIsActivated",
    "failureFlash",
    "preemptIsActive",
    "signalPriorityIsActive",
    "fixedTimeOperation",
    "trafficDependentOperation",
    "standbyOperation",
    "failureMode",
    "off",
    "recentMAPmessageUpdate",
    "recentChangeInMAPassignedLanesIDsUsed",
    "noValidMAPisAvailableAtThisTime",
    "noValidSPATisAvailableAtThisTime",
)
_CONFIDENCE_PERCENT: Final = (21, 36, 47, 56, 62, 68, 73, 77, 81, 85, 88, 91, 94, 96, 98, 100)
_NO_ADVICE: Final = 500
_LAST_MARK: Final = 36_111
"""TimeMark is INTEGER (0..36001) in ISO/TS 19091 and (0..36111) in SAE J2735:2020."""


def intersection_of(tree: Tree, context: Context) -> str:
    """The junction that the site says an IntersectionReferenceID is of; else `region:id`, a missing region being 0."""
    reference = child(tree, "id")
    return context.junction(integer(reference, "region", 0, 65_535, default=0), integer(reference, "id", 0, 65_535))


def message_time(minute: int | None, millisecond: int | None, arrival: Arrival) -> Reading:
    """When a message was made, from the minute of the year and the DSecond that it says.

    Without a DSecond the minute is too coarse, and the envelope or the reception stands for both.
    """
    reference_ms = arrival.reference_ms
    at_ms = None
    if millisecond is not None and minute is not None:
        at_ms = its_time.minute_of_year(minute, millisecond, reference_ms)
    if at_ms is None and millisecond is not None:
        at_ms = its_time.second_of_minute(millisecond, reference_ms)
    received_at, context = arrival.message.received_at, arrival.context
    at = None if at_ms is None else its_time.instant(at_ms)
    if at is None:
        return its_time.unix_time(arrival.envelope_ms, received_at, context)
    return believe(Reading(at, "its"), received_at, context)


def signal_states(spat: Tree, arrival: Arrival) -> tuple[SignalState, ...] | Ignored:
    """A record for each intersection of a folded `SPAT`.

    Raises:
        Unparseable: a mandatory element is missing, or an element is not what the standard allows.
    """
    minute = integer(spat, "timeStamp", 0, 527_040, default=-1)
    found = tuple(
        _intersection(each, minute, arrival) for each in items(spat, "intersections", "intersectionStateList")
    )
    return found or NO_INTERSECTION


def _intersection(state: Tree, minute: int, arrival: Arrival) -> SignalState:
    minute = integer(state, "moy", 0, 527_040, default=minute)
    millisecond = integer(state, "timeStamp", 0, 65_535, default=-1)
    at = message_time(minute if minute >= 0 else None, millisecond if millisecond >= 0 else None, arrival)
    reference_ms = its_time.milliseconds(at.at)
    return SignalState(
        observed_at=at.at,
        received_at=arrival.message.received_at,
        clock=at.clock,
        flags=at.flags,
        retained=arrival.message.retained,
        intersection=intersection_of(state, arrival.context),
        revision=integer(state, "revision", 0, 127),
        status=flags_set(first(state, "status"), STATUS, "status"),
        groups=tuple(_group(each, reference_ms) for each in items(state, "states")),
    )


def _group(movement: Tree, reference_ms: int) -> SignalGroupState:
    """A signal group by the first of its events: what holds now."""
    events = items(movement, "state-time-speed")
    if not events:
        raise Unparseable("missing_field", "state-time-speed: is missing")
    event = events[0]
    state = EVENT_STATE(first(event, "eventState"))
    if state is None:
        raise Unparseable("missing_field", "eventState: is missing")
    timing = part(event, "timing") or {}
    confidence = first(timing, "confidence")
    return SignalGroupState(
        signal_group=integer(movement, "signalGroup", 0, 255),
        event_state=state,
        colour=COLOURS[state],
        min_end=_mark(timing, "minEndTime", reference_ms),
        max_end=_mark(timing, "maxEndTime", reference_ms),
        likely_end=_mark(timing, "likelyTime", reference_ms),
        confidence_percent=None
        if confidence is None
        else _CONFIDENCE_PERCENT[whole(confidence, "confidence", 0, len(_CONFIDENCE_PERCENT) - 1)],
        advisory_speed_mps=_advice(event),
    )


def _mark(timing: Tree, name: str, reference_ms: int) -> Any:
    mark = first(timing, name)
    return its_time.time_mark(None if mark is None else whole(mark, name, 0, _LAST_MARK), reference_ms)


def _advice(event: Tree) -> float | None:
    """The first speed that is advised, in m/s; 49.9 stands for that and more."""
    for each in items(event, "speeds"):
        speed = integer(each, "speed", 0, _NO_ADVICE, default=_NO_ADVICE)
        if speed != _NO_ADVICE:
            return speed / 10
    return None
