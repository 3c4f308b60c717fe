"""`python -m tests.chaos.failing ingest -c file`: a service that ends itself, or is slow, at a named hand-over.

The service is the one that ships; only the calls of its adapters are wrapped, from outside. What is to fail stands in
`fault.json` in the working directory, the offset of the clock in `clock_s`.
"""

import asyncio
import contextlib
import functools
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from services.aggregator.adapters import influx
from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.adapters.kafka import KafkaLog
from services.cli import main
from services.ingest.adapters import mqtt
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.adapters.mqtt import MqttSource
from services.ingest.adapters.mqtt_connection import Connection

__all__ = ["AGGREGATOR_POINTS", "INGEST_POINTS"]

Call = Callable[..., Awaitable[Any]]
Place = tuple[object, str, bool]
"""Whose method, its name, and whether the end comes after it returned."""

INGEST_POINTS: Final[dict[str, Place]] = {
    "before the subscription": (MqttSource, "_subscribe", False),
    "before produce": (KafkaSink, "send", False),
    "in the middle of produce": (AIOKafkaProducer, "send_batch", True),
    "after produce": (KafkaSink, "send", True),
    "before PUBACK": (Connection, "puback_all", False),
    "after PUBACK": (Connection, "puback_all", True),
}
AGGREGATOR_POINTS: Final[dict[str, Place]] = {
    "after the poll": (KafkaLog, "poll", True),
    "before the write": (InfluxStore, "write", False),
    "between two requests of a write": (InfluxStore, "_post", True),
    "after a write": (InfluxStore, "write", True),
    "between write and commit": (KafkaLog, "commit", False),
    "after the commit": (KafkaLog, "commit", True),
}


def _wrapped(call: Call, act: Callable[[], Awaitable[None]], *, after: bool) -> Call:
    @functools.wraps(call)
    async def wrapper(*arguments: Any, **named: Any) -> Any:
        if not after:
            await act()
            return await call(*arguments, **named)
        result = await call(*arguments, **named)
        if result or call.__name__ != "poll":  # a poll that brings nothing hands nothing over
            await act()
        return result

    return wrapper


def _at(place: Place, act: Callable[[], Awaitable[None]]) -> None:
    owner, name, after = place
    setattr(owner, name, _wrapped(getattr(owner, name), act, after=after))


def _dying(nth: int, wait_s: float) -> Callable[[], Awaitable[None]]:
    count = 0

    async def act() -> None:
        nonlocal count
        count += 1
        if count == nth:
            await asyncio.sleep(wait_s)  # what was handed over goes out, what was not stays
            os.kill(os.getpid(), signal.SIGKILL)

    return act


def _slow(delay_s: float) -> Callable[[], Awaitable[None]]:
    async def act() -> None:
        await asyncio.sleep(delay_s)

    return act


class _Shifted(datetime):
    """The clock of the machine as somebody set it."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        """The time that the machine believes."""
        return datetime.now(tz) + timedelta(seconds=_offset_s())


def _offset_s() -> float:
    with contextlib.suppress(OSError, ValueError):
        return float(Path("clock_s").read_text("utf-8"))
    return 0.0


def _shift_the_clock() -> None:
    real = time.time
    time.time = lambda: real() + _offset_s()
    vars(mqtt)["datetime"] = _Shifted


def _prepare(fault: dict[str, Any]) -> None:
    points = {**INGEST_POINTS, **AGGREGATOR_POINTS}
    if "lines_per_request" in fault:
        vars(influx)["_LINES_PER_REQUEST"] = int(fault["lines_per_request"])
    if "clock" in fault:
        _shift_the_clock()
    if "slow" in fault:
        _at(points[fault["slow"]], _slow(float(fault["delay_s"])))
    if "kill" in fault:
        _at(points[fault["kill"]], _dying(int(fault["nth"]), 0.1 if "middle" in fault["kill"] else 0.0))


if __name__ == "__main__":
    with contextlib.suppress(FileNotFoundError):
        _prepare(json.loads(Path("fault.json").read_text("utf-8")))
    sys.argv[0] = "garonne"
    main()
