"""`garonne export` and `garonne forget`: what a household may ask for."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.terminal import ConfigurationFile, fail, load_settings

if TYPE_CHECKING:
    from services.operations.erasure import Forgotten
    from services.runtime.settings import Settings

__all__ = ["export", "forget"]

_Household = Annotated[str, typer.Argument(help="As the registry names it, or `<profile>:<identifier>` of its device.")]


def export(
    household: _Household,
    config: ConfigurationFile = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the two files.")] = Path("export"),
) -> None:
    """Give a household its data: `records.jsonl` out of the event log, `points.csv` out of the time series."""
    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import PROBLEMS
    from services.operations.erasure import NoHousehold
    from services.runtime.settings import ConfigurationProblem

    settings = load_settings(config)
    try:
        output.mkdir(parents=True, exist_ok=True)
        records, rows = asyncio.run(_export(settings, household, output))
    except (NoHousehold, OSError, Unavailable, ConfigurationProblem, *PROBLEMS) as problem:
        raise fail(problem) from None
    typer.echo(f"{records} records in {output / 'records.jsonl'}, {rows} points in {output / 'points.csv'}")


async def _export(settings: "Settings", household: str, output: Path) -> tuple[int, int]:
    from services.ingest.assembly import keys_of
    from services.operations.erasure import export as write
    from services.operations.erasure import subject_of
    from services.running import open_scan, open_store
    from services.runtime.registry import read_registry

    subject = subject_of(household, read_registry(settings.households_file), keys_of(settings))
    async with open_store(settings) as store:
        with (
            (output / "records.jsonl").open("w", encoding="utf-8") as records,
            (output / "points.csv").open("w", encoding="utf-8", newline="") as points,
        ):
            return await write(open_scan(settings), store, subject, records, points)


def forget(
    household: _Household,
    config: ConfigurationFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a household: consent, time series, event log. Counts again, and exits with 1 if anything is left.

    Its consent is withdrawn for all time first, where the site keeps a consent file: late or replayed messages do not
    bring it back. Reports that are written already stay as they are: make them again.
    """
    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import PROBLEMS
    from services.ingest.ports import Unavailable as NotWritten
    from services.operations.erasure import NoHousehold
    from services.runtime.settings import ConfigurationProblem

    settings = load_settings(config)
    if not yes:
        typer.confirm(f"Delete all that there is of {household}? It cannot be brought back", abort=True)
    try:
        result = asyncio.run(_forget(settings, household))
    except (NoHousehold, OSError, Unavailable, NotWritten, ConfigurationProblem, *PROBLEMS) as problem:
        raise fail(problem) from None
    _print(result, settings)
    if result.left:
        raise typer.Exit(1)


async def _forget(settings: "Settings", household: str) -> "Forgotten":
    from services.ingest.assembly import keys_of
    from services.ingest.consent import PURPOSES, Change
    from services.ingest.consentfile import append_change
    from services.operations.erasure import forget as erase
    from services.operations.erasure import subject_of
    from services.running import open_scan, open_sink, open_store
    from services.runtime.registry import read_registry

    keys = keys_of(settings)
    subject = subject_of(household, read_registry(settings.households_file), keys)
    if settings.consent_file is not None:
        everything = {"recorded_at": datetime.now(UTC).replace(microsecond=0), "from": datetime(1970, 1, 1, tzinfo=UTC)}
        named = {"household": household, "action": "withdraw", "purposes": PURPOSES}
        append_change(settings.consent_file, Change.model_validate(everything | named))
    file = settings.embedded.folder / "events.sqlite" if settings.storage == "embedded" else None
    async with open_sink(settings) as sink, open_store(settings) as store:
        return await erase(open_scan(settings), sink, store, subject, keys, file=file)


def _print(result: "Forgotten", settings: "Settings") -> None:
    typer.echo(f"Time series: {result.points} points deleted, {result.left} found by a recount.")
    if result.records:
        typer.echo(f"Event log: {result.records} records overwritten.")
    if result.remaining:
        days = settings.kafka.retention_days
        typer.echo(
            f"Event log: {result.remaining} records lie behind a tombstone; Kafka drops them within {days} days."
        )
    if result.rejected:
        typer.echo(f"Refused messages: {result.rejected} sealed copies name its devices, until their retention ends.")
    if settings.consent_file is None:
        typer.echo("There is no consent_file: if its devices go on publishing, it is measured again.")
