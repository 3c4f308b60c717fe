"""Passages by vehicle and minute: what a point stands for, so that none is ever left over (docs/adr/0023). Pure.

A passage belongs to the minute of the last message before its stop line, and to the lane that this message alone is
on. A vehicle that was heard on a lane in a minute has a point there, with a passage or without: so more messages
can change what a point says, and add points, but never leave one behind that no longer has a reason.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from services.aggregator.mobility.crossings import BACK_MS
from services.aggregator.mobility.passages import Passage, StationClass, passage_of, settled_ms, station_class
from services.aggregator.mobility.tracking import CONFIRMED_MS, SLOT_MS, Found, slot_of
from services.aggregator.mobility.zones import Vehicle, ZoneRecords

__all__ = ["AHEAD_MS", "BACK_MS", "SLOT_MS", "Slot", "ZoneRecords", "slot_of", "slots_of"]

AHEAD_MS: Final = CONFIRMED_MS


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


def slots_of(zone: str, records: ZoneRecords, vehicle: str, minutes: Iterable[int]) -> list[Slot]:
    """The slots of a vehicle in some minutes."""
    known = records.vehicles.get(vehicle)
    if known is None:
        return []
    return [slot for start_ms in sorted(minutes) for slot in _in_minute(zone, records, known, start_ms)]


def _in_minute(zone: str, records: ZoneRecords, vehicle: Vehicle, start_ms: int) -> list[Slot]:
    holding = records.maps.holding(start_ms)
    keys: set[tuple[int, int | None, StationClass]] = set()
    for nearby in holding:
        for number, station_type, role in vehicle.on(nearby).tracker.heard.get(start_ms, ()):
            lane = nearby.lanes[number]
            keys.add((lane.approach, lane.signal_group, station_class(station_type, role)))
    if not keys:
        return []
    first, passages = _passages(records, vehicle, start_ms)
    slots = []
    for approach, group, station in sorted(keys, key=repr):
        own = tuple(p for p in passages if (p.approach, p.signal_group, p.station) == (approach, group, station))
        slots.append(Slot(zone, vehicle.trail.vehicle, start_ms, approach, group, station, own, int(first in own)))
    return slots


def _passages(records: ZoneRecords, vehicle: Vehicle, start_ms: int) -> tuple[Passage | None, list[Passage]]:
    """The passages of a minute, and which of them is the first for a quarter of an hour."""
    holding = records.maps.holding(start_ms)
    nearby = holding[0]
    if len(holding) > 1:
        revision = records.named[start_ms] = records.revision(start_ms)
        nearby = next((each for each in holding if each.junction.revision == revision), nearby)
    crossings = vehicle.on(nearby)
    counted = crossings.counted(start_ms, start_ms + SLOT_MS)
    spans = records.spans[start_ms]
    spans.pop(vehicle.trail.vehicle, None)
    if not counted:
        return None, []
    passages: dict[Found, Passage] = {}
    for found in counted:
        crossing = crossings.crossing(found)
        passages[found] = passage_of(crossing, records.signals, nearby.junction.limit_mps)
        settled = settled_ms(crossing)
        if settled is not None:
            vehicle.settled[found] = settled
            crossings.settle(found)
    for found in crossings.tracker.found_between(start_ms, start_ms + SLOT_MS):
        if found not in passages:
            vehicle.settled[found] = found.confirmed_ms  # of lines crossed at once another one counts
    spans[vehicle.trail.vehicle] = (
        min(each.fixes[0].at_ms for each in passages.values()),
        max(each.stop_line_ms for each in passages.values()),
    )
    first = crossings.counted(start_ms - BACK_MS, start_ms + SLOT_MS)[0]
    return passages.get(first), list(passages.values())
