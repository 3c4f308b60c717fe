"""`garonne record` and `garonne replay`: a broker's messages to JSON lines, and back to a broker.

Uses paho-mqtt, the independent client: a recording does not touch the session of ingest.
"""

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.ingest.profiles import Message
from services.runtime.settings import MqttSettings

__all__ = ["BrokerProblem", "Replay", "record"]

_CONNECT_TIMEOUT_S = 10.0


class BrokerProblem(Exception):
    """The broker cannot be reached or refuses; the text says which and what to do."""


def _client(settings: MqttSettings, purpose: str) -> mqtt.Client:
    # MQTT 5 like ingest: mqtt.port is the same, and a broker may have a listener of its own for each version.
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{settings.client_id}-{purpose}", protocol=mqtt.MQTTv5)
    if settings.username is not None:
        password = settings.password_file.read_text("utf-8").strip() if settings.password_file else None
        client.username_pw_set(settings.username, password)
    if settings.tls:
        client.tls_set(
            ca_certs=str(settings.ca_file) if settings.ca_file else None,
            certfile=str(settings.certificate_file) if settings.certificate_file else None,
            keyfile=str(settings.private_key_file) if settings.private_key_file else None,
        )
    return client


@contextmanager
def _connected(client: mqtt.Client, settings: MqttSettings) -> Iterator[None]:
    """Run the client's network thread between a confirmed connection and the end."""
    answers: queue.SimpleQueue[ReasonCode] = queue.SimpleQueue()

    def on_connect(
        _client: mqtt.Client, _data: object, _flags: mqtt.ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        answers.put(code)

    client.on_connect = on_connect
    where = f"{settings.host}:{settings.port}"
    try:
        client.connect(settings.host, settings.port, settings.keepalive_s)
    except OSError as error:
        raise BrokerProblem(f"no broker answers at {where}: {error.strerror or error}") from error
    client.loop_start()
    try:
        try:
            code = answers.get(timeout=_CONNECT_TIMEOUT_S)
        except queue.Empty as error:
            raise BrokerProblem(f"the broker at {where} does not answer the connection") from error
        if code.is_failure:
            raise BrokerProblem(f"the broker at {where} refuses: {code}; look at mqtt.username and mqtt.password_file")
        yield
    finally:
        client.disconnect()
        client.loop_stop()


def record(settings: MqttSettings, topics: tuple[str, ...], *, seconds: float | None) -> Iterator[Message]:
    """Messages as they arrive, until `seconds` have passed or the caller stops.

    Raises:
        BrokerProblem: cannot connect, or the connection is refused.
    """
    arrived: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        arrived.put(Message(message.topic, bytes(message.payload), datetime.now(UTC), bool(message.retain)))

    client = _client(settings, "record")
    client.on_message = on_message
    deadline = time.monotonic() + seconds if seconds is not None else None
    with _connected(client, settings):
        client.subscribe([(topic, 1) for topic in topics])
        while deadline is None or time.monotonic() < deadline:
            try:
                yield arrived.get(timeout=0.2 if deadline is None else max(0.01, min(0.2, deadline - time.monotonic())))
            except queue.Empty:
                continue


class Replay:
    """Publishes messages at QoS 1 with a bounded number on their way; counts the broker's acknowledgements."""

    def __init__(self, settings: MqttSettings, *, rate_per_s: float | None = None, window: int = 500) -> None:
        """Set up; nothing is connected yet.

        Args:
            settings: the broker.
            rate_per_s: messages per second; as fast as the broker takes them if `None`.
            window: most messages published and not acknowledged.
        """
        self._settings = settings
        self._rate = rate_per_s
        self._room = threading.Semaphore(window)
        self._window = window
        self.acknowledged = 0

    def run(self, messages: Iterator[Message]) -> Iterator[int]:
        """Publish all of them; yields the number published so far after each.

        Raises:
            BrokerProblem: cannot connect, or the connection broke.
        """
        client = _client(self._settings, "replay")
        client.on_publish = self._on_publish
        with _connected(client, self._settings):
            start = time.monotonic()
            for published, message in enumerate(messages):
                if self._rate is not None:
                    time.sleep(max(0.0, start + published / self._rate - time.monotonic()))
                self._take_room()
                info = client.publish(message.topic, message.payload, qos=1, retain=message.retained)
                if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
                    raise BrokerProblem(f"message {published + 1} cannot be published: {mqtt.error_string(info.rc)}")
                yield published + 1
            for _ in range(self._window):
                self._take_room()

    def _take_room(self) -> None:
        if not self._room.acquire(timeout=60):
            raise BrokerProblem("the broker has acknowledged nothing for a minute")

    def _on_publish(
        self, _client: mqtt.Client, _data: object, _mid: int, _code: ReasonCode, _properties: Properties
    ) -> None:
        self.acknowledged += 1
        self._room.release()
