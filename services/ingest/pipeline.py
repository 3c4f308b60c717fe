"""The loop of ingest: take, normalise, produce, acknowledge. Every rule of delivery is on this page.

- Nothing is acknowledged before the event log has it; rejected messages go there too, in the same call.
- What became of the messages of a batch goes with it, in the same call: the ledger (ADR 0019).
- Acknowledgements go out in receive order, on the connection that delivered the message.
- A batch that the event log does not take is sent again, for as long as it takes. Meanwhile nothing more is
  taken than the broker's window holds: memory is bounded.
- Up to `batches_in_flight` batches are sent at once. If one fails and a later one does not, its records come
  after the later ones in the log: readers go by event time and do not depend on the order (ADR 0002).
- At a stop nothing more is taken, and what is on its way has some seconds to arrive. What did not arrive is
  unacknowledged: the broker sends it again.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from schemas.codec import encode
from schemas.envelope import Event, key_of, topic_of
from services.ingest.acknowledgement import AcknowledgementWindow
from services.ingest.ledger import Ledger
from services.ingest.normalise import Outcome
from services.ingest.ports import Delivery, Outgoing, Sink, Source, Unavailable
from services.ingest.profiles import Message
from services.ingest.telemetry import IngestTelemetry
from services.runtime.lifecycle import Backoff
from services.runtime.settings import IngestSettings

__all__ = ["Pipeline", "outgoing"]

_DRAIN_S = 10.0
_AT_ONCE = 256
"""Messages normalised before the reader of the connection gets its turn: even MAPEMs leave keepalive alive."""


def outgoing(event: Event) -> Outgoing:
    """What goes into the event log for an event."""
    record = event.record
    received_ms = int(record.received_at.timestamp() * 1000)
    return Outgoing(topic_of(record), key_of(record).encode(), encode(event), received_ms)


class Pipeline:
    """Moves messages from a source to a sink until told to stop."""

    def __init__(  # noqa: PLR0913 - what the service puts together
        self,
        source: Source,
        sink: Sink,
        normaliser: Callable[[Message], Outcome],
        settings: IngestSettings,
        telemetry: IngestTelemetry,
        *,
        ledger: Ledger | None = None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._normaliser = normaliser
        self._settings = settings
        self._telemetry = telemetry
        self._ledger = ledger
        self._window = AcknowledgementWindow()
        self._room = asyncio.Semaphore(settings.batches_in_flight)
        self._acknowledging = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def window(self) -> AcknowledgementWindow:
        """What is taken and not yet acknowledged."""
        return self._window

    async def run(self, stop: asyncio.Event, drain_s: float = _DRAIN_S) -> None:
        """Run until `stop` is set; then finish what is on its way, for `drain_s` at most.

        Raises:
            ExceptionGroup: a defect of ours; nothing is acknowledged that is not stored.
        """
        async with asyncio.TaskGroup() as group:
            taking = group.create_task(self._take(group), name="ingest-take")
            stopping = group.create_task(stop.wait(), name="ingest-stop")
            await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            taking.cancel()
            stopping.cancel()
            if self._sending:
                _, unfinished = await asyncio.wait(self._sending, timeout=drain_s)
                for task in unfinished:
                    task.cancel()

    async def emit(self, event: Event) -> None:
        """Put an event of our own into the log, such as a gap in the flow."""
        await self._store([outgoing(event)])

    async def take(self, messages: Sequence[Message]) -> list[Outcome]:
        """Messages that came another way than from the source, in the ledger too; returns when the log has them."""
        deliveries = [Delivery(message, 0, number, None) for number, message in enumerate(messages)]
        batch, outcomes = await self._normalise(deliveries)
        if batch:
            await self._store(batch)
            if self._ledger is not None:
                self._ledger.stored(batch)
        return outcomes

    async def _take(self, group: asyncio.TaskGroup) -> None:
        await self._room.acquire()
        async for deliveries in self._source.batches(self._settings.batch, self._settings.linger_s):
            self._window.received(deliveries, time.monotonic())
            batch, _ = await self._normalise(deliveries)
            task = group.create_task(self._produce(deliveries, batch), name="ingest-produce")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
            # Taken before the next batch is, so that batches grow while the event log is slow.
            await self._room.acquire()

    async def _normalise(self, deliveries: Sequence[Delivery]) -> tuple[list[Outgoing], list[Outcome]]:
        outcomes: list[Outcome] = []
        batch: list[Outgoing] = []
        spent_s = 0.0
        for start in range(0, len(deliveries), _AT_ONCE):
            started_s = time.perf_counter()
            some = [self._normaliser(delivery.message) for delivery in deliveries[start : start + _AT_ONCE]]
            batch += [outgoing(event) for outcome in some for event in outcome.events]
            outcomes += some
            spent_s += time.perf_counter() - started_s
            await asyncio.sleep(0)
        self._telemetry.normalised(deliveries, outcomes, spent_s)
        if self._ledger is not None:
            batch += self._ledger.entries(deliveries, outcomes)
        return batch, outcomes

    async def _produce(self, deliveries: Sequence[Delivery], batch: Sequence[Outgoing]) -> None:
        started_s = time.monotonic()
        try:
            if batch:
                await self._store(batch)
                if self._ledger is not None:
                    self._ledger.stored(batch)
                self._telemetry.produced(time.monotonic() - started_s)
            await self._acknowledge(deliveries)
        finally:
            self._room.release()

    async def _store(self, batch: Sequence[Outgoing]) -> None:
        """Hand the batch to the event log until it has it."""
        backoff = Backoff()
        while True:
            try:
                await self._sink.send(batch)
            except Unavailable as fault:
                self._telemetry.produce_failed(str(fault))
                await backoff.wait()
            else:
                return

    async def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        async with self._acknowledging:
            released = self._window.produced(deliveries)
            await self._source.acknowledge(released)
        self._telemetry.acknowledged.inc(len(released))
