"""Ingest as it runs: source, pipeline, telemetry, and the gap that a lost session leaves in the record."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from schemas.envelope import Event
from schemas.status import DeviceStatus
from services.ingest.adapters.mqtt import MqttSource
from services.ingest.normalise import Normaliser
from services.ingest.pipeline import Pipeline
from services.ingest.ports import Sink
from services.ingest.telemetry import IngestTelemetry
from services.runtime.http import serve_telemetry
from services.runtime.settings import Settings
from services.runtime.telemetry import Check

__all__ = ["run_ingest"]


class _SessionEvents(IngestTelemetry):
    """Telemetry that also remembers gaps, to be put into the log."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: asyncio.Queue[tuple[datetime, datetime]] = asyncio.Queue()

    def session_lost(self, missing_from: datetime, missing_until: datetime) -> None:
        super().session_lost(missing_from, missing_until)
        self.health.ready("session", f"messages may be missing from {missing_from:%F %T} to {missing_until:%F %T} UTC")
        self.gaps.put_nowait((missing_from, missing_until))


async def run_ingest(  # noqa: PLR0913, PLR0917 - what the command line puts together
    settings: Settings,
    normaliser: Normaliser,
    topics: Sequence[str],
    sink: Sink,
    stop: asyncio.Event,
    telemetry: IngestTelemetry | None = None,
) -> None:
    """Run ingest until `stop` is set.

    Raises:
        OSError: the port for metrics is taken.
    """
    events = _SessionEvents() if telemetry is None else telemetry
    async with MqttSource(settings.mqtt, topics, events) as source:
        pipeline = Pipeline(source, sink, normaliser, settings.ingest, events)
        _watch(events, pipeline, settings)
        async with serve_telemetry(events.registry, events.health, settings.ingest.metrics_port):
            gaps = asyncio.create_task(_record_gaps(events, pipeline, normaliser, settings), name="ingest-gaps")
            try:
                await pipeline.run(stop)
            finally:
                gaps.cancel()


def _watch(events: IngestTelemetry, pipeline: Pipeline, settings: Settings) -> None:
    """Gauges are read when asked for; health turns red when acknowledgements stop."""
    events.in_flight.set_function(lambda: pipeline.window.in_flight)
    events.oldest.set_function(lambda: pipeline.window.oldest_age_s(time.monotonic()))

    def acknowledging() -> Check:
        age_s = pipeline.window.oldest_age_s(time.monotonic())
        if age_s <= settings.ingest.unhealthy_after_s:
            return Check(ok=True, text="ok")
        return Check(ok=False, text=f"nothing could be acknowledged for {age_s:.0f} s: look at the event log")

    events.health.alive("acknowledgements", acknowledging)


async def _record_gaps(events: IngestTelemetry, pipeline: Pipeline, normaliser: Normaliser, settings: Settings) -> None:
    """A gap in the flow is a record like any other."""
    if not isinstance(events, _SessionEvents):
        return
    while True:
        missing_from, missing_until = await events.gaps.get()
        now = datetime.now(UTC)
        status = DeviceStatus(
            observed_at=missing_until,
            received_at=now,
            clock="utc_z",
            device=normaliser.device(f"ingest:{settings.mqtt.client_id}"),
            missing_from=missing_from,
            missing_until=missing_until,
        )
        await pipeline.emit(Event(normaliser.own_id(status.model_dump_json()), "garonne", status))
