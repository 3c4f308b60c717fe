"""A TCP proxy between the broker and ingest: it sees each PUBLISH on its way, and can freeze or cut the connection.

Half-open: nothing is forwarded any more in either direction, and nothing is closed.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.e2e.publisher import Sent

__all__ = ["Witness"]

_PUBLISH: Final = 3
_CHUNK: Final = 65_536


class _Pair(NamedTuple):
    near: socket.socket
    far: socket.socket


def _number(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """A variable byte integer (MQTT 5, 1.5.5) and where it ends; `None` if it is not all here."""
    value = shift = 0
    for place in range(at, min(at + 4, len(data))):
        value |= (data[place] & 0x7F) << shift
        shift += 7
        if not data[place] & 0x80:
            return value, place + 1
    return None


class _Packets:
    """Splits a stream of MQTT 5 packets, and gives the messages in it."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Sent]:
        """Messages that are complete now."""
        self._held += data
        found = []
        while len(self._held) >= 2 and (sized := _number(self._held, 1)) is not None:
            length, start = sized
            if len(self._held) < start + length:
                break
            if self._held[0] >> 4 == _PUBLISH:
                found.append(_message(self._held[0], bytes(self._held[start : start + length])))
            del self._held[: start + length]
        return found


def _message(flags: int, body: bytes) -> Sent:
    end = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:end].decode()
    place = end + (2 if flags & 0x06 else 0)
    properties = _number(body, place)
    assert properties is not None
    return Sent(topic, body[properties[1] + properties[0] :])


class Witness:
    """Listens, and connects on to `port` of loopback for each connection that is made to it."""

    def __init__(self, port: int) -> None:
        self._far_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._pairs: list[_Pair] = []
        self._flowing = threading.Event()
        self._flowing.set()
        self._frozen: list[threading.Event] = []
        self._closed = False
        self.connections = 0
        self.seen: set[Sent] = set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="witness", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._listener.close()
        self.cut()
        for frozen in self._frozen:
            frozen.set()

    def freeze(self) -> None:
        """Stop forwarding on what is connected now; new connections work."""
        self._frozen.append(self._flowing)
        self._flowing = threading.Event()
        self._flowing.set()
        self._frozen[-1].clear()

    def cut(self) -> None:
        """End all connections that there are."""
        for pair in self._pairs:
            _end(pair.near)
            _end(pair.far)
        self._pairs.clear()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._far_port), 5.0)
            except OSError:
                if not self._closed:
                    with suppress(OSError, UnboundLocalError):
                        near.close()
                continue
            far.settimeout(None)
            self.connections += 1
            self._pairs.append(_Pair(near, far))
            flowing = self._flowing
            packets = _Packets()
            self._pump(far, near, flowing, lambda data, to=packets: self._note(to.feed(data)))  # type: ignore[misc]
            self._pump(near, far, flowing, lambda _data: None)

    def _note(self, messages: list[Sent]) -> None:
        self.seen.update(messages)

    def _pump(
        self, here: socket.socket, there: socket.socket, flowing: threading.Event, look: Callable[[bytes], None]
    ) -> None:
        def work() -> None:
            with suppress(OSError):
                while data := here.recv(_CHUNK):
                    flowing.wait()
                    there.sendall(data)
                    look(data)
                flowing.wait()
                there.shutdown(socket.SHUT_WR)

        threading.Thread(target=work, name="witness-pump", daemon=True).start()


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
