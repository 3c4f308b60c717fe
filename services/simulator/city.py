"""The city: its families and teams, and everything that its devices publish, in order."""

import random
from array import array
from collections.abc import Iterator
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from typing import Final

from services.simulator import meters, roadside, traffic, weather
from services.simulator.formats import Publication, linky_historique, tasmota_state
from services.simulator.home import Family, Fault, Metering, consumed_wh
from services.simulator.junctions import JUNCTIONS, Junction
from services.simulator.season import HOUR_S, PARIS, Winter
from services.simulator.truth import HomeTruth, Truth

__all__ = ["TEAMS", "Bordeaux"]

TEAMS: Final = (
    "Les Castors", "Chartrons malins", "Watt else", "Les Aubiers", "Bacalan sobre", "Caudéran sans kilo",
    "La Bastide économe",
    "Saint-Michel doux", "Les Capucins", "Nansouty négawatt", "Mérignac éclairé", "Talence au pull",
)  # fmt: skip

_BROKEN_EVERY: Final = 997
_FAULTS: Final[dict[int, tuple[Metering, Fault]]] = {
    0: ("tasmota_energy", "reset"),
    1: ("linky_standard", "gap"),
    2: ("linky_standard", "glitch"),
    3: ("linky_standard", "changed_meter"),
    4: ("linky_standard", "late"),
    5: ("tasmota_teleinfo", "duplicates"),
}
"""The first families of each round of 25 have the faults; their meters are of a kind that can have them."""

_ROUND: Final = 25
_OTHERS: Final[dict[int, Metering]] = {
    6: "tasmota_energy", 7: "tasmota_energy", 8: "tasmota_teleinfo", 9: "tasmota_teleinfo", 24: "linky_historique"
}  # fmt: skip


class Bordeaux:
    """A city that publishes; the same seed, winters and sizes give the same messages."""

    def __init__(  # noqa: PLR0913 - the sizes of a city
        self,
        winters: tuple[Winter, Winter],
        now_s: int,
        *,
        seed: int = 33,
        families: int = 100,
        teams: int = len(TEAMS),
        junctions: int = len(JUNCTIONS),
        traffic_minutes: int = 60,
    ) -> None:
        """Set up; nothing is computed yet.

        Args:
            winters: baseline and challenge.
            now_s: Unix seconds; the traffic is that of the minutes before.
            seed: of all chance.
            families: how many homes.
            teams: how many teams they form, at most twelve.
            junctions: how many are equipped, at most twelve.
            traffic_minutes: how long the traffic is watched.
        """
        self.winters = winters
        self.seed = seed
        self.teams = TEAMS[:teams]
        self.junctions: tuple[Junction, ...] = JUNCTIONS[:junctions]
        self.truth = Truth()
        self._traffic_from_s = now_s - now_s % 60 - traffic_minutes * 60
        self._traffic_minutes = traffic_minutes
        self._frames = 0
        self.families = tuple(self._family(number) for number in range(1, families + 1))

    def _family(self, number: int) -> Family:
        chance = random.Random(f"{self.seed}/family/{number}")
        team = (number - 1) % len(self.teams)
        place = (number - 1) % _ROUND
        metering, fault = _FAULTS.get(place, (_OTHERS.get(place, "linky_standard"), None))
        heats = chance.random() < 0.6
        inhabitants = chance.choice((1, 2, 2, 3, 3, 4, 4, 5))
        serials = tuple(f"04{chance.randrange(10**6):06}{number + 5000 * nth:04}" for nth in range(2))
        return Family(
            number=number,
            team=self.teams[team],
            inhabitants=inhabitants,
            base_w=130 + 95 * inhabitants * chance.uniform(0.75, 1.25),
            heat_w_per_k=chance.uniform(70, 150) if heats else 0.0,
            saving=max(-0.06, chance.gauss(0.02 + 0.013 * team, 0.035)),
            metering=metering,
            serials=serials if fault == "changed_meter" else serials[:1],
            device=f"compteur-{number:03}",
            lag_s=chance.randrange(2, 50),
            first_index_wh=chance.randrange(40_000, 30_000_000),
            fault=fault,
        )

    @cached_property
    def _temperatures(self) -> dict[str, "array[float]"]:
        return {winter.name: weather.temperatures_degc(self.seed, winter) for winter in self.winters}

    @property
    def traffic_days(self) -> tuple[date, date]:
        """The first and the last local day on which traffic is watched."""
        ends_s = self._traffic_from_s + self._traffic_minutes * 60
        first, last = (datetime.fromtimestamp(each, PARIS).date() for each in (self._traffic_from_s, ends_s))
        return first, last

    def expected(self) -> int:
        """About how many messages there will be, for a progress bar."""
        homes = sum(each.metering != "linky_historique" for each in self.families)
        hours = sum(winter.hours for winter in self.winters)
        cars = sum(each.vehicles_per_minute for each in self.junctions) * self._traffic_minutes
        signals = 60 * self._traffic_minutes * len(self.junctions)
        return round(hours / meters.EVERY_HOURS * (homes + 1) + cars * 30 + signals)

    def messages(self) -> Iterator[Publication]:
        """Traffic of the last minutes, weather of both winters, then the meters, team after team."""
        yield from self.traffic()
        for winter in self.winters:
            for _, message in weather.messages(self.seed, winter):
                yield message
        sent = 0
        for team in self.teams:
            for message in self._team(team):
                sent += 1
                yield message
                if sent % _BROKEN_EVERY == 0:
                    self.truth.broken_messages += 1
                    yield message._replace(payload=message.payload[: len(message.payload) // 2])

    def traffic(self) -> Iterator[Publication]:
        """The CAMs of all vehicles, and what roadside units and buses said, in order of time."""
        watched = self.seed, self._traffic_from_s, self._traffic_minutes, len(self.junctions)
        passings = traffic.passings(*watched)
        everything = [*roadside.signals(*watched), *roadside.requests(self.seed, passings), *roadside.hazards(*watched)]
        others = len(everything)
        for passing in passings:
            for at_s, message in traffic.messages(passing):
                everything.append((at_s, message))
                minute = (passing.junction.id, at_s - at_s % 60)
                self.truth.vehicles.setdefault(minute, set()).add(passing.station_id)
        self.truth.awareness_messages = len(everything) - others
        everything.sort(key=lambda each: each[0])
        for _, message in everything:
            yield message

    def frames_now(self) -> Iterator[Publication]:
        """One frame of each meter whose messages have no clock: they belong to the moment of their arrival.

        Each shows some Wh more, which is possible where seconds lie between two.
        """
        for family in self.families:
            if family.metering == "linky_historique":
                risen_wh = self._frames * (1 + family.number % 3)
                self.truth.live_wh[family.name] = risen_wh
                power_va = round(family.base_w)
                yield linky_historique(family.serials[0], family.first_index_wh + risen_wh, power_va)
        self._frames += 1

    def _team(self, team: str) -> Iterator[Publication]:
        """Everything of a team's meters, by time of sending."""
        members = {each.number: each for each in self.families if each.team == team}
        for winter in self.winters:
            shown = [
                each
                for family in members.values()
                if family.metering != "linky_historique"
                for each in self._shown(family, winter)
            ]
            shown.sort()
            for each in shown:
                family = members[each.family]
                yield from meters.written(family, each)
                if family.metering == "tasmota_energy" and each.at_s // HOUR_S % 24 < meters.EVERY_HOURS:
                    self.truth.unmetered_messages += 1
                    yield tasmota_state(family.device, each.at_s + 1)

    def _shown(self, family: Family, winter: Winter) -> list[meters.Shown]:
        """The readings of a home in a winter; its truth is noted."""
        baseline, challenge = self.winters
        sums_wh = consumed_wh(self.seed, family, winter, self._temperatures[winter.name])
        before_wh = float(family.first_index_wh)
        if winter is challenge:
            before = consumed_wh(self.seed, family, baseline, self._temperatures[baseline.name])
            before_wh += before[-1] + meters.summer_wh(family, baseline, challenge)
        installed_s = baseline.start_s - 30 * 86_400
        shown = meters.readings(family, winter, sums_wh, before_wh=before_wh, installed_s=installed_s)
        self.truth.homes[family.name, winter.name] = _truth(winter, sums_wh, shown)
        return shown


def _truth(winter: Winter, sums_wh: "array[float]", shown: list[meters.Shown]) -> HomeTruth:
    def at(when_s: int) -> float:
        hour, seconds = divmod(when_s - winter.start_s, HOUR_S)
        if hour >= winter.hours:
            return sums_wh[-1]
        return sums_wh[hour] + (sums_wh[hour + 1] - sums_wh[hour]) * seconds / HOUR_S

    by_time = sorted((each for each in shown if each.index_wh), key=lambda each: each.at_s)
    steps = [(before, after, at(after.at_s) - at(before.at_s)) for before, after in pairwise(by_time)]
    unseen_wh = sum(step for before, after, step in steps if before.counter != after.counter)
    days = {
        date.fromordinal(winter.first.toordinal() + number): (sums_wh[end] - sums_wh[start]) / 1000
        for number, (start, end) in enumerate(pairwise(winter.midnights))
    }
    largest = max((step for _, _, step in steps), default=0.0)
    return HomeTruth(sums_wh[-1] / 1000, unseen_wh / 1000, largest / 1000, days)
