"""A broker whose window is 20 messages: refused where it would stall, and no stall where nobody said so."""

import subprocess
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.e2e.ledger import values_of
from tests.e2e.load import energy
from tests.e2e.publisher import Publisher
from tests.e2e.site import GARONNE, Site, wait_until

pytestmark = pytest.mark.servers

_MANY = 5000


def test_a_small_window_at_the_broker_is_refused_if_said_and_stalls_nothing_if_not(tmp_path: Path) -> None:
    """`mqtt.broker_inflight = 20` with a batch of 512 names the key; without it thousands go through."""
    with Site(tmp_path, influx=False, max_inflight_messages=20) as site:
        told = site.configure("told", mqtt={"broker_inflight": 20}, ingest={"batch": 512})
        refused = subprocess.run([GARONNE, "check", "-c", told], capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert "ingest.batch is 512, but only 20 messages can be in flight" in refused.stderr
        assert "mqtt.broker_inflight" in refused.stderr

        ingest = site.service("ingest")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port) as publisher:
            publisher.publish(islice(energy(Random(2)), _MANY))  # noqa: S311
        wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == _MANY, "all acknowledged")
        assert len(values_of(site.kafka.bootstrap, "garonne.energy")) == _MANY
        assert ingest.metric("garonne_ingest_redelivered_total") == 0
