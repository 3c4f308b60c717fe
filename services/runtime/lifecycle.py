"""Running a service: signals, waiting between tries."""

import asyncio
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Backoff", "ask_on_hangup", "stop_on_signals"]


class Backoff:
    """Waiting times between tries: doubled each time up to a bound, each with full jitter."""

    def __init__(self, least_s: float = 0.2, most_s: float = 30.0) -> None:
        self._least_s = least_s
        self._most_s = most_s
        self._tries = 0
        self._random = random.Random()  # noqa: S311 - spreads load, keeps no secret

    def reset(self) -> None:
        """Start from the least again: the other side answered."""
        self._tries = 0

    def next_s(self) -> float:
        """The next waiting time, seconds."""
        bound = min(self._most_s, self._least_s * 2 ** min(self._tries, 30))
        self._tries += 1
        return self._random.uniform(self._least_s / 2, bound)

    async def wait(self, stop: asyncio.Event | None = None) -> None:
        """Wait for the next time, or until `stop` is set."""
        if stop is None:
            await asyncio.sleep(self.next_s())
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self.next_s()):
                await stop.wait()


@contextmanager
def stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` at SIGTERM or SIGINT, so that a service can finish what is on its way."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextmanager
def ask_on_hangup(asked: asyncio.Event) -> Iterator[None]:
    """Set `asked` at SIGHUP, which would else end the process: somebody wants the configuration read anew."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, asked.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
