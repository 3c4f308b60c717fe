"""The shipped mosquitto.conf and ACL on a real Mosquitto: only its paths, its port and the user are changed."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import paho.mqtt.client as mqtt
import pytest
import yaml
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.ingest.adapters.mqtt import MqttSource
from services.ingest.assembly import topics_of
from services.runtime.settings import read_settings
from tests.contract.worlds import Connections
from tests.deploy.shipped import ShippedMosquitto

pytestmark = pytest.mark.servers

LINKY = "041876000103"
_SUCCESS, _NOT_AUTHORIZED = "Success", "Not authorized"


@pytest.fixture(scope="module")
def broker(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedMosquitto]:
    """Mosquitto as the container has it."""
    with ShippedMosquitto(tmp_path_factory.mktemp("shipped-mosquitto"), site) as server:
        yield server


class Device:
    """A client that logs in and says with which answer its publications came back."""

    def __init__(self, broker: ShippedMosquitto, site: Path, user: str, password: str | None = None) -> None:
        secrets = site / "deploy/secrets"
        if password is None:
            kept = {"garonne-ingest": "mqtt_ingest.password"}.get(user, f"devices/{user}.password")
            password = (secrets / kept).read_text("utf-8")
        self.answers: Queue[str] = Queue()
        self.received: Queue[str] = Queue()
        self._published: Queue[str] = Queue()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(user, password)
        self._client.tls_set(str(secrets / "ca.crt"))
        self._client.on_connect = lambda _c, _u, _f, code, _p: self.answers.put(str(code))
        self._client.on_publish = lambda _c, _u, _m, code, _p: self._published.put(str(code))
        self._client.on_subscribe = lambda _c, _u, _m, codes, _p: self.answers.put(str(codes[0]))
        self._client.on_message = lambda _c, _u, message: self.received.put(message.topic)
        self._client.connect("127.0.0.1", broker.own_port if user.startswith("garonne-") else broker.port)
        self._client.loop_start()
        self.welcome = self.answers.get(timeout=20)

    def publish(self, topic: str) -> str:
        """The broker's answer to a message at QoS 1."""
        self._client.publish(topic, b"{}", qos=1)
        return self._published.get(timeout=20)

    def subscribe(self, topic: str) -> str:
        """The broker's answer to a subscription at QoS 1."""
        self._client.subscribe(topic, qos=1)
        return self.answers.get(timeout=20)

    def close(self) -> None:
        """Say goodbye."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def linky(broker: ShippedMosquitto, site: Path) -> Iterator[Device]:
    """A meter."""
    device = Device(broker, site, LINKY)
    assert device.welcome == _SUCCESS
    yield device
    device.close()


async def test_what_a_device_publishes_reaches_the_service(broker: ShippedMosquitto, site: Path, linky: Device) -> None:
    """Ingest's own client, with the shipped settings: TLS, password, ACL, all topics of all profiles."""
    settings = read_settings(site / "deploy/garonne.toml")
    filters = tuple(dict.fromkeys(each for group in topics_of(settings).values() for each in group))
    here = settings.mqtt.model_copy(update={"host": "127.0.0.1", "port": broker.own_port})
    events = Connections()
    async with asyncio.timeout(30), MqttSource(here, filters, events) as source:
        await events.first()
        assert set(events.refused) <= {0}
        assert linky.publish(f"teleinfo/{LINKY}") == _SUCCESS
        async for batch in source.batches(1, 0.02):
            assert [each.message.topic for each in batch] == [f"teleinfo/{LINKY}"]
            await source.acknowledge(batch)
            break


def test_the_service_may_have_more_than_twenty_messages_in_hand(broker: ShippedMosquitto, site: Path) -> None:
    """Mosquitto's own limit would stall a batch of 512: here a whole batch is delivered unacknowledged."""
    batch = read_settings(site / "deploy/garonne.toml").ingest.batch
    got: Queue[int] = Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "window", protocol=mqtt.MQTTv5, manual_ack=True)
    client.username_pw_set("garonne-ingest", (site / "deploy/secrets/mqtt_ingest.password").read_text("utf-8"))
    client.tls_set(str(site / "deploy/secrets/ca.crt"))
    subscribed: Queue[int] = Queue()
    client.on_connect = lambda c, _u, _f, _code, _p: c.subscribe("tele/compteur-cave/+", qos=1)
    client.on_subscribe = lambda _c, _u, mid, _codes, _p: subscribed.put(mid)
    client.on_message = lambda _c, _u, message: got.put(message.mid)
    window = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    window.ReceiveMaximum = 2048
    client.connect("127.0.0.1", broker.own_port, properties=window)
    client.loop_start()
    subscribed.get(timeout=20)
    device = Device(broker, site, "compteur-cave")
    assert {device.publish("tele/compteur-cave/SENSOR") for _ in range(batch)} == {_SUCCESS}
    assert len({got.get(timeout=20) for _ in range(batch)}) == batch
    device.close()
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize(
    "topic",
    [
        "teleinfo/041876000999",  # another home's meter
        "tele/compteur-cave/SENSOR",  # another device
        "compteur-cave/tele/SENSOR",
        f"other/{LINKY}/tele/SENSOR",
        "teleinfo/status",
        f"cmnd/{LINKY}/POWER",  # orders are not for devices to give
        f"default/outQueue/v2x/cam/other/{LINKY}",
        "$SYS/broker/uptime",
        "anything",
    ],
)
def test_a_device_cannot_speak_for_another(linky: Device, topic: str) -> None:
    """Published under any name but its own: refused, and the device is told so."""
    assert linky.publish(topic) == _NOT_AUTHORIZED


@pytest.mark.parametrize(
    "topic",
    [
        f"teleinfo/{LINKY}",
        f"tele/{LINKY}/SENSOR",
        f"{LINKY}/tele/SENSOR",
        f"stat/{LINKY}/STATUS8",
        f"default/outQueue/v2x/cam/{LINKY}/0/3/1",
    ],
)
def test_a_device_may_speak_for_itself(linky: Device, topic: str) -> None:
    """In every way of naming topics that a family has."""
    assert linky.publish(topic) == _SUCCESS


def test_a_device_hears_nothing_of_others(broker: ShippedMosquitto, site: Path, linky: Device) -> None:
    """Whatever it subscribes to, it is given its own commands at most."""
    for topic in ("#", "teleinfo/+", "tele/compteur-cave/SENSOR"):
        linky.subscribe(topic)
    other = Device(broker, site, "compteur-cave")
    assert other.publish("tele/compteur-cave/SENSOR") == _SUCCESS
    other.close()
    # An answer that came after it: had the message been given to this device, it would stand before.
    assert linky.publish(f"teleinfo/{LINKY}") == _SUCCESS
    assert linky.received.empty()


@pytest.mark.parametrize("topic", [f"teleinfo/{LINKY}", f"cmnd/{LINKY}/POWER", "tele/compteur-cave/SENSOR"])
def test_the_service_cannot_publish(broker: ShippedMosquitto, site: Path, topic: str) -> None:
    """Who takes over ingest gives no orders to devices and invents no readings."""
    service = Device(broker, site, "garonne-ingest")
    assert service.publish(topic) == _NOT_AUTHORIZED
    service.close()


@pytest.mark.parametrize(("user", "password"), [(LINKY, "wrong"), (LINKY, ""), ("nobody", "x"), ("", "")])
def test_nobody_comes_in_without_the_right_password(
    broker: ShippedMosquitto, site: Path, user: str, password: str
) -> None:
    """A wrong password, a user that is not there, no user at all."""
    device = Device(broker, site, user, password)
    assert device.welcome == str(ReasonCode(PacketTypes.CONNACK, _NOT_AUTHORIZED))
    device.close()


def test_nobody_comes_in_without_tls(broker: ShippedMosquitto) -> None:
    """There is no plain listener to fall back to."""
    ended: Queue[str] = Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
    client.on_connect = lambda *_: ended.put("connected")
    client.on_disconnect = lambda *_: ended.put("ended")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert ended.get(timeout=20) == "ended"
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize(("credential", "healthy"), [("mosquitto_health", True), ("nothing", False)])
def test_the_health_check_logs_in_and_hears_the_broker(
    broker: ShippedMosquitto, site: Path, credential: str, *, healthy: bool
) -> None:
    """The command of docker-compose.yml: 0 if the broker works and lets it in, something else if not."""
    service = yaml.safe_load((site / "docker-compose.yml").read_text("utf-8"))["services"]["mosquitto"]
    kind, *command = [word.replace("$$", "$") for word in service["healthcheck"]["test"]]
    assert kind == "CMD"
    command = [str(broker.own_port) if word == "8885" else word for word in command]
    command = [word.replace("/run/mosquitto/", f"{site}/deploy/secrets/mosquitto/") for word in command]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(site / "deploy/secrets" / credential)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is healthy
    assert ("seconds" in done.stdout) is healthy
