"""MQTT by aiomqtt 3: MQTT 5, persistent session, acknowledgements by hand. The only import of that client.

One aiomqtt client per connection: its queue of undelivered messages dies with the connection, so no stale copy
survives a reconnect. A reader task pumps messages for as long as the connection lives; it is never cancelled
while it waits for one, because aiomqtt would lose that message.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

import aiomqtt
from aiomqtt import ConnectError, NegativeAckError, ProtocolError, QoS, RetainHandling

from services.ingest.ports import Delivery
from services.ingest.profiles import Message
from services.runtime.lifecycle import Backoff
from services.runtime.settings import MqttSettings

__all__ = ["ConnectionEvents", "MqttSource"]

_FAULTS = (ConnectError, NegativeAckError, ProtocolError, OSError, TimeoutError)
_CONNECT_TIMEOUT_S = 15.0


class ConnectionEvents(Protocol):
    """Who wants to know of the connection."""

    def connection_made(self, *, resumed: bool) -> None:
        """Connected and subscribed."""

    def connection_lost(self, reason: str, retry_in_s: float) -> None:
        """Not connected; tried again after a while."""

    def session_lost(self, missing_from: datetime, missing_until: datetime) -> None:
        """The broker forgot a session that it should have kept."""


class MqttSource:
    """The `Source` port. Subscribes anew at each connection; reconnects with jitter until closed."""

    def __init__(self, settings: MqttSettings, topics: Sequence[str], events: ConnectionEvents) -> None:
        """Set up; `topics` are filters, `$share/<group>/` is put before them if a group is configured."""
        self._settings = settings
        prefix = f"$share/{settings.share_group}/" if settings.share_group else ""
        self._topics = tuple(prefix + topic for topic in topics)
        self._events = events
        self._backoff = Backoff(settings.reconnect_least_s, settings.reconnect_most_s)
        self._generation = 0
        self._client: aiomqtt.Client | None = None
        self._arrived: deque[Delivery] = deque()
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._last_seen: datetime | None = None

    async def __aenter__(self) -> Self:
        """Connect in the background."""
        self._runner = asyncio.create_task(self._run(), name="mqtt-connection")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; the broker keeps the session."""
        if self._runner is not None:
            self._runner.cancel()
            with suppress(asyncio.CancelledError):
                await self._runner

    async def batches(self, limit: int, linger_s: float) -> AsyncIterator[Sequence[Delivery]]:
        """Deliveries in receive order; waits up to `linger_s` for a batch to fill."""
        while True:
            while not self._arrived:
                self._wake.clear()
                await self._wake.wait()
            if len(self._arrived) < limit:
                await asyncio.sleep(linger_s)
            taken = [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]
            if taken:
                yield taken

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """PUBACK in the given order; a no-op for deliveries of an older connection."""
        client, generation = self._client, self._generation
        if client is None:
            return
        with suppress(*_FAULTS):
            for delivery in deliveries:
                if delivery.packet_id is not None and delivery.generation == generation == self._generation:
                    await client.puback(delivery.packet_id)

    async def _run(self) -> None:
        while True:
            try:
                await self._connection()
                reason = "the broker closed the connection"
            except _FAULTS as fault:
                reason = self._plain(fault)
            self._client = None
            delay_s = self._backoff.next_s()
            self._events.connection_lost(reason, delay_s)
            await asyncio.sleep(delay_s)

    async def _connection(self) -> None:
        """One connection from CONNECT to its end."""
        client = self._new_client()
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            await client.__aenter__()
        try:
            answer = await client.connected()
            self._begin(client)
            reader = asyncio.create_task(self._read(client, self._generation), name="mqtt-reader")
            try:
                await self._subscribe(client, resumed=answer.session_present)
                self._connected(resumed=answer.session_present)
                await reader
            finally:
                reader.cancel()
                with suppress(asyncio.CancelledError, *_FAULTS):
                    await reader
        finally:
            with suppress(*_FAULTS):
                await client.__aexit__(None, None, None)

    def _begin(self, client: aiomqtt.Client) -> None:
        """A new generation: what the last connection delivered and nobody took comes again."""
        self._generation += 1
        self._client = client
        self._arrived.clear()

    def _connected(self, *, resumed: bool) -> None:
        self._backoff.reset()
        now = datetime.now(UTC)
        if not resumed and self._last_seen is not None:
            self._events.session_lost(self._last_seen, now)
        self._last_seen = now
        self._events.connection_made(resumed=resumed)

    async def _subscribe(self, client: aiomqtt.Client, *, resumed: bool) -> None:
        """The broker may have forgotten, and the topics may have changed: always subscribe."""
        handling = RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS if resumed else RetainHandling.SEND_ALWAYS
        for topic in self._topics:
            await client.subscribe(
                topic, max_qos=QoS.AT_LEAST_ONCE, retain_as_published=False, retain_handling=handling
            )

    async def _read(self, client: aiomqtt.Client, generation: int) -> None:
        """Pump messages into our queue; bounded by the receive maximum, which the broker keeps to."""
        sequence = 0
        async for packet in client.messages():
            if not isinstance(packet, aiomqtt.PublishPacket):
                continue
            self._last_seen = now = datetime.now(UTC)
            message = Message(packet.topic, bytes(packet.payload or b""), now, packet.retain)
            self._arrived.append(Delivery(message, generation, sequence, packet.packet_id, packet.duplicate))
            sequence += 1
            self._wake.set()

    def _new_client(self) -> aiomqtt.Client:
        settings = self._settings
        password = settings.password_file.read_bytes().strip() if settings.password_file else None
        return aiomqtt.Client(
            hostname=settings.host,
            port=settings.port,
            identifier=settings.client_id,
            username=settings.username,
            password=password,
            ssl_context=_tls(settings) if settings.tls else None,
            clean_start=False,
            session_expiry_interval=settings.session_expiry_s,
            receive_max=settings.receive_maximum,
            keep_alive=settings.keepalive_s,
        )

    def _plain(self, fault: BaseException) -> str:
        where = f"{self._settings.host}:{self._settings.port}"
        if isinstance(fault, NegativeAckError):
            return f"the broker at {where} refuses: {fault}; look at mqtt.username, mqtt.password_file and the ACL"
        if isinstance(fault, ssl.SSLError):
            return f"TLS with {where} fails: {fault.reason}; look at mqtt.ca_file and mqtt.certificate_file"
        return f"no connection to {where}: {str(fault) or type(fault).__name__}"


def _tls(settings: MqttSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    if settings.certificate_file is not None and settings.private_key_file is not None:
        context.load_cert_chain(settings.certificate_file, settings.private_key_file)
    return context
