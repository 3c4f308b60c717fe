"""The status on a terminal: drawn anew in place while it is watched."""

import json
from collections.abc import Iterable, Mapping

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from services.operations.status import Flow, Status

__all__ = ["as_renderable", "show_status"]


def show_status(statuses: Iterable[Status], *, as_json: bool, console: Console | None = None) -> Status | None:
    """Show each; gives the last."""
    last = None
    console = console or Console()
    if as_json:
        for last in statuses:
            console.print(json.dumps(last.as_dict()), soft_wrap=True, markup=False, highlight=False)
        return last
    with Live(console=console, auto_refresh=False) as live:
        for last in statuses:
            live.update(as_renderable(last), refresh=True)
    return last


def as_renderable(status: Status) -> RenderableType:
    """What is wrong first, then what flows."""
    parts: list[RenderableType] = [
        Text.from_markup(f"[red]{escape(name)}: {escape(said)}[/red]") for name, said in status.problems.items()
    ] or [Text.from_markup("[green]ingest and aggregator are well[/green]")]
    parts.append(
        Text(
            f"in flight {status.in_flight:,}, oldest unacknowledged {status.oldest_unacknowledged_s:.1f} s, "
            f"acknowledged {_flow(status.acknowledged)}; batch in hand for {status.stuck_s:.1f} s, "
            f"too late {_flow(status.too_late)}"
        )
    )
    for title, flows in (
        ("messages by profile", status.received),
        ("messages by topic and result", status.topics),
        ("events by kind", status.events),
        ("stored by kind", status.aggregated),
        ("rejected", status.rejected),
        ("ignored", status.ignored),
        ("points refused", status.refused),
    ):
        if flows:
            parts.append(_table(title, flows))
    if status.lag:
        lag = Table("topic", title="records that wait", title_justify="left")
        lag.add_column("lag", justify="right")
        for topic, number in status.lag.items():
            lag.add_row(topic, f"{number:,}")
        parts.append(lag)
    return Group(*parts)


def _table(title: str, flows: Mapping[str, Flow]) -> Table:
    table = Table("", title=title, title_justify="left")
    table.add_column("total", justify="right")
    table.add_column("per second", justify="right")
    for name, flow in flows.items():
        table.add_row(escape(name), f"{flow.total:,}", "" if flow.per_s is None else f"{flow.per_s:,.1f}")
    return table


def _flow(flow: Flow) -> str:
    return f"{flow.total:,}" if flow.per_s is None else f"{flow.total:,} ({flow.per_s:,.1f}/s)"
