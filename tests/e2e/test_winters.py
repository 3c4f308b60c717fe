"""Two winters replayed through the real servers: each home's daily energy is what it was, to the Wh.

`GARONNE_HOMES=100 GARONNE_DAYS=150` is the long form: 5.4 million readings.
"""

import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from services.ingest.pseudonyms import read_keys
from tests.e2e.site import Service, Site, wait_until
from tests.e2e.winters import Homes, Published

pytestmark = pytest.mark.servers

_HOMES = int(os.environ.get("GARONNE_HOMES", "8"))
_DAYS = int(os.environ.get("GARONNE_DAYS", "9"))
_AHEAD = 40_000
_PATIENCE_S = 90 + _HOMES * _DAYS * 0.2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARIS = ZoneInfo("Europe/Paris")


def test_the_energy_of_each_home_and_day_is_right_to_the_wh(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Glitches, gaps, late days and messages sent twice change nothing; each reading is stored once."""
    homes = Homes(_HOMES, _DAYS, seed=33)
    with Site(tmp_path, max_inflight_messages=4096) as site:
        ingest, aggregator = site.service("ingest"), site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        sent = _publish(site.mosquitto.port, homes.messages(), ingest)
        wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == sent, "ingest took all", 600)
        wait_until(
            lambda: aggregator.metric("garonne_aggregator_events_total") == sent, "the aggregator read all", _PATIENCE_S
        )
        stored_wh = _stored_wh(site)
        points = site.influx.query('SELECT count("import_energy_total_kwh") AS n FROM "meter"')[0]["n"]
    names = read_keys(site.folder / "garonne.key")
    true_wh = {
        (names.pseudonym("household", f"tasmota:home-{home:03}"), day): wh for (home, day), wh in homes.true_wh.items()
    }
    with capsys.disabled():
        told = ", ".join(f"{number} times {what}" for what, number in homes.faults.items())
        days = len(true_wh)
        print(f"\n{sent} messages sent, {points} readings stored, {days} days of homes right to the Wh; {told}")  # noqa: T201
    assert {key: stored_wh.get(key) for key in true_wh} == true_wh
    assert points == homes.readings


def _stored_wh(site: Site) -> dict[tuple[str, date], int]:
    """Wh by household and local day."""
    text = 'SELECT "energy_kwh" FROM "energy" WHERE "window" = \'1d\' AND "register" = \'total\' GROUP BY "household"'
    found: dict[tuple[str, date], int] = {}
    for row in site.influx.query(text, "garonne_rollup"):
        day = (_EPOCH + timedelta(microseconds=row["time"] // 1000)).astimezone(_PARIS).date()
        found[row["household"], day] = round(row["energy_kwh"] * 1000)
    return found


def _until_taken(ingest: Service, number: int) -> None:
    wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") >= number, "ingest keeps up", 300)


def _publish(port: int, messages: Iterator[Published], ingest: Service) -> int:
    """Publish at QoS 1, not too far ahead of ingest; gives how many the broker acknowledged."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "winters")
    client.max_inflight_messages_set(2000)
    room = threading.Semaphore(4000)

    def on_publish(*_: object) -> None:
        room.release()

    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = 0
    for sent, (topic, payload) in enumerate(messages, 1):
        assert room.acquire(timeout=60), "the broker acknowledges nothing"
        client.publish(topic, payload, qos=1)
        if sent % _AHEAD == 0:
            _until_taken(ingest, sent - _AHEAD)
    for _ in range(4000):
        assert room.acquire(timeout=60), "the broker acknowledges nothing"
    client.disconnect()
    client.loop_stop()
    return sent
