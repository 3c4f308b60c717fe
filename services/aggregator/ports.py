"""Where the aggregator meets the outside: the event log to read, and a store of time series.

A point that the store refuses for good is a value (`Refusal`); a store or log that cannot answer now is
`Unavailable`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

from schemas.rejection import Reason

__all__ = [
    "BUCKETS",
    "Bucket",
    "FieldValue",
    "Incoming",
    "Log",
    "LogUnavailable",
    "Partition",
    "Point",
    "Refusal",
    "Row",
    "Store",
    "Unavailable",
]


class Unavailable(Exception):
    """The other side cannot answer now; the same call may succeed later."""


class LogUnavailable(Unavailable):
    """It is the event log that cannot answer now."""


Partition = tuple[str, int]
"""Topic and partition number."""


class Incoming(NamedTuple):
    """A record of the event log. `timestamp_ms` is when its message was received, Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    timestamp_ms: int


class Log(Protocol):
    """The event log, for reading as a member of a group."""

    async def poll(self, limit: int, timeout_s: float) -> Sequence[Incoming]:
        """The next records, in order within each partition; empty after `timeout_s` without any."""

    def lost(self) -> frozenset[Partition]:
        """Partitions that another member took over since the last call: forget what was kept of them."""

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Say that everything before these offsets is stored. A lost partition is not an error."""

    async def holds(self, starts: Mapping[Partition, int]) -> bool:
        """Whether a batch that begins at these offsets is still ours to store; `lost` may know more afterwards."""

    def since(self, partition: Partition, timestamp_ms: int, until_offset: int) -> AsyncIterator[Sequence[Incoming]]:
        """Read again what was received from `timestamp_ms` on, up to (not with) `until_offset`.

        Does not move the group's position.
        """

    async def lag(self) -> Mapping[Partition, int]:
        """Records that wait, by assigned partition."""

    async def reject(self, key: bytes, value: bytes, timestamp_ms: int) -> None:
        """Append an event to `garonne.rejected`; returns when it is durable."""


Bucket = Literal["raw", "rollup", "kpi"]

BUCKETS: Final[Mapping[str, Bucket]] = {
    "meter": "raw",
    "checkpoint": "raw",
    "interval": "raw",
    "weather": "raw",
    "device": "raw",
    "evaluation": "raw",
    "energy": "rollup",
    "traffic": "rollup",
    "traffic_hour": "rollup",
    "passage": "rollup",
    "priority": "rollup",
    "signal": "rollup",
    "station_quality": "rollup",
    "hazard_exposure": "rollup",
    "junction_hazard": "rollup",
    "mobility": "rollup",
    "hazard": "rollup",
    "map": "rollup",
    "kpi": "kpi",
    "kpi_series": "kpi",
    "family_day": "kpi",
}
"""Which bucket a measurement lives in. Raw is short, rollup long."""

FieldValue = float | int | str | bool


class Point(NamedTuple):
    """A point of a time series; tags and fields sorted by name. The same series and time overwrite."""

    measurement: str
    tags: tuple[tuple[str, str], ...]
    fields: tuple[tuple[str, FieldValue], ...]
    time_ns: int


class Refusal(NamedTuple):
    """A point that the store will never take, and why."""

    point: Point
    reason: Reason
    detail: str


class Row(NamedTuple):
    """What was read: tags and fields of one instant."""

    time_ns: int
    tags: Mapping[str, str]
    fields: Mapping[str, FieldValue]


class Store(Protocol):
    """Time series: InfluxDB, or SQLite when embedded."""

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Store points, fields merged with what stands at the same series and time.

        Returns:
            The points refused for good; all others are stored.

        Raises:
            Unavailable: not certain that all are stored; writing them again is right.
        """

    async def forget(self, tags: Mapping[str, str]) -> None:
        """Delete every point of every measurement that carries these tags; gone on return.

        Raises:
            Unavailable: not certain that all are gone; once more is right.
        """

    async def remove(self, points: Sequence[tuple[str, tuple[tuple[str, str], ...], int]]) -> None:
        """Delete single points: measurement, tags sorted by name, time in ns; gone on return.

        Raises:
            Unavailable: not certain that all are gone; once more is right.
        """

    async def select(
        self,
        measurement: str,
        *,
        fields: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Sequence[Row]:
        """Rows of a measurement in [start, end), by time; no `fields` means all of them.

        Raises:
            Unavailable: no answer now.
        """
