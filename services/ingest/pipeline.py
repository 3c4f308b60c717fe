"""The loop of ingest: take, normalise, produce, acknowledge. Every rule of delivery is on this page.

- Nothing is acknowledged before the event log has it; rejected messages go there too.
- Acknowledgements go out in receive order, on the connection that delivered the message.
- A batch that the event log does not take is sent again, for as long as it takes. Meanwhile nothing more is
  taken than the broker's window holds: memory is bounded.
- Up to `batches_in_flight` batches are sent at once. If one fails and a later one does not, its records come
  after the later ones in the log: readers go by event time and do not depend on the order (ADR 0002).
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from schemas.codec import encode
from schemas.envelope import Event, key_of, topic_of
from services.ingest.acknowledgement import AcknowledgementWindow
from services.ingest.normalise import Normaliser
from services.ingest.ports import Delivery, Outgoing, Sink, Source, Unavailable
from services.ingest.telemetry import IngestTelemetry
from services.runtime.lifecycle import Backoff
from services.runtime.settings import IngestSettings

__all__ = ["Pipeline", "outgoing"]

_DRAIN_S = 10.0


def outgoing(event: Event) -> Outgoing:
    """What goes into the event log for an event."""
    record = event.record
    received_ms = int(record.received_at.timestamp() * 1000)
    return Outgoing(topic_of(record), key_of(record).encode(), encode(event), received_ms)


class Pipeline:
    """Moves messages from a source to a sink until told to stop."""

    def __init__(
        self, source: Source, sink: Sink, normaliser: Normaliser, settings: IngestSettings, telemetry: IngestTelemetry
    ) -> None:
        self._source = source
        self._sink = sink
        self._normaliser = normaliser
        self._settings = settings
        self._telemetry = telemetry
        self._window = AcknowledgementWindow()
        self._room = asyncio.Semaphore(settings.batches_in_flight)
        self._acknowledging = asyncio.Lock()

    @property
    def window(self) -> AcknowledgementWindow:
        """What is taken and not yet acknowledged."""
        return self._window

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; then finish what is on its way, for a while."""
        sending: set[asyncio.Task[None]] = set()
        taking = asyncio.create_task(self._take(sending), name="ingest-take")
        stopping = asyncio.create_task(stop.wait(), name="ingest-stop")
        await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if taking.done():
            taking.result()
        taking.cancel()
        with suppress(asyncio.CancelledError):
            await taking
        if sending:
            _, unfinished = await asyncio.wait(sending, timeout=_DRAIN_S)
            for task in unfinished:
                task.cancel()

    async def _take(self, sending: set[asyncio.Task[None]]) -> None:
        async for deliveries in self._source.batches(self._settings.batch, self._settings.linger_s):
            self._window.received(deliveries, time.monotonic())
            batch = self._normalise(deliveries)
            await self._room.acquire()
            task = asyncio.create_task(self._produce(deliveries, batch), name="ingest-produce")
            sending.add(task)
            task.add_done_callback(sending.discard)
            task.add_done_callback(_raise_fault)

    def _normalise(self, deliveries: Sequence[Delivery]) -> list[Outgoing]:
        outcomes = [self._normaliser(delivery.message) for delivery in deliveries]
        self._telemetry.normalised(deliveries, outcomes)
        return [outgoing(event) for outcome in outcomes for event in outcome.events]

    async def _produce(self, deliveries: Sequence[Delivery], batch: Sequence[Outgoing]) -> None:
        started = time.monotonic()
        try:
            await self._store(batch)
            self._telemetry.produced(time.monotonic() - started)
            await self._acknowledge(deliveries)
        finally:
            self._room.release()

    async def _store(self, batch: Sequence[Outgoing]) -> None:
        """Hand the batch to the event log until it has it."""
        if not batch:
            return
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

    async def emit(self, event: Event) -> None:
        """Put an event of our own into the log, such as a gap in the flow."""
        await self._store([outgoing(event)])


def _raise_fault(task: asyncio.Task[None]) -> None:
    """A defect in sending must be seen: the loop's exception handler logs it and the task group ends."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        raise fault
