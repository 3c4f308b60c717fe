"""Starting and stopping in good order, and what the services say of themselves meanwhile."""

import socket
import subprocess
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.e2e.ledger import energy_ids, expected, settle, until_committed
from tests.e2e.load import energy
from tests.e2e.publisher import Publisher
from tests.e2e.site import GARONNE, Site, wait_until

pytestmark = pytest.mark.servers


def test_sigterm_drains_and_exits_0(tmp_path: Path) -> None:
    """Stopped in the middle of a load: what was taken is finished, and the next process goes on after it."""
    with Site(tmp_path) as site:
        ingest, aggregator = site.service("ingest"), site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port) as publisher:
            publisher.begin(energy(Random(5)), 400)  # noqa: S311
            for _ in range(2):
                before = aggregator.metric("garonne_aggregator_points_total")
                wait_until(lambda at=before: aggregator.metric("garonne_aggregator_points_total") > at, "points")  # type: ignore[misc]
                assert ingest.terminate() == 0
                assert aggregator.terminate() == 0
                ingest.start()
                aggregator.start()
            acknowledged = publisher.finish()
        wanted = expected(tmp_path / "ingest.toml", acknowledged)
        wait_until(lambda: len(energy_ids(site)) == len(acknowledged), "all is in Kafka")
        until_committed(site)
        ledger = settle(site, wanted)
        assert (ledger.lost, ledger.double, ledger.wrong) == ([], [], [])
        assert ingest.terminate() == 0
        assert aggregator.terminate() == 0


def test_health_turns_red_when_acknowledgements_stop_and_green_again(tmp_path: Path) -> None:
    """Kafka down: /readyz names it, /healthz turns red after a while, the metrics grow; all is well afterwards."""
    soon = {"unhealthy_after_s": 2.0}
    with Site(tmp_path) as site:
        ingest = site.service("ingest", ingest=soon, kafka={"delivery_timeout_s": 2.0})
        aggregator = site.service("aggregate", aggregator=soon, kafka={"delivery_timeout_s": 2.0})
        wait_until(lambda: ingest.get("/readyz")[0] == 200, "ingest is ready")
        wait_until(lambda: aggregator.get("/readyz")[0] == 200, "the aggregator is ready before there is anything")
        assert (ingest.get("/healthz")[0], aggregator.get("/healthz")[0]) == (200, 200)
        assert ingest.get("/nothing")[0] == 404
        readings = energy(Random(6))  # noqa: S311
        with Publisher(site.mosquitto.port) as publisher:
            publisher.publish(islice(readings, 100))
            wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == 100, "all acknowledged")
            site.kafka.stop()
            publisher.publish(islice(readings, 100))
            wait_until(lambda: ingest.get("/healthz")[0] == 503, "ingest is unhealthy")
            assert "nothing could be acknowledged" in ingest.checks("/healthz")[1]["acknowledgements"]
            assert site.kafka.bootstrap in ingest.checks()[1]["event log"]
            assert ingest.metric("garonne_ingest_oldest_unacknowledged_seconds") > 2
            assert ingest.metric("garonne_ingest_in_flight") > 0
            assert ingest.metric("garonne_ingest_produce_failures_total") > 0
            wait_until(lambda: site.kafka.bootstrap in aggregator.checks()[1]["event log"], "it names Kafka")
            status, checks = aggregator.checks()
            assert (status, checks["time series"]) == (503, "ok")
            site.kafka.start()
            wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == 200, "all acknowledged")
        wait_until(lambda: ingest.get("/healthz")[0] == ingest.get("/readyz")[0] == 200, "ingest is well again")
        wait_until(lambda: aggregator.get("/readyz")[0] == 200, "the aggregator is well again")
        until_committed(site)
        assert _stored(site) == 200
        site.influx.stop()
        with Publisher(site.mosquitto.port) as publisher:
            publisher.publish(islice(readings, 10))
        wait_until(lambda: aggregator.get("/healthz")[0] == 503, "the aggregator is unhealthy")
        wait_until(lambda: site.influx.url in aggregator.checks()[1]["time series"], "it names InfluxDB")
        status, checks = aggregator.checks()
        assert (status, checks["event log"]) == (503, "ok")
        wait_until(lambda: aggregator.metric("garonne_aggregator_lag") == 10, "the lag is seen while stuck")
        assert (aggregator.terminate(), ingest.terminate()) == (0, 0)


@pytest.mark.parametrize("command", ["ingest", "aggregate"])
def test_a_missing_key_is_one_line_and_exit_1(tmp_path: Path, command: str) -> None:
    """No traceback: what is wrong, and how to mend it."""
    assert "key file" in _refusal(command, tmp_path, f'key_file = "{tmp_path}/none"\n')


def test_a_missing_token_and_a_port_in_use_are_one_line_and_exit_1(tmp_path: Path) -> None:
    """Each says which setting to look at."""
    (tmp_path / "key").write_bytes(bytes(32))
    (tmp_path / "key").chmod(0o600)
    key = f'key_file = "{tmp_path}/key"\n'
    assert "influxdb.token_file" in _refusal("aggregate", tmp_path, key + '[influxdb]\ntoken_file = "none"\n')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "metrics_port" in _refusal("ingest", tmp_path, key + f"[ingest]\nmetrics_port = {port}\n")


def _refusal(command: str, folder: Path, text: str) -> str:
    """What a command says that cannot start."""
    configuration = folder / "garonne.toml"
    configuration.write_text(text, "utf-8")
    done = subprocess.run([GARONNE, command, "-c", configuration], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def _stored(site: Site) -> int:
    rows = site.influx.query('SELECT count("import_energy_total_kwh") AS number FROM "meter"')
    return int(rows[0]["number"]) if rows else 0
