"""Leaving Kafka in bounded time, whatever state the connection is in."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

__all__ = ["close", "finish"]

_CLOSING_S: Final = 5.0


async def close(consumer: AIOKafkaConsumer) -> None:
    """Leave the group and disconnect, part by part.

    aiokafka's own `stop` raises the CancelledError of the fetches that it cancels: it leaves the sockets open, and our
    caller would take itself for cancelled and end without a word.
    """
    consumer._closed = True  # noqa: SLF001 - else it complains that nobody called `stop`
    if consumer._coordinator is not None:  # noqa: SLF001 - not yet, if it could not be started
        await finish(consumer._coordinator.close())  # noqa: SLF001
    if consumer._fetcher is not None:  # noqa: SLF001
        for task in consumer._fetcher._pending_tasks:  # noqa: SLF001
            task.cancel()
        await finish(consumer._fetcher.close())  # noqa: SLF001
    await finish(consumer._client.close())  # noqa: SLF001


async def finish(closing: Coroutine[Any, Any, object]) -> None:
    """Give something that closes its time; how it ends is of no interest, and its cancellation is not ours."""
    task = asyncio.ensure_future(closing)
    try:
        await asyncio.wait({task}, timeout=_CLOSING_S)
    finally:
        task.cancel()
    await asyncio.wait({task}, timeout=_CLOSING_S)
    if task.done() and not task.cancelled():
        task.exception()
