"""What is measured beside the loop of the aggregator: how much waits, and whether the time series answers."""

import asyncio
from datetime import UTC, datetime

from services.aggregator.ports import Log, Store, Unavailable
from services.aggregator.telemetry import AggregatorTelemetry

__all__ = ["measure"]

_MEASURE_S = 5.0


async def measure(log: Log, store: Store, telemetry: AggregatorTelemetry, asked: asyncio.Event) -> None:
    """Lag while idle and while stuck too; and whether the store answers before there is anything to store. For ever.

    Args:
        log: the event log.
        store: the time series.
        telemetry: is told.
        asked: set when the log was asked for the first time; before that it is not connected.
    """
    answered = False
    await asked.wait()
    while True:
        try:
            telemetry.lagging(await log.lag())
            if not answered:
                await store.select("meter", fields=("none",), end=datetime.fromtimestamp(0, UTC))
                telemetry.store_ready()
                answered = True
        except Unavailable as fault:
            telemetry.unavailable(fault)
        await asyncio.sleep(_MEASURE_S)
