"""Outdoor temperature of Bordeaux-Mérignac, invented: each winter has its own course and its own mildness."""

import math
import random
from array import array
from collections.abc import Iterator
from typing import Final

from services.simulator.formats import Publication, outdoor_temperature
from services.simulator.season import HOUR_S, Winter

__all__ = ["STATION", "messages", "temperatures_degc"]

STATION: Final = "bordeaux-merignac"
EVERY_HOURS: Final = 3
_MILDNESS_K: Final = {"baseline": -0.6, "challenge": 0.9}
"""The winter of the challenge is milder: without degree days, every team would look better than it is."""


def temperatures_degc(seed: int, winter: Winter) -> "array[float]":
    """One for each hour, the last included.

    About 7 °C in December, 5.5 in the middle of January, 13 at the end of April, with spells of some days.
    """
    chance = random.Random(f"{seed}/weather/{winter.name}/{winter.first}")
    spells: list[float] = []
    spell = 0.0
    for _ in range((winter.after - winter.first).days + 1):
        spell = 0.8 * spell + chance.gauss(0.0, 1.7)
        spells.append(spell)
    found = array("d")
    for hour in range(winter.hours + 1):
        day, wall = winter.days[hour], winter.walls[hour]
        season = 8.2 - 2.7 * math.cos((day - 45) * math.tau / 260)
        found.append(season + _MILDNESS_K[winter.name] + spells[day] + 3.1 * math.cos((wall - 15) * math.tau / 24))
    return found


def messages(seed: int, winter: Winter) -> Iterator[tuple[int, Publication]]:
    """What the station publishes, with the instant in Unix seconds."""
    temperatures = temperatures_degc(seed, winter)
    for hour in range(0, winter.hours + 1, EVERY_HOURS):
        at_s = winter.start_s + hour * HOUR_S
        yield at_s, outdoor_temperature(STATION, at_s, temperatures[hour])
