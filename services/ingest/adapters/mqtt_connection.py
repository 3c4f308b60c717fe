"""One connection to an MQTT 5 broker on aiomqtt 3.0.0a1, with what that pre-release lacks.

The version is pinned in `pyproject.toml`; everything that leans on its insides is in this module. What differs:

- connecting does not block the event loop, speaks IPv6, has a time limit and leaves no socket behind;
- every message is taken as it is read: aiomqtt drops QoS 0 while no consumer waits, and a meter that publishes at
  QoS 0 is delivered at QoS 0 whatever we subscribe;
- a connection that breaks always ends: aiomqtt's reader dies of a reset by the peer, and its consumers would wait on;
- what is sent on a connection that has just ended is a fault of the connection, with uvloop too, not of ours;
- acknowledgements go out in one write.
"""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import aiomqtt
from aiomqtt import ConnAckPacket, ConnectError, NegativeAckError, ProtocolError, PublishPacket
from mqtt5 import ConnAckReasonCode, ConnectPacket, DisconnectPacket, DisconnectReasonCode, Packet, PubAckPacket

from services.runtime.settings import MqttSettings

__all__ = ["FAULTS", "Connection"]

CONNECT_TIMEOUT_S = 15.0
_CLOSE_TIMEOUT_S = 1.0
_BUFFER_BYTES = 1024 * 1024
_LARGEST_PACKET_BYTES = 640 * 1024
"""The broker keeps larger packets to itself (MQTT 5, 3.1.2.11.4): sealed and in base 64 a message of this size still
fits the 1 MiB that Kafka takes by default. Profiles refuse payloads far smaller than this as `too_large`."""

_silent = logging.getLogger("aiomqtt.silenced")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


FAULTS = (ConnectError, NegativeAckError, ProtocolError, OSError, TimeoutError)
"""What a broker or a network can do to a connection. Everything else is a defect."""


class _EverWaiting:
    """Stands where aiomqtt keeps its waiting consumers: there is always one, and it takes each message at once."""

    def __init__(self, take: Callable[[PublishPacket], None]) -> None:
        self._take = take

    def __len__(self) -> int:
        return 1

    def popleft(self) -> "_EverWaiting":
        return self

    def set_result(self, packet: object) -> None:
        if isinstance(packet, PublishPacket):
            self._take(packet)

    def clear(self) -> None:
        """Nothing is kept here."""


class _PubAcks:
    """Several PUBACK packets that are written as one."""

    def __init__(self, packet_ids: Sequence[int]) -> None:
        self._packet_ids = packet_ids

    def write(self) -> bytes:
        return b"".join([PubAckPacket(packet_id=packet_id).write() for packet_id in self._packet_ids])


class Connection(aiomqtt.Client):
    """A client for one connection; `take` gets each PUBLISH in receive order, in the reader, and must not raise."""

    def __init__(
        self,
        settings: MqttSettings,
        take: Callable[[PublishPacket], None],
        *,
        password: bytes | None,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(
            hostname=settings.host,
            port=settings.port,
            identifier=settings.client_id,
            username=settings.username,
            password=password,
            ssl_context=tls,
            clean_start=False,
            session_expiry_interval=settings.session_expiry_s,
            receive_max=settings.receive_maximum,
            max_packet_size=_LARGEST_PACKET_BYTES,
            keep_alive=settings.keepalive_s,
            logger=_silent,
        )
        self._getters = cast("Any", _EverWaiting(take))
        self._buffer_in = type(self._buffer_in)(size=_BUFFER_BYTES)  # 16 MiB, all of it touched, as aiomqtt makes it
        self._reason = "the broker closed the connection"
        self.alive_at = time.monotonic()

    async def open(self) -> ConnAckPacket:
        """Connect and start reading.

        Raises:
            OSError, TimeoutError, ConnectError, ProtocolError, NegativeAckError: no connection; nothing is left open.
        """
        await self._connect()
        self._tasks = asyncio.create_task(self._run_background_tasks(), name="mqtt-reader")
        return self._connected.result()

    async def over(self) -> str:
        """Wait for the end of the connection; gives the reason."""
        await asyncio.wait({self._disconnected, self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        if self._tasks.done() and not self._tasks.cancelled() and (fault := self._tasks.exception()) is not None:
            raise fault
        return self._reason

    async def close(self) -> None:
        """Say goodbye if the connection still stands; the broker keeps the session."""
        if hasattr(self, "_tasks"):
            self._tasks.cancel()
            await asyncio.wait({self._tasks})
        if hasattr(self, "_disconnected") and not self._disconnected.done():
            with suppress(*FAULTS):
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self._say_goodbye()
        if hasattr(self, "_writer"):
            self._writer.transport.abort()

    async def _say_goodbye(self) -> None:
        """The broker hangs up when it has read this, and so all acknowledgements before it.

        Whoever does not wait for that can be back before: the new connection takes the session over, and what was
        not read of the old one is lost. Messages that were acknowledged would come again.
        """
        await self._send(DisconnectPacket(reason_code=DisconnectReasonCode.NORMAL_DISCONNECTION))
        while await self._reader.read(_BUFFER_BYTES):
            pass

    def cut(self, reason: str) -> None:
        """End the connection now, without a goodbye."""
        self._reason = reason
        self._writer.transport.abort()

    async def puback_all(self, packet_ids: Sequence[int]) -> None:
        """PUBACK in this order.

        Raises:
            ConnectError, OSError: the connection is gone; the broker sends these messages again.
        """
        await self._send(cast("Packet", _PubAcks(packet_ids)))

    async def _connect(self) -> None:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            self._reader, self._writer = await asyncio.open_connection(
                self._hostname, self._port, ssl=self._ssl_context
            )
            try:
                answer = await self._greet()
            except BaseException:
                self._writer.transport.abort()
                raise
        self._keep_alive = answer.server_keep_alive or self._keep_alive
        self._send_semaphore = asyncio.BoundedSemaphore(answer.receive_max)
        self._connected.set_result(answer)
        self._disconnected = asyncio.get_running_loop().create_future()

    async def _greet(self) -> ConnAckPacket:
        await self._send(
            ConnectPacket(
                client_id=self.identifier,
                username=self._username,
                password=self._password,
                clean_start=self._clean_start,
                keep_alive=self._keep_alive,
                session_expiry_interval=self._session_expiry_interval,
                receive_max=self._receive_max,
                max_packet_size=self._max_packet_size,
            )
        )
        answer = await self._receive()
        if not isinstance(answer, ConnAckPacket):
            raise ProtocolError(f"the broker answered CONNECT with {type(answer).__name__}")
        if answer.reason_code != ConnAckReasonCode.SUCCESS:
            raise NegativeAckError(answer)
        return answer

    async def _receive(self) -> Packet:
        """The next packet; whatever breaks the connection closes it and is a `ConnectError`."""
        try:
            packet = await super()._receive()
        except (OSError, RuntimeError) as fault:  # reset by the peer; a packet larger than the buffer
            self._reason = f"the connection broke: {fault}"
            await self._close()
            raise ConnectError(self._endpoint) from fault
        self.alive_at = time.monotonic()
        if isinstance(packet, DisconnectPacket):
            self._reason = f"the broker ended the connection: {packet.reason_code.name}"
        return packet

    async def _send(self, packet: Packet) -> None:
        """As aiomqtt does it; uvloop's transports, and asyncio's for TLS, say in their own way that they are closed."""
        try:
            await super()._send(packet)
        except (RuntimeError, AttributeError) as fault:
            raise ConnectError(self._endpoint) from fault

    async def _close_inner(self) -> None:
        """As aiomqtt does it, but a peer that is gone is not waited for."""
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()
        self._buffer_in.clear()
        self._connected = asyncio.get_running_loop().create_future()
        self._disconnected.set_result(None)
