"""The ledger: with each batch of events goes one small record that says what became of its messages.

It goes into the event log in the same call as the events, before anything is acknowledged. So what was acknowledged
is in the ledger, whatever happened; and each message is named by half of its event id, so that an audit can look for
it. What one process counted is never added up anywhere: whoever sums, sums entries, each once.
"""

import secrets
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from schemas.codec import encode
from schemas.envelope import Event, key_of, topic_of
from schemas.ledger import Account, LedgerEntry, Settled
from services.ingest.normalise import Outcome
from services.ingest.ports import Delivery, Outgoing

__all__ = ["PRINT_DIGITS", "Ledger", "account_of", "hour_of", "prints_of"]

PRINT_DIGITS: Final = 16
"""Hexadecimal digits of an event id that name its message."""


def hour_of(instant: datetime) -> datetime:
    """The full hour that an instant lies in."""
    return instant.replace(minute=0, second=0, microsecond=0)


def prints_of(outcomes: Sequence[Outcome]) -> bytes:
    """Eight bytes for each message that gave events."""
    return bytes.fromhex("".join([each.events[0].id[:PRINT_DIGITS] for each in outcomes if each.events]))


def account_of(outcomes: Sequence[Outcome], *, reopened: bool = False) -> tuple[Account, ...]:
    """What became of messages, by profile."""
    by_profile: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_profile.setdefault(outcome.profile or "none", []).append(outcome)
    return tuple(_account(name, by_profile[name], reopened=reopened) for name in sorted(by_profile))


def _account(profile: str, outcomes: Sequence[Outcome], *, reopened: bool) -> Account:
    events = Counter([event.record.kind for each in outcomes for event in each.events])
    ignored = Counter([each.ignored.rule for each in outcomes if each.ignored is not None])
    rejected = events["rejected"]  # a refusal is the only event of its message
    number = len(outcomes)
    return Account(
        profile=profile,
        received=0 if reopened else number,
        reopened=number if reopened else 0,
        normalised=number - rejected - ignored.total(),
        rejected=rejected,
        ignored=dict(sorted(ignored.items())),
        events=dict(sorted((kind, each) for kind, each in events.items() if each)),
    )


class Ledger:
    """The entries of one life of a process."""

    def __init__(self, device: str) -> None:
        """Set up; `device` is the pseudonym of the process."""
        self._device = device
        self._run = secrets.token_hex(8)
        self._number = 0
        self._waiting: dict[Outgoing, int] = {}

    @property
    def run(self) -> str:
        """Names this life of the process in its entries."""
        return self._run

    def entries(self, deliveries: Sequence[Delivery], outcomes: Sequence[Outcome]) -> list[Outgoing]:
        """The entry of a batch, one for each full hour in which its messages were received."""
        first = self._number
        written = [
            self._entry(hour, account_of(some), prints_of(some), (), first)
            for hour, some in _by_hour([each.message.received_at for each in deliveries], outcomes)
        ]
        self._waiting[written[-1]] = first
        return written

    def settling(self, hour: datetime, outcomes: Sequence[Outcome], settled: Sequence[Settled]) -> Outgoing:
        """The entry of rejections of one hour that were brought back in."""
        return self._entry(hour, account_of(outcomes, reopened=True), prints_of(outcomes), tuple(settled), self._number)

    def stored(self, batch: Sequence[Outgoing]) -> None:
        """Say that the event log has a batch, whose last record is its last entry."""
        self._waiting.pop(batch[-1], None)

    def _entry(
        self, hour: datetime, accounts: tuple[Account, ...], prints: bytes, settled: tuple[Settled, ...], first: int
    ) -> Outgoing:
        number, self._number = self._number, self._number + 1
        entry = LedgerEntry(
            observed_at=hour,
            received_at=hour,
            clock="utc_z",
            device=self._device,
            run=self._run,
            number=number,
            # Batches are stored in any order: certain is what lies before the first that waits, and before this one.
            stored_before=min(self._waiting.values(), default=first),
            accounts=accounts,
            prints=b64encode(prints),
            settled=settled,
        )
        event = Event(f"{self._run}{number:016x}", "garonne", entry)
        return Outgoing(topic_of(entry), key_of(entry).encode(), encode(event), int(hour.timestamp() * 1000))


def _by_hour(times: Sequence[datetime], outcomes: Sequence[Outcome]) -> Iterator[tuple[datetime, Sequence[Outcome]]]:
    first = hour_of(min(times))
    if hour_of(max(times)) == first:  # nearly always
        yield first, outcomes
        return
    by_hour: dict[datetime, list[Outcome]] = {}
    for at, outcome in zip(times, outcomes, strict=True):
        by_hour.setdefault(hour_of(at), []).append(outcome)
    yield from sorted(by_hour.items(), key=lambda each: each[0])
