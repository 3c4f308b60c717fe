"""What this process itself uses: seconds of CPU, and energy where the machine has a counter for it.

A statement is a `DeviceStatus` of the process, told once an hour, so that the footprint of the service rests on the
event log like every other figure (promise 2). Source of the measure: issue 6, Green Digital Charter.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from schemas.energy import Gauge
from schemas.status import DeviceStatus

__all__ = ["CPU_S", "ELAPSED_S", "ENERGY_J", "EVENTS", "Meter", "Rapl", "Span", "statement", "tell_usage"]

CPU_S: Final = "ict_cpu_s"
ELAPSED_S: Final = "ict_elapsed_s"
EVENTS: Final = "ict_events"
ENERGY_J: Final = "ict_energy_j"
_POWERCAP: Final = Path("/sys/class/powercap")
_STAT: Final = Path("/proc/stat")
_EVERY_S: Final = 3600.0
_WORTH_TELLING_S: Final = 600.0
_LAST_S: Final = 5.0
_BUSY: Final = (0, 1, 2, 5, 6, 7)
"""user, nice, system, irq, softirq and steal of the line `cpu` in /proc/stat (proc(5)), in ticks of 10 ms."""
_TICK_S: Final = 0.01
_MICRO: Final = 1e-6


class Span(NamedTuple):
    """What was used between two looks: seconds of CPU, seconds of clock, events made, joules if they are known."""

    cpu_s: float
    elapsed_s: float
    events: int
    energy_j: float | None


class Rapl:
    """The energy counters of the processor packages, `intel-rapl:N/energy_uj`, where the kernel shows them."""

    def __init__(self, folder: Path = _POWERCAP) -> None:
        """Find the packages; their parts (`intel-rapl:0:0`) are inside of them and not counted again."""
        found = sorted(folder.glob("intel-rapl:*")) if folder.is_dir() else []
        self._packages = [each for each in found if each.name.count(":") == 1]
        self._last = self._read()

    def _read(self) -> list[int] | None:
        try:
            return [int((each / "energy_uj").read_text()) for each in self._packages] or None
        except (OSError, ValueError):
            return None

    def joules(self) -> float | None:
        """Of all packages since the last call; `None` where a counter cannot be read."""
        before, self._last = self._last, self._read()
        if before is None or self._last is None:
            return None
        total_uj = 0
        for package, earlier, now in zip(self._packages, before, self._last, strict=True):
            if now < earlier:  # it went round
                try:
                    now += int((package / "max_energy_range_uj").read_text())  # noqa: PLW2901
                except (OSError, ValueError):
                    return None
            total_uj += now - earlier
        return total_uj * _MICRO


def _machine_busy_s(path: Path) -> float | None:
    """Seconds that all processors of the machine were busy since its start."""
    try:
        ticks = path.read_text().split("\n", 1)[0].split()[1:]
        return sum(int(ticks[place]) for place in _BUSY) * _TICK_S
    except (OSError, ValueError, IndexError):
        return None


class Meter:
    """Spans of this process, one after the other. A span that could not be told is part of the next one."""

    def __init__(self, events: Callable[[], int], rapl: Rapl | None = None, stat: Path = _STAT) -> None:
        """Begin a span; `events` counts what the process has made since it runs."""
        self._events = events
        self._rapl = rapl or Rapl()
        self._stat = stat
        self._waiting = Span(0.0, 0.0, 0, 0.0)
        self._mark = self._look()

    def _look(self) -> tuple[float, float, int, float | None]:
        return time.process_time(), time.monotonic(), self._events(), _machine_busy_s(self._stat)

    def span(self) -> Span:
        """Everything since the last span that was told.

        The energy is the process's share of the packages' joules, by its share of the machine's busy seconds.
        """
        before, self._mark = self._mark, self._look()
        cpu_s, elapsed_s, events = (now - then for now, then in zip(self._mark[:3], before[:3], strict=True))
        joules = self._rapl.joules()
        energy_j = None
        if joules is not None and before[3] is not None and self._mark[3] is not None:
            busy_s = max(self._mark[3] - before[3], cpu_s)
            energy_j = joules * cpu_s / busy_s if busy_s > 0 else 0.0
        waiting = self._waiting
        known = energy_j is not None and waiting.energy_j is not None
        self._waiting = Span(
            waiting.cpu_s + cpu_s,
            waiting.elapsed_s + elapsed_s,
            waiting.events + int(events),
            (energy_j or 0.0) + (waiting.energy_j or 0.0) if known else None,
        )
        return self._waiting

    def told(self) -> None:
        """The last span is in the log: the next one begins where it ended."""
        self._waiting = Span(0.0, 0.0, 0, 0.0)


def statement(device: str, span: Span, now: datetime) -> DeviceStatus:
    """What a process says of a span that ended `now`."""
    said = {CPU_S: span.cpu_s, ELAPSED_S: span.elapsed_s, EVENTS: float(span.events), ENERGY_J: span.energy_j}
    gauges = tuple(
        Gauge(quantity="count", name=name, value=round(value, 3), unit="1")
        for name, value in said.items()
        if value is not None
    )
    return DeviceStatus(
        observed_at=now, received_at=now, clock="utc_z", device=device, availability="online", gauges=gauges
    )


async def tell_usage(
    meter: Meter,
    device: str,
    tell: Callable[[DeviceStatus], Awaitable[bool]],
    stop: asyncio.Event,
    every_s: float = _EVERY_S,
) -> None:
    """Tell what this process used, each hour and at its end, until `stop` is set.

    Args:
        meter: of this process.
        device: its pseudonym.
        tell: puts a statement into the event log; false if that is not certain: then the span goes on.
        stop: ends it.
        every_s: length of a span.
    """
    while not stop.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every_s)
        span = meter.span()
        if stop.is_set() and span.elapsed_s < min(_WORTH_TELLING_S, every_s):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_S if stop.is_set() else None):
                if await tell(statement(device, span, datetime.now(UTC))):
                    meter.told()
