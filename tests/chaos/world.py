"""Where the matrix is played: the real servers, proxies before two of them, both services, and the account."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Final, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.envelope import TOPICS
from tests.chaos.account import Row, log_ends, settled
from tests.chaos.influxproxy import InfluxProxy
from tests.chaos.load import cell_load
from tests.chaos.witness import Witness
from tests.e2e.ledger import expected, until_committed
from tests.e2e.publisher import Publisher, Sent
from tests.e2e.site import GARONNE, Service, Site, wait_until
from tests.servers.running import KafkaCluster, free_port

__all__ = ["WINDOW", "Cell", "Failing", "World", "environment_seed"]

_LOOK_S: Final = 0.2
_PATIENCE_S: Final = 600.0
WINDOW: Final = 1000
"""`max_inflight_messages` of Mosquitto; to MQTT 5 it sends up to the receive maximum."""


class Failing(Service):
    """A service that ends itself where it is told to (`tests.chaos.failing`)."""

    def command(self) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "tests.chaos.failing", self._command, "-c", str(self._configuration)]

    def fault(self, **fault: Any) -> None:
        """What is to fail in its next life; nothing if nothing is given."""
        (self.data / "fault.json").write_text(json.dumps(fault), "utf-8")

    def clock(self, offset_s: float) -> None:
        """Set its clock, if it was started with the fault `clock`."""
        place = self.data / "clock_s"
        place.with_suffix(".new").write_text(str(offset_s), "utf-8")
        place.with_suffix(".new").replace(place)

    def die_at(self, point: str, nth: int, **more: Any) -> None:
        """Start, and wait until it has ended itself at the nth time that it came to a point."""
        self.fault(kill=point, nth=nth, **more)
        self._launch()
        wait_until(lambda: not self.running, f"{self._command} comes to: {point}", _PATIENCE_S)
        assert self._process is not None
        if self._process.returncode != -9:
            raise self._failed(f"come to: {point}")
        self._process = None
        self.kills += 1
        self.fault()

    def peak_mib(self, *, anew: bool = False) -> float:
        """Peak of its memory (VmHWM), MiB; 0 if it does not live. `anew` begins a new peak."""
        with suppress(OSError):
            place = Path(f"/proc/{self.pid}")
            if anew:
                (place / "clear_refs").write_text("5", "ascii")
            for line in (place / "status").read_text("ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0.0


@dataclass(frozen=True)
class Cell:
    """One fault.

    Attributes:
        fault: its name in the table.
        act: does it, so many times, while the load goes on.
        short: how many times in the short form; 0 leaves it out.
        long: how many times in the long form.
        rate_per_s: of the publisher.
        load: its messages, by the number of the cell and a seed.
        after: what is done when all is through, before the account.
    """

    fault: str
    act: Callable[["World", int], None]
    short: int = 0
    long: int = 1
    rate_per_s: float = 150.0
    load: Callable[[int, int], Iterator[Sent]] = cell_load
    after: Callable[["World"], None] = lambda _world: None


class _Watcher(threading.Thread):
    """Looks at memory and health all the time."""

    def __init__(self, ingest: Failing, aggregator: Failing) -> None:
        super().__init__(name="watcher", daemon=True)
        self._services = (ingest, aggregator)
        self._done = threading.Event()
        self.peaks_mib = [0.0, 0.0]
        self.begun = time.monotonic()
        self.red_at: float | None = None

    def run(self) -> None:
        """Until `finish`."""
        for each in self._services:
            each.peak_mib(anew=True)
        while not self._done.wait(_LOOK_S):
            for number, service in enumerate(self._services):
                self.peaks_mib[number] = max(self.peaks_mib[number], service.peak_mib())
                if self.red_at is None and service.running:
                    with suppress(OSError):
                        if service.get("/healthz")[0] != 200:
                            self.red_at = time.monotonic()

    def finish(self) -> None:
        """Look no more."""
        self._done.set()
        self.join()


class World:
    """A site under test."""

    def __init__(self, folder: Path, *, cluster: bool = False, small_disks: bool = False, seed: int = 1) -> None:
        self._disks = [folder / "influx", folder / "kafka"] if small_disks else []
        for each in self._disks:
            each.mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "tmpfs", str(each)], check=True)
        self.site = Site(folder, max_inflight_messages=WINDOW)
        self.cluster = KafkaCluster(folder / "cluster") if cluster else None
        self.chance = Random(seed)  # noqa: S311 - repeatable
        self.witness = Witness(self.site.mosquitto.port)
        self.proxy = InfluxProxy(self.site.influx.port)
        self.publisher = Publisher(self.site.mosquitto.port, "nobody")
        self._running = ExitStack()
        self._cells = 0
        self._seed = seed

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self.cluster is not None:
                self.site.kafka.bootstrap = stack.enter_context(self.cluster).bootstrap
                asyncio.run(_make_topics(self.cluster.bootstrap))
                stack.enter_context(self.site.mosquitto)
                stack.enter_context(self.site.influx)
            else:
                stack.enter_context(self.site)
            stack.enter_context(self.witness)
            stack.enter_context(self.proxy)
            self.ingest = stack.enter_context(self._service("ingest"))
            self.aggregator = stack.enter_context(self._service("aggregate"))
            self.until_connected()
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()
        for each in self._disks:
            subprocess.run(["umount", str(each)], check=True)

    def service(self, command: str, name: str, **changes: Mapping[str, Any]) -> Failing:
        """One more service, started; it ends with the world at the latest."""
        return self._running.enter_context(self._service(command, name, **changes))

    def _service(self, command: str, name: str | None = None, **changes: Mapping[str, Any]) -> Failing:
        port = free_port()
        section = {"ingest": "ingest", "aggregate": "aggregator"}[command]
        own: dict[str, dict[str, Any]] = {
            "mqtt": {"port": self.witness.port, "keepalive_s": 5},
            "influxdb": {"url": self.proxy.url, "timeout_s": 3.0},
            section: {"metrics_port": port, "unhealthy_after_s": 5.0},
        }
        for part, values in changes.items():
            own[part] = {**own.get(part, {}), **values}
        path = self.site.configure(name or command, **own)
        return Failing(self.site.folder / (name or command), command, path, port)

    def until_connected(self) -> None:
        """Ingest is connected and subscribed."""
        wait_until(
            lambda: self._lives(self.ingest) and self.ingest.metric("garonne_ingest_connected") == 1,
            "ingest is connected",
            _PATIENCE_S,
        )

    def _lives(self, service: Failing) -> bool:
        """A service that ends by itself is a defect."""
        assert service.running, service.log.read_text("utf-8")[-3000:]
        return True

    def until_through(self) -> None:
        """Nothing unacknowledged at the broker, nothing uncommitted in Kafka."""
        self.until_connected()
        wait_until(self._quiet, "ingest has acknowledged everything", _PATIENCE_S)
        until_committed(self.site, _PATIENCE_S)

    def garonne(self, *words: str) -> str:
        """A command of the command line; gives what it printed."""
        command = [str(GARONNE), *words, "-c", str(self.site.folder / "ingest.toml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in {0, 1} or "Traceback" in done.stderr:
            raise AssertionError(done.stderr)
        return done.stdout

    def _quiet(self) -> bool:
        before = self.ingest.metric("garonne_ingest_acknowledged_total")
        threading.Event().wait(1.0)
        after = self.ingest.metric("garonne_ingest_acknowledged_total")
        return before == after and self.ingest.metric("garonne_ingest_in_flight") == 0

    def until_moving(self, what: str = "garonne_ingest_acknowledged_total", more: int = 50) -> None:
        """The service takes so many messages more."""
        service = self.ingest if "ingest" in what else self.aggregator
        before = service.metric(what)
        wait_until(lambda: self._lives(service) and service.metric(what) >= before + more, f"{what} grows", _PATIENCE_S)

    def play(self, group: str, cell: Cell, times: int) -> Row:
        """Do what a cell does, under load; then wait until all is through, and settle."""
        number, self._cells = self._cells, self._cells + 1
        since, killed = log_ends(self.site.kafka.bootstrap), self.kills
        connections = self.witness.connections
        watcher = _Watcher(self.ingest, self.aggregator)
        watcher.start()
        with Publisher(self.site.mosquitto.port, f"publisher-{number}") as publisher:
            self.publisher = publisher
            publisher.begin(cell.load(number, self._seed + number), cell.rate_per_s)
            watcher.begun = time.monotonic()
            cell.act(self, times)
            over = time.monotonic()
            acknowledged = publisher.finish(_PATIENCE_S)
        self.until_through()
        recovery_s = time.monotonic() - over
        cell.after(self)
        self.until_through()
        watcher.finish()
        reached = [each for each in acknowledged if each.sent in self.witness.seen]
        wanted = expected(self.site.folder / "ingest.toml", reached)
        account = settled(self.site.influx, self.site.kafka.bootstrap, wanted, since)
        return Row(
            group=group,
            fault=cell.fault,
            times=times,
            kills=self.kills - killed,
            sent=len(acknowledged),
            forgotten=len(acknowledged) - len(reached),
            copies=wanted.copies,
            account=account,
            recovery_s=round(recovery_s, 1),
            ingest_mib=round(watcher.peaks_mib[0], 1),
            aggregator_mib=round(watcher.peaks_mib[1], 1),
            connections=self.witness.connections - connections,
            red_after_s=None if watcher.red_at is None else round(watcher.red_at - watcher.begun, 1),
        )

    @property
    def unseen(self) -> int:
        """Messages that the broker acknowledged, and has not sent to ingest."""
        return sum(each.sent not in self.witness.seen for each in list(self.publisher.acknowledged))

    @property
    def kills(self) -> int:
        """How often kill -9 was done so far, to whatever."""
        return self.ingest.kills + self.aggregator.kills + self.server_kills

    server_kills = 0


async def _make_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 4, 3) for name in sorted(set(TOPICS.values()))])
    finally:
        await admin.close()


def environment_seed() -> int:
    """Of `GARONNE_SEED`, or by chance."""
    return int(os.environ.get("GARONNE_SEED", "0")) or Random().randrange(1, 2**32)  # noqa: S311 - printed
