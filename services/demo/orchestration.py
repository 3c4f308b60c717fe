"""The course of a demonstration: broker, services, a city that publishes, the account, the report."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

from rich.console import Console

from services.demo.checking import Comparison, compare
from services.demo.display import Display, table_of
from services.demo.figures import Counting, Figures, Metrics
from services.demo.processes import Service, ServiceEnded
from services.demo.site import NoDemoFolder, Ports, write_site
from services.embedded.broker import BrokerProblem, EmbeddedBroker
from services.reporting import ReportProblem, make_report
from services.runtime.settings import Settings, read_settings
from services.simulator import Bordeaux, BrokerGone, Publisher, last_two_winters

__all__ = ["DemoProblem", "Options", "run_demo"]

_MOST_ON_THEIR_WAY: Final = 30_000
"""Messages that may wait in the broker for ingest: some 20 MB."""

_KEPT_BYTES: Final = 128 * 1024 * 1024
"""What the broker holds of a filter before it forgets: six times what may wait."""

_FORMATS: Final = ("html", "json")
_START_S: Final = 60.0
_STALLED_S: Final = 60.0
_LOOK_S: Final = 0.25


class DemoProblem(Exception):
    """The demonstration cannot go on; the text says why and what to do."""


@dataclass(frozen=True)
class Options:
    """How large the city is, and where everything is written. `days` of each winter; `None` is all of it."""

    folder: Path = Path("var/demo")
    language: Literal["fr", "en"] = "fr"
    seed: int = 33
    families: int = 100
    teams: int = 12
    days: int | None = None
    junctions: int = 12
    traffic_minutes: int = 40


@dataclass(frozen=True)
class Result:
    """What a demonstration gives: the city with its truth, the last figures, the comparison, the report."""

    city: Bordeaux
    settings: Settings
    figures: Figures
    comparison: Comparison
    report: list[Path]


def run_demo(options: Options, console: Console, *, today: date | None = None) -> Result:
    """Run it from beginning to end.

    Raises:
        DemoProblem: something cannot start, ended by itself, or a message is not accounted for.
    """
    city = Bordeaux(
        last_two_winters(today or date.today(), options.days),  # noqa: DTZ011 - the operator's own day
        int(time.time()),
        seed=options.seed,
        families=options.families,
        teams=min(options.teams, options.families),
        junctions=options.junctions,
        traffic_minutes=options.traffic_minutes,
    )
    try:
        settings, figures = _flow(options, city, console)
    except (BrokerProblem, BrokerGone, ServiceEnded, NoDemoFolder, OSError) as problem:
        raise DemoProblem(str(problem)) from problem
    console.print(table_of(figures))
    if not figures.published == figures.accounted == figures.received:
        raise DemoProblem("not every message is accounted for: this is a defect, please report it with the logs")
    console.print(
        "Every message is accounted for: published = stored + rejected + ignored.", style="green", soft_wrap=True
    )
    comparison = asyncio.run(compare(settings, city))
    console.print(
        f"Stored against simulated: the energy of {comparison.homes} homes differs by at most "
        f"{comparison.largest_winter_kwh:.3f} kWh in a winter; of {comparison.vehicles_true} vehicles, by junction "
        f"and minute, {comparison.vehicles_stored} are counted.",
        highlight=False,
        soft_wrap=True,
    )
    if not comparison.holds:
        raise DemoProblem("what is stored is not what was simulated: this is a defect, please report it with the logs")
    try:
        report = asyncio.run(_reports(settings, city, options))
    except ReportProblem as problem:
        raise DemoProblem(f"the report cannot be made: {problem}") from problem
    return Result(city, settings, figures, comparison, report)


def _flow(options: Options, city: Bordeaux, console: Console) -> tuple[Settings, Figures]:
    """From the first message to the last one stored."""
    folder = options.folder.resolve()
    with ExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker(kept_bytes=_KEPT_BYTES))
        ports = Ports(broker.port_v3, broker.port_v5, *_free_ports())
        configuration = write_site(folder, city, ports)
        settings = read_settings(configuration)
        console.print(f"Configuration, key and registry: {options.folder}", highlight=False)
        services = [stack.enter_context(Service(command, configuration)) for command in ("ingest", "aggregate")]
        publisher = Publisher(settings.mqtt.host, ports.mqtt_v3)
        counting = Counting(
            Metrics(ports.ingest_metrics),
            folder / "events.sqlite",
            settings.kafka.group,
            lambda: (publisher.published, publisher.acknowledged),
        )
        stack.callback(counting.close)
        _until_connected(counting, services)
        stack.enter_context(publisher)
        with Display(console, city.expected()) as display:
            return settings, _publish(city, publisher, _Watch(counting, services, display))


def _free_ports() -> tuple[int, int]:
    import socket  # noqa: PLC0415
    from contextlib import closing  # noqa: PLC0415

    with (
        closing(socket.create_server(("127.0.0.1", 0))) as one,
        closing(socket.create_server(("127.0.0.1", 0))) as other,
    ):
        return int(one.getsockname()[1]), int(other.getsockname()[1])


def _until_connected(counting: Counting, services: list[Service]) -> None:
    """Nothing may be published before ingest has its session: the broker keeps messages for subscribers only."""
    patience_ends = time.monotonic() + _START_S
    while not counting.connected():
        for service in services:
            service.check()
        if time.monotonic() > patience_ends:
            raise DemoProblem(f"ingest does not connect to the broker: see {services[0].log}")
        time.sleep(0.05)


class _Watch:
    """Reads and shows the figures beside the publishing, and wakes who waits for them."""

    def __init__(self, counting: Counting, services: list[Service], display: Display) -> None:
        self.figures = Figures()
        self.doing = "A city begins to publish"
        self.problem: Exception | None = None
        self._counting = counting
        self._services = services
        self._display = display
        self._news = threading.Condition()
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name="demo-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            try:
                for service in self._services:
                    service.check()
                self.figures = self._counting.read()
                self._display.show(self.doing, self.figures)
            except Exception as problem:  # noqa: BLE001 - whatever it is, who waits must know
                self.problem = problem
            with self._news:
                self._news.notify_all()

    def look(self) -> Figures:
        """Wait for the next figures.

        Raises:
            Exception: what went wrong while they were read.
        """
        with self._news:
            self._news.wait(_STALLED_S)
        if self.problem is not None:
            raise self.problem
        return self.figures


def _publish(city: Bordeaux, publisher: Publisher, watch: _Watch) -> Figures:
    with watch.running():
        _publish_live(city, publisher, watch)
        for message in city.messages():
            if publisher.published - watch.figures.received > _MOST_ON_THEIR_WAY:
                _wait(watch, lambda figures: publisher.published - figures.received <= _MOST_ON_THEIR_WAY // 2)
            if watch.problem is not None:
                raise watch.problem
            publisher.publish(message)
        _wait(watch, lambda figures: figures.received >= publisher.published)
        _publish_live(city, publisher, watch)
        publisher.wait()
        watch.doing = "Everything is published; the last messages are on their way"
        return _wait(watch, lambda figures: figures.lag <= 0 and figures.received >= publisher.published)


def _publish_live(city: Bordeaux, publisher: Publisher, watch: _Watch) -> None:
    """A frame of each meter without a clock, first and last of all: it belongs to the moment of its arrival.

    Nothing else is on its way meanwhile. Two frames that waited beside other messages could arrive in one instant, and
    would rightly be one reading.
    """
    for frame in city.frames_now():
        publisher.publish(frame)
    _wait(watch, lambda figures: figures.received >= publisher.published)


def _wait(watch: _Watch, done: Callable[[Figures], bool]) -> Figures:
    """Wait until the figures are so; gives up when nothing moves any more."""
    moved_s, before = time.monotonic(), watch.figures.accounted
    while not done(figures := watch.look()):
        if figures.accounted != before:
            moved_s, before = time.monotonic(), figures.accounted
        elif time.monotonic() - moved_s > _STALLED_S:
            raise DemoProblem(f"{figures.lag} messages have been on their way for a minute and do not arrive")
    return figures


async def _reports(settings: Settings, city: Bordeaux, options: Options) -> list[Path]:
    """Of the challenge, and of the day's traffic: each has its own period."""
    baseline, challenge = city.winters
    challenged = make_report(
        settings,
        start=challenge.first,
        end=challenge.after,
        baseline_start=baseline.first,
        baseline_end=baseline.after,
        language=options.language,
        formats=_FORMATS,
        audience="members",  # the coach wants to see the teams
        folder=options.folder / "report" / "familles",
        wanted=("familles",),
    )
    first, last = city.traffic_days
    watched = make_report(
        settings,
        start=first,
        end=last + timedelta(days=1),
        baseline_start=None,
        baseline_end=None,
        language=options.language,
        formats=_FORMATS,
        audience="members",  # the coach wants to see the teams
        folder=options.folder / "report" / "compass4d",
        wanted=("compass4d",),
    )
    return [*await challenged, *await watched]
