"""What really happened at the stop lines, from where SUMO says each vehicle was, ten times a second.

Written for itself: it shares no code with `services.aggregator.mobility`, only the definitions of c-its.md 5.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from tests.microsimulation.driving import Driven, Seen, Shown
from tests.microsimulation.network import LIMIT_MPS, Approach, Crossroads, Network
from tests.microsimulation.programs import AMBER, GREEN, RED, colours

__all__ = ["Signal", "Truth", "signals_of", "truths_of"]

_STOP_MPS, _GOES_MPS, _IDLE_MPS = 1.4, 2.8, 0.5
_STOP_S, _MERGED_S = 3.0, 2.0
_RED_AGE_S: Final = 0.5
_STEP_S: Final = 0.1


class Truth(NamedTuple):
    """A vehicle over a stop line; seconds of the simulation. `whole` is whether all of its approach was recorded.

    `beyond_s` is what it stood on the same road before its map began: a queue that reached beyond the zone.
    """

    vehicle: str
    kind: str
    zone: str
    lane: int
    approach: int
    stop_line_s: float
    speed_mps: float
    colour: str
    colour_age_s: float
    whole: bool
    stops: int
    stopped_s: float
    idle_s: float
    delay_s: float
    beyond_s: float
    lane_changes: int

    @property
    def arrival(self) -> str:
        """In green without a stop, in green after one, in amber, in red."""
        if self.colour == GREEN:
            return "stopped" if self.stops else "green"
        return "amber" if self.colour == AMBER else "red"

    @property
    def violation(self) -> bool:
        """Over the line faster than 1.4 m/s in red that was older than half a second."""
        return self.colour == RED and self.speed_mps > _STOP_MPS and self.colour_age_s > _RED_AGE_S


class Signal(NamedTuple):
    """The colours of a signal group: since when, and which."""

    since_s: tuple[float, ...]
    colours: tuple[str, ...]

    def at(self, at_s: float) -> tuple[str, float]:
        """The colour, and how long it has been shown."""
        index = bisect_right(self.since_s, at_s) - 1
        return self.colours[index], at_s - self.since_s[index]


class Step(NamedTuple):
    """A vehicle before a stop line (or, negative, behind it)."""

    at_s: float
    before_m: float
    speed_mps: float
    lane: str


@dataclass
class _Track:
    """A vehicle on the road to one stop line, and until it goes on behind it."""

    vehicle: str
    kind: str
    edge: str
    whole: bool
    steps: list[Step] = field(default_factory=list)
    crossed: Step | None = None


def signals_of(network: Network, phases: Mapping[str, Sequence[Shown]]) -> dict[tuple[str, int], Signal]:
    """By zone and signal group."""
    found = {}
    for junction in network.junctions:
        for group in {each.number for each in junction.approaches}:
            shown = colours(group)
            since: list[float] = []
            kept: list[str] = []
            for each in phases[junction.name]:
                if not kept or kept[-1] != shown[each.phase]:
                    since.append(each.since_s)
                    kept.append(shown[each.phase])
            found[junction.zone, group] = Signal(tuple(since), tuple(kept))
    return found


def truths_of(network: Network, driven: Driven) -> list[Truth]:
    """All crossings of stop lines that SUMO recorded, in time."""
    watcher = _Watcher(network, driven)
    for at_s, seen in driven.instants():
        watcher.see(at_s, seen)
    watcher.see(driven.end_s, ())
    return sorted(watcher.found, key=lambda each: each.stop_line_s)


class _Watcher:
    """Follows every vehicle from the begin of a road to its stop line, and some seconds beyond."""

    def __init__(self, network: Network, driven: Driven) -> None:
        self.found: list[Truth] = []
        self._begin_s = driven.begin_s
        self._lanes = {each.lane: (junction, each) for junction in network.junctions for each in junction.approaches}
        self._signals = signals_of(network, driven.phases())
        self._tracks: dict[str, _Track] = {}

    def see(self, at_s: float, seen: Sequence[Seen]) -> None:
        """Take an instant; who is no longer there has left the town."""
        for each in seen:
            if each.lane in self._lanes:
                self._approaches(at_s, each)
            elif each.vehicle in self._tracks and _behind(self._tracks[each.vehicle], at_s, each):
                self._close(each.vehicle)
        for name in self._tracks.keys() - {each.vehicle for each in seen}:
            self._close(name)

    def _approaches(self, at_s: float, seen: Seen) -> None:
        edge = seen.lane.rpartition("_")[0]
        if seen.vehicle in self._tracks and self._tracks[seen.vehicle].edge != edge:
            self._close(seen.vehicle)
        whole = at_s > self._begin_s + _STEP_S  # else it was on its way already
        track = self._tracks.setdefault(seen.vehicle, _Track(seen.vehicle, seen.kind, edge, whole))
        before_m = self._lanes[seen.lane][1].lane_m - seen.at_m
        track.steps.append(Step(at_s, before_m, seen.speed_mps, seen.lane))

    def _close(self, name: str) -> None:
        track = self._tracks.pop(name)
        if track.crossed is not None:
            junction, approach = self._lanes[track.crossed.lane]
            signal = self._signals[junction.zone, approach.number]
            self.found.append(_truth(track, junction, approach, signal))


def _behind(track: _Track, at_s: float, seen: Seen) -> bool:
    """Take a step behind the line; whether the vehicle has gone on, so that nothing more can count."""
    last = track.steps[-1]
    if track.crossed is None:
        share = last.before_m / max(1e-9, last.before_m + seen.at_m)
        speed_mps = last.speed_mps + share * (seen.speed_mps - last.speed_mps)
        track.crossed = Step(last.at_s + share * (at_s - last.at_s), 0.0, speed_mps, last.lane)
    track.steps.append(Step(at_s, -seen.at_m, seen.speed_mps, last.lane))
    # Two stops with less than two seconds between them are one.
    return seen.speed_mps > _GOES_MPS and at_s - track.crossed.at_s > _MERGED_S + _STOP_S


def _truth(track: _Track, junction: Crossroads, approach: Approach, signal: Signal) -> Truth:
    crossed = track.crossed
    assert crossed is not None
    before = [step for step in track.steps if step.at_s <= crossed.at_s]
    inside = [step for step in before if step.before_m <= approach.map_m]
    outside = before[: len(before) - len(inside)]
    entered_s = _entered(outside, inside, approach.map_m)
    after = [step for step in track.steps if step.at_s > crossed.at_s]
    stops = [stop for stop in _stops([*inside, *after]) if stop[0] <= crossed.at_s]
    colour, age_s = signal.at(crossed.at_s)
    return Truth(
        vehicle=track.vehicle,
        kind=track.kind,
        zone=junction.zone,
        lane=approach.number,
        approach=approach.approach,
        stop_line_s=crossed.at_s,
        speed_mps=crossed.speed_mps,
        colour=colour,
        colour_age_s=age_s,
        whole=track.whole,
        stops=len(stops),
        stopped_s=sum(end_s - start_s for start_s, end_s in stops),
        idle_s=_STEP_S * sum(step.speed_mps < _IDLE_MPS for step in inside),
        delay_s=max(0.0, crossed.at_s - entered_s - approach.map_m / LIMIT_MPS),
        beyond_s=_STEP_S * sum(step.speed_mps < _STOP_MPS for step in outside),
        lane_changes=sum(a.lane != b.lane for a, b in pairwise(inside)),
    )


def _entered(outside: Sequence[Step], inside: Sequence[Step], map_m: float) -> float:
    """When it came into the map, between two steps."""
    if not outside:
        return inside[0].at_s
    last, first = outside[-1], inside[0]
    share = (last.before_m - map_m) / max(1e-9, last.before_m - first.before_m)
    return last.at_s + share * (first.at_s - last.at_s)


def _stops(steps: Iterable[Step]) -> list[tuple[float, float]]:
    """Slower than 1.4 m/s for three seconds, until faster than 2.8 m/s; with less than two seconds between, one."""
    found: list[tuple[float, float]] = []
    slow_s: float | None = None
    stands = False
    last_s = 0.0
    for step in steps:
        last_s = step.at_s
        if stands:
            if step.speed_mps > _GOES_MPS:
                found.append((slow_s or 0.0, step.at_s))
                slow_s, stands = None, False
        elif step.speed_mps >= _STOP_MPS:
            slow_s = None
        else:
            slow_s = step.at_s if slow_s is None else slow_s
            stands = step.at_s - slow_s >= _STOP_S
    if stands and slow_s is not None:
        found.append((slow_s, last_s))
    merged: list[tuple[float, float]] = []
    for stop in found:
        if merged and stop[0] - merged[-1][1] < _MERGED_S:
            merged[-1] = (merged[-1][0], stop[1])
        else:
            merged.append(stop)
    return merged
