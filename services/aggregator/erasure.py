"""Erased households in the event log. Pure.

A record with an empty value, Kafka's tombstone, says: what came before it in this partition under this key is
forgotten. Whoever reads the log in order, now or in a rebuild, deletes what it made of those records when it comes to
the tombstone; so the time series stay a function of the log. Where records can be overwritten (the embedded log), a
stub stands in their place: only the event's identity, for the account.

What members of the panel said lies under the key of the application. So a mark takes the tombstone's place there: the
same key, which brings it into the same partition, and the member's pseudonym as its value.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from schemas.envelope import Event
from services.aggregator.ports import Incoming, Partition, Row, Store

__all__ = [
    "CITIZEN",
    "TAG_OF",
    "Erased",
    "Stub",
    "forget_member",
    "member_rows",
    "read_mark",
    "read_stub",
    "split",
    "stub_of",
    "write_mark",
]

TAG_OF: Final = {"garonne.energy": "household", "garonne.status": "device"}
"""Topics that hold what is a household's, and the tag of the time series that their key is."""

CITIZEN: Final = "garonne.citizen"
"""Where what members of the panel said lies, under the key of its application."""

_MARK: Final = b'{"forgotten":'
_MEMBER: Final = b'{"forgotten":{"member":'


class Stub(NamedTuple):
    """What is left of an overwritten record."""

    id: str
    profile: str
    kind: str


class Erased(NamedTuple):
    """A tombstone: where it stands, and the tag and pseudonym that are forgotten, or the member of the panel."""

    partition: Partition
    offset: int
    key: bytes
    member: str | None = None

    @property
    def tags(self) -> dict[str, str]:
        """Of every point that must go; none for a member, who is a field."""
        return {} if self.member is not None else {TAG_OF[self.partition[0]]: self.key.decode()}


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


def write_mark(member: str) -> bytes:
    """The value that says of a member (a pseudonym): what came before it is forgotten."""
    return to_json({"forgotten": {"member": member}})


def read_mark(value: bytes) -> str | None:
    """The member whom a value says to forget, if it does."""
    if not value.startswith(_MEMBER):
        return None
    try:
        return str(from_json(value)["forgotten"]["member"])
    except (TypeError, ValueError, KeyError):
        return None


def split(batch: Sequence[Incoming]) -> tuple[list[Incoming], list[Erased]]:
    """The records of a batch that are to be projected, and its tombstones."""
    last: dict[tuple[Partition, bytes, str | None], int] = {}
    for each in batch:
        member = read_mark(each.value) if each.topic == CITIZEN else None
        if member is not None or (not each.value and each.topic in TAG_OF):
            last[(each.topic, each.partition), each.key, member] = each.offset
    members = [(partition, member.encode(), offset) for (partition, _, member), offset in last.items() if member]
    living = [
        each
        for each in batch
        if (each.value or each.topic not in TAG_OF)
        and each.offset > last.get(((each.topic, each.partition), each.key, None), -1)
        and not each.value.startswith(_MARK)
        and not _said_by(each, members)
    ]
    return living, [Erased(partition, offset, key, member) for (partition, key, member), offset in last.items()]


def _said_by(each: Incoming, members: Sequence[tuple[Partition, bytes, int]]) -> bool:
    """Whether a record is of a member who is forgotten after it; a pseudonym stands nowhere by chance."""
    place = (each.topic, each.partition)
    return any(place == where and each.offset < offset and name in each.value for where, name, offset in members)


async def member_rows(store: Store, member: str) -> list[Row]:
    """Everything that the time series hold of a member of the panel.

    Raises:
        Unavailable: no answer now.
    """
    return [row for row in await store.select("evaluation") if row.fields.get("member") == member]


async def forget_member(store: Store, member: str) -> None:
    """Delete what a member of the panel said: a member is a field, so each point by itself.

    Raises:
        Unavailable: not certain that all is gone; once more is right.
    """
    rows = await member_rows(store, member)
    await store.remove([("evaluation", tuple(sorted(row.tags.items())), row.time_ns) for row in rows])
