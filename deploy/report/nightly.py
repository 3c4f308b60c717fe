"""Make the report each night: `nightly.py [--at 03:30] [--now] COMMAND…` runs the command once a day, local time.

A run that fails is told and tried again after a while; `nightly.py --check` ends with 1 if the last good run is more
than a day and a bit ago, and is the health check of the container. Needs the standard library alone.
"""

# ruff: noqa: INP001, T201, S603 - a script of its own that says what it does and starts one command

import argparse
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
RETRY = timedelta(minutes=15)
PATIENCE = timedelta(hours=26)


def next_run(now: datetime, at: time) -> datetime:
    """The next instant at which the clock on the wall in Paris shows `at`: also on days of 23 or 25 hours."""
    today = now.astimezone(PARIS).date()
    for day in (today, today + timedelta(days=1), today + timedelta(days=2)):
        candidate = datetime.combine(day, at, PARIS).astimezone(UTC)
        if candidate > now:
            return candidate
    raise AssertionError


def is_healthy(mark: Path, now: datetime) -> bool:
    """Whether the last good run, or the start, is recent."""
    return mark.exists() and now.timestamp() - mark.stat().st_mtime < PATIENCE.total_seconds()


def keep_running(command: list[str], at: time, mark: Path, stop: threading.Event, *, now: bool) -> None:
    """Run the command each day until `stop` is set."""
    mark.touch()
    due = datetime.now(UTC) if now else next_run(datetime.now(UTC), at)
    while not stop.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
        done = subprocess.run(command, check=False)
        if done.returncode == 0:
            mark.touch()
            due = next_run(datetime.now(UTC), at)
        else:
            due = datetime.now(UTC) + RETRY
        print(f"nightly: ended with {done.returncode}; again at {due.astimezone(PARIS):%F %H:%M}", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="nightly.py", description=__doc__)
    parser.add_argument("--at", type=time.fromisoformat, default=time(3, 30), help="local time (default: 03:30)")
    parser.add_argument("--now", action="store_true", help="once at the start too")
    parser.add_argument("--mark", type=Path, default=Path("/tmp/last-good-run"))  # noqa: S108 - a tmpfs of its own
    parser.add_argument("--check", action="store_true", help="is the last good run recent?")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(0 if is_healthy(arguments.mark, datetime.now(UTC)) else 1)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    keep_running(arguments.command, arguments.at, arguments.mark, stop, now=arguments.now)


if __name__ == "__main__":
    main()
