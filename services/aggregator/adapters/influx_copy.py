"""Every point out of InfluxDB as line protocol, and back. Points of a bucket that is not empty are merged."""

from collections.abc import AsyncIterator, Iterable, Sequence

from services.aggregator.adapters.influx import InfluxStore, _Line
from services.aggregator.adapters.influx_answers import Verdict
from services.aggregator.adapters.influx_language import identifier, rows_of
from services.aggregator.lineprotocol import line
from services.aggregator.ports import BUCKETS, Point, Unavailable

__all__ = ["lines_back", "lines_of"]

# Both are one adapter: what they share stays out of sight of everybody else.
# ruff: noqa: SLF001


async def lines_of(store: InfluxStore, measurement: str) -> AsyncIterator[list[bytes]]:
    """Every point of a measurement, in parts of bounded size.

    Raises:
        Unavailable: no answer; what was yielded stands.
    """
    bucket = store._buckets[BUCKETS[measurement]]
    types = await store._field_types(bucket, measurement)
    if not types:
        return
    text = f"SELECT {','.join(map(identifier, sorted(types)))} FROM {identifier(measurement)} GROUP BY *"  # noqa: S608 - escaped
    async for part in store._query(bucket, text):
        yield [
            line(Point(measurement, tuple(sorted((k, v) for k, v in row.tags.items() if v)), fields, row.time_ns))
            for row in rows_of(part, types)
            if (fields := tuple(sorted(row.fields.items())))
        ]


async def lines_back(store: InfluxStore, measurement: str, parts: Iterable[Sequence[bytes]]) -> None:
    """Write lines.

    Raises:
        Unavailable: InfluxDB did not take all of them; the text says why. Once more is right.
    """
    bucket = store._buckets[BUCKETS[measurement]]
    nothing = Point(measurement, (), (), 0)
    for part in parts:
        answer = await store._persist(bucket, [_Line(nothing, each) for each in part])
        if answer.verdict is not Verdict.STORED:
            raise Unavailable(f"bucket {bucket!r}: {answer.detail}")
