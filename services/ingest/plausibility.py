"""Whether what a station says can be true, from what it said before. Flags, never drops (c-its.md 6). Pure.

`replay`, `position_jump` and a sender's leap seconds cannot be told from one message. What is remembered of each
station is one place, one doubtful place and three counts; of each payload its hash. All is bounded, least recently
used first, lives in one process, and is lost at a restart. So a flag always rests on two messages that contradict each
other and that this process has both seen: with several processes on a shared subscription, and after a restart, a
contradiction can be missed, and none is ever invented. A record is otherwise the same with memory and without.
"""

import math
from collections import OrderedDict
from typing import Final, NamedTuple

from schemas.base import Flag

__all__ = ["Box", "Sighting", "Stations"]

STATIONS: Final = 20_000
PAYLOADS: Final = 200_000
ACTIONS: Final = 10_000
"""What is remembered at most: together some 60 MB."""

_REPLAY_MS: Final = 120_000
_SAME_INSTANT_MS: Final = 2_000
"""A copy over another roadside unit, or sent again by the broker, reads as the same instant; a replay does not."""
_LATE_MS: Final = 10_000
_SLACK_M: Final = 5.0
_UNKNOWN_ELLIPSE_M: Final = 10.0
"""Where a station does not tell how sure of its place it is; design rule."""
_METRES_PER_DEGREE: Final = 111_195.0
_BLOCK: Final = 100
_NAIVE_MS: Final = (4_500, 6_500)
"""If the median age of a block of messages lies here, the sender leaves leap seconds out (c-its.md 2.7)."""

Place = tuple[int, float, float, float]
"""Unix milliseconds, latitude, longitude, and the 95 % ellipse in metres."""


class Box(NamedTuple):
    """The site: degrees, WGS 84."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, latitude_deg: float, longitude_deg: float) -> bool:
        """Whether a position lies in it."""
        return self.west <= longitude_deg <= self.east and self.south <= latitude_deg <= self.north


class Sighting(NamedTuple):
    """What a message says of its station; `fastest_mps` is what no station of its type exceeds."""

    station: str
    payload: bytes
    received_ms: int
    at_ms: int
    place: tuple[float, float] | None
    ellipse_m: float | None
    fastest_mps: float


class _Station:
    __slots__ = ("above", "base", "below", "doubtful", "is_naive", "within")

    def __init__(self) -> None:
        self.base: Place | None = None
        self.doubtful: Place | None = None
        self.below = self.within = self.above = 0
        self.is_naive = False


class Stations:
    """What was heard last of the stations that were heard last."""

    def __init__(self, stations: int = STATIONS, payloads: int = PAYLOADS, actions: int = ACTIONS) -> None:
        self.corrected = 0
        """Messages of which the leap seconds were taken off because the sender leaves them out."""
        self._most = (stations, payloads, actions)
        self._stations: OrderedDict[str, _Station] = OrderedDict()
        self._payloads: OrderedDict[int, tuple[int, int]] = OrderedDict()
        self._actions: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """Stations that are remembered."""
        return len(self._stations)

    @property
    def payloads(self) -> int:
        """Payloads that are remembered."""
        return len(self._payloads)

    def flags(self, seen: Sighting) -> tuple[Flag, ...]:
        """What contradicts earlier messages: `replay`, `position_jump`."""
        if self._is_replay(seen):
            return ("replay",)  # says nothing of where the station is
        if seen.place is None:
            return ()
        station = self._station(seen.station)
        ellipse_m = _UNKNOWN_ELLIPSE_M if seen.ellipse_m is None else seen.ellipse_m
        now = (seen.at_ms, *seen.place, ellipse_m)
        if station.base is None or _reachable(station.base, now, seen.fastest_mps):
            station.doubtful = None
        else:
            doubtful = station.doubtful
            known = doubtful is not None and doubtful[0] == now[0]
            if doubtful is None or known or not _reachable(doubtful, now, seen.fastest_mps):
                station.doubtful = now
                return ("position_jump",)
            station.doubtful = None  # Two messages agree on the new place: it went there, or the first place was wrong.
            station.base = now
        if station.base is None or now[0] >= station.base[0]:
            station.base = now
        return ()

    def leaps_ms(self, station: str, age_ms: int, leaps_ms: int) -> int:
        """What to take off the age of a message: the leap seconds, once a median shows that the sender ignores them.

        Args:
            station: its pseudonym.
            age_ms: of the message, read as the standard says.
            leaps_ms: leap seconds since 2004.
        """
        known = self._station(station)
        low, high = _NAIVE_MS
        known.below += age_ms < low
        known.within += low <= age_ms <= high
        known.above += age_ms > high
        if known.below + known.within + known.above >= _BLOCK:
            # The median lies in the interval if fewer than half of the ages are on either side of it.
            known.is_naive = 2 * known.below < _BLOCK and 2 * known.above < _BLOCK
            known.below = known.within = known.above = 0
        if not known.is_naive or age_ms < low:
            return 0
        self.corrected += 1
        return leaps_ms

    def is_naive(self, station: str) -> bool:
        """Whether the sender was found to leave leap seconds out."""
        known = self._stations.get(station)
        return known is not None and known.is_naive

    def is_outdated(self, action: str, reference_ms: int) -> bool:
        """Whether a newer referenceTime of this event was heard already."""
        newest_ms = self._actions.get(action)
        if newest_ms is not None and reference_ms < newest_ms:
            return True
        self._actions[action] = reference_ms
        self._actions.move_to_end(action)
        if len(self._actions) > self._most[2]:
            self._actions.popitem(last=False)
        return False

    def _station(self, name: str) -> _Station:
        known = self._stations.get(name)
        if known is not None:
            self._stations.move_to_end(name)
            return known
        known = self._stations[name] = _Station()
        if len(self._stations) > self._most[0]:
            self._stations.popitem(last=False)
        return known

    def _is_replay(self, seen: Sighting) -> bool:
        """The same bytes within two minutes that read as another instant, or that are no longer fresh."""
        payloads, digest = self._payloads, hash(seen.payload)  # keyed by process: nobody can choose it
        first = payloads.get(digest)
        if first is not None and 0 <= seen.received_ms - first[0] <= _REPLAY_MS:
            is_other = abs(seen.at_ms - first[1]) > _SAME_INSTANT_MS
            return is_other or seen.received_ms - seen.at_ms > _LATE_MS < seen.received_ms - first[0]
        payloads[digest] = (seen.received_ms, seen.at_ms)
        payloads.move_to_end(digest)
        if len(payloads) > self._most[1] or seen.received_ms - next(iter(payloads.values()))[0] > _REPLAY_MS:
            payloads.popitem(last=False)
        return False


def _reachable(before: Place, after: Place, fastest_mps: float) -> bool:
    """Whether a station that cannot exceed a speed can have been at both places, in either order."""
    north_m = (after[1] - before[1]) * _METRES_PER_DEGREE
    east_m = (after[2] - before[2]) * _METRES_PER_DEGREE * math.cos(math.radians(after[1]))
    most_m = fastest_mps * abs(after[0] - before[0]) / 1000 + before[3] + after[3] + _SLACK_M
    return math.hypot(north_m, east_m) <= most_m
