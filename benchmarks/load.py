"""What is published: Tasmota messages of about 250 bytes, whose counters go on; over a raw socket, at QoS 1.

One process of Python publishes 60,000 and more a second this way: packets are made as text, and acknowledgements are
counted by their length alone, as a PUBACK of MQTT 3.1.1 has four bytes.
"""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = [
    "DEVICES",
    "FIRST_KWH",
    "forget_session",
    "messages",
    "open_connection",
    "packet",
    "publish",
    "publish_paced",
]

DEVICES: Final = 1000
FIRST_KWH: Final = 1000.0
_STEP_S = 10
_UNACKNOWLEDGED = 5000
_PACKET_IDS = 65_535
_PUBACK_BYTES = 4
_CHUNK = 500
_PAYLOAD: Final = (
    '{{"Time": "{time}", "ENERGY": {{"TotalStartTime": "2025-09-01T00:00:00", "Total": {total:.3f}, '
    '"Yesterday": 1.234, "Today": 0.456, "Power": 720, "ApparentPower": 731, "ReactivePower": 126, "Factor": 0.98, '
    '"Voltage": 231, "Current": 3.165}}}}'
)


def payload(at: datetime, total_kwh: float) -> bytes:
    """What a plug says."""
    return _PAYLOAD.format(time=f"{at:%Y-%m-%dT%H:%M:%SZ}", total=total_kwh).encode()


def messages(number: int, devices: int = DEVICES) -> Iterator[tuple[str, bytes]]:
    """Topics and payloads; each device sends every ten seconds of its own clock, up to now."""
    rounds = -(-number // devices)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=_STEP_S * rounds)
    for turn in range(rounds):
        time_text = f"{start + timedelta(seconds=_STEP_S * turn):%Y-%m-%dT%H:%M:%SZ}"
        for device in range(min(devices, number - turn * devices)):
            total_kwh = 1200 + device % 1000 + turn * 0.002
            yield f"tele/plug-{device:06}/SENSOR", _PAYLOAD.format(time=time_text, total=total_kwh).encode()


def packet(topic: str, content: bytes, packet_id: int) -> bytes:
    """PUBLISH at QoS 1 of MQTT 3.1.1 (3.3)."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + (packet_id % _PACKET_IDS + 1).to_bytes(2, "big") + content
    length, head = len(body), bytearray(b"\x32")
    while True:
        length, digit = divmod(length, 128)
        head.append(digit | (128 if length else 0))
        if not length:
            return bytes(head) + body


def open_connection(port: int, name: str = "bench-publisher") -> socket.socket:
    """A connection of MQTT 3.1.1 with a clean session and no keepalive.

    Raises:
        ConnectionError: the broker does not accept it.
    """
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = name.encode()
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + len(client).to_bytes(2, "big") + client
    connection.sendall(b"\x10" + bytes([len(body)]) + body)
    if connection.recv(4) != b"\x20\x02\x00\x00":
        raise ConnectionError("the broker does not accept the publisher")
    return connection


def forget_session(port: int, name: str) -> None:
    """Have the broker throw away what it keeps for a client: a connection with a clean session does."""
    open_connection(port, name).close()


class _Acknowledged:
    """Counts PUBACKs in a thread of its own."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._number = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        received = 0
        with suppress(OSError):  # closed by whoever publishes
            while data := self._connection.recv(65_536):
                received += len(data)
                with self._changed:
                    self._number = received // _PUBACK_BYTES
                    self._changed.notify_all()

    def wait(self, number: int) -> None:
        """Until so many came."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._number >= number, 600):
                raise TimeoutError(f"{number} messages are not acknowledged to the publisher")


def publish(port: int, number: int, devices: int = DEVICES) -> float:
    """Publish as fast as the broker takes it and wait for every acknowledgement; gives the seconds it took."""
    with open_connection(port) as connection:
        acknowledged = _Acknowledged(connection)
        started_s = time.monotonic()
        chunk = bytearray()
        for index, (topic, content) in enumerate(messages(number, devices), 1):
            chunk += packet(topic, content, index)
            if index % _CHUNK == 0:
                connection.sendall(chunk)
                chunk.clear()
                acknowledged.wait(index - _UNACKNOWLEDGED)
        connection.sendall(chunk)
        acknowledged.wait(number)
        return time.monotonic() - started_s


def publish_paced(port: int, sent: Iterable[tuple[str, float]], per_second: float, at_s: list[float]) -> None:
    """Publish in the pace of the clock: devices' topics and totals in kWh; notes when each went out (Unix seconds)."""
    with open_connection(port, "bench-paced") as connection:
        acknowledged = _Acknowledged(connection)
        started_s, second, time_text = time.monotonic(), 0, ""
        for index, (topic, total_kwh) in enumerate(sent):
            ahead_s = index / per_second - (time.monotonic() - started_s)
            if ahead_s > 0:
                time.sleep(ahead_s)
            now_s = time.time()
            if int(now_s) != second:
                second = int(now_s)
                time_text = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"
            content = _PAYLOAD.format(time=time_text, total=total_kwh).encode()
            at_s.append(now_s)
            connection.sendall(packet(topic, content, index))
        acknowledged.wait(len(at_s))
