"""The aggregator as it runs: pipeline, telemetry, health."""

import asyncio
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

from services.aggregator.fence import Fence
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Log, Store
from services.aggregator.surveyed import surveyed_junctions
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.http import guard_of, serve_telemetry
from services.runtime.settings import Settings
from services.runtime.telemetry import Check

__all__ = ["run_aggregator"]


async def run_aggregator(  # noqa: PLR0913, PLR0917 - what the command line puts together
    settings: Settings,
    log: Log,
    store: Store,
    seal: Callable[[str, bytes], bytes],
    device: str,
    stop: asyncio.Event,
    telemetry: AggregatorTelemetry | None = None,
    fence: Fence | None = None,
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
        fence: the one that `store` asks before it sends.

    Raises:
        JunctionProblem: the junctions file is wrong.
        OSError: the port for metrics is taken.
        ExceptionGroup: a defect of ours; nothing is committed that is not stored.
    """
    events = telemetry or AggregatorTelemetry()
    zone = ZoneInfo(settings.timezone)
    surveyed = surveyed_junctions(settings.junctions_file)
    pipeline = Pipeline(log, store, Sealing(seal, device), settings.aggregator, zone, events, surveyed, fence)
    at = settings.aggregator
    _watch(events, pipeline, at.unhealthy_after_s)
    async with serve_telemetry(events.registry, events.health, at.metrics_port, at.metrics_host, guard_of(at)):
        await pipeline.run(stop)


def _watch(telemetry: AggregatorTelemetry, pipeline: Pipeline, unhealthy_after_s: float) -> None:
    """Health turns red when nothing could be stored for too long."""
    telemetry.kept.set_function(lambda: pipeline.kept)
    telemetry.stuck.set_function(lambda: pipeline.stuck_s(time.monotonic()))

    def moving() -> Check:
        age_s = pipeline.stuck_s(time.monotonic())
        if age_s <= unhealthy_after_s:
            return Check(ok=True, text="ok")
        return Check(ok=False, text=f"no batch could be stored for {age_s:.0f} s: look at /readyz and the log")

    telemetry.health.alive("storing", moving)
