"""The commands of an operator, as the command line has them. Imports lazily."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from services.operations.refused import rejected
from services.terminal import ConfigurationFile, fail, instant_of, load_settings, print_table

if TYPE_CHECKING:
    from services.operations.auditing import Audit
    from services.runtime.settings import Settings

__all__ = ["add_operations"]

_FATES = ("copies", "duplicates", "distinct", "stored", "too late", "log only", "rejected", "refused", "waiting")
_MOST_SHOWN = 200


def add_operations(app: typer.Typer) -> None:
    """Put the commands of this module into the command line."""
    app.add_typer(rejected, name="rejected")
    app.command()(audit)


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
    rest = tuple(sorted({fate for counts in result.rows.values() for fate in counts} - set(_FATES)))
    print_table(
        "Events, in the event log and the time series",
        ("topic", "profile", "kind", *_FATES, *rest),
        [(*row, *(counts[fate] for fate in (*_FATES, *rest))) for row, counts in result.rows.items()],
        right=(*_FATES, *rest),
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
