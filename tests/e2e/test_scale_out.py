"""Two of each: they share the work, and when one is killed the other takes over."""

from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.e2e.ledger import energy_ids, expected, settle, until_committed
from tests.e2e.load import energy
from tests.e2e.publisher import Publisher
from tests.e2e.site import Service, Site, wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

_PART = 2000


def test_one_of_two_is_killed_and_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shared subscription with two sessions, a group with two members; one of each is killed under load.

    The killed ingest comes back at the end: the messages in its session are its own until then.
    """
    shared = {"share_group": "garonne"}
    with Site(tmp_path) as site:
        ingests = [site.service("ingest", f"ingest-{each}", mqtt=shared) for each in (1, 2)]
        aggregators = [site.service("aggregate", f"aggregate-{each}") for each in (1, 2)]
        wait_until(lambda: all(each.metric("garonne_ingest_connected") == 1 for each in ingests), "both subscribed")
        readings = energy(Random(3))  # noqa: S311
        with Publisher(site.mosquitto.port) as publisher:
            publisher.publish(islice(readings, _PART))
            wait_until(lambda: _each(ingests, "garonne_ingest_acknowledged_total") > 0, "both ingest")
            wait_until(lambda: _each(aggregators, "garonne_aggregator_points_total") > 0, "both aggregate")
            ingests[0].kill()
            aggregators[0].kill()
            acknowledged = publisher.publish(islice(readings, _PART))
        taken_over = ingests[1].metric("garonne_ingest_acknowledged_total")
        ingests[0].start()
        wanted = expected(tmp_path / "ingest-1.toml", acknowledged)
        wait_until(lambda: len(energy_ids(site)) == len(acknowledged), "all is in Kafka")
        wait_until(lambda: _partitions(aggregators[1]) == 16, "the other aggregator has all partitions")
        until_committed(site)
        ledger = settle(site, wanted)
    with capsys.disabled():
        print(f"\none of two killed: {ledger}")  # noqa: T201
    assert taken_over > 0
    assert (ledger.lost, ledger.double, ledger.wrong) == ([], [], [])


def _each(services: list[Service], name: str) -> float:
    return min(service.metric(name) for service in services)


def _partitions(aggregator: Service) -> int:
    return aggregator.get("/metrics")[1].count("garonne_aggregator_lag{")
