"""The commands of an operator, as the command line has them. Imports lazily."""

import asyncio
import json
import tempfile
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.operations.importfile import import_history
from services.operations.refused import rejected
from services.terminal import ConfigurationFile, fail, instant_of, load_settings, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.operations.auditing import Audit
    from services.operations.mending import Mended
    from services.operations.rebuilding import Comparison
    from services.runtime.settings import Settings

__all__ = ["add_operations"]

_MOST_SHOWN = 200


def add_operations(app: typer.Typer) -> None:
    """Put the commands of this module into the command line."""
    app.add_typer(rejected, name="rejected")
    app.command("import")(import_history)
    app.command()(audit)
    app.command()(rebuild)
    app.command()(status)


def _full_hours(since: datetime | None, until: datetime | None) -> tuple[datetime | None, datetime | None]:
    """The period in full hours: what was begun counts whole."""
    from services.ingest.ledger import hour_of

    first = None if since is None else hour_of(since)
    last = None if until is None else hour_of(until + timedelta(hours=1, microseconds=-1))
    return first, last


def audit(
    config: ConfigurationFile = None,
    since: Annotated[str | None, typer.Option("--from", help="First day or instant of reception; else all.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Day or instant that is not included any more.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Account for every message of a period: from the ledger, the event log and the time series.

    Counts anew; no number comes from a running service. The period is widened to full hours of reception. Exits with 1
    if something does not add up; each difference is named by its event.
    """
    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import PROBLEMS
    from services.runtime.settings import ConfigurationProblem

    settings = load_settings(config)
    period = _full_hours(instant_of(since, settings.timezone), instant_of(until, settings.timezone))
    try:
        result = asyncio.run(_audit(settings, period))
    except (Unavailable, ConfigurationProblem, *PROBLEMS) as problem:
        raise fail(problem) from None
    if as_json:
        typer.echo(json.dumps(result.as_dict(), indent=2, ensure_ascii=False))
    else:
        _print_audit(result)
    if result.differences:
        raise typer.Exit(1)


async def _audit(settings: "Settings", period: tuple[datetime | None, datetime | None]) -> "Audit":
    from services.ingest.assembly import keys_of
    from services.operations.accounts import Period
    from services.operations.auditing import RAW_KEPT
    from services.operations.auditing import audit as count
    from services.running import open_scan, open_store

    kept = None if settings.storage == "embedded" else RAW_KEPT
    async with open_store(settings) as store:
        return await count(open_scan(settings), store, keys_of(settings), Period(*period), kept=kept)


def _print_audit(result: "Audit") -> None:
    columns = ("profile", "received", "reopened", "normalised", "rejected", "ignored", "by rule")
    print_table(
        "Messages, by the ledger",
        columns,
        [
            (
                *(each.profile, each.received, each.reopened, each.normalised, each.rejected),
                *(sum(each.ignored.values()), ", ".join(f"{rule} {n:,}" for rule, n in each.ignored.items())),
            )
            for each in result.accounts.values()
        ],
        right=columns[1:6],
    )
    from services.operations.auditing import FATES

    fates = [each for each in FATES if any(counts[each] for counts in result.rows.values())]
    print_table(
        "Events, in the event log and the time series",
        ("topic", "profile", "kind", *fates),
        [(*row, *(counts[fate] for fate in fates)) for row, counts in result.rows.items()],
        right=fates,
    )
    if result.refusals:
        rows = [(*key, number) for key, number in result.refusals.most_common()]
        print_table("Rejected", ("stage", "reason", "profile", "number"), rows, right=("number",))
    for note in result.notes:
        typer.echo(f"Note: {note}.")
    for each in result.differences[:_MOST_SHOWN]:
        typer.secho(f"{each.what}: {each.event} {each.detail}", fg=typer.colors.RED)
    if len(result.differences) > _MOST_SHOWN:
        typer.secho(f"and {len(result.differences) - _MOST_SHOWN} more: use --json", fg=typer.colors.RED)
    if not result.differences:
        typer.secho("Everything adds up.", fg=typer.colors.GREEN)


def rebuild(  # noqa: PLR0913, PLR0917 - the options of the command
    config: ConfigurationFile = None,
    check: Annotated[bool, typer.Option("--check", help="Only compare; the live time series are left alone.")] = False,
    since: Annotated[str | None, typer.Option("--from", help="Points from this day or instant on.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Points before this day or instant.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the fresh file is written and kept; else it goes after the comparison.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Compute the time series anew from the whole event log, beside the live service, and put it in place.

    On the servers what differs is replaced point by point, while everything goes on. Embedded, the file is replaced
    while the services are stopped; the old one is kept. With `--check` nothing is replaced, and it exits with 1 if a
    point differs; each is named. Windows rest on readings before them, so the log is always read whole; `--from` and
    `--to` say what is compared, and on the servers what is replaced.
    """
    from services.aggregator.ports import Unavailable
    from services.operations.rebuilding import RebuildProblem
    from services.runtime.settings import ConfigurationProblem

    settings = load_settings(config)
    if not check and settings.storage == "embedded" and (since or until):
        raise fail("embedded, the whole file is replaced: leave out --from and --to, or use --check")
    times = instant_of(since, settings.timezone), instant_of(until, settings.timezone)
    try:
        if not check:
            text, done = asyncio.run(_put_in_place(settings, folder, times))
            typer.secho(json.dumps(done) if as_json else text, fg=None if as_json else typer.colors.GREEN)
            return
        with _place(folder) as place:
            result = asyncio.run(_rebuild(settings, place, times))
    except (Unavailable, RebuildProblem, ConfigurationProblem) as problem:
        raise fail(problem) from None
    if as_json:
        typer.echo(json.dumps(result.as_dict(), indent=2))
    else:
        _print_comparison(result)
    if result.differences:
        raise typer.Exit(1)


@contextmanager
def _place(folder: Path | None) -> "Iterator[Path]":
    """Where the fresh file is written; what an interrupted run left there goes."""
    if folder is None:
        with tempfile.TemporaryDirectory() as place:
            yield Path(place)
        return
    for leftover in folder.glob("series.sqlite*"):
        leftover.unlink()
    yield folder


async def _put_in_place(
    settings: "Settings", folder: Path | None, times: tuple[datetime | None, datetime | None]
) -> tuple[str, dict[str, int]]:
    """What was done, in words and in numbers."""
    if settings.storage == "embedded":
        records = await _swap(settings)
        return f"The time series is made anew from {records:,} records.", {"records": records}
    with _place(folder) as place:
        done = await _mend(settings, place, times)
    refused = f", {done.refused:,} are refused by InfluxDB" if done.refused else ""
    text = (
        f"The time series is what {done.records:,} records say: {done.written:,} points were written, "
        f"{done.deleted:,} deleted{refused}."
    )
    return text, asdict(done)


async def _mend(settings: "Settings", folder: Path, times: tuple[datetime | None, datetime | None]) -> "Mended":
    from zoneinfo import ZoneInfo

    from services.aggregator.adapters.influx import InfluxStore
    from services.aggregator.adapters.kafka_scan import KafkaScan
    from services.offline import progress
    from services.operations.mending import mend
    from services.operations.rebuilding import Rebuild

    scan = KafkaScan(settings.kafka)
    async with InfluxStore(settings.influxdb) as live:
        work = Rebuild(scan, live, folder / "series.sqlite", ZoneInfo(settings.timezone))
        try:
            with progress() as bar:
                task = bar.add_task("Reading the event log", total=await work.total())
                return await mend(work, live, times, scan.expel, lambda records: bar.advance(task, records))
        finally:
            await work.close()


async def _rebuild(settings: "Settings", folder: Path, times: tuple[datetime | None, datetime | None]) -> "Comparison":
    from zoneinfo import ZoneInfo

    from services.aggregator.surveyed import surveyed_junctions
    from services.offline import progress
    from services.operations.rebuilding import Rebuild
    from services.running import open_scan, open_store

    async with open_store(settings) as live:
        surveyed = surveyed_junctions(settings.junctions_file)
        zone = ZoneInfo(settings.timezone)
        work = Rebuild(open_scan(settings), live, folder / "series.sqlite", zone, surveyed=surveyed)
        try:
            with progress() as bar:
                task = bar.add_task("Reading the event log", total=await work.total())
                return await work.check(*times, watch=lambda records: bar.advance(task, records))
        finally:
            await work.close()


async def _swap(settings: "Settings") -> int:
    from zoneinfo import ZoneInfo

    from services.aggregator.surveyed import surveyed_junctions
    from services.offline import progress
    from services.operations.rebuilding import Rebuild
    from services.operations.swapping import swap_embedded
    from services.running import open_scan, open_store

    scan = open_scan(settings)
    async with open_store(settings) as live:

        def work(path: Path) -> Rebuild:
            surveyed = surveyed_junctions(settings.junctions_file)
            return Rebuild(scan, live, path, ZoneInfo(settings.timezone), surveyed=surveyed)

        with progress() as bar:
            task = bar.add_task("Reading the event log", total=None)
            return await swap_embedded(settings, scan, work, lambda records: bar.advance(task, records))


def _print_comparison(result: "Comparison") -> None:
    rows = [(name, number) for name, number in result.points.items() if number]
    print_table(f"{result.records:,} records of the event log", ("measurement", "points"), rows, right=("points",))
    for name, at in result.from_.items():
        typer.echo(f"Note: the event log has not kept all that {name} rests on: compared from {at:%F %T} UTC on.")
    if result.moving:
        typer.echo(f"Note: {result.moving} points changed while they were compared: nothing can be said of them.")
    for place, pair in sorted(result.differences.items())[:_MOST_SHOWN]:
        typer.secho(f"{place} {place.time_ns}: {pair}", fg=typer.colors.RED)
    if result.differences:
        typer.secho(f"{len(result.differences):,} points differ.", fg=typer.colors.RED)
    else:
        typer.secho("The time series is what the event log says, to the last bit.", fg=typer.colors.GREEN)


def status(  # noqa: PLR0913, PLR0917 - the options of the command
    config: ConfigurationFile = None,
    once: Annotated[bool, typer.Option("--once", help="One interval; exits with 1 if something is wrong.")] = False,
    interval_s: Annotated[float, typer.Option("--interval", help="Seconds between two looks.", min=0.1)] = 2.0,
    ingest: Annotated[str | None, typer.Option(help="Where ingest serves; else where the configuration says.")] = None,
    aggregator: Annotated[str | None, typer.Option(help="Where the aggregator serves.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each interval.")] = False,
) -> None:
    """Watch the services: flow by profile, lag by topic, refusals, the oldest unacknowledged message, what is wrong.

    Until Ctrl-C. Asks the services' own /metrics and /readyz, nothing else.
    """
    from services.operations.showing import show_status
    from services.operations.status import access_of, addresses, watch

    settings = load_settings(config)
    own = addresses(settings)
    try:
        access = access_of(settings.ingest), access_of(settings.aggregator)
    except OSError as problem:
        raise fail(problem) from None
    looks = watch((ingest or own[0], aggregator or own[1]), interval_s, once=once, access=access)
    try:
        last = show_status(looks, as_json=as_json)
    except KeyboardInterrupt:
        return
    if once and last is not None and last.problems:
        raise typer.Exit(1)
