"""What became of the messages of a batch: the account that `garonne audit` sums up."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, Field

from schemas.base import Model, Pseudonym, Record, Slug

__all__ = ["Account", "LedgerEntry", "Settled"]

Count = Annotated[int, Field(ge=0)]


class Account(Model):
    """The messages of one profile in a batch: received + reopened = normalised + rejected + ignored.

    `reopened` counts rejections that were brought back in; they were received, and rejected, in an earlier entry.
    """

    profile: Slug
    received: Count = 0
    reopened: Count = 0
    normalised: Count = 0
    rejected: Count = 0
    ignored: dict[str, Count] = Field(default_factory=dict, description="Messages by the rule that ignored them.")
    events: dict[str, Count] = Field(default_factory=dict, description="Events by kind.")


class Settled(Model):
    """A rejection that is settled: every copy of it up to this place in `garonne.rejected`."""

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]
    partition: Count
    offset: Count
    outcome: Literal["normalised", "ignored", "appended"]


class LedgerEntry(Record):
    """The account of one batch, written together with its events. `observed_at` is the full hour of reception.

    `run` is one life of a process, `number` counts its batches from 0. Batches up to, not with, `stored_before` are
    certainly in the event log: an entry that no later one of its run certifies may be all that is left of a batch that
    was never acknowledged. `prints` has eight bytes for each message that gave events, the first half of their id.
    """

    kind: Literal["ledger_entry"] = "ledger_entry"
    device: Pseudonym
    run: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    number: Count
    stored_before: Count = 0
    accounts: tuple[Account, ...] = ()
    prints: Base64Bytes = b""
    settled: tuple[Settled, ...] = ()
