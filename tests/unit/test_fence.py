"""What knew less never replaces what knew more, wherever a process stands still and whoever works meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.energy import MeterReading, Register
from schemas.envelope import Event
from services.aggregator.adapters.kafka_lease import Lease
from services.aggregator.fence import Fence
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import FieldValue, Incoming, LogUnavailable, Partition, Point, Refusal, Row
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import MemoryLog, MemoryStore

_AT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)
_SESSION_S = 6.0
_TOPIC = "garonne.energy"
_READINGS = 12
"""Half of them arrive after younger ones, so that windows are written again and again."""


class _Clock:
    """Stands where the test puts it."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class _Stop:
    """A point where another may go on; nothing else is waited for in these tests."""

    def __await__(self) -> Generator[None]:
        yield


class _Group:
    """What Kafka knows: one partition, who may commit in it, and until when it believes in that member."""

    def __init__(self, records: MemoryLog, clock: _Clock) -> None:
        self.records = records.records[_TOPIC]
        self.clock = clock
        self.committed = 0
        self.owner: _Member | None = None
        self.generation = 0
        self.believed_until_s = 0.0

    def join(self, member: "_Member") -> bool:
        """Give it the partition if nobody alive has it."""
        if self.owner is not None and self.clock() < self.believed_until_s:
            return False
        self.owner, self.believed_until_s = member, self.clock() + _SESSION_S
        self.generation += 1
        member.generation = self.generation
        return True

    def commit(self, member: "_Member", offset: int) -> bool:
        """Of the owner, in its session."""
        if self.owner is not member or member.generation != self.generation or self.clock() >= self.believed_until_s:
            return False
        self.committed = offset
        self.believed_until_s = self.clock() + _SESSION_S
        return True


class _Member(MemoryLog):
    """The port `Log` as `KafkaLog` keeps it, with a real lease; each call has points where the process may stop."""

    def __init__(self, group: _Group) -> None:
        super().__init__()
        self.records[_TOPIC] = group.records
        self._group = group
        self._lease = Lease(_SESSION_S, group.clock)
        self.generation = -1
        self._lost = False
        self._next = 0

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        """One record or a few, if the partition is ours."""
        del timeout_s
        await _Stop()
        if self._group.owner is not self or self.generation != self._group.generation:
            if not self._group.join(self):
                return []
            self._lost, self._next = True, self._group.committed
            self._lease.end()
            return []
        batch = self._group.records[self._next : self._next + limit]
        self._next += len(batch)
        await _Stop()
        return batch

    def lost(self) -> frozenset[Partition]:
        """After each joining."""
        lost, self._lost = self._lost, False
        return frozenset({(_TOPIC, 0)}) if lost else frozenset()

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Refused quietly if it is not ours."""
        asked_s = self._lease.now_s()
        await _Stop()
        if positions and self._group.commit(self, positions[_TOPIC, 0]):
            await _Stop()
            self._lease.grant(asked_s)

    async def holds(self, starts: Mapping[Partition, int]) -> bool:
        """As `KafkaLog.holds`."""
        for _ in range(3):
            if self._lease.valid:
                return not self._lost
            asked_s = self._lease.now_s()
            await _Stop()
            if self._lost or self._group.committed > starts[_TOPIC, 0]:
                self._lost, self._next = True, self._group.committed
                return False
            if not self._group.commit(self, starts[_TOPIC, 0]):
                self._lost = self._group.join(self) or self._lost
                self._next = self._group.committed
                self._lease.end()
                return False
            await _Stop()
            self._lease.grant(asked_s)
        raise LogUnavailable("too late each time")


class _Series(MemoryStore):
    """What both write into; each request is asked for as `InfluxStore` does, and carries one point."""

    def __init__(self, shared: MemoryStore, sure: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.content = shared.content
        self._sure = sure

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """One after the other; the answer comes later, and the first try may seem to have failed."""
        for point in points:
            for _ in range(2):
                await _Stop()
                await self._sure()
                await super().write([point])
                await _Stop()
        return ()

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        """Read, with a point to stop before and after."""
        await _Stop()
        rows = await super().select(measurement, fields=fields, tags=tags, start=start, end=end)
        await _Stop()
        return rows


def _reading(number: int) -> Incoming:
    """Late ones lie between others: what is computed without them is another figure."""
    place = number if number % 2 else (number * 5) % _READINGS
    at = _AT + timedelta(minutes=17 * place)
    record = MeterReading(
        household="h_0000000000000000",
        meter="m_0000000000000000",
        carrier="electricity",
        observed_at=at,
        received_at=at,
        clock="utc_z",
        registers=(Register(quantity="import_energy", name="total", value=100 + place**2 / 10, unit="kWh"),),
    )
    return Incoming(_TOPIC, 0, 0, b"h", encode(Event(f"{number:032x}", "tasmota", record)), 1_768_201_200_000)


def _pipeline(log: MemoryLog, store: MemoryStore, fence: Fence | None = None) -> Pipeline:
    sealing = Sealing(lambda _topic, content: content, "d_0000000000000000")
    zone, telemetry = ZoneInfo("Europe/Paris"), AggregatorTelemetry()
    return Pipeline(log, store, sealing, AggregatorSettings(batch=3), zone, telemetry, None, fence)


async def _working(member: _Member, store: _Series, fence: Fence) -> None:
    """The loop of the pipeline, which never waits for a clock here."""
    pipeline = _pipeline(member, store, fence)
    while True:
        batch = await member.poll(3, 0)
        pipeline._projection.forget(member.lost())
        while batch:
            try:
                await pipeline.store(batch)
            except LogUnavailable:
                pipeline._projection.clear()
                await _Stop()
                if member.lost():
                    break
            else:
                break


def _step(work: Coroutine[Any, Any, None]) -> None:
    work.send(None)


Content = dict[tuple[str, tuple[tuple[str, str], ...]], dict[int, dict[str, FieldValue]]]


def _uninterrupted(records: Sequence[Incoming]) -> Content:
    async def computed() -> Content:
        log, store = MemoryLog(records), MemoryStore()
        while batch := await log.poll(3, 0):
            await _pipeline(log, store).store(batch)
        return store.content

    return asyncio.run(computed())


@settings(max_examples=300, deadline=None)
@given(
    turns=st.lists(
        st.tuples(st.sampled_from((0, 1)), st.integers(1, 60), st.sampled_from((0.0, 0.1, 1.0, 7.0, 20.0))),
        max_size=30,
    )
)
def test_two_members_that_stop_anywhere_leave_what_one_would_have_made(turns: list[tuple[int, int, float]]) -> None:
    """Each goes on for some steps, time passes, the other goes on: at the end every figure is that of all readings."""
    clock = _Clock()
    group = _Group(MemoryLog([_reading(number) for number in range(_READINGS)]), clock)
    shared = MemoryStore()
    members = []
    for _ in range(2):
        log = _Member(group)
        fence = Fence(log)
        members.append(_working(log, _Series(shared, fence), fence))
    for who, steps, pause_s in turns:
        for _ in range(steps):
            _step(members[who])
            clock.now_s += 0.001
        clock.now_s += pause_s
    for _ in range(20_000):  # now both live, as they mostly do
        _step(members[0])
        _step(members[1])
        clock.now_s += 0.001
        if group.committed == _READINGS:
            break
    for each in members:
        each.close()
    assert group.committed == _READINGS
    assert shared.content == _uninterrupted(group.records)
