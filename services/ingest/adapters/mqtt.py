"""The `Source` port on MQTT 5: persistent session, acknowledgements by hand, reconnecting for as long as it lives.

Each connection is a generation with a client of its own. What a lost connection had delivered and nobody had taken yet
comes again if the broker resumes the session, and replaces what is here. What does not come again is handed on as an
orphan (generation 0), which is processed and never acknowledged: the broker forgot the session, or, killed, came back
with a session that is older than the message.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from aiomqtt import ConnectError, NegativeAckError, PublishPacket, QoS, RetainHandling, SubAckReasonCode

from services.ingest.adapters.mqtt_connection import CONNECT_TIMEOUT_S, FAULTS, Connection
from services.ingest.ports import Delivery
from services.ingest.profiles import Message
from services.runtime.lifecycle import Backoff
from services.runtime.settings import MqttSettings

__all__ = ["ConnectionEvents", "MqttSource", "explain", "tls_of"]

_MOST_HELD_BYTES = 256 * 1024 * 1024
"""A bound for payloads that are not acknowledged yet. Their number needs none: a session has 65,535 packet ids at most.
The receive maximum is no such bound: Mosquitto 2.0 sends all that was in flight when a session is resumed."""

_RESENT_WITHIN_S = 1.0
"""What the broker still knows of a resumed session it sends first, at once. What comes later after all is a second copy
of an event in the log, with the same id."""

_LOOKS = 8
"""A batch that does not grow for an eighth of the linger is full enough: the broker's window may be used up."""


class ConnectionEvents(Protocol):
    """Who wants to know of the connection."""

    def connection_made(self, *, resumed: bool) -> None:
        """Connected and subscribed; `resumed` if the broker knew the session."""

    def connection_lost(self, reason: str, retry_in_s: float) -> None:
        """Not connected; tried again after a while."""

    def session_lost(self, missing_from: datetime, missing_until: datetime) -> None:
        """The broker forgot a session that it should have kept."""

    def subscriptions_refused(self, number: int, reason: str) -> None:
        """The broker does not give `number` of the topic filters at QoS 1; 0 if it gives all."""

    def overflowed(self) -> None:
        """A QoS 0 message came faster than it could be taken, and was dropped."""


class MqttSource:
    """The `Source` port. Subscribes anew at each connection; reconnects with jitter until closed."""

    def __init__(
        self,
        settings: MqttSettings,
        topics: Sequence[str],
        events: ConnectionEvents,
        announcements: Sequence[str] = (),
    ) -> None:
        """Set up.

        Args:
            settings: of the broker and the session.
            topics: filters; `$share/<group>/` is put before them if a group is configured.
            events: told what becomes of the connection.
            announcements: filters of retained messages that every process needs for itself, at every connection: a
                shared subscription gets no retained messages (MQTT 5, clause 4.8.2).
        """
        self._settings = settings
        self._prefix = f"$share/{settings.share_group}/" if settings.share_group else ""
        self._announcements = tuple(announcements)
        self._topics = tuple(self._prefix + topic for topic in topics if topic not in self._announcements)
        self._unwanted: set[str] = set()
        self._events = events
        self._backoff = Backoff(settings.reconnect_least_s, settings.reconnect_most_s)
        self._generation = 0
        self._sequence = 0
        self._held_bytes = 0
        self._connection: Connection | None = None
        self._arrived: deque[Delivery] = deque()
        self._doubtful: dict[int, Delivery] = {}
        self._wake = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._alive_until: datetime | None = None

    @property
    def waiting(self) -> int:
        """Messages that have arrived and that nobody has taken yet."""
        return len(self._arrived) + len(self._doubtful)

    async def __aenter__(self) -> Self:
        """Connect in the background."""
        self._runner = asyncio.create_task(self._run(), name="mqtt-connection")
        self._runner.add_done_callback(lambda _task: self._wake.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; the broker keeps the session and what is unacknowledged."""
        if self._runner is not None:
            self._runner.cancel()
            with suppress(asyncio.CancelledError):
                await self._runner

    async def batches(self, limit: int, linger_s: float) -> AsyncIterator[Sequence[Delivery]]:
        """Deliveries in receive order; waits up to `linger_s` for a batch to fill, less if nothing comes."""
        while True:
            while not self._arrived:
                if self._runner is not None and self._runner.done():
                    self._runner.result()
                    return
                self._wake.clear()
                await self._wake.wait()
            before = 0
            for _ in range(_LOOKS):
                if not before < len(self._arrived) < limit:
                    break
                before = len(self._arrived)
                await asyncio.sleep(linger_s / _LOOKS)
            if taken := [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]:
                yield taken

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """PUBACK in the given order; a no-op for deliveries of an older connection."""
        ours = [each for each in deliveries if each.generation == self._generation]
        packet_ids = [each.packet_id for each in ours if each.packet_id is not None]
        if packet_ids and self._connection is not None:
            self._held_bytes -= sum(len(each.message.payload) for each in ours if each.packet_id is not None)
            with suppress(*FAULTS):  # the connection is gone: the broker sends them again
                await self._connection.puback_all(packet_ids)

    async def _run(self) -> None:
        while True:
            try:
                reason = await self._connect_and_stay()
            except FAULTS as fault:
                reason = explain(self._settings, fault)
            self._connection = None
            delay_s = self._backoff.next_s()
            self._events.connection_lost(reason, delay_s)
            await asyncio.sleep(delay_s)

    async def _connect_and_stay(self) -> str:
        """One connection from CONNECT to its end; gives the reason of the end."""
        settings = self._settings
        connection = Connection(
            settings,
            self._take,
            password=settings.password_file.read_bytes().strip() if settings.password_file else None,
            tls=tls_of(settings) if settings.tls else None,
        )
        begun = False
        try:
            answer = await connection.open()
            # No await between the two: what the broker sends right after CONNACK belongs to the new generation.
            self._begin(connection, resumed=answer.session_present)
            begun = True
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._subscribe(connection)
            self._backoff.reset()
            self._events.connection_made(resumed=answer.session_present)
            return await connection.over()
        except ConnectError:
            if begun:
                return await connection.over()
            raise
        finally:
            self._connection = None
            if begun:
                silent_s = time.monotonic() - connection.alive_at
                self._alive_until = datetime.now(UTC) - timedelta(seconds=silent_s)
            await connection.close()

    def _begin(self, connection: Connection, *, resumed: bool) -> None:
        """A new generation. What comes again is dropped, what does not is handed on as orphans."""
        before, self._arrived = self._arrived, deque()
        for each in before:
            if each.packet_id is None or not each.generation:
                self._arrived.append(replace(each, generation=0))
            else:
                self._doubtful[each.packet_id] = each
        self._generation += 1
        self._sequence = 0
        self._held_bytes = 0
        self._connection = connection
        if resumed:
            asyncio.get_running_loop().call_later(_RESENT_WITHIN_S, self._hand_on, self._generation)
        else:
            self._hand_on(self._generation)
        if self._alive_until is not None and not resumed:
            self._events.session_lost(self._alive_until, datetime.now(UTC))

    def _hand_on(self, generation: int) -> None:
        """What has not come again on this connection will not."""
        if generation == self._generation and self._doubtful:
            self._arrived += [replace(each, generation=0) for each in self._doubtful.values()]
            self._doubtful.clear()
            self._wake.set()

    def _replaced(self, packet_id: int, message: Message) -> None:
        """It came again, or its number is given to another message: then the broker has forgotten it."""
        before = self._doubtful.pop(packet_id, None)
        if before is not None and (before.message.topic, before.message.payload) != (message.topic, message.payload):
            self._arrived.append(replace(before, generation=0))

    async def also(self, topics: Iterable[str]) -> None:
        """Subscribe to more topics: now if connected, and at each connection from now on."""
        more = tuple(self._prefix + topic for topic in sorted(topics))
        more = tuple(topic for topic in more if topic not in self._topics)
        self._topics += more
        if more and self._connection is not None:
            with suppress(*FAULTS):  # the connection is gone: all are subscribed to at the next
                self._report(await self._ask(self._connection, more))

    async def turn_to(self, topics: Iterable[str], announcements: Iterable[str]) -> None:
        """Take these filters instead of those of before, on the session that there is.

        What is no longer wanted is told to the broker now, or at the next connection; what it had already put into the
        session still comes.
        """
        before = {*self._topics, *self._announcements}
        self._announcements = tuple(announcements)
        wanted = tuple(self._prefix + topic for topic in topics if topic not in self._announcements)
        self._topics = tuple(dict.fromkeys(wanted))
        now = {*self._topics, *self._announcements}
        self._unwanted = (self._unwanted | before) - now
        if self._connection is not None and now != before:
            with suppress(*FAULTS):  # the connection is gone: all of this is done at the next
                await self._subscribe(self._connection)

    async def _subscribe(self, connection: Connection) -> None:
        """At every connection: the broker may have forgotten, and the topics may have changed.

        A filter that the broker refuses is reported and the others flow on.
        """
        refused = await self._ask(connection, self._announcements, RetainHandling.SEND_ALWAYS)
        self._report([*refused, *await self._ask(connection, self._topics)])
        for topic in sorted(self._unwanted):
            with suppress(NegativeAckError):  # it is not subscribed to: that is what was wanted
                await connection.unsubscribe(topic)
            self._unwanted.discard(topic)

    async def _ask(
        self,
        connection: Connection,
        topics: Sequence[str],
        retained: RetainHandling = RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS,
    ) -> list[str]:
        """Subscribe; gives the reasons of refusals."""
        refused: list[str] = []
        for topic in topics:
            try:
                answer = await connection.subscribe(
                    topic, max_qos=QoS.AT_LEAST_ONCE, retain_as_published=False, retain_handling=retained
                )
            except NegativeAckError as refusal:
                refused.append(str(refusal))
            else:
                if answer.reason_codes[0] == SubAckReasonCode.GRANTED_QOS_AT_MOST_ONCE:
                    refused.append("only QoS 0 is granted, which loses messages")
        return refused

    def _report(self, refused: Sequence[str]) -> None:
        self._events.subscriptions_refused(len(refused), refused[0] if refused else "")

    def _take(self, packet: PublishPacket) -> None:
        """Keep a message, in the reader of the connection: no waiting here, or keepalive dies."""
        most = self._settings.receive_maximum
        if packet.packet_id is None:
            if len(self._arrived) >= 2 * most:
                self._events.overflowed()
                return
        else:
            self._held_bytes += len(packet.payload or b"")
            if self._held_bytes > _MOST_HELD_BYTES and self._connection is not None:
                # Memory stays bounded; what is cut off comes again after the reconnect.
                self._connection.cut(f"the broker sent {_MOST_HELD_BYTES >> 20} MiB that are not acknowledged yet")
                return
        message = Message(packet.topic, bytes(packet.payload or b""), datetime.now(UTC), packet.retain)
        if self._doubtful and packet.packet_id is not None:
            self._replaced(packet.packet_id, message)
        self._arrived.append(
            Delivery(message, self._generation, self._sequence, packet.packet_id, redelivered=packet.duplicate)
        )
        self._sequence += 1
        self._wake.set()


def explain(settings: MqttSettings, fault: BaseException) -> str:
    """What a fault of `FAULTS` means, and what to look at."""
    where = f"{settings.host}:{settings.port}"
    if isinstance(fault, NegativeAckError):
        return f"the broker at {where} refuses: {fault}; look at mqtt.username, mqtt.password_file and its ACL"
    if isinstance(fault, ssl.SSLError):
        why = getattr(fault, "verify_message", None) or fault.reason
        return f"TLS with {where} fails: {why}; look at mqtt.ca_file and mqtt.certificate_file"
    if isinstance(fault, OSError) and fault.filename is not None:
        return f"cannot read {fault.filename}: {fault.strerror}"
    if isinstance(fault, ConnectError):
        return f"the broker at {where} hangs up without an answer; does it speak MQTT 5, and TLS or not as set?"
    if isinstance(fault, TimeoutError):
        return f"{where} does not answer within {CONNECT_TIMEOUT_S:.0f} s"
    return f"no connection to {where}: {str(fault) or type(fault).__name__}; is an MQTT 5 broker listening there?"


def tls_of(settings: MqttSettings) -> ssl.SSLContext:
    """TLS as the configuration has it.

    Raises:
        OSError: a certificate or key cannot be read or used.
    """
    context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    if settings.certificate_file is not None and settings.private_key_file is not None:
        context.load_cert_chain(settings.certificate_file, settings.private_key_file)
    return context
