"""The load of a cell: homes and vehicles of its own, so that its account is nobody else's."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from services.simulator.formats import awareness
from tests.e2e.load import plug
from tests.e2e.publisher import Sent

__all__ = ["cell_load"]

_STEP_S = 300
_VEHICLES = 10
_BORDEAUX = (448_377_000, -5_792_000)
_APART_E7 = 200_000
"""Degrees of longitude between the places of two cells, in units of 1e-7: no zone holds both."""


def cell_load(
    number: int, seed: int, *, vehicles: bool = True, poison: float = 0.01, homes: int = 24
) -> Iterator[Sent]:
    """Readings, vehicles of now, late readings, copies, and `poison` (a share) that nobody can read; for ever.

    Readings begin nine days ago, five minutes apart: 2,500 of each home are over before today is.
    """
    chance = Random(seed)  # noqa: S311 - repeatable
    readings = _readings(number, chance, homes)
    late: deque[Sent] = deque()
    sent = 0
    while True:
        sent += 1
        lot = chance.random()
        if lot < poison:
            yield Sent(f"tele/e2e-{_home(number, sent % homes)}/SENSOR", b'{"ENERGY": {"Total": "number %d"}}' % sent)
        elif vehicles and lot > 0.85:
            yield _vehicle(number, chance, sent)
        elif lot > 0.82:
            late.append(next(readings))
        elif lot > 0.80:
            reading = next(readings)
            yield reading
            yield reading
        else:
            yield next(readings)
        if len(late) > 50 or (late and lot > 0.81):
            yield late.popleft()


def _home(cell: int, number: int) -> int:
    return 1000 * (cell + 1) + number


def _readings(cell: int, chance: Random, homes: int) -> Iterator[Sent]:
    totals = [chance.uniform(10, 5000) for _ in range(homes)]
    number = 0
    while True:
        for each in range(homes):
            power_w = chance.uniform(0, 3000)
            totals[each] += power_w * _STEP_S / 3.6e6
            yield plug(_home(cell, each), number, power_w, totals[each])
        number += 1


def _vehicle(cell: int, chance: Random, sent: int) -> Sent:
    at_ms = int(datetime.now(UTC).timestamp() * 1000) // 1000 * 1000 + sent % 1000
    station = 7_000_000 + 1000 * cell + sent % _VEHICLES
    latitude, longitude = _BORDEAUX
    place = longitude + _APART_E7 * cell
    return Sent(*awareness(station, at_ms, latitude, place, chance.randrange(1400), chance.randrange(3600)))
