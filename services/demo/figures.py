"""The live figures of a demonstration: read where an operator reads them, at /metrics and in the event log."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from services.embedded.eventlog import SqliteLog

__all__ = ["REJECTED", "Counting", "Figures", "Metrics"]

REJECTED: Final = "garonne.rejected"
_TOPICS: Final = ("garonne.energy", "garonne.mobility", "garonne.citizen", "garonne.status")
_TIMEOUT_S: Final = 5.0
_COPY: Final = "hazard_nearby"
"""A warning is told to the junctions in its reach too: one message, several events."""


@dataclass(frozen=True)
class Figures:
    """Messages, from the publisher to the time series.

    `normalised` messages made events; `events` of them are in the log, and `stored` of these are in the time series.
    """

    published: int = 0
    acknowledged: int = 0
    received: int = 0
    normalised: int = 0
    rejected: int = 0
    ignored: int = 0
    events: int = 0
    stored: int = 0

    @property
    def lag(self) -> int:
        """Messages that are published and not yet stored, rejected or ignored."""
        return self.published - self.accounted

    @property
    def accounted(self) -> int:
        """Messages whose end is known."""
        return self.stored + self.rejected + self.ignored


class Metrics:
    """What `/metrics` of a service says, summed over labels."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"

    def read(self) -> dict[str, float]:
        """Value by name; empty while the service does not answer."""
        try:
            with urllib.request.urlopen(self._url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - http, loopback
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return {}
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
                if sample.labels.get("kind") == _COPY:
                    copies = f"{sample.name}:{_COPY}"
                    sums[copies] = sums.get(copies, 0.0) + sample.value
        return sums


class Counting:
    """Reads all figures; for one thread."""

    def __init__(self, ingest: Metrics, events: Path, group: str, published: Callable[[], tuple[int, int]]) -> None:
        """Set up.

        Args:
            ingest: metrics of ingest.
            events: file of the event log.
            group: the reader whose progress counts as stored.
            published: says how many messages were published, and how many of them the broker acknowledged.
        """
        self._ingest = ingest
        self._published = published
        self._waiting = SqliteLog(events, group, _TOPICS)
        # A reader that commits nothing: to it all records wait.
        self._all = SqliteLog(events, "demo-counts", (*_TOPICS, REJECTED))
        self._loop = asyncio.Runner()
        self._last: dict[str, float] = {}

    def connected(self) -> bool:
        """Whether ingest is connected and subscribed."""
        return self._ingest.read().get("garonne_ingest_connected") == 1.0

    def read(self) -> Figures:
        """The figures now. What comes later in the flow is read first, so that nothing seems to appear from nowhere."""
        waiting, everything = self._loop.run(self._lags())
        metrics = self._last = self._ingest.read() or self._last
        rejected = everything.pop(REJECTED, 0)
        events = sum(everything.values()) - _whole(metrics, "garonne_ingest_events", f":{_COPY}")
        received, ignored = (
            _whole(metrics, "garonne_ingest_messages_received"),
            _whole(metrics, "garonne_ingest_ignored"),
        )
        published, acknowledged = self._published()
        return Figures(
            published=published,
            acknowledged=acknowledged,
            received=received,
            normalised=received - ignored - _whole(metrics, "garonne_ingest_rejected"),
            rejected=rejected,
            ignored=ignored,
            events=events,
            stored=events - waiting,
        )

    async def _lags(self) -> tuple[int, dict[str, int]]:
        everything = {topic: number for (topic, _), number in (await self._all.lag()).items()}
        return sum((await self._waiting.lag()).values()), everything

    def close(self) -> None:
        """Close the files."""
        self._loop.run(self._waiting.close())
        self._loop.run(self._all.close())
        self._loop.close()


def _whole(metrics: dict[str, float], name: str, of: str = "") -> int:
    return int(metrics.get(f"{name}_total{of}", 0))
