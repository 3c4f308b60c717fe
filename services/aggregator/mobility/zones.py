"""What is in memory of one junction, and which minutes of which vehicles its news change. Pure.

News are told one by one; which minutes they change is asked once for a batch. A message that comes in its turn changes
a minute only where something happens: a lane on which the vehicle was not heard before, a crossing, a stop that goes
on behind the line. One that comes late changes what rests on it. `docs/adr/0025` says why that is all.
"""

from collections import defaultdict
from typing import Final

from schemas.mobility import IntersectionGeometry, SignalState
from services.aggregator.mobility.crossings import BACK_MS, RIVALS_MS, Crossings
from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.geometry import Junction
from services.aggregator.mobility.maps import Maps
from services.aggregator.mobility.nearby import Nearby
from services.aggregator.mobility.signals import ASKED_BEFORE_MS, STALE_MS, Signals, Span
from services.aggregator.mobility.tracking import SLOT_MS, Found, slot_of
from services.aggregator.mobility.trails import Trail
from services.aggregator.points import milliseconds
from services.aggregator.ports import Point

__all__ = ["BEFORE_MS", "Vehicle", "ZoneRecords"]

BEFORE_MS: Final = 240_000
"""News change no minute that began longer before them."""

_AFTER_MS: Final = 66_000
"""What a vehicle does a minute after the first message behind the line can make a stop before it longer."""


class Vehicle:
    """A trail, and its crossings by map; `settled` are those of which no message after an instant changes anything.

    It is `fresh` when its messages were read again: nobody knows what was made of them.
    """

    __slots__ = ("crossings", "fresh", "settled", "trail")

    def __init__(self, name: str) -> None:
        self.trail = Trail(name)
        self.crossings: dict[Nearby, Crossings] = {}
        self.settled: dict[Found, int] = {}
        self.fresh = False

    def on(self, nearby: Nearby) -> Crossings:
        """Its crossings on a map."""
        known = self.crossings.get(nearby)
        if known is None:
            known = self.crossings[nearby] = Crossings(self.trail, nearby)
        return known

    def add(self, fix: Fix) -> bool:
        """Take a fix; whether it was not known."""
        times = self.trail.at_ms
        in_turn = not times or fix.at_ms > times[-1]
        index = self.trail.add(fix)
        if index is None:
            return False
        if not in_turn:
            for each in self.crossings.values():
                each.rewind(index, fix.at_ms)
            self.settled = {found: at_ms for found, at_ms in self.settled.items() if at_ms < fix.at_ms}
        return True

    @property
    def minutes(self) -> set[int]:
        """The minutes in which it was heard on a lane."""
        return {minute for each in self.crossings.values() for minute in each.tracker.heard}

    def changed(self, low_ms: int) -> set[int]:
        """The minutes that fixes from an instant on changed."""
        minutes: set[int] = set()
        for each in self.crossings.values():
            tracker = each.tracker
            minutes |= tracker.advance(self.trail)
            for found in tracker.found:
                if found.before_ms >= low_ms - _AFTER_MS and self.settled.get(found, low_ms) >= low_ms:
                    minutes.add(slot_of(found.before_ms))
            for news in tracker.news:
                minutes.add(slot_of(news.before_ms))
                near = tracker.found_between(news.before_ms - RIVALS_MS, news.before_ms + BACK_MS + SLOT_MS)
                minutes.update(slot_of(found.before_ms) for found in near)
            tracker.news.clear()
        return minutes

    def forget(self, before_ms: int) -> None:
        """Drop what lies before an instant."""
        fixes = self.trail.forget(before_ms)
        if fixes:
            for each in self.crossings.values():
                each.forget(fixes, before_ms)
            self.settled = {found: at_ms for found, at_ms in self.settled.items() if found.before_ms >= before_ms}


class ZoneRecords:
    """The vehicles, signals and maps of a junction.

    Memory: 22 bytes for a CAM, 30 bytes for a signal group of a SPATEM that repeats the one before; for as long as
    `forget` lets it (28 minutes: `junctions`). At 5,000 CAM a second that is 190 MB for all junctions together.
    """

    def __init__(self, surveyed: Junction | None = None) -> None:
        self.maps = Maps(surveyed)
        self.signals = Signals()
        self.vehicles: dict[str, Vehicle] = {}
        self.spans: dict[int, dict[str, Span]] = defaultdict(dict)
        self.named: dict[int, int | None] = {}
        self._news: dict[str, int] = {}
        self._said: list[Span] = []
        self._spoken: set[int] = set()
        self._mapped_ms: int | None = None
        self._fresh: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self.vehicles or self.signals)

    def add_fix(self, fix: Fix) -> None:
        """Take a fix."""
        vehicle = self.vehicles.get(fix.vehicle)
        if vehicle is None:
            vehicle = self.vehicles[fix.vehicle] = Vehicle(fix.vehicle)
        if vehicle.add(fix):
            low_ms = self._news.get(fix.vehicle)
            if low_ms is None or fix.at_ms < low_ms:
                self._news[fix.vehicle] = fix.at_ms

    def add_signal(self, record: SignalState, at_ms: int | None = None) -> None:
        """Take a SPATEM; also one that says nothing new has its minute told again."""
        at_ms = milliseconds(record.observed_at) if at_ms is None else at_ms
        span = self.signals.add(record, at_ms)
        self._spoken.update(range(slot_of(at_ms - STALE_MS), at_ms + ASKED_BEFORE_MS + STALE_MS + 1, SLOT_MS))
        if span is not None:
            self._said.append(span)

    def add_map(self, record: IntersectionGeometry) -> tuple[Point | None, int | None]:
        """Take a MAPEM; gives the point to write, and from when on other lanes hold."""
        point, changed_ms = self.maps.hear(record)
        if changed_ms is not None and (self._mapped_ms is None or changed_ms < self._mapped_ms):
            self._mapped_ms = changed_ms
        return point, changed_ms

    @property
    def fixes(self) -> dict[str, Trail]:
        """What was heard of each vehicle."""
        return {name: vehicle.trail for name, vehicle in self.vehicles.items()}

    def minutes(self, name: str) -> set[int]:
        """The minutes in which a vehicle was heard on a lane."""
        vehicle = self.vehicles[name]
        self._prepare(vehicle)
        vehicle.changed(vehicle.trail.at_ms[0])
        return vehicle.minutes

    def begin_anew(self) -> None:
        """Everything was read again: nothing of it is news, and nobody knows what was made of it."""
        self._news.clear()
        self._said.clear()
        self._spoken.clear()
        self.spans.clear()
        self.named.clear()
        self._fresh = set(self.vehicles)
        for vehicle in self.vehicles.values():
            vehicle.fresh = True

    def spoken(self) -> list[int]:
        """The minutes of which signals have news, once."""
        spoken, self._spoken = sorted(self._spoken), set()
        return [start_ms for start_ms in spoken if self.signals.heard(start_ms, start_ms + SLOT_MS)]

    def changed(self, known_from_ms: int) -> dict[str, set[int]]:
        """The minutes of vehicles that the news change, once.

        Args:
            known_from_ms: all that minutes from here on depend on is in memory.
        """
        changed: dict[str, set[int]] = defaultdict(set)
        for name, low_ms in self._news.items():
            vehicle = self.vehicles[name]
            self._prepare(vehicle)
            minutes = vehicle.changed(low_ms)
            if minutes and not vehicle.fresh:
                changed[name] |= minutes
        self._changed_by_signals(changed)
        if self._mapped_ms is not None:
            for name, vehicle in self.vehicles.items():
                self._prepare(vehicle)
                vehicle.changed(self._mapped_ms)
                changed[name] |= {each for each in vehicle.minutes if each + SLOT_MS > self._mapped_ms}
        for name in self._fresh & (self._news.keys() | changed.keys()):
            vehicle = self.vehicles[name]
            self._prepare(vehicle)
            vehicle.changed(known_from_ms)
            changed[name] |= {each for each in vehicle.minutes if each >= known_from_ms}
            vehicle.fresh = False
            self._fresh.discard(name)
        self._news, self._said, self._mapped_ms = {}, [], None
        return changed

    def _changed_by_signals(self, changed: dict[str, set[int]]) -> None:
        for low_ms, high_ms in _merged(self._said):
            for start_ms in [each for each in self.spans if each + 2 * SLOT_MS >= low_ms]:
                for name, (first_ms, stop_ms) in self.spans[start_ms].items():
                    if stop_ms >= low_ms and first_ms <= high_ms:
                        changed[name].add(start_ms)
            for name in self._fresh:
                times = self.vehicles[name].trail.at_ms
                if times[-1] >= low_ms - BEFORE_MS and times[0] <= high_ms + BACK_MS:
                    changed[name] |= set()
            self._changed_by_revision((low_ms - SLOT_MS, high_ms + BACK_MS), changed)

    def _changed_by_revision(self, minutes: Span, changed: dict[str, set[int]]) -> None:
        """Where several maps hold, the signals name the one that counts."""
        for start_ms, revision in self.named.items():
            if minutes[0] <= start_ms <= minutes[1] and self.revision(start_ms) != revision:
                for name, vehicle in self.vehicles.items():
                    if start_ms in vehicle.minutes:
                        changed[name].add(start_ms)

    def revision(self, start_ms: int) -> int | None:
        """The revision that the newest signal until the end of a minute names."""
        return self.signals.revision(start_ms - BACK_MS, start_ms + SLOT_MS)

    def _prepare(self, vehicle: Vehicle) -> None:
        """Let every map that holds while the vehicle was heard see it."""
        times = vehicle.trail.at_ms
        low_ms, high_ms = times[0], times[-1]
        seen: list[Nearby] | None = None
        for at_ms in (*range(low_ms, high_ms, 900_000), high_ms):
            holding = self.maps.holding(at_ms)
            if holding is not seen:
                for nearby in holding:
                    vehicle.on(nearby)
                seen = holding

    def forget(self, before_ms: int) -> None:
        """Drop what lies before an instant."""
        for name, vehicle in list(self.vehicles.items()):
            vehicle.forget(before_ms)
            if not vehicle.trail:
                del self.vehicles[name]
                self._fresh.discard(name)
        self.signals.forget(before_ms)
        for known in (self.spans, self.named):
            for start_ms in [each for each in known if each < before_ms]:
                del known[start_ms]


def _merged(spans: list[Span]) -> list[Span]:
    """Times that overlap as one."""
    merged: list[Span] = []
    for low_ms, high_ms in sorted(spans):
        if merged and low_ms <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high_ms))
        else:
            merged.append((low_ms, high_ms))
    return merged
