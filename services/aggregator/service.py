"""The aggregator as it runs: pipeline, telemetry, health."""

import asyncio
from collections.abc import Callable
from zoneinfo import ZoneInfo

from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Log, Store
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.http import serve_telemetry
from services.runtime.settings import Settings

__all__ = ["run_aggregator"]


async def run_aggregator(  # noqa: PLR0913, PLR0917 - what the command line puts together
    settings: Settings,
    log: Log,
    store: Store,
    seal: Callable[[str, bytes], bytes],
    device: str,
    stop: asyncio.Event,
    telemetry: AggregatorTelemetry | None = None,
) -> None:
    """Run the aggregator until `stop` is set.

    Args:
        settings: the configuration.
        log: the event log.
        store: the time series.
        seal: encrypts topic and bytes of what is refused.
        device: pseudonym under which this service refuses.
        stop: ends it.
        telemetry: metrics and health, made anew if not given.

    Raises:
        OSError: the port for metrics is taken.
    """
    events = telemetry or AggregatorTelemetry()
    zone = ZoneInfo(settings.timezone)
    pipeline = Pipeline(log, store, Sealing(seal, device), settings.aggregator, zone, events)
    at = settings.aggregator
    async with serve_telemetry(events.registry, events.health, at.metrics_port, at.metrics_host):
        await pipeline.run(stop)
