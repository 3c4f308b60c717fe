"""`python -m benchmarks.cores`: processor time per message of both cores, without servers: the part that is ours.

From the bytes of an MQTT message to the bytes of its Kafka record (with pseudonyms, limits and the ledger), and from
there to gzipped line protocol with windows. Processor time of this process, on one core; compare within one run.
`benchmarks.regression` runs this file against two commits, so it uses what both of them have.
"""

import argparse
import asyncio
import gc
import gzip
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.load import messages
from services.aggregator.lineprotocol import line
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Incoming, Point, Refusal
from services.aggregator.telemetry import AggregatorTelemetry
from services.ingest.pipeline import outgoing
from services.ingest.profiles import Message
from services.runtime.settings import AggregatorSettings
from tests.cases import normaliser
from tests.fakes_aggregator import MemoryLog, MemoryStore

__all__ = ["aggregate", "ingest"]

_ZONE = ZoneInfo("Europe/Paris")
_LINES = 5000
_COLLECT_AFTER = (50_000, 20, 100)
"""As the services have it (`services.running`); not imported, so that a change of it is seen as one of its own."""


class _Wire(MemoryStore):
    """A store that does with points what the real one does before it sends them, and forgets them."""

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        for first in range(0, len(points), _LINES):
            gzip.compress(b"\n".join([line(point) for point in points[first : first + _LINES]]), compresslevel=1)
        return []


def ingest(number: int) -> tuple[float, list[Incoming]]:
    """Microseconds per message, and the records that it made."""
    normalise = normaliser(_ZONE, {})
    received_at = datetime.now(UTC)
    received_ms = int(received_at.timestamp() * 1000)
    sent = [Message(topic, payload, received_at) for topic, payload in messages(number)]
    log: list[Incoming] = []
    began_s = time.process_time()
    for message in sent:
        for event in normalise(message).events:
            made = outgoing(event)
            log.append(Incoming(made.topic, 0, len(log), made.key, made.value, received_ms))
    return (time.process_time() - began_s) / number * 1e6, log


def aggregate(log: Sequence[Incoming]) -> float:
    """Microseconds per event, windows and writing included."""
    return asyncio.run(_aggregate(log))


async def _aggregate(log: Sequence[Incoming]) -> float:
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    settings: Any = AggregatorSettings()
    pipeline = Pipeline(MemoryLog(), _Wire(), sealing, settings, _ZONE, AggregatorTelemetry())
    began_s = time.process_time()
    for first in range(0, len(log), settings.batch):
        await pipeline.store(log[first : first + settings.batch])
    return (time.process_time() - began_s) / len(log) * 1e6


def main() -> None:
    """Print the two figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cores", description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    gc.set_threshold(*_COLLECT_AFTER)
    ingest_us, log = ingest(options.messages)
    sys.stdout.write(json.dumps({"ingest_us": ingest_us, "aggregate_us": aggregate(log)}) + "\n")


if __name__ == "__main__":
    main()
