"""The loop of the aggregator: read, compute, store, commit. Every rule of delivery is on this page.

- Offsets are committed after the points of a batch are stored; windows before the raw points they rest on.
- A point that the store refuses for good goes to `garonne.rejected`, its neighbours are stored.
- A record that is no event goes to `garonne.rejected` too.
- If store or log do not answer, the same batch is tried again; what was kept in memory is made anew from what is
  stored, because part of the batch may have been.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.codec import CodecError, decode, encode
from schemas.envelope import Event
from schemas.rejection import Reason, Rejected
from services.aggregator.lineprotocol import line
from services.aggregator.ports import Incoming, Log, Partition, Point, Refusal, Store, Unavailable
from services.aggregator.projection import Placed, Projection, kinds_of
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.lifecycle import Backoff
from services.runtime.settings import AggregatorSettings

__all__ = ["Pipeline", "Sealing"]


class Sealing:
    """How this service makes a `Rejected`: sealed under the key of the pseudonyms."""

    def __init__(self, seal: Callable[[str, bytes], bytes], device: str) -> None:
        self._seal = seal
        self._device = device

    def rejected(self, topic: str, content: bytes, reason: Reason, detail: str, at: datetime) -> Rejected:
        """A refusal of the stage `store`, with what was refused."""
        return Rejected(
            observed_at=at,
            received_at=at,
            clock="none",
            device=self._device,
            stage="store",
            reason=reason,
            detail=detail[:400],
            size_bytes=len(content),
            sealed=self._seal(topic, content),
        )


class Pipeline:
    """Moves events from the log to the store until told to stop."""

    def __init__(  # noqa: PLR0913, PLR0917 - what the service puts together
        self,
        log: Log,
        store: Store,
        sealing: Sealing,
        settings: AggregatorSettings,
        zone: ZoneInfo,
        telemetry: AggregatorTelemetry,
    ) -> None:
        self._log = log
        self._store = store
        self._sealing = sealing
        self._settings = settings
        self._telemetry = telemetry
        self._projection = Projection(log, store, zone, telemetry)
        self._backoff = Backoff()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; a batch that was begun is finished."""
        while not stop.is_set():
            try:
                batch = await self._log.poll(self._settings.batch, self._settings.poll_s)
            except Unavailable as fault:
                await self._wait(fault)
                continue
            self._projection.forget(self._log.lost())
            if batch:
                await self._until_stored(batch, stop)
                self._telemetry.lagging(await self._log.lag())

    async def _until_stored(self, batch: Sequence[Incoming], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.store(batch)
            except Unavailable as fault:
                self._projection.clear()
                await self._wait(fault)
            else:
                self._backoff.reset()
                return

    async def _wait(self, fault: Unavailable) -> None:
        self._telemetry.unavailable(str(fault))
        await self._backoff.wait()

    async def store(self, batch: Sequence[Incoming]) -> None:
        """Store what a batch makes, then commit it.

        Raises:
            Unavailable: not all of it is certainly stored; nothing is committed.
        """
        placed = await self._decode(batch)
        self._telemetry.read(batch, kinds_of(placed))
        points = await self._projection.take(placed)
        await self._write(points.derived)
        await self._write(points.raw)
        await self._log.commit(_positions(batch))

    async def _decode(self, batch: Sequence[Incoming]) -> list[Placed]:
        placed = []
        for incoming in batch:
            try:
                placed.append(Placed(incoming, decode(incoming.value)))
            except CodecError as problem:
                at = datetime.fromtimestamp(incoming.timestamp_ms / 1000, UTC)
                await self._reject(incoming.topic, incoming.value, "wrong_shape", str(problem), at)
        return placed

    async def _write(self, points: Sequence[Point]) -> None:
        if not points:
            return
        started = time.monotonic()
        refusals = await self._store.write(points)
        for refusal in refusals:
            await self._reject_point(refusal)
        self._telemetry.wrote(Counter(point.measurement for point in points), refusals, time.monotonic() - started)

    async def _reject_point(self, refusal: Refusal) -> None:
        at = datetime.fromtimestamp(refusal.point.time_ns / 1e9, UTC)
        await self._reject(refusal.point.measurement, line(refusal.point), refusal.reason, refusal.detail, at)

    async def _reject(self, topic: str, content: bytes, reason: Reason, detail: str, at: datetime) -> None:
        record = self._sealing.rejected(topic, content, reason, detail, at)
        event = Event(record.sealed[:16].hex(), "garonne", record)
        await self._log.reject(record.device.encode(), encode(event), int(at.timestamp() * 1000))


def _positions(batch: Sequence[Incoming]) -> dict[Partition, int]:
    """The offset after the last record of each partition."""
    return {(incoming.topic, incoming.partition): incoming.offset + 1 for incoming in batch}
