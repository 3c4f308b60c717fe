"""`garonne rebuild` on the real servers: messages arrive, it is killed in the middle and begun again."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from tests.e2e.ledger import expected, settle, until_committed
from tests.e2e.load import city
from tests.e2e.publisher import Publisher
from tests.e2e.site import GARONNE, Service, Site, wait_until

pytestmark = pytest.mark.servers

_POINTS = "garonne_aggregator_points_total"


def _spoil(site: Site) -> int:
    """A wrong window, a point that nobody sent, a reading that is gone, a field too many; gives how many."""
    rows = site.influx.query("SELECT * FROM energy WHERE \"window\" = '30m' ORDER BY time LIMIT 1", "garonne_rollup")
    (window,) = rows
    tags = ",".join(
        f"{name}={window[name]}"
        for name in ("carrier", "household", "meter", "quantity", "register", "unit", "window")
        if window.get(name) is not None
    )
    site.influx.write(f"energy,{tags} energy_kwh=99.0 {window['time']}", "garonne_rollup")
    site.influx.write(f"energy,{tags} energy_kwh=1.0 {window['time'] - 86_400_000_000_000 * 300}", "garonne_rollup")
    rows = site.influx.query("SELECT * FROM meter ORDER BY time LIMIT 40")
    gone, other = rows[0], rows[-1]
    at = f"{_rfc3339(gone['time'])}"
    predicate = f'_measurement="meter" AND meter="{gone["meter"]}"'
    body = {"start": at, "stop": at, "predicate": predicate}
    site.influx.request("POST", f"/api/v2/delete?org={site.influx.org}&bucket=garonne_raw", body)
    series = f"meter,carrier={other['carrier']},household={other['household']},meter={other['meter']}"
    site.influx.write(f"{series} voltage_l1_v=1.0 {other['time']}")
    return 4


def _rfc3339(time_ns: int) -> str:
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09}Z"


@contextmanager
def _rebuilding(site: Site, folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [str(GARONNE), "rebuild", "--json", "--folder", str(folder), "-c", str(site.folder / "ingest.toml")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _aggregating(aggregator: Service, more: int = 100) -> None:
    before = aggregator.metric(_POINTS)
    wait_until(lambda: aggregator.metric(_POINTS) >= before + more, "points")


def _until_through(site: Site, ingest: Service, sent: int) -> None:
    """What the broker has taken is in Kafka, and then stored: a log with nothing in it is committed as well."""
    wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") >= sent, "ingest has acknowledged everything")
    until_committed(site)


def test_what_was_spoilt_is_right_again_beside_the_live_service(tmp_path: Path) -> None:
    """The aggregator even remembers what was wrong; it is killed meanwhile, and so is the first rebuild."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    load = city(11)
    with Site(tmp_path) as site:
        ingest, aggregator = site.service("ingest"), site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port, "first") as publisher:
            acknowledged = list(publisher.publish(islice(load, 3000)))
        _until_through(site, ingest, len(acknowledged))
        assert aggregator.terminate() == 0
        spoilt = _spoil(site)
        aggregator.start()
        with Publisher(site.mosquitto.port) as publisher:
            publisher.begin(load, 100)
            _aggregating(aggregator)
            with _rebuilding(site, folder) as first:
                wait_until((folder / "series.sqlite").exists, "the first rebuild has begun")
                first.kill()
            with _rebuilding(site, folder) as second:
                wait_until((folder / "series.sqlite").exists, "the second rebuild has begun")
                aggregator.kill()
                aggregator.start()
                output, errors = second.communicate(timeout=180)
            assert second.returncode == 0, errors
            assert "Traceback" not in errors
            done = json.loads(output)
            assert done["written"] + done["deleted"] >= spoilt
            assert done["refused"] == 0
            _aggregating(aggregator)
            acknowledged += publisher.finish()
        _until_through(site, ingest, len(acknowledged))
        ledger = settle(site, expected(tmp_path / "ingest.toml", acknowledged))
        assert (ledger.lost, ledger.double, ledger.wrong) == ([], [], [])
