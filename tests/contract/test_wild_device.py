"""A device that goes wild, on the real broker and event log: its excess is counted, and nobody else is harmed."""

import threading
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic_core import from_json

from services.ingest.limits import TOO_FAST
from tests.e2e.ledger import values_of
from tests.e2e.load import plug
from tests.e2e.publisher import Publisher, Sent
from tests.e2e.site import Service, Site, wait_until

pytestmark = pytest.mark.servers

_TOPIC = "garonne.energy"
_LIMIT, _WILD, _HOMES, _READINGS = 100, 2000, 20, 15


def _wild(number: int) -> Sent:
    """All of one minute, and each another message."""
    return Sent(
        "tele/wild/SENSOR",
        b'{"Time": "2026-01-12T07:00:%02d", "ENERGY": {"Total": %d.%03d, "Power": %d}}'
        % (number % 60, 100 + number // 1000, number % 1000, number),
    )


def _ignored(ingest: Service) -> Counter[str]:
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(ingest.get("/metrics")[1]):
        for sample in family.samples:
            if sample.name == "garonne_ingest_ignored_total":
                found[sample.labels["rule"]] += int(sample.value)
    return found


def test_a_device_at_full_speed_is_cut_to_its_limit_and_every_message_of_the_others_arrives(tmp_path: Path) -> None:
    """What it sends beyond its limit is counted under the rule's name, to the message."""
    with Site(tmp_path, influx=False) as site:
        ingest = site.service("ingest", ingest={"device_messages_per_min": _LIMIT})
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        calm = [plug(home, each, 500.0, 10 + each / 10) for each in range(_READINGS) for home in range(_HOMES)]
        with Publisher(site.mosquitto.port, "wild") as wild, Publisher(site.mosquitto.port, "calm") as others:
            raging = threading.Thread(target=wild.publish, args=([_wild(number) for number in range(_WILD)],))
            raging.start()
            others.publish(calm)
            raging.join()
        everything = _WILD + len(calm)
        wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == everything, "all is acknowledged")
        assert _ignored(ingest) == {TOO_FAST: _WILD - _LIMIT}
        assert ingest.get("/healthz")[0] == 200
        events = {from_json(value)["id"]: from_json(value)["data"] for value in values_of(site.kafka.bootstrap, _TOPIC)}
    households = Counter(each["household"] for each in events.values())
    assert sorted(households.values()) == [*[_READINGS] * _HOMES, _LIMIT]
