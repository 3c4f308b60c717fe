"""What is read while something runs: the kernel's account of a process, the ends of topics, what InfluxDB stored."""

import asyncio
import os
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

__all__ = ["PATIENCE_S", "Drained", "Topics", "Usage", "drain", "median", "quantile", "scrape", "usage"]

POLL_S: Final = 0.02
PATIENCE_S: Final = 900.0
_TICK: Final = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """What the kernel says of a process: CPU seconds so far, and the largest resident size."""

    cpu_s: float
    peak_mib: float


def usage(*pids: int) -> Usage:
    """The account of processes, added up (proc(5): utime and stime of stat, VmHWM of status)."""
    cpu_s = peak_mib = 0.0
    for pid in pids:
        words = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        cpu_s += (int(words[11]) + int(words[12])) / _TICK
        peak_mib += int(Path(f"/proc/{pid}/status").read_text("utf-8").split("VmHWM:")[1].split()[0]) / 1024
    return Usage(cpu_s, peak_mib)


class Drained(NamedTuple):
    """A backlog that went through, from the first message that came out to the last."""

    messages: int
    seconds: float
    cpu_s: float
    peak_mib: float

    @property
    def per_second(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU a message."""
        return self.cpu_s / self.messages * 1e6


def drain(done: Callable[[], float], number: int, pids: Callable[[], Sequence[int]]) -> Drained:
    """Wait until `done` says that `number` went through; counts from the first look at which some had, and not all.

    Raises:
        TimeoutError: it does not.
    """
    deadline_s = time.monotonic() + PATIENCE_S
    start = (0.0, time.monotonic(), usage(*pids()).cpu_s)
    started = False
    while (now := done()) < number:
        if not started and now > 0:
            started, start = True, (now, time.monotonic(), usage(*pids()).cpu_s)
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"stopped at {now:,.0f} of {number:,}")
        time.sleep(POLL_S)
    ended_s, after = time.monotonic(), usage(*pids())
    return Drained(number - int(start[0]), ended_s - start[1], after.cpu_s - start[2], after.peak_mib)


class Topics:
    """Looks at topics of Kafka from a thread of its own."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._consumer: AIOKafkaConsumer | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._consumer is not None:
            self._run(self._consumer.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def create(self, *names: str, partitions: int = 4) -> None:
        """Topics that note when Kafka appended a record, instead of what its producer says."""
        self._run(self._create(names, partitions))

    def count(self, topic: str) -> int:
        """Records that were appended and are committed by Kafka."""
        return int(self._run(self._count(topic)))

    def records(self, topic: str) -> list[tuple[int, bytes]]:
        """When each record was appended (Unix ms), and its value."""
        found: list[tuple[int, bytes]] = self._run(self._records(topic))
        return found

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, metadata_max_age_ms=500
        )
        await self._consumer.start()

    async def _create(self, names: Sequence[str], partitions: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        config = {"message.timestamp.type": "LogAppendTime"}
        try:
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config) for name in names])
        finally:
            await admin.close()

    async def _partitions(self, topic: str) -> list[TopicPartition]:
        assert self._consumer is not None
        if not self._consumer.partitions_for_topic(topic):
            await self._consumer.topics()
        return [TopicPartition(topic, each) for each in self._consumer.partitions_for_topic(topic) or ()]

    async def _count(self, topic: str) -> int:
        assert self._consumer is not None
        partitions = await self._partitions(topic)
        return sum((await self._consumer.end_offsets(partitions)).values()) if partitions else 0

    async def _records(self, topic: str) -> list[tuple[int, bytes]]:
        assert self._consumer is not None
        partitions = await self._partitions(topic)
        ends = await self._consumer.end_offsets(partitions)
        self._consumer.assign(partitions)
        await self._consumer.seek_to_beginning(*partitions)
        found: list[tuple[int, bytes]] = []
        while len(found) < sum(ends.values()):
            for batch in (await self._consumer.getmany(timeout_ms=500)).values():
                found += [(each.timestamp, each.value) for each in batch]
        self._consumer.unsubscribe()
        return found


def scrape(url: str, *beginnings: str) -> float:
    """The sum of the metrics whose lines begin like this; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(beginnings))


def median(values: Sequence[float]) -> float:
    """Of at least one value."""
    return statistics.median(values)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all does not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
