"""A changed configuration while messages flow, on real Mosquitto: the connection stays, and no message is lost."""

import signal
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic_core import from_json, to_json

from tests.e2e.ledger import values_of
from tests.e2e.publisher import Publisher, Sent
from tests.e2e.site import Service, Site, wait_until

pytestmark = pytest.mark.servers

_HOUSEHOLDS = '[[households]]\nid = "{home}"\ndevices = ["tasmota:{device}"]\n'


def _messages(topic: str, start_kwh: float) -> Iterator[Sent]:
    """Readings of one meter, a second after the other."""
    at = datetime.now(UTC) - timedelta(hours=2)
    number = 0
    while True:
        time = (at + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield Sent(topic, to_json({"Time": time, "ENERGY": {"Total": start_kwh + number / 1000}}))
        number += 1


def _reloaded(ingest: Service, result: str, number: int) -> None:
    process = ingest._process
    assert process is not None
    process.send_signal(signal.SIGHUP)
    wanted = f'garonne_ingest_configuration_reloads_total{{result="{result}"}} {number:.1f}'
    wait_until(lambda: wanted in ingest.get("/metrics")[1], f"the configuration is {result}")


def _readings(site: Site) -> list[dict[str, str]]:
    return [from_json(each)["data"] for each in values_of(site.kafka.bootstrap, "garonne.energy")]


def test_a_configuration_is_taken_while_messages_flow_and_the_session_stays(tmp_path: Path) -> None:
    """Registry, topics and limits change; a wrong one changes nothing; each message is received once, none refused."""
    registry = tmp_path / "households.toml"
    registry.write_text(_HOUSEHOLDS.format(home="famille-1", device="un"), "utf-8")
    with Site(tmp_path, influx=False) as site:
        ingest = site.service("ingest")
        path = tmp_path / "ingest.toml"
        shipped = path.read_text("utf-8")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port, "flow") as flow, Publisher(site.mosquitto.port, "new") as new:
            flow.begin(_messages("tele/un/SENSOR", 100.0), 150)
            wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") > 100, "messages flow")

            # Another registry and a topic that nobody took before.
            own = '\n[profiles.tasmota]\ntopics = ["tele/+/+", "ville/+/SENSOR"]\n'
            path.write_text(f"households_file = {str(registry)!r}\n" + shipped + own, "utf-8")
            _reloaded(ingest, "taken", 1)
            new.publish([next(_messages("ville/un/SENSOR", 500.0))])

            # A registry that is wrong: what held before holds, and is told.
            registry.write_text('[[households]]\nid = "famille-1"\n', "utf-8")
            _reloaded(ingest, "refused", 1)
            status, checks = ingest.checks()
            assert (status, "households_file is wrong" in checks["configuration"]) == (503, True)
            assert "famille-1" not in ingest.log.read_text("utf-8")
            new.publish([next(_messages("ville/un/SENSOR", 501.0))])

            # The topic goes again; what needs another start is named.
            registry.write_text(_HOUSEHOLDS.format(home="famille-1", device="un"), "utf-8")
            changed = shipped.replace("[ingest]\n", "[ingest]\nbatch = 100\n", 1)
            path.write_text(f"households_file = {str(registry)!r}\n" + changed, "utf-8")
            _reloaded(ingest, "taken", 2)
            assert ingest.checks()[0] == 200
            assert ingest.logged("the configuration was read: it holds from now on")[-1]["at_next_start"] == [
                "ingest.batch"
            ]
            new.publish([next(_messages("ville/un/SENSOR", 502.0))])

            sent = len(flow.finish())
        wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == sent + 2, "all is acknowledged")
        assert ingest.metric("garonne_ingest_connections_total") == 1
        assert ingest.metric("garonne_ingest_connection_failures_total") == 0
        assert ingest.metric("garonne_ingest_redelivered_total") == 0
        assert ingest.metric("garonne_ingest_rejected_total") == 0
        found = _readings(site)
        assert len(found) == sent + 2  # the third to the new topic came when nobody took it any more
        assert len({each["observed_at"] for each in found}) >= sent
        ((meter, number), _) = Counter(each["meter"] for each in found).most_common()
        assert number == sent
        homes = {each["household"] for each in found if each["meter"] == meter}
        assert len(homes) == 2  # before and after the registry named the home
