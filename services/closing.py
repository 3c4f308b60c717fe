"""`garonne kpi`: the indicators of periods that have ended, into the time series and nowhere else.

Run each night it corrects what late messages have changed: a period told again overwrites itself.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import typer

from services.terminal import ConfigurationFile, fail, load_settings, print_table

if TYPE_CHECKING:
    from services.aggregator.kpis.results import Period
    from services.aggregator.ports import Row
    from services.runtime.settings import Settings

__all__ = ["Closed", "closed_period", "kpi", "tell"]

_SPANS: Final[tuple[Literal["week", "month", "winter", "year"], ...]] = ("week", "month", "winter", "year")


class Closed(NamedTuple):
    """What was stored of a period: by indicator how many subjects have a value, and why others have none."""

    period: "Period"
    span: str
    told: dict[str, int]
    withheld: dict[str, dict[str, int]]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        days = {"first_day": self.period.start.isoformat(), "last_day": self.period.last.isoformat()}
        return {**days, "span": self.span, "told": self.told, "withheld": self.withheld}


def closed_period(text: str, today: date) -> "Period":
    """The period that a word or two dates name.

    Raises:
        ReportProblem: none of them, or it has not ended.
    """
    from services.aggregator.kpis.seasons import closed
    from services.reporting import ReportProblem, parse_period

    for span in _SPANS:
        if text == span:
            return closed(span, today)
    if ".." not in text:
        raise ReportProblem(f"{text!r} is no period: write {', '.join(_SPANS)}, or two days as 2026-01-01..2026-01-31")
    period = parse_period(text)
    if period.end > today:
        raise ReportProblem(
            f"{text!r} has not ended: the last day must lie before {today}; `garonne report` tells what there is so far"
        )
    return period


async def tell(settings: "Settings", period: "Period", programmes: Sequence[str] = ()) -> Closed:
    """Compute the indicators of a period, store them, and read back what is stored.

    Raises:
        ReportProblem: something that the user can repair.
    """
    from services.aggregator.kpis.seasons import span_of, years_before
    from services.aggregator.ports import Unavailable
    from services.aggregator.report.curves import midnight_ns
    from services.reporting import ReportProblem, make_report
    from services.running import open_store

    before, span = years_before(period), span_of(period)
    await make_report(
        settings,
        start=period.start,
        end=period.end,
        baseline_start=before.start,
        baseline_end=before.end,
        language="fr",
        formats=(),
        folder=Path(),
        wanted=programmes,
    )
    at = datetime.fromtimestamp(midnight_ns(period.end, ZoneInfo(settings.timezone)) // 1_000_000_000, UTC)
    try:
        async with open_store(settings) as store:
            rows = await store.select("kpi", tags={"span": span}, start=at, end=at + timedelta(seconds=1))
    except Unavailable as problem:
        raise ReportProblem(str(problem)) from problem
    return _counted(period, span, [row for row in rows if not programmes or row.tags["programme"] in programmes])


def _counted(period: "Period", span: str, rows: Iterable["Row"]) -> Closed:
    told: Counter[str] = Counter()
    withheld: dict[str, Counter[str]] = {}
    for row in rows:
        if row.fields.get("assessed"):
            told[row.tags["kpi"]] += 1
        else:
            withheld.setdefault(row.tags["kpi"], Counter())[str(row.fields.get("reason", "unknown"))] += 1
    return Closed(period, span, dict(sorted(told.items())), {name: dict(why) for name, why in sorted(withheld.items())})


def kpi(
    config: ConfigurationFile = None,
    period: Annotated[
        list[str] | None,
        typer.Option(
            help="`week`, `month`, `winter`, `year`: the newest that has ended; or two days, `2026-01-01..2026-01-31`. "
            "Repeat it; `month` and `winter` if not given."
        ),
    ] = None,
    programme: Annotated[list[str] | None, typer.Option(help="As for `report`; all of them if not given.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each period.")] = False,
) -> None:
    """Compute the indicators of periods that have ended, and store them for the dashboards; no file is written.

    Meant for each night: late messages correct what stands there. What is withheld is stored with its reason. Days of
    households that agreed to advice are stored for a page of their own; those of others are taken back.
    """
    import asyncio
    import json

    from services.reporting import ReportProblem
    from services.sharing import SharingProblem, share

    settings = load_settings(config)
    today = datetime.now(UTC).astimezone(ZoneInfo(settings.timezone)).date()
    try:
        periods = [closed_period(text, today) for text in period or ("month", "winter")]
        for asked in periods:
            done = asyncio.run(tell(settings, asked, programme or ()))
            if as_json:
                typer.echo(json.dumps(done.as_dict(), ensure_ascii=False))
            else:
                _show(done)
        families = asyncio.run(share(settings, today))
        if not as_json:
            typer.echo(f"Pages of their own, by consent: {families} families.")
    except (ReportProblem, SharingProblem) as problem:
        raise fail(problem) from None


def _show(done: Closed) -> None:
    rows = [
        (name, done.told.get(name, 0), ", ".join(f"{why} {n}" for why, n in done.withheld.get(name, {}).items()))
        for name in sorted({*done.told, *done.withheld})
    ]
    title = f"{done.period.start} to {done.period.last} ({done.span})"
    print_table(title, ("indicator", "told", "withheld"), rows, right=("told",))
