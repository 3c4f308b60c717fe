"""`garonne import`: a baseline winter before the first live day. Imports lazily."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from services.terminal import ConfigurationFile, fail, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.ingest.historyfiles import HistoryFile, Row
    from services.operations.importing import Import, Summary
    from services.runtime.settings import Settings

__all__ = ["import_history"]

_SHOWN = 20


class Format(StrEnum):
    """Formats of history files."""

    ENEDIS_LOAD_CURVE = "enedis-load-curve"
    ENEDIS_HOURLY = "enedis-hourly"
    ENEDIS_DAILY = "enedis-daily"
    ENEDIS_INDEX = "enedis-index"
    GRDF = "grdf"
    GARONNE_CSV = "garonne-csv"
    TEMPERATURE = "temperature"


class Stamps(StrEnum):
    """What the time of a step of a load curve is."""

    END = "end"
    START = "start"


def import_history(  # noqa: PLR0913, PLR0917 - the options of the command
    file: Annotated[Path, typer.Argument(help="The file, CSV.", dir_okay=False)],
    config: ConfigurationFile = None,
    form: Annotated[Format | None, typer.Option("--format", help="Told by its columns if not given.")] = None,
    device: Annotated[str | None, typer.Option(help="Whose meter: `<profile>:<identifier>` of the registry.")] = None,
    household: Annotated[str | None, typer.Option(help="Whose meter: the household's, if it has one device.")] = None,
    stamps: Annotated[
        Stamps, typer.Option(help="Whether the time of a load curve's step is its end (Enedis) or its start.")
    ] = Stamps.END,
    check: Annotated[bool, typer.Option("--check", help="Only say what would become of the rows.")] = False,
) -> None:
    """Import the history of a meter, or outdoor temperatures, from a file.

    Rows go the way of live messages into the event log, and the aggregator makes their windows. Importing a file
    again changes nothing. Rows that cannot be read are rejected one by one (`garonne rejected ls`), the others are in.
    """
    from services.ingest.assembly import PROBLEMS, build_normaliser
    from services.ingest.historyfiles import FileProblem, open_history
    from services.ingest.ports import Unavailable
    from services.operations.importing import Import, device_for
    from services.runtime.registry import read_registry

    settings = load_settings(config)
    try:
        history = open_history(file.read_bytes(), form.value if form else None)
        whose = device_for(history, read_registry(settings.households_file), device, household)
        importing = Import(build_normaliser(settings, trial=check)[0], settings.ingest.batch, dry=check)
        steps = importing.run(history, whose, datetime.now(UTC), ZoneInfo(settings.timezone), stamps=stamps.value)
        asyncio.run(_run(settings, importing, steps, len(history)))
    except OSError as error:
        raise fail(f"{file}: {error.strerror or error}") from None
    except FileProblem as problem:
        raise fail(f"{file}: {problem}") from None
    except PROBLEMS as problem:
        raise fail(problem) from None
    except Unavailable as problem:
        done = importing.summary.read
        raise fail(f"{problem}; {done} rows are in the event log, the same command again does the rest") from None
    _say(history, importing.summary, check=check)


async def _run(settings: "Settings", importing: "Import", steps: "AsyncIterator[Sequence[Row]]", total: int) -> None:
    from services.offline import watched_async
    from services.running import open_sink

    async with AsyncExitStack() as stack:
        if not importing.dry:
            importing.sink = await stack.enter_async_context(open_sink(settings))
        async for _ in watched_async(steps, "Importing", total):
            pass


def _say(file: "HistoryFile", summary: "Summary", *, check: bool) -> None:
    for each in summary.refusals[:_SHOWN]:
        typer.secho(f"line {each.line}: {each.reason}", err=True, fg=typer.colors.YELLOW)
    if len(summary.refusals) > _SHOWN:
        typer.secho(f"… and {len(summary.refusals) - _SHOWN} more", err=True, fg=typer.colors.YELLOW)
    ignored = "".join(f", {number} ignored ({rule})" for rule, number in sorted(summary.ignored.items()))
    head = "Would import" if check else "Imported"
    became = f"{summary.normalised} normalised into {summary.records} records, {summary.rejected} rejected{ignored}"
    typer.echo(f"{head} {file.form}: {summary.read} rows read, {became}.")
    if summary.rejected:
        raise typer.Exit(1)
