"""From traffic to messages: what every vehicle and every roadside unit sends, and when which of it arrives."""

import heapq
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from services.ingest.codecs.its_time import milliseconds, to_its
from services.ingest.profiles import Message
from services.ingest.zones import quadkey
from tests.microsimulation.disturbance import Air, Level, Receiver
from tests.microsimulation.driving import STATION_TYPES, Driven, Seen, Shown
from tests.microsimulation.network import Crossroads, Network, degrees
from tests.microsimulation.payloads import Awareness, GroupTimes, cam_json, cam_octets, mapem, spatem
from tests.microsimulation.programs import AMBER, GREEN, PERMITTED, colours, left_s

__all__ = ["BEGIN", "REVISION", "Radio", "unix_ms"]

BEGIN: Final = datetime(2026, 5, 12, 7, 51, 30, tzinfo=UTC)
"""Second 0 of the simulation; what is heard of it goes over the full hour, where TimeMarks begin anew."""
REVISION: Final = 3
_STEP_S: Final = 0.1
_SPATEM_S, _MAPEM_S = 1.0, 10.0
_HOUR_TENTHS: Final = 36_000


def unix_ms(at_s: float) -> int:
    """The Unix time of an instant of the simulation."""
    return milliseconds(BEGIN) + round(1000 * at_s)


class _Vehicle:
    """A vehicle's station: its pseudonyms, its clock, and what it said last."""

    def __init__(self, level: Level, chance: random.Random, at_s: float, kind: str) -> None:
        self.chance, self._level = chance, level
        self.receiver, self.air = Receiver(level, chance, _STEP_S), Air(level, chance)
        self.clock_ms = round(1000 * chance.gauss(0, level.clock_s))
        self.station_type = STATION_TYPES[kind]
        self.speaks_json = chance.random() < 0.3
        self.tick = chance.randrange(10)
        self.said: tuple[float, Seen] | None = None
        self.change(at_s)

    def change(self, at_s: float) -> None:
        """Take another pseudonym."""
        self.station_id = self.chance.randrange(1, 1 << 32)
        self.until_s = at_s + self._level.pseudonym_s * self.chance.expovariate(1.0)

    def speaks(self, at_s: float, seen: Seen) -> bool:
        """Whether it sends a CAM at this tenth of a second (EN 302 637-2, 6.1.3)."""
        if self._level.sending == "10 Hz":
            return True
        if self._level.sending == "1 Hz":
            self.tick = (self.tick + 1) % 10
            return self.tick == 0
        if self.said is None:
            return True
        since_s, last = self.said
        turned_deg = abs((seen.heading_deg - last.heading_deg + 180) % 360 - 180)
        went_m = ((seen.x_m - last.x_m) ** 2 + (seen.y_m - last.y_m) ** 2) ** 0.5
        changed = turned_deg > 4 or went_m > 4 or abs(seen.speed_mps - last.speed_mps) > 0.5
        return changed or at_s - since_s > 0.99


class Radio:
    """All messages of a run at a level of disturbance, in the order in which they arrive."""

    def __init__(self, network: Network, driven: Driven, level: Level, seed: int) -> None:
        self._network, self._driven, self._level = network, driven, level
        self._chance = random.Random(f"{seed}/{level.name}")  # noqa: S311 - repeatable
        self._number = count()
        self._waiting: list[tuple[float, int, str, bytes]] = []
        self.names: dict[int, str] = {}
        """Which vehicle had which station id."""
        self.sent = 0

    def messages(self) -> Iterator[Message]:
        """In the order of arrival."""
        vehicles: dict[str, _Vehicle] = {}
        roadside = [_Roadside(each, self._level, self._chance) for each in self._network.junctions]
        phases = self._driven.phases()
        for at_s, seen in self._driven.instants():
            for each in seen:
                vehicle = vehicles.get(each.vehicle)
                if vehicle is None:
                    vehicle = vehicles[each.vehicle] = _Vehicle(self._level, self._chance, at_s, each.kind)
                    self.names[vehicle.station_id] = each.vehicle
                self._speak(vehicle, at_s, each)
            for unit in roadside:
                for topic, payload in unit.says(at_s, phases[unit.junction.name]):
                    self._send(unit.air, at_s, topic, payload)
            yield from self._arrived(at_s)
        yield from self._arrived(float("inf"))

    def _speak(self, vehicle: _Vehicle, at_s: float, seen: Seen) -> None:
        x_m, y_m = vehicle.receiver.place(seen.x_m, seen.y_m)
        if not vehicle.speaks(at_s, seen):
            return
        if at_s >= vehicle.until_s:
            vehicle.change(at_s)
            self.names[vehicle.station_id] = seen.vehicle
        vehicle.said = at_s, seen
        latitude_deg, longitude_deg = degrees((x_m, y_m))
        own_ms = unix_ms(at_s) + vehicle.clock_ms
        said = Awareness(
            vehicle.station_id,
            to_its(own_ms) % 65_536,
            vehicle.station_type,
            round(latitude_deg * 1e7),
            round(longitude_deg * 1e7),
            round(seen.heading_deg * 10) % 3600,
            round(vehicle.receiver.speed(seen.speed_mps) * 100),
        )
        if vehicle.speaks_json:
            tile = "/".join(quadkey(latitude_deg, longitude_deg, 18))
            topic = f"default/outQueue/v2x/cam/car_{vehicle.station_id}/{tile}"
            self._send(vehicle.air, at_s, topic, cam_json(said, own_ms))
        else:
            self._send(vehicle.air, at_s, "v2x/cam", cam_octets(said))

    def _send(self, air: Air, at_s: float, topic: str, payload: bytes) -> None:
        self.sent += 1
        for delay_s in air.delays():
            heapq.heappush(self._waiting, (at_s + delay_s, next(self._number), topic, payload))

    def _arrived(self, until_s: float) -> Iterator[Message]:
        while self._waiting and self._waiting[0][0] <= until_s:
            at_s, _, topic, payload = heapq.heappop(self._waiting)
            yield Message(topic, payload, BEGIN + timedelta(milliseconds=round(1000 * at_s)))


class _Roadside:
    """A roadside unit: SPATEM once a second, MAPEM every ten; its clock is a fifth as wrong as a vehicle's."""

    def __init__(self, junction: Crossroads, level: Level, chance: random.Random) -> None:
        self.junction, self.air = junction, Air(level, chance)
        self._clock_ms = round(200 * chance.gauss(0, level.clock_s))
        self._map = mapem(junction, REVISION)
        self._next_signals_s, self._next_map_s = chance.uniform(0, _SPATEM_S), chance.uniform(0, _MAPEM_S)
        self._phase = 0

    def says(self, at_s: float, phases: Sequence[Shown]) -> Iterator[tuple[str, bytes]]:
        """What it sends at this tenth of a second."""
        while self._next_map_s <= at_s:
            if self._next_map_s > at_s - _STEP_S:
                yield "v2x/mapem", self._map
            self._next_map_s += _MAPEM_S
        while self._next_signals_s <= at_s:
            if self._next_signals_s > at_s - _STEP_S:
                yield "v2x/spatem", self._signals(at_s, phases)
            self._next_signals_s += _SPATEM_S

    def _signals(self, at_s: float, phases: Sequence[Shown]) -> bytes:
        while self._phase + 1 < len(phases) and phases[self._phase + 1].since_s <= at_s:
            self._phase += 1
        now, own_ms = phases[self._phase], unix_ms(at_s) + self._clock_ms
        year_ms = milliseconds(datetime(BEGIN.year, 1, 1, tzinfo=UTC))
        minute, millisecond = divmod(own_ms - year_ms, 60_000)
        groups = []
        for group in sorted({each.number for each in self.junction.approaches}):
            bounds_s = left_s(group, now.phase, at_s - now.since_s, actuated=self.junction.actuated)
            least, most = (round(own_ms / 100 + 10 * each) % _HOUR_TENTHS for each in bounds_s)
            groups.append(GroupTimes(group, _event_state(group, now.phase), least, most))
        return spatem(self.junction, REVISION, minute, millisecond, groups)


def _event_state(group: int, phase: int) -> str:
    colour = colours(group)[phase]
    if colour == GREEN:
        return "permissive-Movement-Allowed" if group in PERMITTED else "protected-Movement-Allowed"
    if colour == AMBER:
        return "permissive-clearance" if group in PERMITTED else "protected-clearance"
    return "stop-And-Remain"
