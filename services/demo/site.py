"""The configuration of a demonstration: what an operator would write for the simulated city, with a fresh key."""

import json
import os
import secrets
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from services.embedded.broker import INFLIGHT
from services.simulator import Bordeaux
from services.simulator.home import Family
from services.simulator.traffic import Junction

__all__ = ["NoDemoFolder", "Ports", "device_names", "write_site"]

_MARK: Final = "# Written by `garonne demo`; a new demonstration replaces this folder's files."
_DATA: Final = ("events.sqlite", "series.sqlite")
_FILES: Final = ("garonne.toml", "demo.key", "households.toml", "consent.jsonl", "junctions.geojson")
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
    features = [
        {
            "type": "Feature",
            "properties": {"id": each.id, "name": each.name, "radius_m": each.radius_m},
            "geometry": {"type": "Point", "coordinates": [each.longitude_deg, each.latitude_deg]},
        }
        for each in junctions
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False, indent=1) + "\n"


def _configuration(ports: Ports) -> str:
    return f"""\
{_MARK}
storage = "embedded"
timezone = "Europe/Paris"
key_file = "demo.key"
households_file = "households.toml"
consent_file = "consent.jsonl"
junctions_file = "junctions.geojson"

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
