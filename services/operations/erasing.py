"""`garonne export`: a household, or a member of the panel, gets its data."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.terminal import ConfigurationFile, fail, load_settings

if TYPE_CHECKING:
    from services.runtime.settings import Settings

__all__ = ["export"]

_Household = Annotated[str, typer.Argument(help="As the registry names it, or `<profile>:<identifier>` of its device.")]


def export(
    household: _Household,
    config: ConfigurationFile = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the two files.")] = Path("export"),
    member: Annotated[
        bool, typer.Option("--member", help="It is a member of the panel, named as in the topics it publishes to.")
    ] = False,
) -> None:
    """Give a household, or a member of the panel, its data.

    `records.jsonl` out of the event log, `points.csv` out of the time series.
    """
    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import PROBLEMS
    from services.operations.erasure import NoHousehold
    from services.runtime.settings import ConfigurationProblem

    settings = load_settings(config)
    try:
        output.mkdir(parents=True, exist_ok=True)
        records, rows = asyncio.run(_export(settings, household, output, member=member))
    except (NoHousehold, OSError, Unavailable, ConfigurationProblem, *PROBLEMS) as problem:
        raise fail(problem) from None
    typer.echo(f"{records} records in {output / 'records.jsonl'}, {rows} points in {output / 'points.csv'}")


async def _export(settings: "Settings", household: str, output: Path, *, member: bool) -> tuple[int, int]:
    from services.ingest.assembly import keys_of
    from services.operations.erasure import export as write
    from services.operations.erasure import member_of, subject_of
    from services.running import open_scan, open_store
    from services.runtime.registry import read_registry

    keys = keys_of(settings)
    registry = read_registry(settings.households_file)
    subject = member_of(household, keys) if member else subject_of(household, registry, keys)
    async with open_store(settings) as store:
        with (
            (output / "records.jsonl").open("w", encoding="utf-8") as records,
            (output / "points.csv").open("w", encoding="utf-8", newline="") as points,
        ):
            return await write(open_scan(settings), store, subject, records, points)
