"""All of it at once: both services with the shipped configuration, on the three real servers with theirs."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.deploy.whole import DEVICE, PATIENCE_S, Deployment

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_a_reading_goes_from_the_device_to_the_screen(deployment: Deployment) -> None:
    """Over TLS, with passwords, ACL and one token for each; no name of the device goes further than ingest."""
    hour = datetime.now(ZoneInfo("Europe/Paris")).replace(minute=0, second=0, microsecond=0)
    first = hour - timedelta(hours=2)
    for step in range(5):
        deployment.publish(first + timedelta(minutes=15 * step), 100 + 0.25 * step)
    deadline = time.monotonic() + PATIENCE_S
    rows = deployment.on_the_screen()
    while 1.0 not in {round(row["energy_kwh"], 6) for row in rows}:
        assert time.monotonic() < deadline, (rows, deployment.ingest.says(), deployment.aggregator.says())
        time.sleep(0.2)
        rows = deployment.on_the_screen()
    for held in (repr(rows), deployment.ingest.log.read_text("utf-8"), deployment.aggregator.log.read_text("utf-8")):
        assert DEVICE not in held


def test_the_health_check_tells_that_kafka_is_away(deployment: Deployment) -> None:
    """A container whose partner does not answer turns unhealthy, and healthy again when it is back."""
    assert deployment.ingest.is_ready()
    deployment.kafka.stop()
    deployment.publish(datetime.now(ZoneInfo("Europe/Paris")) - timedelta(minutes=1), 102.0)
    deadline = time.monotonic() + PATIENCE_S
    while deployment.ingest.is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.2)
    deployment.kafka.start()
    while not (deployment.ingest.is_ready() and deployment.aggregator.is_ready()):
        assert time.monotonic() < deadline + PATIENCE_S, (deployment.ingest.says(), deployment.aggregator.says())
        time.sleep(0.2)
