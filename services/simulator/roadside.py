"""What roadside units say and are asked, each with its second: signals, priority of buses, warnings of hazards."""

import random
from collections.abc import Iterable, Iterator
from typing import Final

from services.simulator.formats import Publication
from services.simulator.junctions import HEADINGS, JUNCTIONS, Junction, state_at
from services.simulator.radio import hazard_warning, priority_answer, priority_request, signal_phases
from services.simulator.traffic import BUS, Passing

__all__ = ["hazards", "requests", "signals"]

_SURE_S: Final = 8
"""Further ahead a change is foretold wrong by up to two seconds."""
_GRANTED, _REJECTED = 4, 5
_CAUSES: Final = (94, 27, 3, 97)
"""Stationary vehicle, end of a queue, roadworks, collision risk (ETSI TS 102 894-2)."""
_HAZARD_EVERY_S: Final = 1200
_REPEATED_S: Final = 10
_METRES_PER_DEGREE: Final = 111_320.0

Timed = tuple[int, Publication]


def signals(seed: int, start_s: int, minutes: int, junctions: int = len(JUNCTIONS)) -> Iterator[Timed]:
    """The signals of every junction, each second; changes far ahead are foretold with an error."""
    for junction in JUNCTIONS[:junctions]:
        chance = random.Random(f"{seed}/signals/{junction.id}")
        for at_s in range(start_s, start_s + minutes * 60):
            phases = []
            for group in sorted(set(HEADINGS.values())):
                state, change_s = state_at(junction, group, at_s)
                error_s = chance.randint(-2, 2) if change_s - at_s > _SURE_S else 0
                phases.append((group, state, 1000 * (change_s + error_s)))
            yield at_s, signal_phases(junction.id, 1000 * at_s, _place(junction), phases)


def requests(seed: int, passings: Iterable[Passing]) -> Iterator[Timed]:
    """Buses ask as they come, and are answered; priority is granted where they do not have to stop."""
    chance = random.Random(f"{seed}/priority")
    for passing in passings:
        if passing.station_type == BUS:
            junction, at_ms = passing.junction, 1000 * passing.start_s + 200
            request = passing.station_id % 250
            yield passing.start_s, priority_request(junction.id, at_ms, _place(junction), passing.station_id, request)
            at_ms += chance.randrange(300, 2500)
            status = _REJECTED if passing.stands_s else _GRANTED
            answer = priority_answer(junction.id, at_ms, _place(junction), passing.station_id, request, status)
            yield at_ms // 1000, answer


def hazards(seed: int, start_s: int, minutes: int, junctions: int = len(JUNCTIONS)) -> Iterator[Timed]:
    """Now and then a hazard beside a junction: told some seconds after it was detected, repeated, then taken back."""
    for junction in JUNCTIONS[:junctions]:
        chance = random.Random(f"{seed}/hazards/{junction.id}")
        place = _place(junction, north_m=30.0)
        for number, begins_s in enumerate(range(start_s, start_s + minutes * 60 - 580, _HAZARD_EVERY_S)):
            detected_s = begins_s + chance.randrange(60, 300)
            ends_s = detected_s + chance.randrange(90, 280)
            cause = chance.choice(_CAUSES)
            for at_s in range(detected_s + chance.randrange(1, 5), ends_s, _REPEATED_S):
                yield at_s, hazard_warning(junction.id, 1000 * at_s, place, number + 1, 1000 * detected_s, cause)
            over = hazard_warning(junction.id, 1000 * ends_s, place, number + 1, 1000 * detected_s, cause, over=True)
            yield ends_s, over


def _place(junction: Junction, north_m: float = 0.0) -> tuple[int, int]:
    return round((junction.latitude_deg + north_m / _METRES_PER_DEGREE) * 1e7), round(junction.longitude_deg * 1e7)
