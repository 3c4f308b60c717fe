"""Publishing over MQTT 3.1.1 at QoS 1 with paho: a bounded number on their way, every acknowledgement counted."""

import threading
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.simulator.formats import Publication

__all__ = ["BrokerGone", "Publisher"]

_PATIENCE_S = 30.0


class BrokerGone(Exception):
    """The broker cannot be reached, refuses, or acknowledges nothing any more."""


class Publisher:
    """A gateway's connection. `published` and `acknowledged` may be read from any thread."""

    def __init__(self, host: str, port: int, *, window: int = 1000, client_id: str = "bordeaux") -> None:
        """Set up; nothing is connected yet.

        Args:
            host: of the broker.
            port: its listener for MQTT 3.1.1.
            window: most messages published and not acknowledged.
            client_id: name of the connection.
        """
        self._host = host
        self._port = port
        self._window = window
        self._room = threading.Semaphore(window)
        self._answered = threading.Event()
        self._refusal: str | None = None
        self.published = 0
        self.acknowledged = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv311)
        self._client.max_inflight_messages_set(window)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            BrokerGone: no answer, or a refusal.
        """
        try:
            self._client.connect(self._host, self._port)
        except OSError as error:
            raise BrokerGone(f"no broker answers at {self._host}:{self._port}: {error.strerror or error}") from error
        self._client.loop_start()
        if not self._answered.wait(_PATIENCE_S):
            self._refusal = "does not answer the connection"
        if self._refusal is not None:
            self._client.loop_stop()
            raise BrokerGone(f"the broker at {self._host}:{self._port}: {self._refusal}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; call `wait` before, to have everything acknowledged."""
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, message: Publication) -> None:
        """Publish, when there is room for it.

        Raises:
            BrokerGone: nothing has been acknowledged for half a minute.
        """
        self._take_room()
        info = self._client.publish(message.topic, message.payload, qos=1)
        if info.rc not in {MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN}:
            raise BrokerGone(f"cannot publish: {mqtt.error_string(info.rc)}")
        self.published += 1

    def wait(self) -> None:
        """Wait until everything is acknowledged.

        Raises:
            BrokerGone: nothing has been acknowledged for half a minute.
        """
        for _ in range(self._window):
            self._take_room()
        for _ in range(self._window):
            self._room.release()

    def _take_room(self) -> None:
        if not self._room.acquire(timeout=_PATIENCE_S):
            raise BrokerGone(f"the broker has acknowledged nothing for {_PATIENCE_S:.0f} s")

    def _on_connect(
        self, _client: mqtt.Client, _data: object, _flags: mqtt.ConnectFlags, code: ReasonCode, _more: Properties | None
    ) -> None:
        self._refusal = str(code) if code.is_failure else None
        self._answered.set()

    def _on_publish(
        self, _client: mqtt.Client, _data: object, _mid: int, _code: ReasonCode, _more: Properties | None
    ) -> None:
        self.acknowledged += 1
        self._room.release()
