"""The configuration of a demonstration: what an operator would write for the simulated city, with a fresh key."""

import json
import math
import os
import secrets
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from services.embedded.broker import INFLIGHT
from services.simulator import Bordeaux
from services.simulator.home import Family
from services.simulator.junctions import HEADINGS, Junction

__all__ = ["NoDemoFolder", "Ports", "device_names", "write_site"]

_MARK: Final = "# Written by `garonne demo`; a new demonstration replaces this folder's files."
_METRES_PER_DEGREE: Final = 111_320.0
_LANE_M: Final = 100.0
_LINE_M: Final = 3.0
_DATA: Final = ("events.sqlite", "series.sqlite")
_FILES: Final = (
    "garonne.toml", "demo.key", "households.toml", "consent.jsonl", "junctions.geojson", "service-periods.toml"
)  # fmt: skip
_LOGS: Final = ("ingest.log", "aggregate.log")


class NoDemoFolder(Exception):
    """The folder holds something else than a demonstration; the text says what to do."""


class Ports(NamedTuple):
    """Where the embedded broker and the services listen."""

    mqtt_v3: int
    mqtt_v5: int
    ingest_metrics: int
    aggregator_metrics: int


def write_site(folder: Path, city: Bordeaux, ports: Ports) -> Path:
    """Write all files; those of an earlier demonstration are replaced.

    Returns:
        The configuration, `garonne.toml`.

    Raises:
        NoDemoFolder: there is a configuration in the folder that no demonstration wrote.
        OSError: the folder cannot be written.
    """
    configuration = folder / "garonne.toml"
    if configuration.exists() and not configuration.read_text("utf-8").startswith(_MARK):
        raise NoDemoFolder(f"{configuration} was not written by a demonstration: choose another --folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*_FILES, *_LOGS, *(data + end for data in _DATA for end in ("", "-wal", "-shm"))):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "report", ignore_errors=True)
    _write_key(folder / "demo.key")
    (folder / "households.toml").write_text(_households(city), encoding="utf-8")
    (folder / "consent.jsonl").write_text(_consents(city), encoding="utf-8")
    (folder / "junctions.geojson").write_text(_junctions(city.junctions), encoding="utf-8")
    (folder / "service-periods.toml").write_text(_service_periods(city.junctions), encoding="utf-8")
    configuration.write_text(_configuration(ports), encoding="utf-8")
    return configuration


def _write_key(path: Path) -> None:
    """32 fresh bytes that nobody else may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(32))


def device_names(family: Family) -> tuple[str, ...]:
    """The names of a family's devices in the registry, `<profile>:<identifier>`."""
    match family.metering:
        case "linky_standard" | "linky_historique":
            return tuple(f"linky_teleinfo2mqtt:{serial}" for serial in family.serials)
        case "tasmota_energy":
            return (f"tasmota:{family.device}",)
        case "tasmota_teleinfo":
            return (f"tasmota_teleinfo:{family.device}",)


def _households(city: Bordeaux) -> str:
    lines = [_MARK, "# Households stay on this machine: records carry pseudonyms.", ""]
    for team in city.teams:
        lines += ["[[teams]]", f"id = {json.dumps(_slug(team))}", f"name = {json.dumps(team, ensure_ascii=False)}", ""]
    for family in city.families:
        lines += [
            "[[households]]",
            f"id = {json.dumps(family.name)}",
            f"team = {json.dumps(_slug(family.team))}",
            f"devices = {json.dumps(device_names(family))}",
            f"inhabitants = {family.inhabitants}",
            "",
        ]
    return "\n".join(lines)


def _consents(city: Bordeaux) -> str:
    """Every family agreed to be measured as finely as its meter speaks, before the first winter."""
    start = f"{city.winters[0].first - timedelta(days=30)}T00:00:00Z"
    agreed = {
        "recorded_at": start,
        "action": "grant",
        "purposes": ["advice", "challenge", "city"],
        "granularity": "live",
        "from": start,
    }
    return "".join(json.dumps({"household": family.name} | agreed) + "\n" for family in city.families)


def _slug(team: str) -> str:
    plain = team.lower().translate(str.maketrans("éèêàç", "eeeac"))
    return "-".join(plain.split())


def _junctions(junctions: tuple[Junction, ...]) -> str:
    features: list[dict[str, object]] = [
        {
            "type": "Feature",
            "properties": {"id": each.id, "name": each.name, "radius_m": each.radius_m},
            "geometry": {"type": "Point", "coordinates": [each.longitude_deg, each.latitude_deg]},
        }
        for each in junctions
    ]
    features += [_approach(each, number, heading) for each in junctions for number, heading in enumerate(HEADINGS, 1)]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1) + "\n"


def _approach(junction: Junction, number: int, heading_deg: int) -> dict[str, object]:
    """The lane of cars that go this way, up to its stop line some metres before the middle."""
    north, east = math.cos(math.radians(heading_deg)), math.sin(math.radians(heading_deg))
    across = _METRES_PER_DEGREE * math.cos(math.radians(junction.latitude_deg))
    points = [
        [
            round(junction.longitude_deg - before_m * east / across, 7),
            round(junction.latitude_deg - before_m * north / _METRES_PER_DEGREE, 7),
        ]
        for before_m in (_LANE_M, _LINE_M)
    ]
    return {
        "type": "Feature",
        "properties": {
            "kind": "approach",
            "junction": junction.id,
            "approach": number,
            "lane": number,
            "signal_group": HEADINGS[heading_deg],
        },
        "geometry": {"type": "LineString", "coordinates": points},
    }


def _service_periods(junctions: tuple[Junction, ...]) -> str:
    """A corridor, and who has the service: buses. When it came is for a real city to say: an hour has no before."""
    along = [each.id for each in junctions if each.name.startswith("Barrière")]
    corridor = ["[[corridors]]", 'id = "boulevards"', 'name = "Les boulevards"', f"junctions = {json.dumps(along)}", ""]
    classes = [
        "[with_service]",
        'name = { en = "Buses, which follow the signals’ advice", fr = "Bus, qui suivent le conseil des feux" }',
        'stations = ["bus"]',
        'source = "the simulated city"',
        "",
        "[without_service]",
        'name = { en = "Cars", fr = "Voitures" }',
        'stations = ["car"]',
        'source = "the simulated city"',
        "",
    ]
    return "\n".join([_MARK, 'edition = "demo"', "", *(corridor if len(along) > 1 else []), *classes])


def _configuration(ports: Ports) -> str:
    return f"""\
{_MARK}
storage = "embedded"
timezone = "Europe/Paris"
key_file = "demo.key"
households_file = "households.toml"
consent_file = "consent.jsonl"
junctions_file = "junctions.geojson"
service_periods_file = "service-periods.toml"

[mqtt]
host = "127.0.0.1"
port = {ports.mqtt_v5} # MQTT 5, for Garonne
broker_inflight = {INFLIGHT}

[embedded]
folder = "."
broker = true
devices_port = {ports.mqtt_v3} # MQTT 3.1.1, for devices

[ingest]
batch = {INFLIGHT // 2}
metrics_port = {ports.ingest_metrics}

[aggregator]
metrics_port = {ports.aggregator_metrics}
"""
