"""Identifiers that are planted in messages of every family come out nowhere: promise 5, byte by byte."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from schemas.codec import decode
from schemas.rejection import Rejected
from services.embedded.broker import INFLIGHT
from services.embedded.eventlog import SqliteLog
from services.embedded.scan import SqliteScan
from services.ingest.assembly import build_normaliser, keys_of
from services.ingest.profiles import Message
from services.operations.rejections import Wanted, find_rejections
from services.runtime.settings import Settings, read_settings
from services.simulator import Publisher
from services.simulator.formats import Publication, awareness, linky_standard
from services.simulator.radio import hazard_warning, priority_answer, priority_request
from tests.cases import find_cases
from tests.servers.running import free_port

_PATIENCE_S = 120.0
_TOO_SHORT = 8
"""Characters: what is shorter could stand somewhere by chance."""

SERIAL, GAS, MAIL = "041876543217", "21409876543210", "jeanne.plantee@example.org"
SSID, BSSID = "Livebox-Jeanne", "AA:BB:CC:DD:EE:77"
CAR, BUS, MEMBER, HOME = 3141592653, 2718281828, "jeanne-la-pionniere", "famille-de-jeanne"
PLANTED = (SERIAL, "06" + SERIAL, GAS, MAIL, SSID, BSSID, "cave-de-jeanne", str(CAR), str(BUS), MEMBER, HOME)
JUNCTION, PLACE = "33:1005", (448400000, -5700000)
_REGISTRY = f"""
[[teams]]
id = "castors"
name = "Les Castors"
[[households]]
id = "{HOME}"
team = "castors"
devices = ["tasmota:cave-de-jeanne", "linky_teleinfo2mqtt:{SERIAL}"]
"""


def _energy(at: datetime, extra: str = "") -> bytes:
    return f'{{"Time":"{at:%Y-%m-%dT%H:%M:%S}","ENERGY":{{"Total":88.5,"Power":55}}{extra}}}'.encode()


def _messages() -> list[Publication]:
    """Every golden case, and identifiers where devices, and people, put them: topics, payloads, broken payloads."""
    now = datetime.now(UTC).replace(microsecond=0)
    wild = f',"Mail":"{MAIL}","PCE":"{GAS}","Wifi":{{"SSId":"{SSID}","BSSId":"{BSSID}"}}'
    own = [
        *(linky_standard(SERIAL, int(now.timestamp()) - 60 * i, 1_000_000 + i, 500) for i in range(5)),
        Publication("tele/cave-de-jeanne/SENSOR", _energy(now, wild)),
        Publication("tele/cave-de-jeanne/STATE", f'{{"Wifi":{{"SSId":"{SSID}","BSSId":"{BSSID}"}}}}'.encode()),
        Publication("tele/cave-de-jeanne/LWT", b"Online"),
        Publication(f"tele/{MAIL}/SENSOR", _energy(now)),
        Publication(f"tele/{GAS}/SENSOR", f'{{"ENERGY":{{"Total":"{MAIL}"}}}}'.encode()),
        Publication(f"tele/{GAS}/SENSOR", f'{{"Time":"{SERIAL}","ENERGY":{{"Total":"{SSID}'.encode()),
        Publication(f"teleinfo/{SERIAL}", f'{{"ADSC":{{"raw":"{SERIAL}"'.encode()),
    ]
    return [
        *_on_the_road(int(now.timestamp()) * 1000),
        *_of_the_panel(now),
        *(Publication(case.message.topic, case.message.payload) for case in find_cases()),
        *own,
    ]


def _on_the_road(now_ms: int) -> Iterator[Publication]:
    """A car that passes a warned junction, and a bus that asks for priority."""
    yield hazard_warning(JUNCTION, now_ms - 40_000, PLACE, 1, now_ms - 41_000, 94)
    for second in range(30):
        yield awareness(CAR, now_ms - 35_000 + second * 1000, PLACE[0] - 10_000 + second * 700, PLACE[1], 800, 0)
    yield priority_request(JUNCTION, now_ms - 3000, PLACE, BUS, 7)
    yield priority_answer(JUNCTION, now_ms - 2000, PLACE, BUS, 7, 4)


def _of_the_panel(now: datetime) -> Iterator[Publication]:
    """What a member says, with a name in free text, and what nobody can read."""
    said = {"specversion": "1.0", "type": "fr.bordeaux.pionniers.survey.csat", "time": now.isoformat()}
    data = {"data": {"rating": 4, "comment": MAIL}}
    yield Publication(f"pionniers/tbm/{MEMBER}/events", json.dumps(said | data).encode())
    yield Publication(f"pionniers/tbm/{MEMBER}/events", f'{{"subject": "{MEMBER}"'.encode())


def _junctions() -> str:
    where = {"type": "Point", "coordinates": [PLACE[1] / 1e7, PLACE[0] / 1e7]}
    named = {"id": JUNCTION, "name": "Carrefour", "radius_m": 150}
    feature = {"type": "Feature", "properties": named, "geometry": where}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})


class _Lived(NamedTuple):
    """A site after a day: its configuration, everything that it ever said, and the messages that were sent."""

    settings: Settings
    configuration: Path
    sent: list[Publication]


def _until(true: Callable[[], bool], what: str) -> None:
    patience_ends = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < patience_ends, what
        time.sleep(0.05)


def _asked(port: int, path: str) -> bytes:
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return bytes(answer.read())
    except URLError as error:  # red health is an answer too
        return error.read() if hasattr(error, "read") else b""
    except ConnectionError:
        return b""


@contextmanager
def _running(configuration: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "services", "run", "--config", str(configuration)]
    with (
        (configuration.parent / "run.log").open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield
            process.terminate()
            assert process.wait(_PATIENCE_S) == 0
        finally:
            if process.poll() is None:
                process.kill()


def _garonne(lived: Path, name: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "services", *arguments, "--config", str(lived / "garonne.toml")]
    with (lived / f"{name}.txt").open("wb") as output:
        assert subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode == 0, name


def _configuration(folder: Path) -> Path:
    (folder / "garonne.key").write_bytes(os.urandom(32))
    (folder / "garonne.key").chmod(0o600)
    (folder / "homes.toml").write_text(_REGISTRY, "utf-8")
    (folder / "junctions.geojson").write_text(_junctions(), "utf-8")
    path = folder / "garonne.toml"
    path.write_text(
        f"""
storage = "embedded"
key_file = "garonne.key"
households_file = "homes.toml"
junctions_file = "junctions.geojson"
[mqtt]
port = {free_port()}
broker_inflight = {INFLIGHT}
[ingest]
batch = 50
metrics_port = {free_port()}
[aggregator]
metrics_port = {free_port()}
[embedded]
folder = "."
broker = true
devices_port = {free_port()}
"""
    )
    return path


async def _waiting(settings: Settings) -> int:
    log = SqliteLog(settings.embedded.folder / "events.sqlite", settings.kafka.group)
    try:
        return sum((await log.lag()).values())
    finally:
        await log.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> _Lived:
    """The whole path on the embedded store, then metrics, health, report, audit and the list of rejections."""
    folder = tmp_path_factory.mktemp("planted")
    configuration = _configuration(folder)
    settings, sent = read_settings(configuration), _messages()
    normaliser, _ = build_normaliser(settings)
    taken = sum(normaliser(Message(*each, datetime.now(UTC))).profile is not None for each in sent)
    with _running(configuration):
        _until(lambda: b"garonne_ingest_connected 1.0" in _asked(settings.ingest.metrics_port, "metrics"), "no session")
        with Publisher(settings.mqtt.host, settings.embedded.devices_port) as publisher:
            for message in sent:
                publisher.publish(message)
            publisher.wait()
        _until(lambda: _acknowledged(settings) >= taken, "not everything is received")
        _until(lambda: asyncio.run(_waiting(settings)) == 0, "not everything is stored")
        for service in ("ingest", "aggregator"):
            for path in ("metrics", "healthz", "readyz"):
                answer = _asked(getattr(settings, service).metrics_port, path)
                (folder / f"{service}-{path}.txt").write_bytes(answer)
    day = datetime.now(UTC).date()
    period = f"{day - timedelta(days=2)}..{day + timedelta(days=1)}"
    _garonne(folder, "report", "report", "--period", period, "--baseline", "none", "-o", str(folder / "report"))
    _garonne(folder, "kpi", "kpi", "--period", f"{day - timedelta(days=1)}..{day - timedelta(days=1)}")
    _garonne(folder, "audit", "audit", "--json")
    _garonne(folder, "rejected", "rejected", "ls")
    return _Lived(settings, configuration, sent)


def _acknowledged(settings: Settings) -> float:
    lines = _asked(settings.ingest.metrics_port, "metrics").decode().splitlines()
    return sum(float(each.rsplit(" ", 1)[1]) for each in lines if each.startswith("garonne_ingest_acknowledged_total"))


def _everything(folder: Path) -> dict[str, bytes]:
    """Every file but the key and the configuration."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.suffix not in {".key", ".toml"}}


def test_the_scan_would_find_something(lived: _Lived) -> None:
    """It looks at all there is: log, series, what the process said, metrics, health, reports."""
    content = _everything(lived.configuration.parent)
    assert {"events.sqlite", "series.sqlite", "run.log", "audit.txt", "rejected.txt"} <= set(content)
    assert {f"{service}-metrics.txt" for service in ("ingest", "aggregator")} <= set(content)
    assert any(name.startswith("report/") and name.endswith(".html") for name in content)
    assert all(content[name] for name in content if not name.endswith("-wal"))
    series = content["series.sqlite"]
    for measurement in (b"traffic", b"station_quality", b"evaluation", b"junction_hazard", b"priority", b"kpi"):
        assert measurement in series, measurement
    keys = keys_of(lived.settings)
    assert keys.pseudonym("member", MEMBER).encode() in series
    for name in (HOME, f"tasmota:{MAIL}"):
        household = keys.pseudonym("household", name).encode()
        for file in ("events.sqlite", "series.sqlite"):
            assert household in b"".join(value for each, value in content.items() if each.startswith(file)), name


def test_no_planted_identifier_is_in_any_byte(lived: _Lived) -> None:
    """Meter and delivery point numbers, e-mail, network names, device names; and those of every golden case."""
    golden = {each for case in find_cases() for each in case.identifiers}
    wanted = {each for each in (*PLANTED, *golden) if len(each) >= _TOO_SHORT}
    assert len(wanted) > 30
    content = _everything(lived.configuration.parent)
    found = [(name, file) for name in sorted(wanted) for file, value in content.items() if _stands_in(name, value)]
    assert found == []


def _stands_in(name: str, value: bytes) -> bool:
    """Whether a name stands there; a short number of a golden case as a word, for it is part of longer numbers too."""
    if name in PLANTED or len(name) > _TOO_SHORT:
        return name.encode() in value
    return re.search(rb"(?<![0-9A-Za-z])" + re.escape(name.encode()) + rb"(?![0-9A-Za-z])", value) is not None


async def test_the_refused_messages_are_there_sealed(lived: _Lived) -> None:
    """So that the scan did not pass because nothing with an identifier was kept: with the key they can be read."""
    settings = lived.settings
    scan, keys = SqliteScan(settings.embedded.folder / "events.sqlite", settings.kafka.group), keys_of(settings)
    assert (await find_rejections(scan, Wanted())).still_open()
    clear = b""
    async for batch in scan.read(await scan.ends(["garonne.rejected"])):
        for each in batch:
            record = decode(each.value).record
            assert isinstance(record, Rejected)
            topic, payload = keys.unseal(record.sealed)
            clear += topic.encode() + payload
    for name in (SERIAL, GAS, MAIL, SSID):
        assert name.encode() in clear
