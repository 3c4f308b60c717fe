"""Work of each night: `nightly.py [--at 03:30] [--now] COMMAND… [then COMMAND…]`, one after the other, local time.

With `--from FOLDER --publish FILE` the newest page of a folder becomes that file, for Grafana to link to. A run that
fails is told and tried again after a while; `nightly.py --check` ends with 1 if the last good run is more than a day
and a bit ago, and is the health check of the container. Needs the standard library alone.
"""

# ruff: noqa: INP001, T201, S603 - a script of its own that says what it does and starts one command

import argparse
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
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


def commands_of(words: list[str]) -> list[list[str]]:
    """The commands between the words `then`."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "then":
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def run_all(commands: list[list[str]]) -> int:
    """Run them in turn until one fails; the exit code of the last one that ran."""
    for command in commands:
        code = subprocess.run(command, check=False).returncode
        if code:
            return code
    return 0


def publish(folder: Path, file: Path) -> None:
    """Put the newest page of a folder in the place of a file, whole at any instant; nothing if there is none."""
    pages = sorted(folder.glob("*.html"), key=lambda page: page.stat().st_mtime)
    if pages:
        beside = file.with_suffix(".new")
        shutil.copyfile(pages[-1], beside)
        beside.replace(file)


def keep_running(work: Callable[[], int], at: time, mark: Path, stop: threading.Event, *, now: bool) -> None:
    """Do the work each day until `stop` is set."""
    mark.touch()
    due = datetime.now(UTC) if now else next_run(datetime.now(UTC), at)
    while not stop.wait(max(0.0, (due - datetime.now(UTC)).total_seconds())):
        code = work()
        if code == 0:
            mark.touch()
            due = next_run(datetime.now(UTC), at)
        else:
            due = datetime.now(UTC) + RETRY
        print(f"nightly: ended with {code}; again at {due.astimezone(PARIS):%F %H:%M}", flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="nightly.py", description=__doc__)
    parser.add_argument("--at", type=time.fromisoformat, default=time(3, 30), help="local time (default: 03:30)")
    parser.add_argument("--now", action="store_true", help="once at the start too")
    parser.add_argument("--mark", type=Path, default=Path("/tmp/last-good-run"))  # noqa: S108 - a tmpfs of its own
    parser.add_argument("--check", action="store_true", help="is the last good run recent?")
    parser.add_argument("--from", dest="made", type=Path, help="folder of the pages that a command makes")
    parser.add_argument("--publish", type=Path, help="file that is the newest of them")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(0 if is_healthy(arguments.mark, datetime.now(UTC)) else 1)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    commands = commands_of(arguments.command)

    def work() -> int:
        code = run_all(commands)
        if code == 0 and arguments.made and arguments.publish:
            publish(arguments.made, arguments.publish)
        return code

    keep_running(work, arguments.at, arguments.mark, stop, now=arguments.now)


if __name__ == "__main__":
    main()
