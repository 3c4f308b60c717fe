"""A small city in the embedded store: families of three teams over two winters, three junctions. All of it invented."""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.points import hour_point
from services.aggregator.ports import FieldValue, Point
from services.aggregator.traffic import HourFigures
from services.embedded.series import SqliteStore
from services.ingest.pseudonyms import read_keys
from services.runtime.settings import EmbeddedSettings, Settings

__all__ = ["BASELINE", "END", "START", "City", "Home", "build_city"]

ZONE: Final = ZoneInfo("Europe/Paris")
START, END = date(2025, 11, 1), date(2026, 1, 31)
BASELINE: Final = (date(2024, 11, 1), date(2025, 1, 31))
_TEAMS: Final = {"castors": ("Les <Castors>", 6), "hirondelles": ("Les Hirondelles", 5), "duo": ("Le Duo", 2)}


@dataclass
class Home:
    """A family and what was written about it: kWh by day."""

    id: str
    team: str
    device: str
    pseudonym: str
    energy_kwh: dict[date, float] = field(default_factory=dict)


@dataclass
class City:
    """Configuration, families, and degree days by day."""

    settings: Settings
    homes: list[Home]
    cold: dict[date, float]
    folder: Path
    points: list[Point] = field(default_factory=list)

    def store(self) -> SqliteStore:
        """Its time series."""
        return SqliteStore(self.folder / "var" / "series.sqlite")


async def build_city(folder: Path) -> City:
    """Write registry, junctions, key and points."""
    city = _configured(folder)
    points: list[Point] = []
    for start, mildness in ((BASELINE[0], 0.0), (START, 1.5)):
        for offset in range((END - START).days):
            day = start + timedelta(days=offset)
            mean_degc = 8.0 + mildness + 4.0 * ((offset * 7) % 11 - 5) / 5
            city.cold[day] = max(0.0, 18.0 - mean_degc)
            points += [
                _weather(day, hour, mean_degc + (3 if hour == 12 else -3 if hour == 3 else 0)) for hour in _HOURS
            ]
            points += [_energy(home, number, day, city.cold[day]) for number, home in enumerate(city.homes)]
    points += [each for number in range(3) for each in _traffic(number)]
    city.points = points
    (folder / "var").mkdir()
    async with city.store() as store:
        assert await store.write(points) == []
    return city


_HOURS: Final = (0, 3, 6, 9, 12, 15, 18, 21)


def _configured(folder: Path) -> City:
    key = folder / "garonne.key"
    key.write_bytes(b"a key of tests, known to everybody")
    key.chmod(0o600)
    keys = read_keys(key)
    lines = [f'[[teams]]\nid = "{team}"\nname = "{name}"\n' for team, (name, _) in _TEAMS.items()]
    homes = []
    for team, (_, count) in _TEAMS.items():
        for number in range(count):
            name, device = f"famille-{team}-{number}", f"tasmota:compteur-{team}-{number}"
            lines.append(f'[[households]]\nid = "{name}"\nteam = "{team}"\ndevices = ["{device}"]\n')
            homes.append(Home(name, team, device, keys.pseudonym("household", name)))
    (folder / "households.toml").write_text("".join(lines), "utf-8")
    (folder / "junctions.geojson").write_text(json.dumps(_junctions()), "utf-8")
    settings = Settings(
        storage="embedded",
        key_file=key,
        households_file=folder / "households.toml",
        junctions_file=folder / "junctions.geojson",
        embedded=EmbeddedSettings(folder=folder / "var"),
    )
    return City(settings, homes, {}, folder)


def _junctions() -> dict[str, object]:
    features = [
        {
            "type": "Feature",
            "properties": {"id": f"bx-{number}", "name": f"Carrefour {number}", "radius_m": 80},
            "geometry": {"type": "Point", "coordinates": [-0.57, 44.83 + number / 100]},
        }
        for number in range(3)
    ]
    return {"type": "FeatureCollection", "features": features}


def _ns(day: date, hour: int = 0, minute: int = 0) -> int:
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)
    return int(local.astimezone(UTC).timestamp()) * 1_000_000_000


def _weather(day: date, hour: int, degc: float) -> Point:
    return Point("weather", (("station", "paulin"),), (("temperature_degc", degc),), _ns(day, hour))


def _energy(home: Home, number: int, day: date, cold: float) -> Point:
    saved = 1.0 if day < START else 0.97 - 0.02 * (number % 7)
    home.energy_kwh[day] = (6.0 + number % 4 + 1.5 * cold) * saved
    tags = {
        "carrier": "electricity",
        "household": home.pseudonym,
        "meter": f"m_{number:016x}",
        "quantity": "import_energy",
        "register": "total",
        "window": "1d",
    }
    fields: list[tuple[str, FieldValue]] = [
        ("coverage", 1.0),
        ("energy_kwh", home.energy_kwh[day]),
        ("estimated", False),
        ("revision", 48),
    ]
    return Point("energy", tuple(sorted(tags.items())), tuple(fields), _ns(day))


def _traffic(number: int) -> list[Point]:
    """Junction 0: six vehicles in each of 12 hours; junction 1: two in each of 7; junction 2 is silent."""
    day, points = date(2025, 12, 1), []
    count, vehicles = {0: (12, 6), 1: (7, 2)}.get(number, (0, 0))
    for hour in range(8, 8 + count):
        start_ms = _ns(day, hour) // 1_000_000
        points.append(
            hour_point(
                HourFigures(f"bx-{number}", start_ms, 1, vehicles, vehicles * 10, vehicles, 5.0 * vehicles, vehicles)
            )
        )
    return points
