"""A town of equipped junctions whose minutes are invented, with a service that comes in the middle. Known truth."""

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.aggregator.mobility.hours import crowd_bit
from services.aggregator.ports import FieldValue, Point
from services.aggregator.rollups import Crowd, Rollups
from services.embedded.series import SqliteStore
from services.runtime.settings import EmbeddedSettings, Settings

__all__ = ["FIRST", "PLACES", "CompassTown", "Passing", "build_compass_town"]

FIRST: Final = date(2026, 3, 2)
ZONE: Final = ZoneInfo("Europe/Paris")
PLACES: Final = (
    ("33:1001", "Place Gambetta", 44.84110, -0.58080),
    ("33:1002", "Quinconces", 44.84460, -0.57450),
    ("33:1003", "Place de la Victoire", 44.83060, -0.57250),
    ("33:1004", "Barrière de Pessac", 44.82360, -0.59350),
    ("33:1005", "Barrière d'Ornano", 44.82820, -0.60020),
    ("33:1006", "Barrière Judaïque", 44.84240, -0.60210),
    ("33:1007", "Barrière du Médoc", 44.85260, -0.59570),
    ("33:1008", "Place Ravezies", 44.86370, -0.57790),
    ("33:1009", "Gare Saint-Jean", 44.82590, -0.55630),
    ("33:1010", "Porte de Bourgogne", 44.83730, -0.56520),
    ("33:1011", "Place Stalingrad", 44.83970, -0.55790),
    ("33:1012", "Mérignac Soleil", 44.83270, -0.64590),
)
_CORRIDOR: Final = ("33:1004", "33:1005", "33:1006", "33:1007")
_CLASSES: Final = """
[with_service]
name = { en = "Buses with a display", fr = "Bus avec afficheur" }
stations = ["bus"]
source = "invented"

[without_service]
name = { en = "Cars", fr = "Voitures" }
stations = ["car"]
source = "invented"
"""


@dataclass
class Passing:
    """One passage as it was invented."""

    junction: str
    day: date
    vehicle: int
    station: str
    delay_s: float
    stops: int
    green: bool
    violation: bool
    served: bool
    point: Point


@dataclass
class CompassTown:
    """Configuration and everything that happened."""

    settings: Settings
    folder: Path
    days: int
    passings: list[Passing] = field(default_factory=list)

    @property
    def end(self) -> date:
        """The day after the last."""
        return FIRST + timedelta(days=self.days)

    @property
    def switched(self) -> date:
        """The first day with the service on."""
        return FIRST + timedelta(days=self.days // 2)

    def store(self) -> SqliteStore:
        """Its time series."""
        return SqliteStore(self.folder / "var" / "series.sqlite")


async def build_compass_town(
    folder: Path, *, junctions: int = 12, days: int = 28, a_day: int = 40, quiet: int = 0, seed: int = 4
) -> CompassTown:
    """Write files and points.

    Args:
        folder: where everything goes.
        junctions: how many of `PLACES`.
        days: from `FIRST` on; the service is on in the second half.
        a_day: passages at each junction on each day, about.
        quiet: so many of the last junctions have three vehicles a day.
        seed: of all chance.
    """
    chance = random.Random(seed)  # noqa: S311
    town = CompassTown(_configured(folder, junctions, days), folder, days)
    (folder / "var").mkdir()
    async with town.store() as store:
        rollups = Rollups(store, ZONE)
        for number in range(days):
            day = FIRST + timedelta(days=number)
            weather = chance.gauss(0, 2.0)
            points: list[Point] = []
            crowds: dict[Crowd, int] = defaultdict(int)
            for place, (junction, *_) in enumerate(PLACES[:junctions]):
                few = place >= junctions - quiet
                for passing in _passings(town, junction, place, day, 3 if few else a_day, weather, chance):
                    town.passings.append(passing)
                    points.append(passing.point)
                    _crowd(crowds, passing.point, passing.vehicle)
                points += _signals(junction, place, day, chance)
                for point, requestor in _requests(junction, day, chance):
                    points.append(point)
                    _crowd(crowds, point, requestor)
            points += await rollups.take(points, crowds)
            points += _hazards(day, number, chance)
            assert await store.write(points) == []
    return town


def _crowd(crowds: dict[Crowd, int], point: Point, whose: int) -> None:
    tags, at_ms = dict(point.tags), point.time_ns // 1_000_000
    group = tags.get("station") or tags["role"]
    crowds[point.measurement, tags["zone"], at_ms - at_ms % 3_600_000, group] |= crowd_bit(tags["zone"], str(whose))


def _configured(folder: Path, junctions: int, days: int) -> Settings:
    key = folder / "garonne.key"
    key.write_bytes(b"a key of tests, known to everybody")
    key.chmod(0o600)
    features = [
        {
            "type": "Feature",
            "properties": {"id": id_, "name": name, "radius_m": 60},
            "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        }
        for id_, name, latitude, longitude in PLACES[:junctions]
    ]
    collection = {"type": "FeatureCollection", "features": features}
    (folder / "junctions.geojson").write_text(json.dumps(collection), "utf-8")
    half, last = FIRST + timedelta(days=days // 2), FIRST + timedelta(days=days - 1)
    periods = "".join(
        f'[[periods]]\nservice = "{service}"\nfirst = {first}\nlast = {until}\nsource = "invented"\n'
        for service, first, until in (("off", FIRST, half - timedelta(days=1)), ("on", half, last))
    )
    known = [each for each in _CORRIDOR if each in {place[0] for place in PLACES[:junctions]}]
    corridor = f'[[corridors]]\nid = "boulevards"\nname = "Les <boulevards>"\njunctions = {json.dumps(known)}\n'
    text = 'edition = "1"\n' + (corridor if len(known) > 1 else "") + periods + _CLASSES
    (folder / "periods.toml").write_text(text, "utf-8")
    return Settings(
        storage="embedded",
        key_file=key,
        junctions_file=folder / "junctions.geojson",
        service_periods_file=folder / "periods.toml",
        embedded=EmbeddedSettings(folder=folder / "var"),
    )


def _ns(day: date, second: float) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZONE).astimezone(UTC)
    return int(midnight.timestamp()) * 1_000_000_000 + int(second * 1000) * 1_000_000


def _passings(  # noqa: PLR0917 - what a day is made of
    town: CompassTown, junction: str, place: int, day: date, a_day: int, weather: float, chance: random.Random
) -> Iterator[Passing]:
    for number in range(a_day):
        bus = number % 4 == 0 and a_day > 10
        served = bus and day >= town.switched
        base = 14.0 + 3.0 * (place % 5) + weather - (4.0 if day >= town.switched else 0.0) - (3.0 if served else 0.0)
        delay_s = round(max(0.0, chance.gauss(base, 9.0)), 3)
        stops = int(delay_s > 12) + int(delay_s > 35)
        violation = chance.random() < 0.004
        vehicle = place * 10_000 + number
        second = 6 * 3600 + chance.random() * 15 * 3600
        fields = _fields(delay_s, stops, violation=violation, advised=bus)
        tags = (
            ("approach", str(number % 4)),
            ("signal_group", "1"),
            ("station", "bus" if bus else "car"),
            ("zone", junction),
        )
        point = Point("passage", tags, tuple(sorted(fields.items())), _ns(day, second) + number)
        green = stops == 0 and not violation
        yield Passing(junction, day, vehicle, tags[2][1], delay_s, stops, green, violation, served, point)


def _fields(delay_s: float, stops: int, *, violation: bool, advised: bool) -> dict[str, FieldValue]:
    counts: dict[str, FieldValue] = dict.fromkeys(
        ("arrival_amber", "arrival_green", "arrival_red", "arrival_stopped", "arrival_unknown"), 0
    )
    counts["arrival_red" if violation else "arrival_green" if not stops else "arrival_stopped"] = 1
    return counts | {
        "passages": 1,
        "first_passages": 1,
        "stops": stops,
        "stopped_s": round(0.6 * delay_s * bool(stops), 3),
        "idle_s": round(0.5 * delay_s * bool(stops), 3),
        "delay_s": delay_s,
        "delay_known": 1,
        "violations": int(violation),
        "violations_uncertain": 0,
        "advice_followed": 0.7 if advised else 0.0,
        "advice_known": int(advised),
        "co2_estimated_g": round(60 + 1.2 * delay_s, 3),
        "fuel_estimated_g": round(19 + 0.38 * delay_s, 3),
        "estimated": 1,
        "stop_line_ms": 0,
    }


def _signals(junction: str, place: int, day: date, chance: random.Random) -> Iterator[Point]:
    for minute in range(0, 1440, 30):
        if place == 2 and day.day % 9 == 0 and minute > 700:
            continue
        changes = 6
        fields: tuple[tuple[str, FieldValue], ...] = (
            ("changes", changes),
            ("error_s", round(abs(chance.gauss(0, 0.8)) * changes, 3)),
            ("foretold", changes),
            ("messages", 60),
        )
        yield Point("signal", (("signal_group", "1"), ("zone", junction)), fields, _ns(day, minute * 60))


def _requests(junction: str, day: date, chance: random.Random) -> Iterator[tuple[Point, int]]:
    for number in range(8):
        granted = chance.random() < 0.7
        waits_s = round(math.fabs(chance.gauss(6, 2)), 3)
        fields: dict[str, Any] = dict.fromkeys(("requests", "answered"), 1)
        fields |= {"updates": 0, "rejected": int(not granted), "unanswered": 0, "cancelled": 0, "answered_s": 1.0}
        fields |= {"granted": int(granted), "granted_s": waits_s if granted else 0.0}
        tags = (("role", "publicTransport"), ("zone", junction))
        yield Point("priority", tags, tuple(sorted(fields.items())), _ns(day, 30_000 + 3000 * number) + number), number


def _hazards(day: date, number: int, chance: random.Random) -> list[Point]:
    fields: dict[str, FieldValue] = {
        "hazards": 1,
        "duration_s": 600.0 + 60 * (number % 7),
        "dissemination_s": round(abs(chance.gauss(2, 1)), 3),
        "updates": 2,
        "ending": "validity",
        "state": "[0,[],[]]",
    }
    cause = "27" if number % 2 else "3"
    near: dict[str, FieldValue] = {"events": 1}
    for who, slower_mps in (("aware", 3.0), ("unaware", 0.5)):
        near |= {f"{who}_vehicles": 8, f"{who}_far": 20, f"{who}_near": 20}
        near |= {f"{who}_far_mps": 240.0, f"{who}_near_mps": round(20 * (12.0 - slower_mps + chance.gauss(0, 0.3)), 2)}
    tags = (("cause", cause), ("zone", PLACES[0][0]))
    return [
        Point("hazard", (("cause", cause),), tuple(sorted(fields.items())), _ns(day, 40_000)),
        Point("junction_hazard", tags, tuple(sorted(fields.items())), _ns(day, 40_000)),
        Point("hazard_exposure", tags, tuple(sorted(near.items())), _ns(day, 40_020)),
    ]
