"""Mosquitto restarted without its store: an alarm, a gap in the record, and nothing lost that had reached ingest."""

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from pydantic_core import from_json

from tests.e2e.ledger import energy_ids, expected, stored_in, until_committed, values_of
from tests.e2e.load import energy
from tests.e2e.publisher import Publisher
from tests.e2e.site import Site, wait_until

pytestmark = pytest.mark.servers

_BEFORE = 500


def test_a_broker_that_forgot_the_session_is_told_of_and_nothing_that_reached_us_is_lost(tmp_path: Path) -> None:
    """Kafka is down while the broker forgets: what ingest holds can be acknowledged to nobody, and is stored."""
    with Site(tmp_path) as site:
        ingest = site.service("ingest")
        site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        readings = energy(Random(1))  # noqa: S311
        with Publisher(site.mosquitto.port, "before") as publisher:
            publisher.publish(islice(readings, _BEFORE))
            wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == _BEFORE, "all acknowledged")
            site.kafka.stop()
            held = [next(readings) for _ in range(15)]
            publisher.publish(held)
            wait_until(lambda: ingest.metric("garonne_ingest_messages_received_total") >= _BEFORE + 15, "all taken")
            acknowledged = list(publisher.acknowledged)
        stopped = datetime.now(UTC)
        site.mosquitto.stop()
        site.mosquitto.forget()
        site.mosquitto.start()
        wait_until(lambda: ingest.metric("garonne_ingest_session_lost_total") == 1, "the alarm is raised", 10)
        back = datetime.now(UTC)
        site.kafka.start()
        with Publisher(site.mosquitto.port, "after") as publisher:
            acknowledged += publisher.publish(islice(readings, 100))
        wait_until(lambda: len(energy_ids(site)) == len(acknowledged), "all is in Kafka")
        wanted = expected(tmp_path / "ingest.toml", acknowledged)
        until_committed(site)
        assert set(wanted.points) <= set(stored_in(site, ("meter", "energy")))

        (alarm,) = [line for line in ingest.logged(_ALARM) if line["level"] == "error"]
        wait_until(lambda: bool(values_of(site.kafka.bootstrap, "garonne.status")), "the gap is in the record")
        events = [from_json(value) for value in values_of(site.kafka.bootstrap, "garonne.status")]
        (gap,) = {event["id"]: event["data"] for event in events}.values()
        assert "messages may be missing" in ingest.checks()[1]["session"]
        for told in (alarm, gap):
            assert stopped <= datetime.fromisoformat(told["missing_until"]) <= back
            assert datetime.fromisoformat(told["missing_from"]) <= datetime.fromisoformat(told["missing_until"])
            assert abs((datetime.fromisoformat(told["missing_from"]) - stopped).total_seconds()) < 60


def test_a_session_that_was_forgotten_while_ingest_was_down_is_told_of_too(tmp_path: Path) -> None:
    """The new process has no memory; the event log knows that there was one before it. The first start is no gap."""
    with Site(tmp_path, influx=False) as site:
        ingest = site.service("ingest")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port, "before") as publisher:
            publisher.publish(islice(energy(Random(2)), 50))  # noqa: S311
            wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == 50, "all acknowledged")
        assert ingest.metric("garonne_ingest_session_lost_total") == 0
        assert ingest.terminate() == 0
        stopped = datetime.now(UTC)
        site.mosquitto.stop()
        site.mosquitto.forget()
        site.mosquitto.start()
        ingest.start()
        wait_until(lambda: ingest.metric("garonne_ingest_session_lost_total") == 1, "the alarm is raised")
        wait_until(lambda: bool(_gaps(site)), "the gap is in the record")
        (gap,) = _gaps(site)
        assert datetime.fromisoformat(gap["missing_from"]) <= stopped <= datetime.fromisoformat(gap["missing_until"])
        assert ingest.terminate() == 0
        ingest.start()
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest is back")
        assert ingest.logged("connected to the broker")[-1]["session_resumed"]
        assert len(_gaps(site)) == 1


def _gaps(site: Site) -> list[dict[str, str]]:
    """The gaps in the record, each once."""
    events = [from_json(value) for value in values_of(site.kafka.bootstrap, "garonne.status")]
    gaps = {event["id"]: event["data"] for event in events if "missing_from" in event["data"]}
    return list(gaps.values())


_ALARM = "the broker forgot the session: messages may be missing; does it keep sessions over its restarts?"
