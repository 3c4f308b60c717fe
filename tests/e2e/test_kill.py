"""Nothing that was acknowledged is lost, nothing is stored twice: kill -9, outages and restarts under load."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

import pytest

from tests.e2e.ledger import expected, settle, until_committed, values_of
from tests.e2e.load import city
from tests.e2e.publisher import Publisher
from tests.e2e.site import Service, Site, wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

_RATE_PER_S = 250.0
_OUTAGE_S = 5.0


class _Killer(threading.Thread):
    """Kills a service again and again, each time when it has been seen to work for a random while, or is kept from it.

    Lives until the context is left: a child process ends with the thread that started it (PR_SET_PDEATHSIG).
    """

    def __init__(self, service: Service, sign_of_work: str, chance: Random, least_kills: int) -> None:
        super().__init__(name=f"killer of {sign_of_work}")
        self._service = service
        self._sign = sign_of_work
        self._chance = chance
        self._least = least_kills
        self._enough, self._done, self._left = threading.Event(), threading.Event(), threading.Event()
        self._fault: Exception | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._least = 0
        self._enough.set()
        self._left.set()
        self.join()

    def run(self) -> None:
        """Until enough, and at least so often."""
        try:
            while not (self._enough.is_set() and self._service.kills >= self._least):
                self._until_it_works()
                self._enough.wait(self._chance.uniform(0, 1.5))
                self._service.kill()
                self._service.start()
        except Exception as fault:  # noqa: BLE001 - handed to the test
            self._fault = fault
        self._done.set()
        self._left.wait()

    def finish(self) -> None:
        """Make the kills that are missing, then no more."""
        self._enough.set()
        self._done.wait()
        if self._fault is not None:
            raise self._fault

    def _until_it_works(self) -> None:
        for _ in range(150):
            if self._service.metric(self._sign) > 0 or self._left.wait(0.1):
                return


@pytest.mark.parametrize(
    ("ingest_kills", "aggregator_kills"),
    [(int(os.environ.get("GARONNE_INGEST_KILLS", "20")), int(os.environ.get("GARONNE_AGGREGATOR_KILLS", "10")))],
)
def test_everything_acknowledged_is_stored_exactly_once_whatever_is_killed_or_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ingest_kills: int, aggregator_kills: int
) -> None:
    """30 kills at random under load, Kafka, InfluxDB and Mosquitto stopped for a while: lost = double = 0."""
    seed = int(os.environ.get("GARONNE_SEED", "0")) or Random().randrange(1, 2**32)  # noqa: S311 - printed
    chance = Random(seed)  # noqa: S311 - repeatable
    with ExitStack() as stack:
        site = stack.enter_context(Site(tmp_path))
        ingest, aggregator = site.service("ingest"), site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        publisher = stack.enter_context(Publisher(site.mosquitto.port))
        publisher.begin(city(seed), _RATE_PER_S)
        killers = [
            _Killer(ingest, "garonne_ingest_acknowledged_total", Random(seed + 1), ingest_kills),  # noqa: S311
            _Killer(aggregator, "garonne_aggregator_points_total", Random(seed + 2), aggregator_kills),  # noqa: S311
        ]
        for killer in killers:
            stack.enter_context(killer)
        _outages(site, chance)
        for killer in killers:
            killer.finish()
        acknowledged = publisher.finish()
        wanted = expected(tmp_path / "ingest.toml", acknowledged)
        _until_all_is_through(site, ingest, aggregator)
        ledger = settle(site, wanted)
        copies = len(values_of(site.kafka.bootstrap, "garonne.energy"))
    with capsys.disabled():
        kills = f"kill -9: ingest {ingest.kills}, aggregator {aggregator.kills}"
        print(f"\nseed {seed}; {kills}; {ledger}; {copies} energy records in Kafka")  # noqa: T201
    assert ingest.kills + aggregator.kills >= 20
    assert (ledger.lost, ledger.double, ledger.wrong) == ([], [], [])
    assert ledger.rejected == len(wanted.refused) > 0
    assert ledger.vehicles == wanted.vehicles > 0
    assert ledger.sent == ledger.stored + ledger.vehicles + ledger.rejected + ledger.copies


def _outages(site: Site, chance: Random) -> None:
    """Each server in turn, in any order: stopped for a while and back, with its store."""
    servers = [site.kafka, site.influx, site.mosquitto]
    chance.shuffle(servers)
    pause = threading.Event()
    for server in servers:
        pause.wait(_OUTAGE_S)
        server.stop()
        pause.wait(_OUTAGE_S * chance.uniform(0.5, 1.5))
        server.start()
    pause.wait(_OUTAGE_S)


def _until_all_is_through(site: Site, ingest: Service, aggregator: Service) -> None:
    """Nothing unacknowledged at the broker, nothing uncommitted in Kafka."""
    connected = "garonne_ingest_connected"
    wait_until(lambda: ingest.metric(connected) == 1 and _quiet(ingest), "ingest has acknowledged everything")
    until_committed(site, 120)
    wait_until(lambda: aggregator.get("/readyz")[0] == 200, "the aggregator is ready")


def _quiet(ingest: Service) -> bool:
    """Nothing in flight, and nothing more comes for a second."""
    before = ingest.metric("garonne_ingest_acknowledged_total")
    threading.Event().wait(1.0)
    after = ingest.metric("garonne_ingest_acknowledged_total")
    return before == after and ingest.metric("garonne_ingest_in_flight") == 0
