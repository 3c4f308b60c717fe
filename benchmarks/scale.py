"""How the cost of a message depends on the number of devices, and on the number of processes that share the work."""

from contextlib import ExitStack
from pathlib import Path

from benchmarks.contenders import GARONNE_TOPIC, ingester
from benchmarks.load import publish
from benchmarks.measure import Drained, drain
from benchmarks.sidebyside import bench_site, open_session

__all__ = ["by_devices", "by_processes"]


def by_devices(folder: Path, devices: int, number: int) -> Drained:
    """A backlog of so many devices through ingest."""
    return by_processes(folder, 1, number, devices)


def by_processes(folder: Path, processes: int, number: int, devices: int = 1000) -> Drained:
    """A backlog through several processes of a shared subscription; CPU and memory are those of all of them."""
    with bench_site(folder) as (site, topics), ExitStack() as exits:
        shared = {"share_group": "bench"} if processes > 1 else {}
        services = [ingester(site, f"bench-shared-{each}", **shared) for each in range(processes)]
        # Each needs a session before the messages come: the broker divides them as they arrive.
        for service in services:
            open_session(site, service)
        publish(site.mosquitto.port, number, devices)
        for service in services:
            exits.enter_context(service)
        pids = [service.pid for service in services if service.pid is not None]
        return drain(lambda: topics.count(GARONNE_TOPIC), number, lambda: pids)
