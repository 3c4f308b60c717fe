"""The acknowledgement engine: which messages may be acknowledged now. Pure; knows no broker, no clock.

A message is RECEIVED, then NORMALISED or REJECTED (the same to this engine: both end in the event log), then PRODUCED,
which makes it ACKABLE; it is ACKED when everything received before it on the same connection is ackable too. MQTT
wants PUBACKs in receive order (MQTT-4.6.0-2), and an acknowledgement belongs to one connection: after a reconnect its
packet id may name another message, so what belongs to an older generation is dropped here.
"""

from collections import deque
from collections.abc import Sequence

from services.ingest.ports import Delivery

__all__ = ["AcknowledgementWindow"]


class AcknowledgementWindow:
    """Tracks the deliveries of the newest connection; releases the contiguous prefix that is safe."""

    def __init__(self) -> None:
        self._generation = 0
        self._received = 0
        self._released = 0
        self._waiting: deque[Delivery] = deque()
        self._taken: deque[tuple[int, float]] = deque()
        self._produced: set[int] = set()

    @property
    def in_flight(self) -> int:
        """Deliveries received and not yet released. The source bounds it by the receive maximum."""
        return len(self._waiting)

    def oldest_age_s(self, now_s: float) -> float:
        """Seconds since the oldest unreleased delivery was received; 0 if there is none."""
        return now_s - self._taken[0][1] if self._taken else 0.0

    def received(self, deliveries: Sequence[Delivery], now_s: float) -> None:
        """Take note of deliveries, in receive order; a newer generation empties the window.

        Args:
            deliveries: orphans (generation 0) and older generations are passed over.
            now_s: monotonic time, seconds.

        Raises:
            ValueError: a delivery is out of receive order, which a source must never do.
        """
        for delivery in deliveries:
            if delivery.generation > self._generation:
                self._begin(delivery.generation)
            if delivery.generation < self._generation or delivery.generation == 0:
                continue
            if delivery.sequence != self._received:
                raise ValueError(f"delivery {delivery.sequence} came when {self._received} was expected")
            self._received += 1
            self._waiting.append(delivery)
        if self._waiting and (not self._taken or self._taken[-1][0] < self._received):
            self._taken.append((self._received, now_s))

    def produced(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Say that these are durable downstream; returns what may be acknowledged now, in receive order."""
        self._produced.update(
            each.sequence
            for each in deliveries
            if each.generation == self._generation and self._released <= each.sequence < self._received
        )
        released: list[Delivery] = []
        while self._released in self._produced:
            self._produced.remove(self._released)
            self._released += 1
            released.append(self._waiting.popleft())
        while self._taken and self._taken[0][0] <= self._released:
            self._taken.popleft()
        return released

    def _begin(self, generation: int) -> None:
        self._generation = generation
        self._received = self._released = 0
        self._waiting.clear()
        self._taken.clear()
        self._produced.clear()
