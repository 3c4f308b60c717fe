"""Announcements on a real Mosquitto: learnt at each start, by each process, and what they name is subscribed to."""

import asyncio
import json
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic_core import from_json
from typer.testing import CliRunner

from services.cli import app
from services.ingest.ports import Outgoing
from services.ingest.service import run_ingest
from services.runtime.settings import IngestSettings, MqttSettings, Settings
from tests.cases import normaliser
from tests.contract.worlds import publish
from tests.fakes import FakeSink
from tests.servers.running import Mosquitto

pytestmark = pytest.mark.servers

FILTERS = ("homeassistant/+/+/config", "homeassistant/+/+/+/config")
_names = count()


async def _announce(mosquitto: Mosquitto, topic: str) -> None:
    config = {
        "unique_id": topic,
        "state_topic": topic,
        "device_class": "energy",
        "unit_of_measurement": "Wh",
        "value_template": "{{ value_json.e }}",
    }
    announced = topic.replace("/", "_")
    await publish(
        mosquitto.port, [json.dumps(config).encode()], topic=f"homeassistant/sensor/{announced}/config", retain=True
    )


def _settings(mosquitto: Mosquitto, client_id: str, share_group: str | None) -> Settings:
    return Settings(
        mqtt=MqttSettings(port=mosquitto.port, client_id=client_id, share_group=share_group),
        ingest=IngestSettings(batch=64, linger_s=0.005, metrics_port=0),
    )


def _energies(sent: Sequence[Outgoing]) -> list[float]:
    events = [from_json(each.value) for each in sent if each.topic == "garonne.energy"]
    return [event["data"]["registers"][0]["value"] for event in events]


@pytest.mark.parametrize("share_group", [None, "ingest"])
async def test_what_is_announced_is_read_and_learnt_again_at_the_next_start(
    mosquitto: Mosquitto, share_group: str | None
) -> None:
    """Retained announcements reach a resumed session and a shared subscription too."""
    name = f"announced-{next(_names)}"
    topic = f"{name}/state"
    await _announce(mosquitto, topic)
    settings = _settings(mosquitto, name, share_group)
    for start in range(2):
        sink, stop = FakeSink(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            site = normaliser(ZoneInfo("Europe/Paris"), {})
            group.create_task(run_ingest(settings, site, FILTERS, sink, stop))
            async with asyncio.timeout(60):
                while not _energies(sink.log):
                    # Before it is learnt, it is not subscribed to, or refused and kept.
                    await publish(mosquitto.port, [b'{"e": 1500}'], topic=topic)
            stop.set()
        assert set(_energies(sink.log)) == {1.5}, f"start {start}"


async def test_devices_lists_what_the_broker_holds(mosquitto: Mosquitto, tmp_path: Path) -> None:
    """`garonne devices` listens for a second: retained announcements and states are enough."""
    topic = f"listed-{next(_names)}/state"
    await _announce(mosquitto, topic)
    await publish(mosquitto.port, [b'{"e": 1500}'], topic=topic, retain=True)
    configuration = tmp_path / "garonne.toml"
    configuration.write_text(f"[mqtt]\nport = {mosquitto.port}\n", "utf-8")
    arguments = ["devices", "--config", str(configuration), "--seconds", "1", "--json"]
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert any(line["topics"] == [topic] and line["shows"] == ["import_energy total"] for line in lines)
