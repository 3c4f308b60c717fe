"""An MQTT broker without a server: rumqttd 0.20 out of the `iotcore` wheel, in a child process.

What its users must know, read in rumqttd's source and tried:

- It keeps 100 unacknowledged QoS 1 messages per subscriber at most, whatever the client's receive maximum says:
  `INFLIGHT` is for `mqtt.broker_inflight`. Acknowledgements must come in order.
- It does not end at Ctrl-C, which a terminal sends to all processes: it stays until the services have finished.
- Everything is in memory: sessions and messages are gone when it stops.
- Messages wait in a log per subscribed filter. When a log is full its oldest segment is dropped, read or not, and a
  slow subscriber is moved on *without a word*. `KEPT_BYTES` is how far a subscriber may fall behind; publishers are
  acknowledged at once and never slowed down, so whoever publishes a backfill must stay within that.
"""

import socket
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import iotcore

__all__ = ["INFLIGHT", "KEPT_BYTES", "BrokerProblem", "EmbeddedBroker"]

INFLIGHT: Final = 100
"""Unacknowledged messages per subscriber; a constant of rumqttd."""

_SEGMENT_BYTES: Final = 16 * 1024 * 1024
_SEGMENTS: Final = 64
KEPT_BYTES: Final = _SEGMENT_BYTES * (_SEGMENTS - 1)
"""Topic and payload bytes that one filter holds for a subscriber who is behind; memory is taken as it fills."""

_CONFIGURATION: Final = """\
id = 0

[router]
id = 0
max_connections = {connections}
max_outgoing_packet_count = {outgoing}
max_segment_size = {segment_bytes}
max_segment_count = {segments}

[v4.1]
name = "mqtt-3.1.1"
listen = "{host}:{port_v3}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload}
max_inflight_count = {inflight}
dynamic_filters = true

[v5.1]
name = "mqtt-5"
listen = "{host}:{port_v5}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = {payload}
max_inflight_count = {inflight}
dynamic_filters = true
"""


class BrokerProblem(Exception):
    """The broker did not start; the text says why and what to do."""


class EmbeddedBroker:
    """A broker with an MQTT 3.1.1 and an MQTT 5 listener, for as long as it is entered.

    Args:
        host: Address to listen on.
        port_v3: Port for MQTT 3.1.1; 0 takes a free one.
        port_v5: Port for MQTT 5; 0 takes a free one.
        kept_bytes: How far a subscriber may fall behind per filter before messages are lost.
        largest_payload: Bytes of the largest message; a larger one ends its sender's connection.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port_v3: int = 0,
        port_v5: int = 0,
        kept_bytes: int = KEPT_BYTES,
        largest_payload: int = 256 * 1024,
    ):
        self.host = host
        self.port_v3 = port_v3
        self.port_v5 = port_v5
        self._kept_bytes = kept_bytes
        self._largest_payload = largest_payload
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        """Start it and wait until both listeners take connections.

        Raises:
            BrokerProblem: a port is taken, or the broker ended while it started.
        """
        free = _free_ports(self.host)
        self.port_v3 = self.port_v3 or free[0]
        self.port_v5 = self.port_v5 or free[1]
        with ExitStack() as exits:
            folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="garonne-broker-")))
            path = folder / "rumqttd.toml"
            path.write_text(self._configuration(), encoding="utf-8")
            try:
                exits.enter_context(iotcore.Broker(config_path=str(path)))
            except (OSError, RuntimeError, ValueError) as error:
                raise BrokerProblem(
                    f"the embedded broker did not start on {self.host}, ports {self.port_v3} and {self.port_v5}: "
                    f"{error}. Is another broker running there? Port 0 takes a free one."
                ) from error
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it; sessions and undelivered messages are gone."""
        self._exits.close()

    def _configuration(self) -> str:
        segment_bytes = max(1024, self._kept_bytes // (_SEGMENTS - 1))
        return _CONFIGURATION.format(
            host=self.host,
            port_v3=self.port_v3,
            port_v5=self.port_v5,
            connections=1000,
            outgoing=200,
            segment_bytes=segment_bytes,
            segments=_SEGMENTS,
            payload=self._largest_payload,
            inflight=INFLIGHT,
        )


def _free_ports(host: str) -> tuple[int, int]:
    """Two ports that nobody uses now; both are held until both are known, so that they differ."""
    with closing(socket.create_server((host, 0))) as one, closing(socket.create_server((host, 0))) as other:
        return int(one.getsockname()[1]), int(other.getsockname()[1])
