"""An independent publisher: paho-mqtt at QoS 1, which remembers what the broker acknowledged."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import NamedTuple, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

__all__ = ["Acknowledged", "Publisher", "Sent"]

_MOST_PENDING = 1000
_TICK_S = 0.02


class Sent(NamedTuple):
    """A message."""

    topic: str
    payload: bytes


class Acknowledged(NamedTuple):
    """A message that the broker acknowledged, and when it was published."""

    sent: Sent
    at: datetime


class Publisher:
    """One device that speaks MQTT 3.1.1; keeps its session, reconnects, sends again what is unacknowledged."""

    def __init__(self, port: int, client_id: str = "publisher") -> None:
        self._port = port
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._on_publish
        self._pubacks: deque[int] = deque()
        self._pending: dict[int, Acknowledged] = {}
        self._stop = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._thread: threading.Thread | None = None
        self.acknowledged: list[Acknowledged] = []

    def _on_publish(self, _client: object, _data: object, mid: int, _reason: object, _properties: object) -> None:
        # No lock here: paho holds its own while it calls.
        self._pubacks.append(mid)

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def pending(self) -> int:
        """Messages that the broker did not acknowledge yet."""
        return len(self._pending)

    def begin(self, messages: Iterator[Sent], rate_per_s: float) -> None:
        """Publish in the background until `finish`; slower if the broker does not acknowledge."""
        self._thread = threading.Thread(target=self._run, args=(messages, rate_per_s), name="publisher")
        self._thread.start()

    def hold(self, patience_s: float = 60.0) -> None:
        """Publish nothing in the background until `go_on`; returns when the broker has acknowledged everything."""
        self._flowing.clear()
        deadline = time.monotonic() + patience_s
        while self._pending or self._pubacks:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the broker does not acknowledge {len(self._pending)} messages")
            time.sleep(_TICK_S)

    def go_on(self) -> None:
        """After `hold`."""
        self._flowing.set()

    def finish(self, patience_s: float = 60.0) -> list[Acknowledged]:
        """Publish no more and wait until the broker has acknowledged everything; gives what it acknowledged."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._settle(0, patience_s)
        return self.acknowledged

    def publish(self, messages: Iterable[Sent], patience_s: float = 60.0) -> list[Acknowledged]:
        """Publish these as fast as the broker takes them; returns when it has acknowledged them."""
        for message in messages:
            self._publish(message)
            if len(self._pending) >= _MOST_PENDING:
                self._settle(_MOST_PENDING // 2, patience_s)
        self._settle(0, patience_s)
        return self.acknowledged

    def _run(self, messages: Iterator[Sent], rate_per_s: float) -> None:
        started, published = time.monotonic(), 0
        while not self._stop.wait(_TICK_S):
            self._drain()
            if not self._flowing.is_set():
                started, published = time.monotonic(), 0
                continue
            due = int((time.monotonic() - started) * rate_per_s) - published
            room = _MOST_PENDING - len(self._pending)
            for _ in range(min(due, room)):
                self._publish(next(messages))
                published += 1

    def _publish(self, message: Sent) -> None:
        # Before a number is used again, what was acknowledged under it is taken note of.
        self._drain()
        number = self._client.publish(message.topic, message.payload, qos=1).mid
        self._pending[number] = Acknowledged(message, datetime.now(UTC))

    def _drain(self) -> None:
        while self._pubacks:
            self.acknowledged.append(self._pending.pop(self._pubacks.popleft()))

    def _settle(self, left: int, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while True:
            self._drain()
            if len(self._pending) <= left:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"the broker does not acknowledge {len(self._pending)} messages")
            time.sleep(_TICK_S)
