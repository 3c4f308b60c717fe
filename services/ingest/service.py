"""Ingest as it runs: source, pipeline, telemetry, and the gap that a lost session leaves in the record.

A session can be forgotten while ingest itself is down. So a process whose first connection meets a broker that knows no
session of it asks the event log when it last took messages: if it ever did, that is a gap like any other.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from schemas.envelope import Event
from schemas.status import DeviceStatus
from services.ingest.adapters.mqtt import MqttSource
from services.ingest.assembly import PROBLEMS, keys_of, read_book
from services.ingest.consentfile import ConsentFile
from services.ingest.ledger import Ledger
from services.ingest.normalise import Normaliser
from services.ingest.pipeline import Pipeline
from services.ingest.ports import Sink, Unavailable
from services.ingest.reloading import Reread, Standing, follow_configuration
from services.ingest.telemetry import IngestTelemetry
from services.runtime.http import guard_of, serve_telemetry
from services.runtime.lifecycle import Backoff
from services.runtime.registry import read_registry
from services.runtime.settings import Settings
from services.runtime.telemetry import Check

__all__ = ["run_ingest"]

_Gap = tuple[datetime, datetime]
LastContact = Callable[[str, str], Awaitable[datetime | None]]
"""When a process, by its pseudonym, last took messages in another life than this one; `None` if it never did.

Raises `Unavailable` if nobody can say now."""
_LOOK_AT_ANNOUNCEMENTS_S = 1.0
_LOOK_AT_CONSENT_S = 1.0
_LAST_GAPS_S = 5.0


class _Events:
    """Passes what happens to the connection on to telemetry, and keeps gaps for the record."""

    def __init__(self, telemetry: IngestTelemetry) -> None:
        self.gaps: asyncio.Queue[_Gap] = asyncio.Queue()
        self.unknown_since: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._telemetry = telemetry
        self._connected = False

    def connection_made(self, *, resumed: bool) -> None:
        if not self._connected and not resumed:
            self.unknown_since.set_result(datetime.now(UTC))
        self._connected = True
        self._telemetry.connection_made(resumed=resumed)

    def connection_lost(self, reason: str, retry_in_s: float) -> None:
        self._telemetry.connection_lost(reason, retry_in_s)

    def session_lost(self, missing_from: datetime, missing_until: datetime) -> None:
        self._telemetry.session_lost(missing_from, missing_until)
        self.gaps.put_nowait((missing_from, missing_until))

    def subscriptions_refused(self, number: int, reason: str) -> None:
        self._telemetry.subscriptions_refused(number, reason)

    def overflowed(self) -> None:
        self._telemetry.overflowed()


async def run_ingest(  # noqa: PLR0913 - the parts that make the service
    settings: Settings,
    normaliser: Normaliser,
    topics: Sequence[str],
    sink: Sink,
    stop: asyncio.Event,
    *,
    telemetry: IngestTelemetry | None = None,
    last_contact: LastContact | None = None,
    reread: Reread | None = None,
) -> None:
    """Run ingest until `stop` is set; unreachable servers are waited for.

    Args:
        settings: all of the configuration.
        normaliser: set up by `assembly.build_normaliser`, as are the topics.
        topics: filters to subscribe to.
        sink: the event log; closed by the caller.
        stop: set it to end.
        telemetry: metrics and health; its own if not given.
        last_contact: asks the event log; without it a session that was forgotten meanwhile is not told of.
        reread: how the configuration is read anew while messages flow; never, if not given.

    Raises:
        OSError: the port for metrics is taken.
        ExceptionGroup: a defect of ours; nothing is acknowledged that is not stored.
    """
    telemetry = telemetry or IngestTelemetry()
    telemetry.expect(topics)
    events = _Events(telemetry)
    async with (
        serve_telemetry(
            telemetry.registry,
            telemetry.health,
            settings.ingest.metrics_port,
            settings.ingest.metrics_host,
            guard_of(settings.ingest),
        ),
        MqttSource(settings.mqtt, topics, events, normaliser.announcements) as source,
        asyncio.TaskGroup() as group,
    ):
        device = normaliser.device(f"ingest:{settings.mqtt.client_id}")
        ledger = Ledger(device)
        standing = Standing(settings, normaliser)
        pipeline = Pipeline(source, sink, standing, settings.ingest, telemetry, ledger=ledger)
        _watch(telemetry, source, pipeline, settings.ingest.unhealthy_after_s)
        if (stations := normaliser.stations) is not None:
            telemetry.leaps.set_function(lambda: stations.corrected)
        recording = group.create_task(_record_gaps(events, pipeline, normaliser, settings), name="ingest-gaps")
        following = group.create_task(_follow_announcements(source, standing), name="ingest-announced")
        consenting = group.create_task(_follow_consent(standing, telemetry), name="ingest-consent")
        rereading = group.create_task(follow_configuration(standing, source, telemetry, reread), name="ingest-reread")
        remembering = group.create_task(_remember(events, device, ledger.run, last_contact), name="ingest-remember")
        async with _intake(settings, pipeline):
            await pipeline.run(stop)
        remembering.cancel()
        consenting.cancel()
        rereading.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_GAPS_S):
                await events.gaps.join()
        recording.cancel()
        following.cancel()


@asynccontextmanager
async def _intake(settings: Settings, pipeline: Pipeline) -> AsyncIterator[None]:
    """Evaluations over HTTP, where a port is set for them."""
    asked = settings.ingest
    if asked.intake_port is None or asked.intake_token_file is None:
        yield
        return
    from services.ingest.intake import serve_intake  # noqa: PLC0415 - aiohttp, which few sites need

    token = asked.intake_token_file.read_bytes().strip()
    guard = guard_of(asked)
    async with serve_intake(pipeline.take, token, asked.intake_port, asked.intake_host, guard=guard):
        yield


def _watch(telemetry: IngestTelemetry, source: MqttSource, pipeline: Pipeline, unhealthy_after_s: float) -> None:
    """Gauges are read when asked for; health turns red when acknowledgements stop."""
    telemetry.in_flight.set_function(lambda: source.waiting + pipeline.window.in_flight)
    telemetry.oldest.set_function(lambda: pipeline.window.oldest_age_s(time.monotonic()))

    def acknowledging() -> Check:
        age_s = pipeline.window.oldest_age_s(time.monotonic())
        if age_s <= unhealthy_after_s:
            return Check(ok=True, text="ok")
        return Check(ok=False, text=f"nothing could be acknowledged for {age_s:.0f} s: look at the event log")

    telemetry.health.alive("acknowledgements", acknowledging)


async def _follow_announcements(source: MqttSource, standing: Standing) -> None:
    """Subscribe to what announcements named, without dropping the session."""
    known: frozenset[str] = frozenset()
    while True:
        await asyncio.sleep(_LOOK_AT_ANNOUNCEMENTS_S)
        topics = standing.normaliser.announced_topics()
        if topics != known:
            await source.also(topics - known)
            known = topics


async def _follow_consent(standing: Standing, telemetry: IngestTelemetry) -> None:
    """A change of the consent file holds for the next messages; a faulty one changes nothing but health."""
    file: ConsentFile | None = None
    while True:
        await asyncio.sleep(_LOOK_AT_CONSENT_S)
        settings = standing.settings
        if settings.consent_file is None:
            continue
        if file is None or file.path != settings.consent_file:
            file = ConsentFile(settings.consent_file)
        if not file.changed():
            continue
        try:
            book = read_book(settings, keys_of(settings), read_registry(settings.households_file))
        except PROBLEMS:  # its text may name a household
            telemetry.consent_faulty()
        else:
            if book is not None and standing.normaliser.consent is not None:
                standing.normaliser.consent.book = book
            telemetry.consent_read()


async def _remember(events: _Events, device: str, run: str, last_contact: LastContact | None) -> None:
    """At the first connection, if the broker knows no session: whether it is the first ever, or was forgotten."""
    if last_contact is None:
        return
    back = await events.unknown_since
    backoff = Backoff()
    while True:
        try:
            before = await last_contact(device, run)
        except Unavailable:
            await backoff.wait()
            continue
        if before is not None and before < back:
            events.session_lost(before, back)
        return


async def _record_gaps(events: _Events, pipeline: Pipeline, normaliser: Normaliser, settings: Settings) -> None:
    """A gap in the flow is a record like any other."""
    while True:
        missing_from, missing_until = await events.gaps.get()
        status = DeviceStatus(
            observed_at=missing_until,
            received_at=missing_until,
            clock="utc_z",
            device=normaliser.device(f"ingest:{settings.mqtt.client_id}"),
            missing_from=missing_from,
            missing_until=missing_until,
        )
        await pipeline.emit(Event(normaliser.own_id(status.model_dump_json()), "garonne", status))
        events.gaps.task_done()
