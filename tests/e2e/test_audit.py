"""`garonne audit` and `garonne rejected` on the real servers: exact after kills, and whoever tampers is found."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.aggregator.scanning import EVENTS
from tests.e2e.ledger import until_committed
from tests.e2e.load import STARTED, city, plug
from tests.e2e.publisher import Publisher, Sent
from tests.e2e.site import GARONNE, Service, Site, wait_until

pytestmark = pytest.mark.servers

_SEED = 7
_KILLS = 8
_RATE_PER_S = 250.0
_TABLE = """
summary = "Heat pumps of a street"
topics = ["heat/#"]
[[message]]
topic = "heat/{device}"
clock = [{ policy = "epoch_s", field = "/t" }]
[message.fields]
"/FIELD" = "import_energy total kWh"
"""


def _garonne(site: Site, *words: str) -> tuple[int, str]:
    """A command of the command line: exit code and what it printed."""
    command = [str(GARONNE), *words, "-c", str(site.folder / "ingest.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def _audit(site: Site) -> tuple[int, dict[str, Any]]:
    code, text = _garonne(site, "audit", "--json")
    return code, json.loads(text)


def _until_quiet(site: Site, ingest: Service) -> None:
    """Everything acknowledged, committed, and nothing on its way."""

    def quiet() -> bool:
        before = ingest.metric("garonne_ingest_acknowledged_total")
        time.sleep(1.0)
        return (
            ingest.metric("garonne_ingest_connected") == 1
            and ingest.metric("garonne_ingest_in_flight") == 0
            and ingest.metric("garonne_ingest_acknowledged_total") == before
        )

    wait_until(quiet, "ingest has acknowledged everything")
    until_committed(site)


def _killed(services: list[Service], chance: Random) -> None:
    """Each in turn, at a random time of its work."""
    pause = threading.Event()
    for number in range(_KILLS):
        service = services[number % len(services)]
        pause.wait(chance.uniform(0.5, 2.0))
        service.kill()
        service.start()


def test_the_audit_is_exact_after_kills_and_finds_who_tampers(tmp_path: Path) -> None:
    """Everything adds up after kill -9 of both services; a point that is deleted then is named by its event."""
    with Site(tmp_path) as site, Publisher(site.mosquitto.port) as publisher:
        ingest, aggregator = site.service("ingest"), site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        publisher.begin(city(_SEED), _RATE_PER_S)
        _killed([ingest, aggregator], Random(_SEED))  # noqa: S311 - repeatable
        sent = publisher.finish()
        _until_quiet(site, ingest)
        code, found = _audit(site)
        assert found["differences"] == []
        assert code == 0
        accounts = found["accounts"]
        received = sum(each["received"] for each in accounts)
        ends = sum(each["normalised"] + each["rejected"] + sum(each["ignored"].values()) for each in accounts)
        assert received >= len(sent), "every message that was acknowledged is in the ledger"
        assert received == ends
        log = {(row["profile"], row["kind"]): row for row in found["log"]}
        assert sum(row["copies"] for row in log.values()) >= received
        assert all(row["copies"] == row["distinct"] + row["duplicates"] for row in log.values())
        readings = {each for each, _ in sent if each.topic.startswith("tele/") and b"number" not in each.payload}
        assert log["tasmota", "meter_reading"]["stored"] == len(readings)
        at = f"http://127.0.0.1:{aggregator._port}"
        status = ("status", "--once", "--json", "--interval", "0.2", "--aggregator", at)
        # The one that was killed last is a member again when the session of its dead self is over.
        wait_until(lambda: set(json.loads(_garonne(site, *status)[1])["lag"]) == set(EVENTS), "the lag is known")
        code, text = _garonne(site, *status)
        shown = json.loads(text)
        assert (code, shown["problems"], shown["in_flight"]) == (0, {}, 0)
        assert sum(shown["lag"].values()) == 0
        assert "Everything adds up." in _garonne(site, "audit")[1]
        code, text = _garonne(site, "rebuild", "--check", "--json")
        rebuilt = json.loads(text)
        assert (code, rebuilt["differences"], rebuilt["moving"]) == (0, [], 0)
        assert rebuilt["points"]["meter"] == len(readings)
        assert min(rebuilt["points"][name] for name in ("energy", "traffic", "traffic_hour")) > 0
        _delete_a_point(site)
        code, text = _garonne(site, "rebuild", "--check", "--json")
        assert [each["detail"] for each in json.loads(text)["differences"]] == ["missing in the time series"]
        code, found = _audit(site)
        assert code == 1
        (difference,) = found["differences"]
        assert difference["what"] == "missing in the time series"
        assert len(difference["event"]) == 32


def _delete_a_point(site: Site) -> None:
    (row, *_) = site.influx.query("SELECT * FROM meter ORDER BY time LIMIT 1")
    at = f"{row['time'] // 1_000_000_000}"
    instant = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(at))) + f".{row['time'] % 1_000_000_000:09}Z"
    predicate = f'_measurement="meter" AND meter="{row["meter"]}"'
    body = {"start": instant, "stop": instant, "predicate": predicate}
    site.influx.request("POST", f"/api/v2/delete?org={site.influx.org}&bucket=garonne_raw", body)


def _heat(number: int) -> Iterator[Sent]:
    start = int(time.time()) - 86_400
    for each in range(number):
        yield Sent("heat/pump-1", json.dumps({"t": start + 60 * each, "e": {"total": 100 + each}}).encode())


def test_what_was_refused_comes_back_after_a_mapping_is_mended(tmp_path: Path) -> None:
    """The table of a site names a wrong field; mended, `rejected replay` brings every message in, once."""
    table = tmp_path / "heat.toml"
    table.write_text(_TABLE.replace("FIELD", "e"), "utf-8")
    with Site(tmp_path) as site, Publisher(site.mosquitto.port) as publisher:
        ingest = site.service("ingest", None, **{"profiles.heat": {"table_file": str(table)}})
        site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        publisher.publish([*_heat(50), Sent("heat/pump-2", b"no JSON at all")])
        _until_quiet(site, ingest)
        _, text = _garonne(site, "rejected", "stats", "--json")
        counted = [json.loads(line) for line in text.splitlines()]
        assert {(each["reason"], each["open"]) for each in counted} == {("bad_value", 50), ("not_json", 1)}
        table.write_text(_TABLE.replace("FIELD", "e/total"), "utf-8")
        _, text = _garonne(site, "rejected", "ls", "--reason", "not_json", "--json")
        poison = json.loads(text)
        _, text = _garonne(site, "rejected", "show", poison["id"][:12], "--json")
        assert json.loads(text)["topic"] == "heat/pump-2"
        assert json.loads(text)["payload"] == "no JSON at all"
        _, text = _garonne(site, "rejected", "replay", "--json")
        outcomes = [json.loads(line)["outcome"] for line in text.splitlines()]
        assert sorted(outcomes) == ["normalised"] * 50 + ["still refused"]
        until_committed(site)
        assert len(site.influx.query("SELECT import_energy_total_kwh FROM meter")) == 50
        _, text = _garonne(site, "rejected", "ls", "--json")
        assert [json.loads(line)["id"] for line in text.splitlines()] == [poison["id"]]
        code, found = _audit(site)
        assert (code, found["differences"]) == (0, [])
        (account,) = found["accounts"]
        assert (account["received"], account["rejected"]) == (51, 51)
        assert (account["reopened"], account["normalised"]) == (50, 50)


def _listed(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _garonne(site, "rejected", "ls", "--stage", "store", "--json")[1].splitlines()]


def test_points_that_influxdb_refuses_are_accounted_for_and_a_vain_replay_leaves_them_open(tmp_path: Path) -> None:
    """Refused is not lost; brought back in before InfluxDB is mended, each is the same rejection once more."""
    with Site(tmp_path) as site, Publisher(site.mosquitto.port) as publisher:
        at_ns = int(STARTED.timestamp()) * 1_000_000_000
        site.influx.write(f'meter,carrier=electricity,household=h_0,meter=m_0 power_factor_total_1="high" {at_ns}')
        ingest, _ = site.service("ingest"), site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        odd = {number: {"Factor": 0.9} if number % 5 == 0 else {} for number in range(40)}
        publisher.publish(plug(1, number, 100, 50 + number / 10, **more) for number, more in odd.items())
        _until_quiet(site, ingest)
        since = f"{STARTED:%FT%T}Z"
        code, text = _garonne(site, "audit", "--json", "--from", since)
        (row,) = json.loads(text)["log"]
        assert (code, row["stored"], row["refused"], row["missing"]) == (0, 32, 8, 0)
        refused = _listed(site)
        assert len(refused) == 8
        _, text = _garonne(site, "rejected", "replay", "--stage", "store", "--json")
        assert [json.loads(line)["outcome"] for line in text.splitlines()] == ["appended"] * 8
        until_committed(site)
        again = _listed(site)
        assert [(each["id"], each["copies"]) for each in again] == [(each["id"], 2) for each in refused]
        code, text = _garonne(site, "audit", "--json", "--from", since)
        (row,) = json.loads(text)["log"]
        assert (code, row["duplicates"], row["stored"], row["refused"], row["missing"]) == (0, 8, 32, 8, 0)
        code, text = _garonne(site, "audit", "--json")
        assert [each["what"] for each in json.loads(text)["differences"]] == ["stored without an event"]
        assert code == 1
