"""The account of a cell: what its messages must have become, computed without a server, and what there is."""

import asyncio
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic_core import from_json

from services.aggregator.ports import BUCKETS
from services.aggregator.scanning import EVENTS, REJECTED
from tests.e2e.ledger import Expected, Identity
from tests.servers.running import Influx

__all__ = ["Account", "Places", "Row", "log_ends", "settled"]

Places = Mapping[TopicPartition, int]
_TOPICS = (*EVENTS, REJECTED)


class Account(NamedTuple):
    """What became of the messages of a cell.

    Attributes:
        stored: points of readings, and messages of vehicles in the figures of their minutes.
        rejected: messages in `garonne.rejected`, each once.
        refused: points that the time series refused, each once.
        lost: points that must be there and are not, and rejections that are not.
        double: points that no message makes, and points with another value than an uninterrupted computation gives.
        again: records that Kafka has a second time, under the same event id.
    """

    stored: int
    rejected: int
    refused: int
    lost: int
    double: int
    again: int


class Row(NamedTuple):
    """A cell of the matrix as it was measured."""

    group: str
    fault: str
    times: int
    kills: int
    sent: int
    forgotten: int
    """By the broker itself: acknowledged to the publisher, never sent to ingest."""
    copies: int
    """Sent twice by the device."""
    account: Account
    recovery_s: float
    ingest_mib: float
    aggregator_mib: float
    connections: int
    red_after_s: float | None
    """From the beginning of the fault until health was red; `None` if it never was."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self._asdict(), "account": self.account._asdict()}


def settled(influx: Influx, bootstrap: str, wanted: Expected, since: Places) -> Account:
    """Compare; the caller has waited until nothing is on its way any more."""
    there = _stored(influx, wanted.points)
    missing = [each for each in wanted.points if each not in there]
    more = [each for each in there if each not in wanted.points]
    wrong = [each for each, fields in wanted.points.items() if each in there and there[each] != fields]
    records = asyncio.run(_records(bootstrap, since))
    events = [from_json(value)["id"] for topic, value in records if topic != REJECTED]
    rejections = [from_json(value)["data"] for topic, value in records if topic == REJECTED]
    sealed = {b64decode(each["sealed"]) for each in rejections if each["stage"] != "store"}
    refused = {b64decode(each["sealed"]) for each in rejections if each["stage"] == "store"}
    samples = sum(int(fields["samples"]) for each, fields in there.items() if each.measurement == "traffic")
    return Account(
        stored=sum(each.measurement == "meter" for each in there) + samples,
        rejected=len(sealed & wanted.refused),
        refused=len(refused),
        lost=len(missing) + len(wanted.refused - sealed),
        double=len(more) + len(wrong),
        again=max(0, len(events) - len(set(events)) - wanted.copies),
    )


def _stored(influx: Influx, wanted: Iterable[Identity]) -> dict[Identity, dict[str, Any]]:
    """What stands in the series of these points, read by the HTTP API alone."""
    found: dict[Identity, dict[str, Any]] = {}
    for name, tags in {(each.measurement, each.tags) for each in wanted}:
        where = " AND ".join(f"\"{key}\" = '{value}'" for key, value in tags)
        for row in influx.query(f'SELECT * FROM "{name}" WHERE {where}', f"garonne_{BUCKETS[name]}"):  # noqa: S608
            fields = {key: value for key, value in row.items() if value is not None and key not in dict(tags)}
            found[Identity(name, tags, fields.pop("time"))] = fields
    return found


def log_ends(bootstrap: str) -> Places:
    """Where the topics end now."""
    return asyncio.run(_ends(bootstrap))


async def _ends(bootstrap: str) -> Places:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        ends: Places = await consumer.end_offsets([TopicPartition(topic, n) for topic in _TOPICS for n in range(4)])
        return ends
    finally:
        await consumer.stop()


async def _records(bootstrap: str, since: Places) -> list[tuple[str, bytes]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(since))
        wanted = [each for each, start in since.items() if ends[each] > start]
        consumer.assign(wanted)
        for each in wanted:
            consumer.seek(each, since[each])
        found = []
        while any([await consumer.position(each) < ends[each] for each in wanted]):
            for part, records in (await consumer.getmany(timeout_ms=200)).items():
                found += [(part.topic, record.value) for record in records]
        return found
    finally:
        await consumer.stop()
