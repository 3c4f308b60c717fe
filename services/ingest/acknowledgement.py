"""The acknowledgement engine: which messages may be acknowledged now. Pure; knows no broker.

A message is RECEIVED, then NORMALISED or REJECTED, then PRODUCED, which makes it ACKABLE; it is ACKED when
everything received before it on the same connection is ackable too. MQTT wants PUBACKs in receive order
(MQTT-4.6.0-2), and an acknowledgement belongs to one connection: after a reconnect its packet id may name
another message, so acknowledgements of an older generation are dropped here.
"""

from collections import deque
from collections.abc import Sequence

from services.ingest.ports import Delivery

__all__ = ["AcknowledgementWindow"]


class AcknowledgementWindow:
    """Tracks the deliveries of the newest connection; releases the contiguous prefix that is safe."""

    def __init__(self) -> None:
        self._generation = -1
        self._next = 0
        self._waiting: deque[tuple[Delivery, float]] = deque()
        self._produced: set[int] = set()

    @property
    def in_flight(self) -> int:
        """Deliveries received and not yet released."""
        return len(self._waiting)

    def oldest_age_s(self, now_s: float) -> float:
        """Seconds since the oldest unreleased delivery was received; 0 if there is none."""
        return now_s - self._waiting[0][1] if self._waiting else 0.0

    def received(self, deliveries: Sequence[Delivery], now_s: float) -> None:
        """Take note of deliveries, in receive order; a newer generation empties the window.

        Raises:
            ValueError: a delivery is out of receive order, which the source must never do.
        """
        for delivery in deliveries:
            if delivery.generation > self._generation:
                self._generation = delivery.generation
                self._next = 0
                self._waiting.clear()
                self._produced.clear()
            if delivery.generation < self._generation:
                continue
            if delivery.sequence != self._next:
                raise ValueError(f"delivery {delivery.sequence} came when {self._next} was expected")
            self._next += 1
            self._waiting.append((delivery, now_s))

    def produced(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Say that these are durable downstream; returns what may be acknowledged now, in receive order."""
        self._produced.update(each.sequence for each in deliveries if each.generation == self._generation)
        released: list[Delivery] = []
        while self._waiting and self._waiting[0][0].sequence in self._produced:
            delivery, _ = self._waiting.popleft()
            self._produced.discard(delivery.sequence)
            released.append(delivery)
        return released
