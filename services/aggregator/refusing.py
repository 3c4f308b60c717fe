"""What the aggregator refuses, as it goes to `garonne.rejected`: sealed, with reason and stage. Pure."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from pydantic_core import to_json

from schemas.codec import CodecError, encode
from schemas.envelope import Event
from schemas.rejection import Reason, Rejected
from services.aggregator.lineprotocol import line
from services.aggregator.ports import Incoming, Point, Refusal

__all__ = ["Sealing", "Unwanted"]

_MOST_BYTES: Final = 640 * 1024
"""Of a refused record; sealed and in base 64 twice over it still fits the 2 MiB that `garonne.rejected` takes."""


class Unwanted(NamedTuple):
    """A record for `garonne.rejected`; `timestamp_ms` is the time of what was refused."""

    key: bytes
    value: bytes
    timestamp_ms: int


class Sealing:
    """How this service refuses: sealed under the key of the pseudonyms, in its own name."""

    def __init__(self, seal: Callable[[str, bytes], bytes], device: str) -> None:
        """Set up; `seal` encrypts topic and bytes, `device` is the pseudonym of this service."""
        self._seal = seal
        self._device = device

    def of_record(self, incoming: Incoming, problem: CodecError) -> Unwanted:
        """A record of the log that is no event, or one of a later version: `unsupported_version`."""
        at = datetime.fromtimestamp(incoming.timestamp_ms / 1000, UTC)
        reason: Reason = "unsupported_version" if problem.newer else "wrong_shape"
        return self._unwanted(incoming.topic, incoming.value, reason, str(problem), at)

    def of_point(self, refusal: Refusal) -> Unwanted:
        """A point that the store will never take, as line protocol, or as JSON where that cannot say it."""
        at = datetime.fromtimestamp(refusal.point.time_ns / 1e9, UTC)
        return self._unwanted(refusal.point.measurement, _said(refusal.point), refusal.reason, refusal.detail, at)

    def _unwanted(self, topic: str, content: bytes, reason: Reason, detail: str, at: datetime) -> Unwanted:
        record = Rejected(
            observed_at=at,
            received_at=at,
            clock="none",
            device=self._device,
            stage="store",
            reason=reason,
            detail=detail[:400],
            size_bytes=len(content),
            # The field decodes its input: bytes that are not base64 would be refused, or silently cut.
            sealed=b64encode(self._seal(topic, content[:_MOST_BYTES])),
        )
        event = Event(record.sealed[:16].hex(), "garonne", record)
        return Unwanted(record.device.encode(), encode(event), int(at.timestamp() * 1000))


def _said(point: Point) -> bytes:
    try:
        return line(point)
    except ValueError:
        return to_json(point, inf_nan_mode="strings")
