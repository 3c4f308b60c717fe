"""What a city says for as long as a test wants: meters, vehicles, late readings, copies, what nobody can read."""

import json
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from services.simulator.formats import awareness
from tests.e2e.publisher import Sent

__all__ = ["STARTED", "city", "energy", "plug"]

_HOMES = 24
_STEP_S = 300
STARTED = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=9)
"""Recent, and some days long: no hour of it occurs twice in Paris unless the tests run just after a change."""
_PARIS = ZoneInfo("Europe/Paris")
_VEHICLES = 30
_BORDEAUX = (448_377_000, -5_792_000)


def plug(home: int, number: int, power_w: float, total_kwh: float, **more: float) -> Sent:
    """The reading `number` of a home's Tasmota plug, with `more` measured values; each has an instant of its own."""
    at = (STARTED + timedelta(seconds=number * _STEP_S)).astimezone(_PARIS)
    energy = {
        "TotalStartTime": "2025-03-02T18:44:01",
        "Total": round(total_kwh, 3),
        "Power": round(power_w),
        "Voltage": 229,
        "Current": round(power_w / 229, 3),
        **more,
    }
    payload = json.dumps({"Time": f"{at:%FT%T}", "ENERGY": energy}).encode()
    return Sent(f"tele/e2e-{home:03}/SENSOR", payload)


def energy(chance: Random) -> Iterator[Sent]:
    """Readings of all homes in turn, for ever."""
    totals = [chance.uniform(10, 5000) for _ in range(_HOMES)]
    number = 0
    while True:
        for home in range(_HOMES):
            power_w = chance.uniform(0, 3000)
            totals[home] += power_w * _STEP_S / 3.6e6
            yield plug(home, number, power_w, totals[home])
        number += 1


def _unreadable(number: int) -> Sent:
    return Sent(f"tele/e2e-{number % _HOMES:03}/SENSOR", b'{"ENERGY": {"Total": "number %d"}}' % number)


def _vehicle(chance: Random, sent: int) -> Sent:
    """A CAM of now; the instants of one vehicle differ, so each is a message of its own."""
    at_ms = int(datetime.now(UTC).timestamp() * 1000) // 1000 * 1000 + sent % 1000
    station = 7_000_000 + sent % _VEHICLES
    latitude, longitude = _BORDEAUX
    return Sent(*awareness(station, at_ms, latitude, longitude, chance.randrange(1400), chance.randrange(3600)))


def city(seed: int) -> Iterator[Sent]:
    """The load of the kill test, for ever: one in five is a vehicle, some come late, twice, or are unreadable."""
    chance = Random(seed)  # noqa: S311 - repeatable
    readings = energy(chance)
    late: deque[Sent] = deque()
    sent = 0
    while True:
        sent += 1
        lot = chance.random()
        if lot < 0.01:
            yield _unreadable(sent)
        elif lot < 0.2:
            yield _vehicle(chance, sent)
        elif lot < 0.23:
            late.append(next(readings))
        elif lot < 0.25:
            reading = next(readings)
            yield reading
            yield reading
        else:
            yield next(readings)
        if len(late) > 200 or (late and lot > 0.995):
            yield late.popleft()
