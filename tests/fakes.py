"""Stand-ins with a will of their own: a broker session in memory, an event log, failures by script, a watcher."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from types import TracebackType
from typing import Self

from pydantic_core import from_json

from schemas.energy import OutdoorTemperature
from services.ingest.normalise import Normaliser
from services.ingest.pipeline import outgoing
from services.ingest.ports import Delivery, Outgoing, Sink, Source, Unavailable
from services.ingest.profiles import Context, Message, Profile, Unparseable
from services.ingest.pseudonyms import Keys, Pseudonyms

__all__ = [
    "Failure",
    "FakeSink",
    "FakeSource",
    "Flaky",
    "Nowhere",
    "Watched",
    "at_random",
    "counting_normaliser",
    "payload",
    "poison",
    "sent_numbers",
]

_BASE = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)


class Failure(Enum):
    """What a call to the event log ends with."""

    NONE = 0
    BEFORE = 1  # refused, nothing stored
    AFTER = 2  # stored, but the answer got lost


def at_random(seed: int, *, share: float, kinds: Sequence[Failure] = (Failure.BEFORE,)) -> Iterator[Failure]:
    """Failures mixed at random, for ever; the same seed gives the same ones."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    while True:
        yield chance.choice(kinds) if chance.random() < share else Failure.NONE


class FakeSink:
    """The event log in memory."""

    def __init__(self) -> None:
        self.log: list[Outgoing] = []
        self._changed = asyncio.Condition()

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Store after a turn of the loop, as a server would."""
        await asyncio.sleep(0)
        self.log.extend(batch)
        async with self._changed:
            self._changed.notify_all()

    async def until(self, number: int, patience_s: float = 60.0) -> None:
        """Wait until so many records are stored."""
        async with asyncio.timeout(patience_s), self._changed:
            await self._changed.wait_for(lambda: len(self.log) >= number)


class Flaky:
    """A sink that fails by a script and remembers what is certainly stored."""

    def __init__(self, inner: Sink, script: Iterable[Failure] = ()) -> None:
        self._inner = inner
        self._script = iter(script)
        self.stored: set[bytes] = set()
        self.failures = 0

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Fail as the script says; succeed when it has ended."""
        failure = next(self._script, Failure.NONE)
        if failure is Failure.BEFORE:
            self.failures += 1
            raise Unavailable("not now, says the script")
        await self._inner.send(batch)
        if failure is Failure.AFTER:
            self.failures += 1
            raise Unavailable("stored, but the answer got lost, says the script")
        self.stored.update(each.value for each in batch)


class FakeSource:
    """One broker session: at most `window` unacknowledged, redelivery at a reconnect only, order checked."""

    def __init__(self, window: int = 64) -> None:
        self._window = window
        self._queued: deque[tuple[Message, bool]] = deque()
        self._in_flight: deque[tuple[int, Message]] = deque()
        self._arrived: deque[Delivery] = deque()
        self._wake = asyncio.Event()
        self._generation = 1
        self._sequence = 0
        self._packet_id = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close."""

    def publish(self, messages: Iterable[Message]) -> None:
        """Queue messages for the subscriber."""
        self._queued.extend((message, False) for message in messages)
        self._deliver()

    def reconnect(self) -> None:
        """A new connection of the same session: what is unacknowledged comes again."""
        again = [(message, True) for _, message in self._in_flight]
        self._in_flight.clear()
        self._arrived.clear()
        self._queued.extendleft(reversed(again))
        self._generation += 1
        self._sequence = 0
        self._deliver()

    async def batches(self, limit: int, linger_s: float) -> AsyncIterator[Sequence[Delivery]]:
        """What has arrived."""
        del linger_s
        while True:
            while not self._arrived:
                self._wake.clear()
                await self._wake.wait()
            yield [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Take acknowledgements; one that is out of order or unknown is a defect of the caller."""
        for delivery in deliveries:
            if delivery.generation == self._generation:
                packet_id, _ = self._in_flight.popleft()
                assert delivery.packet_id == packet_id, "PUBACKs must come in receive order (MQTT-4.6.0-2)"
        self._deliver()

    def _deliver(self) -> None:
        while self._queued and len(self._in_flight) < self._window:
            message, again = self._queued.popleft()
            self._packet_id = self._packet_id % 65535 + 1
            self._in_flight.append((self._packet_id, message))
            self._arrived.append(
                Delivery(message, self._generation, self._sequence, self._packet_id, redelivered=again)
            )
            self._sequence += 1
            self._wake.set()


class Watched:
    """A source whose acknowledgements are checked against what is stored, and counted."""

    def __init__(self, inner: Source, sink: Flaky, normaliser: Normaliser) -> None:
        self._inner = inner
        self._sink = sink
        self._normaliser = normaliser
        self.taken: list[Delivery] = []
        self.acknowledged: list[Delivery] = []
        self.too_early: list[Delivery] = []
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._inner.__aexit__(kind, error, trace)

    async def batches(self, limit: int, linger_s: float) -> AsyncIterator[Sequence[Delivery]]:
        """The inner source's."""
        async for batch in self._inner.batches(limit, linger_s):
            self.taken.extend(batch)
            yield batch

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Check, count, pass on."""
        for delivery in deliveries:
            events = self._normaliser(delivery.message).events
            if any(outgoing(event).value not in self._sink.stored for event in events):
                self.too_early.append(delivery)
        await self._inner.acknowledge(deliveries)
        self.acknowledged.extend(deliveries)
        async with self._changed:
            self._changed.notify_all()

    async def until_acknowledged(self, number: int, patience_s: float = 60.0) -> None:
        """Wait for so many acknowledgements; a stall ends the test."""
        async with asyncio.timeout(patience_s), self._changed:
            await self._changed.wait_for(lambda: len(self.acknowledged) >= number)


class Nowhere:
    """No junction is equipped."""

    def at(self, latitude_deg: float, longitude_deg: float) -> str | None:
        """Outside all."""
        del latitude_deg, longitude_deg
        return None


def payload(number: int) -> bytes:
    """A message of the counting family, with a time of its own."""
    return b'{"n":%d}' % number


def poison(number: int) -> bytes:
    """A message that no profile can ever read."""
    return b"poison %d" % number


def _parse(message: Message, context: Context) -> tuple[OutdoorTemperature, ...]:
    del context
    try:
        number = int(from_json(message.payload)["n"])
    except ValueError as error:
        raise Unparseable("not_json", "not JSON") from error
    return (
        OutdoorTemperature(
            observed_at=_BASE + timedelta(seconds=number),
            received_at=message.received_at,
            clock="epoch_s",
            station=f"s{number}",
            temperature_degc=number % 40,
        ),
    )


def counting_normaliser() -> Normaliser:
    """A normaliser of one small family, `counting/+`: each message says its own number."""
    keys = Keys(b"k" * 32)
    profile = Profile("counting", ("counting/+",), _parse, "stable", "for tests")
    return Normaliser({"counting": profile}, {"counting": Context(Pseudonyms(keys), Nowhere())}, keys)


def sent_numbers(values: Iterable[bytes]) -> list[int]:
    """The numbers that reached the log, in its order, double ones twice."""
    events = [from_json(value) for value in values]
    return [int(event["data"]["station"][1:]) for event in events if event["data"]["kind"] == "outdoor_temperature"]
