"""The loop of the aggregator: read, compute, store, commit. Every rule of delivery is on this page.

- Offsets are committed after the points of a batch are stored; windows before the raw points they rest on.
- A point that the store refuses for good goes to `garonne.rejected`, its neighbours are stored.
- A record that is no event goes to `garonne.rejected` too.
- If store or log do not answer, the same batch is tried again; what was kept in memory is made anew from what is
  stored, because part of the batch may have been.
- A process that stood still may have lost its partitions, and another may have stored more: before each request of a
  write the fence asks. A point that knew less never takes the place of one that knew more (ADR 0033).
- At a stop the batch in hand has some seconds to be stored. If it is not, it is not committed: it is read again.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from schemas.codec import CodecError, decode
from services.aggregator.fence import Fence
from services.aggregator.measuring import measure
from services.aggregator.mobility.geometry import Junction
from services.aggregator.ports import Incoming, Log, Point, Store, Unavailable
from services.aggregator.projection import Placed, Projection
from services.aggregator.refusing import Sealing
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.lifecycle import Backoff
from services.runtime.settings import AggregatorSettings

__all__ = ["Pipeline", "Sealing"]

_DRAIN_S = 10.0


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
        surveyed: Mapping[str, Junction] | None = None,
        fence: Fence | None = None,
    ) -> None:
        """`surveyed`: lanes of junctions from the site's file; `fence`: the one that `store` asks before it sends."""
        self._log = log
        self._store = store
        self._sealing = sealing
        self._settings = settings
        self._telemetry = telemetry
        self._projection = Projection(log, store, zone, telemetry, surveyed)
        self._backoff = Backoff()
        self._working_since: float | None = None
        self._asked = asyncio.Event()
        self._fence = fence or Fence(log)

    @property
    def kept(self) -> int:
        """Readings of registers that are in memory."""
        return self._projection.kept

    def stuck_s(self, now_s: float) -> float:
        """Seconds since the log was asked, or since the batch in hand was read; `now_s` is monotonic time."""
        return 0.0 if self._working_since is None else now_s - self._working_since

    async def run(self, stop: asyncio.Event, drain_s: float = _DRAIN_S) -> None:
        """Run until `stop` is set; then finish the batch in hand, for `drain_s` at most.

        Raises:
            ExceptionGroup: a defect of ours; nothing is committed that is not stored.
        """
        async with asyncio.TaskGroup() as group:
            moving = group.create_task(self._move(stop), name="aggregate-move")
            measuring = group.create_task(
                measure(self._log, self._store, self._telemetry, self._asked), name="aggregate-measure"
            )
            stopping = group.create_task(stop.wait(), name="aggregate-stop")
            await asyncio.wait({moving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await asyncio.wait({moving}, timeout=drain_s)
            moving.cancel()
            measuring.cancel()

    async def _move(self, stop: asyncio.Event) -> None:
        self._working_since = time.monotonic()
        while not stop.is_set():
            try:
                batch = await self._log.poll(self._settings.batch, self._settings.poll_s)
            except Unavailable as fault:
                await self._wait(fault, stop)
                continue
            finally:
                self._asked.set()
            self._projection.forget(self._log.lost())
            if batch:
                await self._until_stored(batch, stop)
            self._working_since = time.monotonic()

    async def _until_stored(self, batch: Sequence[Incoming], stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.store(batch)
            except Unavailable as fault:
                self._projection.clear()
                await self._wait(fault, stop)
                # What another member took over meanwhile is its to store: it knows more by now.
                lost = self._log.lost()
                batch = [each for each in batch if (each.topic, each.partition) not in lost]
            else:
                self._backoff.reset()
                return

    async def _wait(self, fault: Unavailable, stop: asyncio.Event) -> None:
        self._telemetry.unavailable(fault)
        await self._backoff.wait(stop)

    async def store(self, batch: Sequence[Incoming]) -> None:
        """Store what a batch makes, then commit it.

        Raises:
            Unavailable: not all of it is certainly stored; nothing is committed.
        """
        self._fence.hold(batch)
        await self._fence()
        placed = await self._decode(await self._projection.erase(batch))
        points = await self._projection.take(placed)
        for part in points:  # windows, then raw, then checkpoints
            await self._write(part)
        await self._log.commit({(each.topic, each.partition): each.offset + 1 for each in batch})
        # Only now: a batch that is tried again is one batch.
        self._telemetry.read(len(batch), [event for _, event in placed])

    async def _decode(self, batch: Sequence[Incoming]) -> list[Placed]:
        placed = []
        for incoming in batch:
            try:
                placed.append(Placed(incoming, decode(incoming.value)))
            except CodecError as problem:
                await self._log.reject(*self._sealing.of_record(incoming, problem))
        return placed

    async def _write(self, points: Sequence[Point]) -> None:
        if not points:
            return
        started = time.monotonic()
        await self._fence()
        refusals = await self._store.write(points)
        for refusal in refusals:
            await self._log.reject(*self._sealing.of_point(refusal))
        self._telemetry.wrote(Counter(point.measurement for point in points), refusals, time.monotonic() - started)
