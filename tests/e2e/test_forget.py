"""`garonne forget` on the real servers, beside services that run and a device that goes on publishing."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.aggregator.adapters.kafka_scan import KafkaScan
from services.aggregator.erasure import split
from services.aggregator.ports import BUCKETS, Incoming
from services.ingest.consent import PURPOSES, Change
from services.ingest.consentfile import append_change
from services.ingest.pseudonyms import Keys, read_keys
from services.runtime.settings import KafkaSettings
from tests.e2e.ledger import until_committed
from tests.e2e.publisher import Publisher, Sent
from tests.e2e.site import GARONNE, Service, Site, wait_until

pytestmark = pytest.mark.servers

_REGISTRY = """
[[households]]
id = "jeanne"
devices = ["tasmota:cave-de-jeanne", "linky_teleinfo2mqtt:041876543217"]

[[households]]
id = "paul"
devices = ["tasmota:cave-de-paul"]
"""
_PLANTED = ("cave-de-jeanne", "041876543217", "cave-de-paul", "marie-la-pionniere", "jeanne@example.org")
_TOPICS = (
    "garonne.energy",
    "garonne.mobility",
    "garonne.citizen",
    "garonne.status",
    "garonne.rejected",
    "garonne.ledger",
)
_START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6)


class _Agreed(Site):
    """A site with a registry and a consent file."""

    def configure(self, name: str, **changes: Mapping[str, Any]) -> Path:
        """The configuration of every command."""
        path = super().configure(name, **changes)
        keys = f'households_file = "{self.folder}/homes.toml"\nconsent_file = "{self.folder}/consent.jsonl"\n'
        path.write_text(keys + path.read_text("utf-8"), "utf-8")
        return path

    def garonne(self, *arguments: str) -> str:
        """Run a command that must do what it says; gives what it printed."""
        command = [str(GARONNE), *arguments, "-c", str(self.folder / "ingest.toml")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    async def records(self) -> list[Incoming]:
        """The whole event log."""
        scan = KafkaScan(KafkaSettings(bootstrap=self.kafka.bootstrap))
        return [each async for batch in scan.read(await scan.ends(_TOPICS)) for each in batch]

    def points(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every measurement."""
        buckets = {"raw": "garonne_raw", "rollup": "garonne_rollup", "kpi": "garonne_kpi"}
        select = "SELECT * FROM "
        return {name: self.influx.query(select + name, buckets[bucket]) for name, bucket in BUCKETS.items()}


def _energy(device: str, number: int) -> Sent:
    local = (_START + timedelta(minutes=number)).astimezone(ZoneInfo("Europe/Paris")).replace(tzinfo=None)
    wild = {"Mail": "jeanne@example.org"} if number % 7 == 0 else {}
    payload = {"Time": local.isoformat(), "ENERGY": {"Total": 80 + number / 64, "Power": 55}} | wild
    return Sent(f"tele/{device}/SENSOR", json.dumps(payload).encode())


def _recorded() -> list[Sent]:
    """Two homes, a member of the panel and another, and what nobody can read."""
    said = {"specversion": "1.0", "type": "fr.bordeaux.pionniers.survey.csat", "time": _START.isoformat()}
    ratings = [json.dumps(said | {"data": {"rating": number}}).encode() for number in (1, 2, 3)]
    return [
        *(_energy(device, number) for number in range(120) for device in ("cave-de-jeanne", "cave-de-paul")),
        *(Sent(f"tele/{device}/LWT", b"Online") for device in ("cave-de-jeanne", "cave-de-paul")),
        *(Sent(f"pionniers/tbm/{who}/events", each) for who in ("marie-la-pionniere", "jean") for each in ratings),
        Sent("tele/cave-de-jeanne/SENSOR", b'{"ENERGY": {"Total"'),
        Sent("tele/cave-de-paul/SENSOR", b'{"ENERGY": {"Total"'),
        Sent("unknown/place", b'{"adsc": "041876543217"}'),
        Sent("pionniers/tbm/marie-la-pionniere/events", b"{"),
        Sent("nobody/knows", b"{"),
    ]


def _live() -> Iterator[Sent]:
    """A device that knows nothing of it all."""
    number = 150
    while True:
        yield _energy("cave-de-jeanne", number)
        number += 1


def _take_in(site: Site, ingest: Service, messages: list[Sent]) -> None:
    with Publisher(site.mosquitto.port) as publisher:
        list(publisher.publish(iter(messages)))
    wait_until(lambda: ingest.metric("garonne_ingest_in_flight") == 0, "all acknowledged")
    until_committed(site)


def _pseudonyms(keys: Keys) -> dict[str, set[str]]:
    devices = ("tasmota:cave-de-jeanne", "linky_teleinfo2mqtt:041876543217")
    return {
        "jeanne": {
            keys.pseudonym("household", "jeanne"),
            *(keys.pseudonym(purpose, each) for purpose in ("meter", "device") for each in devices),
        },
        "marie": {keys.pseudonym("member", "marie-la-pionniere")},
        "paul": {keys.pseudonym("household", "paul")},
        "jean": {keys.pseudonym("member", "jean")},
    }


def _of(rows: dict[str, list[dict[str, Any]]], names: set[str]) -> int:
    return sum(not names.isdisjoint(map(str, row.values())) for several in rows.values() for row in several)


def _living(records: list[Incoming], names: set[str]) -> int:
    """Records of the event log that a reader would take, by their bytes."""
    living, _ = split([each for each in records if each.topic != "garonne.rejected"])
    return sum(any(name.encode() in each.value for name in names) for each in living)


def test_who_is_forgotten_is_gone_and_nothing_brings_them_back(tmp_path: Path) -> None:
    """Not the device that goes on, nor a replay of what was recorded or refused, nor a rebuild; others lose nothing."""
    (tmp_path / "homes.toml").write_text(_REGISTRY, "utf-8")
    for home in ("jeanne", "paul"):
        said = {"household": home, "action": "grant", "purposes": PURPOSES, "granularity": "live"}
        dated = {"recorded_at": _START, "from": _START - timedelta(days=1)}
        append_change(tmp_path / "consent.jsonl", Change.model_validate(said | dated))
    with _Agreed(tmp_path) as site:
        ingest, aggregator = site.service("ingest"), site.service("aggregate")
        who = _pseudonyms(read_keys(tmp_path / "garonne.key"))
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        recorded = _recorded()
        _take_in(site, ingest, recorded)
        before = site.points()
        assert all(_of(before, names) > 2 for names in who.values())
        site.garonne("export", "jeanne", "-o", str(tmp_path / "export"))
        _is_given_what_is_theirs(tmp_path / "export", who, before)

        with Publisher(site.mosquitto.port, "live") as publisher:
            publisher.begin(_live(), 20)
            wait_until(lambda: _of(site.points(), who["jeanne"]) > _of(before, who["jeanne"]), "the device is measured")
            assert "0 are left" in site.garonne("forget", "jeanne", "--yes")
            publisher.finish()
        assert "0 are left" in site.garonne("forget", "marie-la-pionniere", "--member", "--yes")
        assert "forgotten" in site.garonne("rejected", "ls", "--all")
        _take_in(site, ingest, recorded)
        site.garonne("rejected", "replay", "--announcements", "0")
        site.garonne("rebuild")
        until_committed(site)
        _nothing_is_left(site, who, before)
        site.garonne("audit")
        assert ingest.terminate() == aggregator.terminate() == 0
        _no_identifier_anywhere(site)


def _is_given_what_is_theirs(folder: Path, who: dict[str, set[str]], rows: dict[str, list[dict[str, Any]]]) -> None:
    records = (folder / "records.jsonl").read_text("utf-8")
    points = (folder / "points.csv").read_text("utf-8")
    assert records.count("\n") == 120 + 1
    places = {tuple(line.split(",")[:3]) for line in points.splitlines()[1:]}
    assert len(places) == _of(rows, who["jeanne"])
    assert not any(name in records + points for name in who["paul"])


def _nothing_is_left(site: _Agreed, who: dict[str, set[str]], before: dict[str, list[dict[str, Any]]]) -> None:
    rows, records = site.points(), asyncio.run(site.records())
    for gone in ("jeanne", "marie"):
        assert (_of(rows, who[gone]), _living(records, who[gone])) == (0, 0), gone
    for other in ("paul", "jean"):
        assert _of(rows, who[other]) == _of(before, who[other]), other
        assert _living(records, who[other]) > 0, other


def _no_identifier_anywhere(site: _Agreed) -> None:
    """Every record of Kafka, every row of InfluxDB, every line that our services and both servers wrote.

    The broker's are left out: topics are what devices chose, before anybody could give them another name.
    """
    said = {f"{each.topic} {each.offset}": each.key + each.value for each in asyncio.run(site.records())}
    said |= {name: json.dumps(rows).encode() for name, rows in site.points().items()}
    said |= {str(path): path.read_bytes() for path in site.folder.rglob("*.log") if "mosquitto" not in str(path)}
    assert any(path.endswith(".log") for path in said)
    found = [(name, place) for name in _PLANTED for place, content in said.items() if name.encode() in content]
    assert found == []
