"""The services as the command line starts them: which adapters, how they stop."""

import asyncio
import errno
import gc
import hashlib
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.envelope import Event
from schemas.status import DeviceStatus
from services.ingest.assembly import PROBLEMS
from services.runtime.lifecycle import ask_on_hangup, stop_on_signals
from services.runtime.settings import ConfigurationProblem, Settings, read_settings
from services.runtime.starting import problems_at_start
from services.runtime.telemetry import log_to_stderr
from services.runtime.usage import Meter, tell_usage

if TYPE_CHECKING:
    from services.aggregator.fence import Fence
    from services.aggregator.ports import Log, Store
    from services.aggregator.scanning import Scan
    from services.ingest.ports import Sink
    from services.ingest.telemetry import IngestTelemetry

__all__ = ["StartProblem", "open_log", "open_scan", "open_sink", "open_store", "serve"]


_COLLECT_AFTER: Final = (50_000, 50, 100)
"""Batches are thousands of objects without cycles. At Python's default of 700 the collector walks them again and
again: that is 30 % of the aggregator's time (200 µs of CPU per event against 141)."""


class StartProblem(Exception):
    """A service cannot start; the text says what to do."""


def serve(settings: Settings, *, ingest: bool, aggregate: bool, file: Path | None = None) -> None:
    """Run until SIGTERM or SIGINT, then finish what is on its way.

    Both services together have the embedded broker with them, if the configuration says so: it is there before them
    and goes after them. At SIGHUP ingest reads the configuration of `file` anew; the aggregator takes it at its start.

    Raises:
        StartProblem: the configuration cannot work.
    """
    if problems := list(problems_at_start(settings, ingest=ingest, aggregate=aggregate)):
        raise StartProblem("\n".join(problems))
    log_to_stderr()
    gc.set_threshold(*_COLLECT_AFTER)
    try:
        with ExitStack() as stack:
            if ingest and aggregate and settings.embedded.broker:
                _start_broker(settings, stack)
            _run(_serve(settings, file, ingest=ingest, aggregate=aggregate))
    except ExceptionGroup as group:
        known, others = group.split((*PROBLEMS, ConfigurationProblem, OSError))
        if known is None or others is not None:
            raise
        raise StartProblem("; ".join(_plain(each) for each in known.exceptions)) from group


def _plain(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.errno == errno.EADDRINUSE:
        return f"{problem.strerror}; set ingest.metrics_port and aggregator.metrics_port to ports that are free"
    return str(problem)


def _start_broker(settings: Settings, stack: ExitStack) -> None:
    from services.embedded.broker import BrokerProblem, EmbeddedBroker  # noqa: PLC0415

    own = settings.embedded
    broker = EmbeddedBroker(host=own.broker_host, port_v3=own.devices_port, port_v5=settings.mqtt.port)
    try:
        stack.enter_context(broker)
    except BrokerProblem as problem:
        raise StartProblem(str(problem)) from problem


def _run(main: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _serve(settings: Settings, file: Path | None, *, ingest: bool, aggregate: bool) -> None:
    stop, asked = asyncio.Event(), asyncio.Event()
    with stop_on_signals(stop), ask_on_hangup(asked):
        await run_services(settings, stop, asked, file, ingest=ingest, aggregate=aggregate)


async def run_services(  # noqa: PLR0913 - what a process is started with
    settings: Settings, stop: asyncio.Event, asked: asyncio.Event, file: Path | None, *, ingest: bool, aggregate: bool
) -> None:
    """Run the services in this loop until `stop` is set; ingest reads `file` anew each time that `asked` is."""
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        sink = await stack.enter_async_context(open_sink(settings))
        telemetry = None
        if ingest:
            from services.ingest.assembly import build_normaliser  # noqa: PLC0415
            from services.ingest.reloading import Reread  # noqa: PLC0415
            from services.ingest.service import run_ingest  # noqa: PLC0415
            from services.ingest.telemetry import IngestTelemetry  # noqa: PLC0415
            from services.lastcontact import LastContact  # noqa: PLC0415

            telemetry = IngestTelemetry()
            normaliser, topics = build_normaliser(settings)
            memory = None if settings.embedded.broker else LastContact(open_scan(settings))  # that broker keeps nothing
            reread = Reread(asked, lambda: read_settings(file))
            running = run_ingest(
                settings, normaliser, topics, sink, stop, telemetry=telemetry, last_contact=memory, reread=reread
            )
            group.create_task(running, name="ingest")
        if aggregate:
            from services.aggregator.fence import Fence  # noqa: PLC0415
            from services.aggregator.service import run_aggregator  # noqa: PLC0415
            from services.ingest.assembly import keys_of  # noqa: PLC0415

            keys = keys_of(settings)
            device = keys.pseudonym("device", f"aggregator:{settings.kafka.group}")
            log = await stack.enter_async_context(open_log(settings))
            fence = Fence(log)
            store = await stack.enter_async_context(open_store(settings, fence))
            group.create_task(
                run_aggregator(settings, log, store, keys.seal, device, stop, fence=fence), name="aggregate"
            )
        group.create_task(_tell_usage(settings, sink, telemetry, stop), name="usage")


async def _tell_usage(
    settings: Settings, sink: "Sink", telemetry: "IngestTelemetry | None", stop: asyncio.Event
) -> None:
    """Put what this process uses into the event log, once for the process, whatever services run in it."""
    from services.ingest.assembly import keys_of  # noqa: PLC0415
    from services.ingest.pipeline import outgoing  # noqa: PLC0415
    from services.ingest.ports import Unavailable  # noqa: PLC0415

    name = f"aggregator:{settings.kafka.group}" if telemetry is None else f"ingest:{settings.mqtt.client_id}"
    run = secrets.token_hex(8)

    async def tell(status: DeviceStatus) -> bool:
        said = f"{run}{status.observed_at.isoformat()}".encode()
        event = Event(hashlib.blake2b(said, digest_size=16).hexdigest(), "garonne", status)
        try:
            await sink.send([outgoing(event)])
        except Unavailable:
            return False
        return True

    meter = Meter(lambda: 0 if telemetry is None else telemetry.events_made())
    await tell_usage(meter, keys_of(settings).pseudonym("device", name), tell, stop)


@asynccontextmanager
async def open_sink(settings: Settings) -> "AsyncIterator[Sink]":
    """The event log, for writing."""
    if settings.storage == "embedded":
        from services.embedded.eventlog import SqliteSink  # noqa: PLC0415

        embedded = SqliteSink(settings.embedded.folder / "events.sqlite")
        try:
            yield embedded
        finally:
            await embedded.close()
        return
    from services.ingest.adapters.kafka import KafkaSink  # noqa: PLC0415

    sink = KafkaSink(settings.kafka)
    try:
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def open_log(settings: Settings) -> "AsyncIterator[Log]":
    """The event log, for reading."""
    if settings.storage == "embedded":
        from services.embedded.eventlog import SqliteLog  # noqa: PLC0415

        embedded = SqliteLog(settings.embedded.folder / "events.sqlite", settings.kafka.group)
        try:
            yield embedded
        finally:
            await embedded.close()
        return
    from services.aggregator.adapters.kafka import KafkaLog  # noqa: PLC0415

    log = KafkaLog(settings.kafka)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def open_store(settings: Settings, sure: "Fence | None" = None) -> "AsyncIterator[Store]":
    """The time series. `sure` is asked before each request of a write; an embedded one is this process's alone."""
    if settings.storage == "embedded":
        from services.embedded.series import SqliteStore  # noqa: PLC0415

        embedded = SqliteStore(settings.embedded.folder / "series.sqlite")
        try:
            yield embedded
        finally:
            await embedded.close()
        return
    from services.aggregator.adapters.influx import InfluxStore  # noqa: PLC0415

    store = InfluxStore(settings.influxdb, sure=sure)
    try:
        yield store
    finally:
        await store.close()


def open_scan(settings: Settings) -> "Scan":
    """The event log, for looking at all of it; keeps no connection open."""
    if settings.storage == "embedded":
        from services.embedded.scan import SqliteScan  # noqa: PLC0415

        return SqliteScan(settings.embedded.folder / "events.sqlite", settings.kafka.group)
    from services.aggregator.adapters.kafka_scan import KafkaScan  # noqa: PLC0415

    return KafkaScan(settings.kafka)
