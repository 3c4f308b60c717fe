"""Promise 2 on the real store: what InfluxDB gives back is what was computed, to the last bit."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.codec import decode
from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.ports import Store
from services.aggregator.projection import Placed, Projection
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import InfluxSettings
from tests.fakes_aggregator import MemoryLog, MemoryStore
from tests.servers.running import Influx
from tests.unit.test_aggregator_promise import PARIS, interval, reading


def _readings(chance: random.Random) -> list[Placed]:
    """Six days of two meters that send two registers apart, with jitter and glitches to zero."""
    placed = []
    for number, minutes in enumerate(range(0, 6 * 1440, 7)):
        wh = 123_456_789 + minutes * 13 + chance.choice([0, 0, 0, -3])
        shown = wh if chance.random() > 0.02 else 0
        incoming = reading(number, minutes, shown, number % 2, chance.choice(["total", "HC"]))
        placed.append(Placed(incoming, decode(incoming.value)))
    for number, minutes in enumerate(range(0, 6 * 1440, 30)):  # a curve, a day of it corrected, said in halves too
        for said, lasts in ((0, 30), (1, 30), (0, 60))[: 3 if minutes < 1440 else 1]:
            incoming = interval(90_000 + 3 * number + said + lasts, minutes, lasts, 137 + 7 * number + said, said)
            placed.append(Placed(incoming, decode(incoming.value)))
    return placed


async def _store(store: Store, placed: Sequence[Placed], size: int, restart_every: int | None = None) -> None:
    projection = Projection(MemoryLog(), store, PARIS, AggregatorTelemetry())
    for number, begin in enumerate(range(0, len(placed), size)):
        if restart_every and number % restart_every == 0:
            projection = Projection(MemoryLog(), store, PARIS, AggregatorTelemetry())
        for part in await projection.take(placed[begin : begin + size]):
            assert not (part and await store.write(part))


@pytest.mark.servers
async def test_late_readings_and_restarts_give_the_same_bits_on_influxdb(tmp_path: Path) -> None:
    """A tenth of the readings 40 hours late, a new process every third batch: as at once and in memory."""
    chance = random.Random(5)  # noqa: S311
    placed = _readings(chance)
    expected = MemoryStore()
    await _store(expected, placed, len(placed))
    late = sorted(placed, key=lambda each: each.incoming.timestamp_ms + chance.choice([0] * 9 + [40 * 3_600_000]))
    with Influx(tmp_path) as influx:
        configured = InfluxSettings(url=influx.url, org=influx.org, token_file=influx.token_file)
        async with InfluxStore(configured) as store:
            await store.ensure_buckets()
            await _store(store, late, 37, restart_every=3)
            for measurement in ("energy", "checkpoint", "meter", "interval"):
                rows = await store.select(measurement)
                found = {(tuple(sorted(row.tags.items())), row.time_ns): dict(row.fields) for row in rows}
                wanted = {
                    (tags, at): fields
                    for (name, tags), times in expected.content.items()
                    if name == measurement
                    for at, fields in times.items()
                }
                assert found == wanted
                assert wanted
