"""Structured logs and health, the same for every service. Nothing is logged per message."""

import logging
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

__all__ = ["Check", "Health", "log_to_stderr"]


def log_to_stderr() -> None:
    """JSON lines for machines, readable lines on a terminal."""
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # It writes lines of its own many times a second while Kafka is away; what they say comes to us as exceptions.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class Check(NamedTuple):
    """One thing that must hold, and in words what is wrong and what to do if it does not."""

    ok: bool
    text: str


_GOOD: Final = Check(ok=True, text="ok")


class Health:
    """Named checks behind `/healthz` (is the process doing its work?) and `/readyz` (can it?)."""

    def __init__(self) -> None:
        self._alive: dict[str, Callable[[], Check]] = {}
        self._ready: dict[str, Check] = {}
        self._notes: dict[str, Check] = {}

    def alive(self, name: str, check: Callable[[], Check]) -> None:
        """Register a check that is made anew at each question."""
        self._alive[name] = check

    def ready(self, name: str, problem: str | None = None) -> None:
        """Say whether a partner can be used now; `problem` says why not."""
        self._ready[name] = _GOOD if problem is None else Check(ok=False, text=problem)

    def note(self, name: str, text: str) -> None:
        """Show something that went wrong and is over: it turns nothing red."""
        self._notes[name] = Check(ok=True, text=text)

    def healthz(self) -> dict[str, Check]:
        """The checks of the process itself."""
        return {name: check() for name, check in self._alive.items()}

    def readyz(self) -> dict[str, Check]:
        """All checks, and notes."""
        return {**self.healthz(), **self._ready, **self._notes}
