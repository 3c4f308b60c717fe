"""`garonne forget`: consent, event log, time series and refused messages of a household; then the figures it was in."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from services.terminal import ConfigurationFile, fail, load_settings, print_table

if TYPE_CHECKING:
    from services.aggregator.kpis.results import Period
    from services.aggregator.ports import Row, Store
    from services.operations.erasure import Forgotten, Subject
    from services.runtime.settings import Settings

__all__ = ["forget", "tell_again"]

_PROGRAMME: Final = "familles"
_NET: Final = "ict_footprint.net_effect"
"""What of the service's footprint is of the families' energy."""


def forget(
    household: Annotated[str, typer.Argument(help="As the registry names it, or `<profile>:<identifier>`.")],
    config: ConfigurationFile = None,
    member: Annotated[
        bool, typer.Option("--member", help="It is a member of the panel, named as in the topics it publishes to.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait_s: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for an aggregator that does not come on.", min=0)
    ] = 30.0,
) -> None:
    """Forget a household or a member: consent, time series, event log, refused messages, and the figures it was in.

    Then everything that is kept is read once more, and what was looked at is printed with what is left: 0, or the exit
    code is 1. Its consent is withdrawn for all time first, where the site keeps a consent file: late or replayed
    messages do not bring it back. Reports that are written already stay as they are: make them again.
    """
    from services.aggregator.ports import Unavailable
    from services.ingest.assembly import PROBLEMS
    from services.ingest.ports import Unavailable as NotWritten
    from services.operations.erasure import NoHousehold
    from services.reporting import ReportProblem
    from services.runtime.settings import ConfigurationProblem

    settings = load_settings(config)
    if not yes:
        typer.confirm(f"Delete all that there is of {household}? It cannot be brought back", abort=True)
    try:
        result, periods = asyncio.run(_forget(settings, household, member=member, wait_s=wait_s))
    except (NoHousehold, OSError, Unavailable, NotWritten, ConfigurationProblem, ReportProblem, *PROBLEMS) as problem:
        raise fail(problem) from None
    _print(result, settings, periods)
    if result.left:
        raise typer.Exit(1)


async def _forget(
    settings: "Settings", household: str, *, member: bool, wait_s: float
) -> "tuple[Forgotten, list[Period]]":
    from services.ingest.assembly import keys_of
    from services.operations.erasure import forget as erase
    from services.operations.erasure import member_of, subject_of
    from services.running import open_scan, open_sink, open_store
    from services.runtime.registry import read_registry

    keys, registry = keys_of(settings), read_registry(settings.households_file)
    subject = member_of(household, keys) if member else subject_of(household, registry, keys)
    _withdraw(settings, household, member=member)
    file = settings.embedded.folder / "events.sqlite" if settings.storage == "embedded" else None
    async with open_sink(settings) as sink, open_store(settings) as store:
        applications = await _applications(store, subject)
        result = await erase(open_scan(settings), sink, store, subject, keys, file=file, patience_s=wait_s)
    team = next((each.team for each in registry.households if each.id == household), None)
    return result, await tell_again(settings, set() if team is None else {team, _PROGRAMME}, applications)


def _withdraw(settings: "Settings", household: str, *, member: bool) -> None:
    from services.ingest.consent import MEMBER, PURPOSES, Change
    from services.ingest.consentfile import append_change

    if settings.consent_file is None:
        return
    everything = {"recorded_at": datetime.now(UTC).replace(microsecond=0), "from": datetime(1970, 1, 1, tzinfo=UTC)}
    name = f"{MEMBER}{household}" if member else household
    named = {"household": name, "action": "withdraw", "purposes": PURPOSES}
    append_change(settings.consent_file, Change.model_validate(everything | named))


async def _applications(store: "Store", subject: "Subject") -> set[str]:
    """Applications of which a member said something."""
    from services.aggregator.erasure import member_rows

    return {row.tags["application"] for each in subject.members for row in await member_rows(store, each)}


async def tell_again(settings: "Settings", groups: set[str], applications: set[str]) -> "list[Period]":
    """Delete the figures that were computed with somebody, and compute them again without; gives the periods.

    Figures of applications that are older than the raw time series stay: they could not be computed again, and are of
    ten members or more.

    Raises:
        ReportProblem: something that the user can repair.
    """
    from services.aggregator.kpis.seasons import years_before
    from services.operations.auditing import RAW_KEPT
    from services.reporting import make_report
    from services.running import open_store

    zone = ZoneInfo(settings.timezone)
    oldest = (datetime.now(UTC) - RAW_KEPT).date()
    periods: set[tuple[str, Period]] = set()
    async with open_store(settings) as store:
        for row in await store.select("kpi") if groups or applications else ():
            period = _period_of(row, zone)
            is_net = bool(groups) and row.tags["kpi"] == _NET
            needs_raw = is_net or row.tags["subject"] in applications
            if not (is_net or row.tags["subject"] in groups | applications) or period is None:
                continue
            if needs_raw and period.start < oldest:
                continue
            periods.add((row.tags["programme"], period))
            if needs_raw:
                await store.remove([("kpi", tuple(sorted(row.tags.items())), row.time_ns)])
        for group in sorted(groups):
            await store.forget({"subject": group})
    for period in sorted({each for _, each in periods}):
        before = years_before(period)
        await make_report(
            settings,
            start=period.start,
            end=period.end,
            baseline_start=before.start,
            baseline_end=before.end,
            language="fr",
            formats=(),
            folder=Path(),
            wanted=sorted({programme for programme, its in periods if its == period}),
        )
    return sorted({each for _, each in periods})


def _period_of(row: "Row", zone: ZoneInfo) -> "Period | None":
    """The period that a value is of; a value that was withheld has none."""
    from services.aggregator.kpis.results import Period

    start = row.fields.get("period_start")
    if not isinstance(start, str):
        return None
    end = datetime.fromtimestamp(row.time_ns // 1_000_000_000, UTC).astimezone(zone).date()
    return Period(date.fromisoformat(start), end)


def _print(result: "Forgotten", settings: "Settings", periods: "list[Period]") -> None:
    typer.echo(f"{result.points} points of the time series are deleted.")
    if result.records:
        typer.echo(f"{result.records} records of the event log are overwritten.")
    for each in periods:
        typer.echo(f"Computed again without it: {each.start} to {each.end - timedelta(days=1)}.")
    columns = ("looked at", "read", "left", "unread, behind a tombstone", "")
    rows = [(each.where, each.read, each.left, each.behind, each.note) for each in result.seen]
    print_table("What there is of it now", columns, rows, right=columns[1:4])
    if result.behind:
        days = settings.kafka.retention_days
        typer.echo(f"Kafka drops what lies behind tombstones within {days} days; no reader takes it until then.")
    for note in result.notes:
        typer.echo(f"Note: {note}.")
    if settings.consent_file is None:
        typer.echo("There is no consent_file: if its devices go on publishing, it is measured again.")
    if result.left:
        typer.secho(f"{result.left} are left: do it once more.", fg=typer.colors.RED)
    else:
        typer.secho("0 are left.", fg=typer.colors.GREEN)
