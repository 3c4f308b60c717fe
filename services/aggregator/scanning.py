"""The event log read from outside: whole topics, up to where they end now, without being a member of any group."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final, Protocol

from schemas.envelope import TOPICS
from services.aggregator.ports import Incoming, Partition

__all__ = ["EVENTS", "LEDGER", "REJECTED", "Scan"]

REJECTED: Final = "garonne.rejected"
LEDGER: Final = "garonne.ledger"
EVENTS: Final = tuple(sorted(set(TOPICS.values()) - {REJECTED, LEDGER}))
"""Topics that the aggregator reads."""


class Scan(Protocol):
    """The event log, for commands that look at it."""

    async def begins(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """The first offset that is still there, by partition; nothing for a topic that does not exist.

        Raises:
            LogUnavailable: no answer now.
        """

    async def ends(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """The offset that the next record will get, by partition; nothing for a topic that does not exist.

        Raises:
            LogUnavailable: no answer now.
        """

    def read(
        self, until: Mapping[Partition, int], from_ms: int = 0, start: Mapping[Partition, int] | None = None
    ) -> AsyncIterator[Sequence[Incoming]]:
        """Everything before the offsets `until`, in order within each partition.

        Args:
            until: from `ends`.
            from_ms: begin with the first record received at or after this; later ones may be older.
            start: leave out what lies before these offsets.

        Raises:
            LogUnavailable: no answer now; what was yielded stands.
        """

    async def committed(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """Where the aggregator's group stands; 0 where it has not begun.

        Raises:
            LogUnavailable: no answer now.
        """
