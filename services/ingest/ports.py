"""Where ingest meets the outside: a source of MQTT messages, and a sink that is the event log.

A permanent fault is a value (`Rejected`, made by the normaliser); a transient one is `Unavailable`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from services.ingest.profiles import Message

__all__ = ["Delivery", "Outgoing", "Sink", "Source", "Unavailable"]


class Unavailable(Exception):
    """The other side cannot take it now; the same call may succeed later. Nothing was acknowledged."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message with its one-shot right to be acknowledged.

    `generation` counts connections from 1: an acknowledgement of an older connection is a no-op, because the
    packet id may name another message by now. Generation 0 is an orphan: its session is gone, nobody can
    acknowledge it, and it will not come again. `packet_id` is `None` for QoS 0, which has nothing to
    acknowledge. `sequence` counts deliveries of one generation from 0, in receive order.
    """

    message: Message
    generation: int
    sequence: int
    packet_id: int | None
    redelivered: bool = False


class Outgoing(NamedTuple):
    """A record for the event log; `timestamp_ms` is the receive time, Unix milliseconds."""

    topic: str
    key: bytes
    value: bytes
    timestamp_ms: int


class Source(Protocol):
    """Messages in, acknowledgements out. Reconnects by itself for as long as it is entered."""

    async def __aenter__(self) -> Self:
        """Connect in the background; returns at once."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; the broker keeps the session and what is unacknowledged."""

    def batches(self, limit: int, linger_s: float) -> AsyncIterator[Sequence[Delivery]]:
        """Deliveries in receive order, at least one, at most `limit`, waiting at most `linger_s` for more."""

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker that these are safe. Called in receive order; older generations are ignored."""


class Sink(Protocol):
    """The event log, for writing."""

    async def send(self, batch: Sequence[Outgoing]) -> None:
        """Store the batch durably, in order for each key.

        Raises:
            Unavailable: it is not certain that all of it is stored; sending it again is right.
        """
