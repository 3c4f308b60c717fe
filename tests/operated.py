"""A small site in a folder, without brokers: ingest, log and aggregator are called by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Incoming, Point, Refusal, Store
from services.aggregator.telemetry import AggregatorTelemetry
from services.embedded.eventlog import SqliteLog, SqliteSink
from services.embedded.scan import SqliteScan
from services.ingest.ledger import Ledger
from services.ingest.normalise import Normaliser
from services.ingest.pipeline import outgoing
from services.ingest.ports import Delivery, Outgoing
from services.ingest.profiles import Message
from services.ingest.pseudonyms import Keys
from services.operations.rejections import Wanted, find_rejections
from services.operations.replaying import Replay, Replayed
from services.runtime.settings import AggregatorSettings
from tests.fakes_aggregator import MemoryStore

__all__ = ["AT", "KEYS", "Refusing", "World", "knows_nothing"]

AT = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)
KEYS = Keys(b"k" * 32)  # of `counting_normaliser`
_GROUP = "garonne-aggregator"


def knows_nothing() -> Normaliser:
    """A site that has no profile yet."""
    return Normaliser({}, {}, KEYS)


class Refusing(MemoryStore):
    """Refuses every point while it is ill."""

    ill = True

    async def write(self, points: Sequence[Point]) -> Sequence[Refusal]:
        """Store, or refuse for good."""
        if not self.ill:
            return await super().write(points)
        return [Refusal(each, "field_type", "is text") for each in points]


class World:
    """An event log in a file, and what is done with it."""

    def __init__(self, folder: Path, topic: str = "counting/one") -> None:
        self.topic = topic
        self.path = folder / "events.sqlite"
        self.sink = SqliteSink(self.path)
        self.scan = SqliteScan(self.path, _GROUP)
        self.ledger = Ledger("d_0000000000000000")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.sink.close()

    def batch(self, normaliser: Normaliser, payloads: Sequence[bytes], at: datetime = AT) -> list[Outgoing]:
        """What ingest sends for these messages, each received a second after the other."""
        messages = [Message(self.topic, each, at + timedelta(seconds=i)) for i, each in enumerate(payloads)]
        outcomes = [normaliser(each) for each in messages]
        deliveries = [Delivery(each, 1, i, i) for i, each in enumerate(messages)]
        entries = self.ledger.entries(deliveries, outcomes)
        return [outgoing(event) for each in outcomes for event in each.events] + entries

    async def take_in(self, normaliser: Normaliser, payloads: Sequence[bytes], minute: int = 0) -> None:
        """Take in, as ingest does it."""
        batch = self.batch(normaliser, payloads, AT + timedelta(minutes=minute))
        await self.sink.send(batch)
        self.ledger.stored(batch)

    async def replay(self, normaliser: Normaliser, *, dry: bool = False, **wanted: str) -> list[Replayed]:
        """Bring back in what is open."""
        found = (await find_rejections(self.scan, Wanted(**wanted))).still_open()  # type: ignore[arg-type]
        replay = Replay(self.scan, self.sink, normaliser, KEYS, dry=dry)
        return [each async for part in replay.run(found) for each in part]

    async def records(self, *topics: str) -> list[Incoming]:
        """What these topics hold."""
        return [each async for batch in self.scan.read(await self.scan.ends(topics)) for each in batch]

    async def open_ids(self) -> set[str]:
        """Rejections that are open."""
        return {each.id for each in (await find_rejections(self.scan, Wanted())).still_open()}

    async def aggregate(self, store: Store) -> None:
        """All that waits, as the aggregator does it."""
        log = SqliteLog(self.path, _GROUP)
        sealing = Sealing(KEYS.seal, "d_0000000000000001")
        telemetry = AggregatorTelemetry()
        pipeline = Pipeline(log, store, sealing, AggregatorSettings(), ZoneInfo("Europe/Paris"), telemetry)
        while batch := await log.poll(1000, 0):
            await pipeline.store(batch)
        await log.close()
