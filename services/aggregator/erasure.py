"""Erased households in the event log. Pure.

A record with an empty value, Kafka's tombstone, says: what came before it in this partition under this key is
forgotten. Whoever reads the log in order, now or in a rebuild, deletes what it made of those records when it comes to
the tombstone; so the time series stay a function of the log. Where records can be overwritten (the embedded log), a
stub stands in their place: only the event's identity, for the account.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from schemas.envelope import Event
from services.aggregator.ports import Incoming, Partition

__all__ = ["TAG_OF", "Erased", "Stub", "read_stub", "split", "stub_of"]

TAG_OF: Final = {"garonne.energy": "household", "garonne.status": "device"}
"""Topics that hold what is a household's, and the tag of the time series that their key is."""

_MARK: Final = b'{"forgotten":'


class Stub(NamedTuple):
    """What is left of an overwritten record."""

    id: str
    profile: str
    kind: str


class Erased(NamedTuple):
    """A tombstone: where it stands, and the tag and pseudonym that are forgotten."""

    partition: Partition
    offset: int
    key: bytes

    @property
    def tags(self) -> dict[str, str]:
        """Of every point that must go."""
        return {TAG_OF[self.partition[0]]: self.key.decode()}


def stub_of(event: Event) -> bytes:
    """What takes the place of an event."""
    return to_json({"forgotten": Stub(event.id, event.profile, event.record.kind)._asdict()})


def read_stub(value: bytes) -> Stub | None:
    """The stub that a value is, if it is one."""
    if not value.startswith(_MARK):
        return None
    try:
        return Stub(**from_json(value)["forgotten"])
    except (TypeError, ValueError):
        return None


def split(batch: Sequence[Incoming]) -> tuple[list[Incoming], list[Erased]]:
    """The records of a batch that are to be projected, and its tombstones."""
    last = {
        ((each.topic, each.partition), each.key): each.offset
        for each in batch
        if not each.value and each.topic in TAG_OF
    }
    living = [
        each
        for each in batch
        if (each.value or each.topic not in TAG_OF)
        and each.offset > last.get(((each.topic, each.partition), each.key), -1)
        and read_stub(each.value) is None
    ]
    return living, [Erased(partition, offset, key) for (partition, key), offset in last.items()]
