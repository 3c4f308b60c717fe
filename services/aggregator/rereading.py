"""The log read again for what memory does not hold: late messages, and the time before a restart."""

from collections.abc import AsyncIterator

from schemas.codec import CodecError, decode
from schemas.envelope import AnyRecord
from services.aggregator.ports import Log, Partition

__all__ = ["records_since"]


async def records_since(log: Log, place: Partition, from_ms: int, until_offset: int) -> AsyncIterator[AnyRecord]:
    """The records of a partition that were received from an instant on, before an offset.

    Raises:
        Unavailable: the log cannot be read now.
    """
    async for batch in log.since(place, from_ms, until_offset):
        for incoming in batch:
            try:
                record = decode(incoming.value).record
            except CodecError:
                continue  # Was rejected when it was first read.
            yield record
