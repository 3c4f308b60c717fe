"""`python -m tests.security.fuzz`: hostile messages by the million through the normaliser and onto the wire.

Every message must end as events, as ignored by a rule, or as rejected with a reason; every event must survive the way
to Kafka and back; no profile may fail; memory must stay flat once its bounded parts are full. With `--whole` they go
on, in parts, through an event log and the aggregator into a time series, and each part is audited.

`make fuzz` is ten million of them through the normaliser and half a million through everything; it takes an hour. A
short form of both runs with the tests.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import psutil

from schemas.codec import decode, encode
from services.embedded.series import SqliteStore
from services.ingest.limits import Bounds, Limits
from services.ingest.memory import Memory
from services.ingest.normalise import Normaliser
from services.ingest.pipeline import outgoing
from services.ingest.ports import Delivery
from services.ingest.profiles import Context, Message, discover
from services.operations.accounts import Period
from services.operations.auditing import audit
from tests.cases import KEYS, NAMES, NoJunctions
from tests.operated import World
from tests.security.hostile import hostile_messages

__all__ = ["Harvest", "fuzz", "fuzz_whole", "site"]

_DECODED_EVERY = 20
_REMEMBERED = 5000
_PART = 25_000
_BATCH = 500
_MIB = 2**20


@dataclass
class Harvest:
    """What became of the messages, a message for each fault of a profile, and the memory after each part, MiB."""

    messages: int = 0
    events: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Message] = field(default_factory=dict)
    memory_mib: list[float] = field(default_factory=list)

    @property
    def growth_mib(self) -> float:
        """How much the second half of the run added at most to what the first half had reached."""
        half = len(self.memory_mib) // 2
        return max(self.memory_mib[half:], default=0.0) - max(self.memory_mib[:half], default=0.0)


def site() -> Normaliser:
    """All families. What is remembered is bounded as in production, but sooner full: a leak would show behind it."""
    mapping = {"SML.x": "volume total m3 water", "y": "active_power net kW"}
    context = Context(
        names=NAMES, zones=NoJunctions(), timezone=ZoneInfo("Europe/Paris"), mapping=mapping, memory=Memory(_REMEMBERED)
    )
    profiles = discover()
    found = Normaliser(profiles, dict.fromkeys(profiles, context), KEYS)
    found.limits = Limits(Bounds(600, 10_000), counts=_REMEMBERED, meters=_REMEMBERED)
    return found


def fuzz(messages: Iterator[Message], number: int, parts: int = 20) -> Iterator[Harvest]:
    """Put so many messages through; gives the harvest so far after each part.

    Raises:
        AssertionError: a message was not accounted for, or an event did not survive.
    """
    normalise, harvest, process = site(), Harvest(), psutil.Process()
    for _ in range(parts):
        for message in islice(messages, number // parts):
            _one(normalise, message, harvest)
        harvest.memory_mib.append(process.memory_info().rss / _MIB)
        yield harvest


def fuzz_whole(messages: Iterator[Message], number: int, part: int = _PART) -> Iterator[Harvest]:
    """The same, in parts that each have an event log and a time series of their own.

    Raises:
        AssertionError: the audit of a part finds a message or an event that is lost.
    """
    normalise, harvest, process = site(), Harvest(), psutil.Process()
    while harvest.messages < number:
        asyncio.run(_whole(normalise, list(islice(messages, min(part, number - harvest.messages))), harvest))
        harvest.memory_mib.append(process.memory_info().rss / _MIB)
        yield harvest


async def _whole(normalise: Normaliser, messages: list[Message], harvest: Harvest) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with World(Path(folder)) as world, SqliteStore(Path(folder) / "series.sqlite") as store:
            for first in range(0, len(messages), _BATCH):
                batch = messages[first : first + _BATCH]
                outcomes = [normalise(each) for each in batch]
                deliveries = [Delivery(each, 1, first + i, first + i) for i, each in enumerate(batch)]
                entries = world.ledger.entries(deliveries, outcomes)
                records = [outgoing(event) for each in outcomes for event in each.events] + entries
                await world.sink.send(records)
                world.ledger.stored(records)
                harvest.messages += len(batch)
                harvest.events += sum(len(each.events) for each in outcomes)
            await world.aggregate(store)
            result = await audit(world.scan, store, KEYS, Period(), kept=None)
            lost = result.differences
            assert lost == [], lost[:5]
            received = sum(each.received for each in result.accounts.values())
            assert received == len(messages), (received, len(messages))


def _one(normalise: Normaliser, message: Message, harvest: Harvest) -> None:
    outcome = normalise(message)
    harvest.messages += 1
    assert bool(outcome.events) != (outcome.ignored is not None), (message.topic, message.payload)
    rejected = outcome.rejected
    if rejected is not None:
        if rejected.reason == "profile_fault":
            harvest.faults.setdefault(rejected.detail, message)
        harvest.ends[f"rejected {rejected.reason}"] += 1
    else:
        harvest.ends["events" if outcome.events else "ignored"] += 1
    for event in outcome.events:
        wire = encode(event)
        harvest.events += 1
        if harvest.events % _DECODED_EVERY == 0:
            assert decode(wire) == event, (message.topic, message.payload)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=33)
    parser.add_argument("--whole", action="store_true", help="through an event log and the aggregator as well")
    parser.add_argument("--parts", type=int, default=100, help="how often memory is looked at")
    parser.add_argument("--growth-mib", type=float, default=64.0, help="what the second half may add to memory")
    arguments = parser.parse_args()
    began = time.monotonic()
    harvest = Harvest()
    messages = hostile_messages(arguments.seed)
    number, parts = arguments.messages, arguments.parts
    for harvest in fuzz_whole(messages, number) if arguments.whole else fuzz(messages, number, parts):
        rate = harvest.messages / (time.monotonic() - began)
        print(f"{harvest.messages:>12,} messages {rate:>8,.0f}/s {harvest.memory_mib[-1]:>7.1f} MiB", flush=True)
    for end, count in harvest.ends.most_common():
        print(f"{end:<32}{count:>12,}")
    for detail, message in harvest.faults.items():
        print(f"{detail}\n    {message}")
    print(f"the second half added {harvest.growth_mib:.1f} MiB; {harvest.events:,} events")
    return 1 if harvest.faults or harvest.growth_mib > arguments.growth_mib else 0


if __name__ == "__main__":
    sys.exit(main())
