"""How often stations speak, and for how much of the time they are heard (c-its.md 5). Pure; never per station.

Intervals are of the stations' own time: a network that holds messages back does not make a sender irregular. They are
counted in the minute of the later message. All is in integers of milliseconds, so that it is the same in any order.
"""

from array import array
from bisect import bisect_left
from typing import Final, NamedTuple

from schemas.mobility import IntersectionGeometry, SignalState, VehicleState
from services.aggregator.points import milliseconds
from services.aggregator.ports import FieldValue, Point

__all__ = ["BOUNDS", "MINUTE_MS", "SERIES_MS", "Bounds", "Spoken", "StationMinute", "spoken", "station_point"]

MINUTE_MS: Final = 60_000
SERIES_MS: Final = 10_000
"""Who was silent for longer was elsewhere, or is another station now: that is no interval."""


class Bounds(NamedTuple):
    """Of one kind of message: intervals below and above which one counts as a violation, in milliseconds.

    Attributes:
        low_ms: 80 % of the least interval, as in ETSI TS 103 759 (Beacon-IntervalTooSmall).
        high_ms: the greatest interval, and a tenth.
        heard_ms: for how long before a message its sender counts as heard: three nominal intervals.
        source: where they come from.
        verified: whether the source was read.
    """

    low_ms: int
    high_ms: int
    heard_ms: int
    source: str
    verified: bool


BOUNDS: Final = {
    "cam": Bounds(80, 1100, 3000, "ETSI EN 302 637-2 6.1.3 (T_GenCam 100 to 1000 ms); TS 103 759", verified=False),
    "cam_roadside": Bounds(800, 3000, 3000, "ETSI EN 302 637-2 (a roadside unit at most 1 Hz)", verified=False),
    "spatem": Bounds(80, 1100, 3000, "CTI 4501 (10 Hz, the US) to 1 Hz; Europe has fixed no rate", verified=False),
    "mapem": Bounds(800, 1100, 10_000, "CTI 4501 (1 Hz)", verified=False),
}

_ROADSIDE_UNIT: Final = 15
_STATIONS: Final = {
    0: "unknown",
    1: "pedestrian",
    2: "cyclist",
    3: "moped",
    4: "motorcycle",
    5: "car",
    6: "bus",
    7: "light_truck",
    8: "heavy_truck",
    9: "trailer",
    10: "special",
    11: "tram",
    _ROADSIDE_UNIT: "roadside",
}
_NOT_BELIEVED: Final = frozenset({"clock", "replay"})
"""With these flags a message does not say when it was sent."""


class Spoken(NamedTuple):
    """A message of a station; `source` tells stations apart in memory and is never stored."""

    zone: str
    station: str
    message: str
    source: str
    at_ms: int

    @property
    def bounds(self) -> Bounds:
        """What is expected of its sender."""
        return BOUNDS["cam_roadside" if (self.message, self.station) == ("cam", "roadside") else self.message]


def spoken(record: object) -> Spoken | None:
    """What a record says of its station; `None` for what has no rate, or no time of its own."""
    if type(record) is VehicleState:  # the exact type: asked for every message, and pydantic is slow to say
        zone, source, message = record.zone, record.vehicle, "cam"
        station = _STATIONS.get(record.station_type) or f"type_{record.station_type}"
    elif type(record) is SignalState:
        zone, source, message, station = record.intersection, "", "spatem", "roadside"
    elif type(record) is IntersectionGeometry:
        zone, source, message, station = record.intersection, "", "mapem", "roadside"
    else:
        return None
    if record.retained or (record.flags and not _NOT_BELIEVED.isdisjoint(record.flags)):
        return None
    return Spoken(zone, station, message, source, milliseconds(record.observed_at))


class StationMinute:
    """The instants at which one station spoke in a minute, and what follows from them."""

    __slots__ = ("at", "before_ms", "bounds", "heard_ms", "interval_ms", "intervals", "too_long", "too_short")

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.before_ms: int | None = None
        """When it spoke last before the minute, if not long before."""
        self.at = array("q")
        self._count_again()

    def _count_again(self) -> None:
        self.intervals = self.interval_ms = self.too_short = self.too_long = self.heard_ms = 0
        before_ms = self.before_ms
        for at_ms in self.at:
            self._count(before_ms, at_ms)
            before_ms = at_ms

    def _count(self, before_ms: int | None, at_ms: int) -> None:
        gap_ms = SERIES_MS + 1 if before_ms is None else at_ms - before_ms
        self.heard_ms += min(gap_ms, self.bounds.heard_ms)
        if gap_ms <= SERIES_MS:
            self.intervals += 1
            self.interval_ms += gap_ms
            self.too_short += gap_ms < self.bounds.low_ms
            self.too_long += gap_ms > self.bounds.high_ms

    def add(self, at_ms: int) -> bool:
        """Take an instant; whether it was not known."""
        at = self.at
        if not at or at_ms > at[-1]:
            self._count(at[-1] if at else self.before_ms, at_ms)
            at.append(at_ms)
            return True
        place = bisect_left(at, at_ms)
        if at[place] == at_ms:
            return False
        at.insert(place, at_ms)
        self._count_again()
        return True

    def follow(self, before_ms: int) -> bool:
        """Say when the station spoke last before the minute; whether that is news."""
        if (self.before_ms is not None and before_ms <= self.before_ms) or self.at[0] - before_ms > SERIES_MS:
            return False
        self.before_ms = before_ms
        self._count_again()
        return True


def station_point(zone: str, station: str, message: str, start_ms: int, of: list[StationMinute]) -> Point:
    """The point of all stations of a type at a junction in a minute.

    `heard_s` adds up what each of them was heard for: for a roadside unit, over a period, its availability.
    """
    fields: dict[str, FieldValue] = {
        "heard_s": sum(each.heard_ms for each in of) / 1000,
        "interval_s": sum(each.interval_ms for each in of) / 1000,
        "intervals": sum(each.intervals for each in of),
        "messages": sum(len(each.at) for each in of),
        "stations": len(of),
        "too_long": sum(each.too_long for each in of),
        "too_short": sum(each.too_short for each in of),
    }
    tags = (("message", message), ("station", station), ("zone", zone))
    return Point("station_quality", tags, tuple(fields.items()), start_ms * 1_000_000)
