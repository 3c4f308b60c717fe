"""`make bench`: Garonne beside Telegraf, on the real servers of this machine, in one run; writes docs/performance.md.

A backlog waits in the broker's persistent session (then in the topic), so that neither publisher nor network count.
Runs are interleaved and medians taken; processor time is the kernel's for the whole process, from the first message
that came out to the last. Absolute figures are this machine's; compare within one run.
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import telegraf
from benchmarks.results import DOCUMENT, Results, as_document, as_text, figures, read, write
from benchmarks.scale import by_devices, by_processes
from benchmarks.sidebyside import Pace, bench_site, end_to_end, halves, latencies

_SHORT_MESSAGES = 12_000
_DEVICES = (10, 1000, 100_000)
_PROCESSES = (1, 2, 4)


def main() -> None:
    """Measure, print tables; with `--write` they go into the docs, too."""
    options = _options()
    if options.render:
        DOCUMENT.write_text(as_document(read()), "utf-8")
        return
    program = None if options.short else telegraf.build()
    if options.short:
        options.messages, options.runs, options.seconds, options.parts = _SHORT_MESSAGES, 1, 6.0, ["halves", "latency"]
    told = " ".join(["python -m benchmarks", *sys.argv[1:]])
    results = Results(told, f"{datetime.now(UTC):%Y-%m-%d}", options.messages)
    for run in range(options.runs):
        _run(results, program, options, run)
        _keep(results, options)
    if "scale" in options.parts:
        _scale(results, options)
    sys.stdout.write(as_text(results))


def _keep(results: Results, options: argparse.Namespace) -> None:
    """After each part: a run that is broken off has measured something."""
    if options.write:
        write(results)
        DOCUMENT.write_text(as_document(results), "utf-8")


def _options() -> argparse.Namespace:
    parts = ["halves", "latency", "way", "scale"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=150_000, help="size of the backlog")
    parser.add_argument("--runs", type=int, default=3, help="of each side, in turns")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each paced run")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts, help="what to measure")
    parser.add_argument("--short", action="store_true", help="whether everything works: small, without Telegraf")
    parser.add_argument("--write", action="store_true", help="keep the figures, and write docs/performance.md")
    parser.add_argument("--render", action="store_true", help="write docs/performance.md of the figures that are kept")
    return parser.parse_args()


def _run(results: Results, program: Path | None, options: argparse.Namespace, run: int) -> None:
    """One run of both systems; every other one the other way round."""
    reverse = run % 2 == 1
    with _folder() as folder, bench_site(Path(folder)) as (site, topics):
        if "halves" in options.parts:
            found = halves(site, topics, program, options.messages, reverse=reverse)
            results.halves.append({name: figures(each) for name, each in found.items()})
        if "latency" in options.parts:
            pace = Pace(5000 if program is not None else 500, options.seconds)
            results.latency.append(latencies(site, topics, program, pace, reverse=reverse))
    if "way" in options.parts:
        with _folder() as folder, bench_site(Path(folder)) as (site, _):
            results.end_to_end.append(end_to_end(site, Pace(2000, options.seconds)))


def _scale(results: Results, options: argparse.Namespace) -> None:
    number = options.messages
    for devices in _DEVICES:
        with _folder() as folder:
            results.devices[str(devices)] = figures(by_devices(Path(folder), devices, number))
        _keep(results, options)
    for processes in _PROCESSES:
        with _folder() as folder:
            results.processes[str(processes)] = figures(by_processes(Path(folder), processes, number))
        _keep(results, options)


def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="garonne-bench-", ignore_cleanup_errors=True)


if __name__ == "__main__":
    main()
