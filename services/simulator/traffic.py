"""The equipped cars and buses that cross the junctions, a message a second inside of the zone.

Buses follow the advice of the signals: they choose a speed with which they come on green, where there is one. Cars
drive as they like.
"""

import math
import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from services.simulator.formats import Publication, awareness
from services.simulator.junctions import HEADINGS, JUNCTIONS, Junction, green_after_s

__all__ = ["BUS", "CAR", "Passing", "messages", "passings"]

_METRES_PER_DEGREE: Final = 111_320.0
CAR, BUS = 5, 6
"""Types of stations (ETSI TS 102 894-2)."""
_LONGEST_S: Final = 85
_RUNS: Final = 0.01
"""Of the cars that should stop so many do not."""
_BUSES: Final = 0.2
_BUS_SPEEDS_MPS: Final = tuple(each / 4 for each in range(54, 15, -1))


class Passing(NamedTuple):
    """One crossing: where, which car, when its first CAM is sent, how fast, how long it stands, which way it goes."""

    junction: Junction
    station_id: int
    start_s: int
    speed_mps: float
    stands_s: int
    heading_deg: int
    station_type: int = CAR

    @property
    def stops_at(self) -> int:
        """The CAM with which it would stand, some metres before the middle."""
        return int(1.8 * self.junction.radius_m / self.speed_mps) // 2 - 1

    @property
    def seconds(self) -> int:
        """How many CAMs there are."""
        return int(1.8 * self.junction.radius_m / self.speed_mps) + self.stands_s


def passings(seed: int, start_s: int, minutes: int, junctions: int = len(JUNCTIONS)) -> list[Passing]:
    """All crossings that begin in the minutes from `start_s` on; none is still under way when the last one ends."""
    found = []
    for junction in JUNCTIONS[:junctions]:
        chance = random.Random(f"{seed}/traffic/{junction.id}")
        number = round(junction.vehicles_per_minute * minutes * chance.uniform(0.9, 1.1))
        for _ in range(number):
            station_id = chance.randrange(1_000_000, 4_000_000_000)
            speed_mps, heading_deg = round(chance.uniform(6.0, 13.5), 2), chance.choice(tuple(HEADINGS))
            last = minutes * 60 - _LONGEST_S
            begins_s = start_s + chance.randrange(max(1, last))
            passing = Passing(junction, station_id, begins_s, speed_mps, 0, heading_deg)
            runs, starts_s = chance.random() < _RUNS, chance.randrange(1, 3)
            if chance.random() < _BUSES:
                passing = _advised(passing._replace(station_type=BUS))
                runs = False
            found.append(passing if runs else passing._replace(stands_s=_waits_s(passing, starts_s)))
    return found


def _advised(passing: Passing) -> Passing:
    """With the highest speed that comes on green, else with its own."""
    slower = (passing._replace(speed_mps=each) for each in _BUS_SPEEDS_MPS)
    return next((each for each in slower if not _waits_s(each, 0)), passing)


def _waits_s(passing: Passing, starts_s: int) -> int:
    """How long a car stands that comes to its stop line: until green, and a moment to start."""
    red_s = green_after_s(passing.junction, HEADINGS[passing.heading_deg], passing.start_s + passing.stops_at)
    return red_s + starts_s if red_s else 0


def messages(passing: Passing) -> Iterator[tuple[int, Publication]]:
    """The CAMs of a crossing, with the second of each: straight on, with a stop before the middle."""
    junction = passing.junction
    stops_at = passing.stops_at
    north, east = math.cos(math.radians(passing.heading_deg)), math.sin(math.radians(passing.heading_deg))
    for second in range(passing.seconds):
        standing = passing.stands_s > 0 and stops_at <= second < stops_at + passing.stands_s
        step = second if second < stops_at else max(stops_at, second - passing.stands_s)
        along_m = -0.9 * junction.radius_m + step * passing.speed_mps
        latitude = junction.latitude_deg + along_m * north / _METRES_PER_DEGREE
        across = _METRES_PER_DEGREE * math.cos(math.radians(junction.latitude_deg))
        longitude = junction.longitude_deg + along_m * east / across
        at_s = passing.start_s + second
        speed_cmps = 0 if standing else round(passing.speed_mps * 100)
        yield (
            at_s,
            awareness(
                passing.station_id,
                at_s * 1000 + passing.station_id % 1000,
                round(latitude * 1e7),
                round(longitude * 1e7),
                speed_cmps,
                passing.heading_deg * 10,
                passing.station_type,
            ),
        )
