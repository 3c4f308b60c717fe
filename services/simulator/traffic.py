"""Twelve equipped junctions of Bordeaux and the equipped cars that cross them: one CAM a second inside the zone."""

import math
import random
from collections.abc import Iterator
from typing import Final, NamedTuple

from services.simulator.formats import Publication, awareness

__all__ = ["JUNCTIONS", "Junction", "Passing", "messages", "passings"]

_METRES_PER_DEGREE: Final = 111_320.0


class Junction(NamedTuple):
    """A junction with roadside unit; `radius_m` is the reach of its zone."""

    id: str
    name: str
    latitude_deg: float
    longitude_deg: float
    vehicles_per_minute: float
    radius_m: float = 60.0


JUNCTIONS: Final = (
    Junction("33:1001", "Place Gambetta", 44.84110, -0.58080, 2.6),
    Junction("33:1002", "Quinconces", 44.84460, -0.57450, 2.9),
    Junction("33:1003", "Place de la Victoire", 44.83060, -0.57250, 2.2),
    Junction("33:1004", "Barrière de Pessac", 44.82360, -0.59350, 1.9),
    Junction("33:1005", "Barrière d'Ornano", 44.82820, -0.60020, 1.7),
    Junction("33:1006", "Barrière Judaïque", 44.84240, -0.60210, 1.6),
    Junction("33:1007", "Barrière du Médoc", 44.85260, -0.59570, 1.8),
    Junction("33:1008", "Place Ravezies", 44.86370, -0.57790, 1.5),
    Junction("33:1009", "Gare Saint-Jean", 44.82590, -0.55630, 2.4),
    Junction("33:1010", "Porte de Bourgogne", 44.83730, -0.56520, 2.8),
    Junction("33:1011", "Place Stalingrad", 44.83970, -0.55790, 2.0),
    Junction("33:1012", "Mérignac Soleil", 44.83270, -0.64590, 1.4),
)
"""Places of the city with coordinates near enough to look right; identifiers are made up (region 33)."""


class Passing(NamedTuple):
    """One crossing: where, which car, when its first CAM is sent, how fast, how long it stands, which way it goes."""

    junction: Junction
    station_id: int
    start_s: int
    speed_mps: float
    stands_s: int
    heading_deg: int

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
            stands_s = chance.randrange(4, 25) if chance.random() < 0.4 else 0
            speed_mps, heading_deg = round(chance.uniform(6.0, 13.5), 2), chance.choice((0, 90, 180, 270))
            last = minutes * 60 - 60
            begins_s = start_s + chance.randrange(max(1, last))
            found.append(Passing(junction, station_id, begins_s, speed_mps, stands_s, heading_deg))
    return found


def messages(passing: Passing) -> Iterator[tuple[int, Publication]]:
    """The CAMs of a crossing, with the second of each: straight on, with a stop before the middle."""
    junction = passing.junction
    moving = passing.seconds - passing.stands_s
    stops_at = moving // 2 - 1
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
            ),
        )
