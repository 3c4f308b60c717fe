"""Passages by vehicle and minute: what a point stands for, so that none is ever left over (docs/adr/0023). Pure.

A passage belongs to the minute of the last message before its stop line, and to the lane that this message alone is
on. A vehicle that was heard on a lane in a minute has a point there, with a passage or without: so more messages
can change what a point says, and add points, but never leave one behind that no longer has a reason.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas.mobility import IntersectionGeometry, SignalState
from services.aggregator.mobility.crossings import BEYOND_M, Step, is_on
from services.aggregator.mobility.fixes import Fix
from services.aggregator.mobility.geometry import Junction, junction_of
from services.aggregator.mobility.passages import Passage, StationClass, passages_of, station_class
from services.aggregator.mobility.signals import Signals
from services.aggregator.points import instant, milliseconds

__all__ = ["AHEAD_MS", "BACK_MS", "MAP_MS", "SLOT_MS", "Slot", "ZoneRecords", "slot_of", "slots_of"]

SLOT_MS: Final = 60_000
BACK_MS: Final = 900_000
"""What a vehicle did more than a quarter of an hour before a minute does not change its passages in the minute."""

AHEAD_MS: Final = 120_000
MAP_MS: Final = 900_000
"""A map holds for the quarter of an hour that it was sent in, and for the next; a roadside unit repeats it."""


class Slot(NamedTuple):
    """A vehicle on an approach in a minute: its passages there, most often none or one.

    `first_passages` is 1 if one of them is the first of the vehicle at this junction, on any approach, for a quarter
    of an hour: so first passages in a quarter of an hour are passages of different vehicles.
    """

    zone: str
    vehicle: str
    start_ms: int
    approach: int
    signal_group: int | None
    station: StationClass
    passages: tuple[Passage, ...]
    first_passages: int = 0


class Shown(NamedTuple):
    """What signals say around a minute."""

    signals: Signals
    revision: int | None


class ZoneRecords:
    """What is in memory of one junction: three sets, and what was made of them.

    `surveyed` is what the site's file says of the lanes; then no MAPEM counts, whatever it says (docs/adr/0026).
    """

    def __init__(self, surveyed: Junction | None = None) -> None:
        self._surveyed = surveyed
        self.fixes: dict[str, set[Fix]] = {}
        self._signals: dict[SignalState, int] = {}
        self._maps: dict[int, set[IntersectionGeometry]] = {}
        self._minutes: dict[str, set[int]] = {}
        self._shown: dict[int, Shown] = {}
        self._junctions: dict[int, list[Junction]] = {}

    def __bool__(self) -> bool:
        return bool(self.fixes or self._signals or self._maps)

    def add_fix(self, fix: Fix) -> bool:
        """Take a fix; whether it was not known."""
        known = self.fixes.setdefault(fix.vehicle, set())
        if fix in known:
            return False
        known.add(fix)
        self._minutes.setdefault(fix.vehicle, set()).add(slot_of(fix.at_ms))
        return True

    def add_signal(self, record: SignalState) -> bool:
        """Take a SPATEM; whether it was not known."""
        if record in self._signals:
            return False
        self._signals[record] = at_ms = milliseconds(record.observed_at)
        for start_ms in [each for each in self._shown if each - BACK_MS <= at_ms < each + SLOT_MS + AHEAD_MS]:
            del self._shown[start_ms]
        return True

    def add_map(self, record: IntersectionGeometry) -> bool:
        """Take a MAPEM; whether its quarter of an hour did not have the same map already."""
        at_ms = milliseconds(record.observed_at)
        slot_ms = at_ms - at_ms % MAP_MS
        as_sent = {"observed_at": instant(slot_ms), "received_at": instant(slot_ms), "flags": (), "retained": False}
        said = record.model_copy(update=as_sent)
        known = self._maps.setdefault(slot_ms, set())
        if said in known:
            return False
        known.add(said)
        self._junctions.clear()
        return True

    def minutes(self, vehicle: str) -> set[int]:
        """The minutes in which it was heard."""
        return self._minutes.get(vehicle, set())

    def signal_minutes(self, low_ms: int, high_ms: int) -> set[int]:
        """The minutes that begin in [low, high] and have signals."""
        return {start for at in self._signals.values() if low_ms <= (start := slot_of(at)) <= high_ms}

    def junctions(self, at_ms: int) -> list[Junction]:
        """The maps that hold at an instant, the one to be believed first: the newest, then the highest revision."""
        if self._surveyed is not None:
            return [self._surveyed]
        slot_ms = at_ms - at_ms % MAP_MS
        if slot_ms not in self._junctions:
            newest: list[Junction] = []
            for each_ms in (slot_ms, slot_ms - MAP_MS):
                by_revision = sorted(self._maps.get(each_ms, ()), key=lambda each: (-(each.revision or 0), repr(each)))
                newest += [junction for each in by_revision if (junction := junction_of(each)) not in newest]
            self._junctions[slot_ms] = newest
        return self._junctions[slot_ms]

    def shown(self, start_ms: int) -> Shown:
        """The signals around a minute, and the revision of the map that the newest until its end names."""
        if start_ms not in self._shown:
            low_ms, high_ms = start_ms - BACK_MS, start_ms + SLOT_MS + AHEAD_MS
            records = [record for record, at_ms in self._signals.items() if low_ms <= at_ms < high_ms]
            until = [(self._signals[each], each.revision) for each in records if each.revision is not None]
            revision = max((each for each in until if each[0] < start_ms + SLOT_MS), default=(0, None))[1]
            self._shown[start_ms] = Shown(Signals(records), revision)
        return self._shown[start_ms]

    def forget(self, fixes_ms: int, maps_ms: int) -> None:
        """Drop what lies before these instants."""
        for vehicle, fixes in list(self.fixes.items()):
            self.fixes[vehicle] = {fix for fix in fixes if fix.at_ms >= fixes_ms}
            self._minutes[vehicle] = {slot_of(fix.at_ms) for fix in self.fixes[vehicle]}
            if not self.fixes[vehicle]:
                del self.fixes[vehicle], self._minutes[vehicle]
        self._signals = {record: at_ms for record, at_ms in self._signals.items() if at_ms >= fixes_ms}
        self._maps = {at_ms: maps for at_ms, maps in self._maps.items() if at_ms >= maps_ms}
        self._shown.clear()
        self._junctions.clear()


def slot_of(at_ms: int) -> int:
    """The minute of an instant."""
    return at_ms - at_ms % SLOT_MS


def slots_of(zone: str, records: ZoneRecords, vehicle: str, minutes: Iterable[int]) -> list[Slot]:
    """The slots of a vehicle in some minutes."""
    fixes = sorted(records.fixes.get(vehicle, ()), key=lambda fix: fix.at_ms)
    times = [fix.at_ms for fix in fixes]
    found: list[Slot] = []
    for start_ms in sorted(minutes):
        own = fixes[bisect_left(times, start_ms) : bisect_left(times, start_ms + SLOT_MS)]
        junctions = records.junctions(start_ms)
        keys = {key for junction in junctions for fix in own for key in _keys(fix, junction)}
        if not keys:
            continue
        window = fixes[bisect_left(times, start_ms - BACK_MS) : bisect_left(times, start_ms + SLOT_MS + AHEAD_MS)]
        known = _passages(window, start_ms, records, junctions)
        passages = [each for each in known if start_ms <= each.last_before_ms < start_ms + SLOT_MS]
        first = min(known, key=lambda each: (each.last_before_ms, each.stop_line_ms), default=None)
        for approach, group, station in sorted(keys, key=repr):
            there = tuple(p for p in passages if (p.approach, p.signal_group, p.station) == (approach, group, station))
            found.append(Slot(zone, vehicle, start_ms, approach, group, station, there, int(first in there)))
    return found


def _passages(
    window: Sequence[Fix], start_ms: int, records: ZoneRecords, junctions: Sequence[Junction]
) -> list[Passage]:
    """What passages there are in the quarter of an hour before a minute, in it, and just after it."""
    signals, revision = records.shown(start_ms)
    junction = next((each for each in junctions if each.revision == revision), junctions[0])
    return passages_of(window, signals, junction)


def _keys(fix: Fix, junction: Junction) -> Iterable[tuple[int, int | None, StationClass]]:
    point = junction.frame.offset(fix.latitude_deg, fix.longitude_deg)
    for lane in junction.lanes:
        step = Step(fix, lane.place(point))
        if 0 < step.place.before_m <= lane.length_m + BEYOND_M and is_on(step):
            yield lane.approach, lane.signal_group, station_class(fix.station_type, fix.vehicle_role)
