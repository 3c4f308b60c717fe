"""The aggregator's partners in memory: a log with groups and re-reading, a store that merges fields, both can fail."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime

from services.aggregator.ports import FieldValue, Incoming, Partition, Point, Refusal, Row, Unavailable

__all__ = ["Crash", "MemoryLog", "MemoryStore"]

Series = tuple[str, tuple[tuple[str, str], ...]]


class Crash(BaseException):
    """The process ends here, as by kill -9."""


class MemoryLog:
    """One partition a topic; positions are kept like those of a group."""

    def __init__(self, records: Iterable[Incoming] = ()) -> None:
        self.records: dict[str, list[Incoming]] = {}
        for record in records:
            self.append(record)
        self.committed: dict[str, int] = {}
        self.rejected: list[bytes] = []
        self._position: dict[str, int] = {}

    def append(self, record: Incoming) -> None:
        """Put a record at the end of its topic."""
        topic = self.records.setdefault(record.topic, [])
        topic.append(record._replace(offset=len(topic), partition=0))

    def restart(self) -> None:
        """What a new process sees: the committed positions."""
        self._position = dict(self.committed)

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        """The next records of all topics."""
        del timeout_s
        batch: list[Incoming] = []
        for topic, records in sorted(self.records.items()):
            start = self._position.get(topic, 0)
            part = records[start : start + limit - len(batch)]
            self._position[topic] = start + len(part)
            batch.extend(part)
        return batch

    def lost(self) -> frozenset[Partition]:
        """Nothing is ever lost here."""
        return frozenset()

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Keep the positions."""
        for (topic, _), offset in positions.items():
            self.committed[topic] = offset

    async def holds(self, starts: Mapping[Partition, int]) -> bool:
        """Always: nobody else reads."""
        del starts
        return True

    async def since(
        self, partition: Partition, timestamp_ms: int, until_offset: int
    ) -> AsyncIterator[Sequence[Incoming]]:
        """From the first record that is not older, as Kafka's offsets for times."""
        records = self.records.get(partition[0], [])
        first = next((r.offset for r in records if r.timestamp_ms >= timestamp_ms), len(records))
        yield [record for record in records if first <= record.offset < until_offset]

    async def lag(self) -> Mapping[Partition, int]:
        """What waits."""
        return {(topic, 0): len(each) - self._position.get(topic, 0) for topic, each in self.records.items()}

    async def reject(self, key: bytes, value: bytes, timestamp_ms: int) -> None:
        """Keep it."""
        del key, timestamp_ms
        self.rejected.append(value)


class MemoryStore:
    """Points by series and time. `crash_after` writes so many points, then ends the process."""

    def __init__(self) -> None:
        self.content: dict[Series, dict[int, dict[str, FieldValue]]] = {}
        self.crash_after: int | None = None
        self.unavailable = 0

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Merge the fields of each point with what is there."""
        if self.unavailable:
            self.unavailable -= 1
            raise Unavailable("scripted")
        for point in points:
            if self.crash_after is not None:
                if self.crash_after == 0:
                    self.crash_after = None
                    raise Crash
                self.crash_after -= 1
            series = self.content.setdefault((point.measurement, point.tags), {})
            series.setdefault(point.time_ns, {}).update(point.fields)
        return ()

    async def forget(self, tags: Mapping[str, str]) -> None:
        """Delete the series with these tags."""
        wanted = set(tags.items())
        self.content = {each: rows for each, rows in self.content.items() if not wanted <= set(each[1])}

    async def remove(self, points: Sequence[tuple[str, tuple[tuple[str, str], ...], int]]) -> None:
        """Delete these points."""
        for measurement, tags, time_ns in points:
            self.content.get((measurement, tags), {}).pop(time_ns, None)

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        """Rows by time."""
        wanted = set((tags or {}).items())
        low = start.timestamp() * 1e9 if start is not None else float("-inf")
        high = end.timestamp() * 1e9 if end is not None else float("inf")
        rows = [
            Row(at, dict(row_tags), {name: value for name, value in row.items() if not fields or name in fields})
            for (name_of, row_tags), times in self.content.items()
            if name_of == measurement and wanted <= set(row_tags)
            for at, row in times.items()
            if low <= at < high
        ]
        return sorted(rows, key=lambda row: row.time_ns)
