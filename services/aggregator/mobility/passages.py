"""Passages of vehicles over the stop lines of a junction (c-its.md 5; design.md 7). Pure.

A passage is a function of the set of records about the junction: neither their order nor copies change it. It names
no vehicle. What a message did not say stays unknown: no signal heard for two seconds, no arrival state.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from services.aggregator.mobility.advice import compliance_of
from services.aggregator.mobility.crossings import APPROACH_M, Crossing, crossings_of
from services.aggregator.mobility.emissions import BurningClass, Burnt, burnt
from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.geometry import Junction
from services.aggregator.mobility.signals import AMBER, GREEN, RED, Shown, Signals
from services.aggregator.mobility.stops import GOES_MPS, IDLE_MPS, MERGED_S, STOP_MPS, Moment, Stop, slow_s, stops_of

__all__ = [
    "Arrival",
    "Passage",
    "StationClass",
    "Violation",
    "passage_of",
    "passages_of",
    "settled_ms",
    "station_class",
]

Arrival = Literal["green", "stopped", "amber", "red", "unknown"]
"""How it came over the line: in green without a stop, in green after one, in amber, in red; or nobody knows."""

Violation = Literal["none", "certain", "uncertain"]
StationClass = Literal["car", "bus", "truck", "tram", "two_wheeler", "special", "emergency", "unknown"]

_CLASSES: Final[dict[int, StationClass]] = {
    2: "two_wheeler", 3: "two_wheeler", 4: "two_wheeler", 5: "car", 6: "bus", 7: "truck", 8: "truck", 9: "truck",
    10: "special", 11: "tram",
}  # fmt: skip
_EMERGENCY: Final = 6
_BURNING: Final[dict[int, BurningClass]] = {5: "car", 6: "bus", 7: "truck", 8: "truck"}
_RED_AGE_MS: Final = 500
_POSITION_ERROR_M: Final = 3.0
_LONGEST_SURE_GAP_MS: Final = 1_500
_LEAST_APPROACH_M: Final = 50.0
_STOP_THEN_PROCEED: Final = 2


class Passage(NamedTuple):
    """One vehicle over one stop line; instants in Unix milliseconds.

    `delay_s` is against free flow over `approach_m`, never below 0; `None` where less than 50 m of the approach were
    seen. `exit_ms` is the last that was heard of it, `last_before_ms` the last before the line. `burnt` is estimated by
    VSP, of cars, buses and trucks.
    """

    fixes: tuple[Fix, ...]
    lane: int
    approach: int
    signal_group: int | None
    station: StationClass
    entry_ms: int | None
    stop_line_ms: int
    exit_ms: int
    last_before_ms: int
    speed_mps: float
    event_state: int | None
    state_age_s: float | None
    approach_m: float
    stops: tuple[Stop, ...]
    stopped_s: float
    idle_s: float
    delay_s: float | None
    arrival: Arrival
    violation: Violation
    advice_followed: float | None
    burnt: Burnt | None


def passages_of(fixes: Iterable[Fix], signals: Signals, junction: Junction) -> list[Passage]:
    """The passages of all vehicles, by time of crossing."""
    by_vehicle: dict[str, list[Fix]] = defaultdict(list)
    for fix in fixes:
        by_vehicle[fix.vehicle].append(fix)
    found = [
        passage_of(crossing, signals, junction.limit_mps)
        for its in by_vehicle.values()
        for crossing in crossings_of(its, junction)
    ]
    return sorted(found, key=lambda each: (each.stop_line_ms, each.lane, each.fixes[-1].vehicle))


def station_class(station_type: int, vehicle_role: int) -> StationClass:
    """What kind of vehicle it is; the emergency role counts before the type."""
    return "emergency" if vehicle_role == _EMERGENCY else _CLASSES.get(station_type, "unknown")


def passage_of(crossing: Crossing, signals: Signals, limit_mps: float) -> Passage:
    """What happened at a crossing."""
    entry_ms, approach_m = _entry(crossing)
    last = crossing.steps[-1].fix
    stop_line_ms = round(crossing.at_ms)
    moments, stops = _moments(crossing, entry_ms), _stops(crossing, entry_ms)
    group = crossing.lane.signal_group
    shown = None if group is None else signals.at(group, stop_line_ms)
    delay_s = None
    if approach_m >= _LEAST_APPROACH_M:
        delay_s = max(0.0, (crossing.at_ms - entry_ms) / 1000 - approach_m / limit_mps)
    fixes = (*(step.fix for step in crossing.steps), *crossing.after)
    return Passage(
        fixes=fixes,
        lane=crossing.lane.lane_id,
        approach=crossing.lane.approach,
        signal_group=group,
        station=station_class(last.station_type, last.vehicle_role),
        entry_ms=round(entry_ms) if approach_m >= _LEAST_APPROACH_M else None,
        stop_line_ms=stop_line_ms,
        exit_ms=fixes[-1].at_ms,
        last_before_ms=last.at_ms,
        speed_mps=crossing.speed_mps,
        event_state=None if shown is None else shown.event_state,
        state_age_s=None if shown is None else (stop_line_ms - shown.since_ms) / 1000,
        approach_m=approach_m,
        stops=stops,
        stopped_s=sum(stop.end_s - stop.start_s for stop in stops),
        idle_s=slow_s(moments, IDLE_MPS),
        delay_s=delay_s,
        arrival=_arrival(shown, bool(stops)),
        violation=_violation(crossing, shown, stops, signals),
        advice_followed=compliance_of(crossing, signals, limit_mps),
        burnt=_burnt(moments, last.station_type),
    )


def settled_ms(crossing: Crossing) -> int | None:
    """The message after which no later one changes the passage; `None` while one can: a stop may go on behind the line.

    A stop that began before the line is over once the vehicle was faster than 2.8 m/s for two seconds.
    """
    fast_ms: int | None = None
    for step in reversed(crossing.steps):
        if step.fix.speed_mps < GOES_MPS or (fast_ms is not None and fast_ms < crossing.at_ms - 1000 * 2 * MERGED_S):
            break
        fast_ms = step.fix.at_ms
    for fix in crossing.after:
        if fix.speed_mps < GOES_MPS:
            fast_ms = None
        elif fast_ms is None:
            fast_ms = fix.at_ms
        elif fix.at_ms - fast_ms > 1000 * MERGED_S:
            return fix.at_ms
    return None


def _entry(crossing: Crossing) -> tuple[float, float]:
    """When it was 300 m before the line, or at the far end of its lane, and that distance; else where it was first."""
    wanted_m = min(APPROACH_M, crossing.lane.length_m)
    for (fix, place), (later, nearer) in reversed(list(pairwise(crossing.steps))):
        if place.before_m >= wanted_m > nearer.before_m:
            share = (place.before_m - wanted_m) / (place.before_m - nearer.before_m)
            return fix.at_ms + share * (later.at_ms - fix.at_ms), wanted_m
    first = crossing.steps[0]
    return first.fix.at_ms, min(first.place.before_m, wanted_m)


def _moments(crossing: Crossing, entry_ms: float) -> list[Moment]:
    """From the entry to the stop line."""
    known = [step.moment for step in crossing.steps if step.fix.at_ms >= entry_ms]
    return [*known, Moment(crossing.at_ms / 1000, crossing.speed_mps)]


def _stops(crossing: Crossing, entry_ms: float) -> tuple[Stop, ...]:
    """Stops that began before the line; one that ends behind it is told to its end."""
    after = [Moment(fix.at_ms / 1000, fix.speed_mps) for fix in crossing.after]
    known = stops_of([*_moments(crossing, entry_ms), *after])
    return tuple(stop for stop in known if stop.start_s <= crossing.at_ms / 1000)


def _burnt(moments: Sequence[Moment], station_type: int) -> Burnt | None:
    kind = _BURNING.get(station_type)
    return None if kind is None else burnt([(each.at_s, each.speed_mps) for each in moments], kind)


def _arrival(shown: Shown | None, stopped: bool) -> Arrival:  # noqa: FBT001 - one of two facts
    if shown is None:
        return "unknown"
    if shown.event_state in GREEN:
        return "stopped" if stopped else "green"
    return "amber" if shown.event_state in AMBER else "red" if shown.event_state in RED else "unknown"


def _violation(crossing: Crossing, shown: Shown | None, stops: Sequence[Stop], signals: Signals) -> Violation:
    """Over the line faster than 1.4 m/s in red that was older than half a second; uncertain within 3 m of position.

    Along the lane these may lead back into amber, across it to a lane whose signal was not red.
    """
    if shown is None or shown.event_state not in RED or crossing.speed_mps <= STOP_MPS:
        return "none"
    if shown.event_state == _STOP_THEN_PROCEED and stops:
        return "none"
    red_ms = crossing.at_ms - shown.since_ms - _RED_AGE_MS
    if red_ms <= 0:
        return "none"
    error_ms = 1000 * _POSITION_ERROR_M / crossing.speed_mps
    sure = red_ms > error_ms and crossing.gap_ms <= _LONGEST_SURE_GAP_MS
    sure = sure and all(_is_red(signals, each, crossing.at_ms) for each in crossing.rivals)
    return "certain" if sure else "uncertain"


def _is_red(signals: Signals, group: int | None, at_ms: float) -> bool:
    shown = None if group is None else signals.at(group, round(at_ms))
    return shown is not None and shown.event_state in RED
