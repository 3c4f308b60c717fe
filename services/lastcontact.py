"""When a process last took messages, as the event log remembers it: no state of its own, wherever it is started."""

from datetime import UTC, datetime
from typing import Final

from schemas.codec import CodecError, decode
from schemas.ledger import LedgerEntry
from services.aggregator.ports import Incoming, LogUnavailable
from services.aggregator.scanning import LEDGER, Scan
from services.ingest.ports import Unavailable

__all__ = ["LastContact"]

_LOOKED_AT: Final = 2000
"""Entries at the end of each partition of the ledger: some minutes at full load, weeks on a small site."""


class LastContact:
    """Asks the ledger."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan

    async def __call__(self, device: str, run: str) -> datetime | None:
        """The beginning of the last hour in which `device` took messages before this life, `run`, by its last entry.

        `None` if the newest entries have none of it: it has never run, or so long ago that others wrote over it.

        Raises:
            Unavailable: no answer now.
        """
        newest_ms = -1
        try:
            ends = await self._scan.ends([LEDGER])
            start = {part: max(0, end - _LOOKED_AT) for part, end in ends.items()}
            async for batch in self._scan.read(ends, start=start):
                ours = [each for each in batch if each.key == device.encode() and _run_of(each) != run]
                newest_ms = max([newest_ms, *(each.timestamp_ms for each in ours)])
        except LogUnavailable as fault:
            raise Unavailable(str(fault)) from fault
        return None if newest_ms < 0 else datetime.fromtimestamp(newest_ms / 1000, UTC)


def _run_of(entry: Incoming) -> str | None:
    try:
        record = decode(entry.value).record
    except CodecError:
        return None
    return record.run if isinstance(record, LedgerEntry) else None
