"""The few shapes of panels that the dashboards use, each with what all of its kind share."""

from collections.abc import Mapping

from scripts.dashboards.panels import KPI, Influx, Panel, Prom, Steps

__all__ = ["COVERAGE", "bars", "lines", "number", "published", "rows", "share_lines"]

COVERAGE = Steps("red", ((0.75, "orange"), (0.9, "green")))
"""Under 75 % a figure is withheld; the families' ranking asks for 90 %."""

_PLAIN = Steps("green")

Query = Influx | Prom


def lines(  # noqa: PLR0913 - what a panel says
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    thresholds: Steps = _PLAIN,
    decimals: int | None = None,
    least: float | None = 0,
    stacked: bool = False,
) -> Panel:
    """Curves over time, from zero on if not said otherwise."""
    return Panel(
        "timeseries",
        title,
        description,
        unit,
        queries,
        width,
        thresholds=thresholds,
        decimals=decimals,
        least=least,
        stacked=stacked,
    )


def share_lines(title: str, description: str, *queries: Query, width: int = 12) -> Panel:
    """A coverage over time, 0 to 100 %."""
    return Panel("timeseries", title, description, "percentunit", queries, width, thresholds=COVERAGE, least=0, most=1)


def number(  # noqa: PLR0913 - what a panel says
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 6,
    height: int = 5,
    thresholds: Steps = _PLAIN,
    decimals: int | None = None,
) -> Panel:
    """One figure, large."""
    return Panel("stat", title, description, unit, queries, width, height, thresholds=thresholds, decimals=decimals)


def bars(  # noqa: PLR0913 - what a panel says
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    width: int = 12,
    thresholds: Steps = _PLAIN,
    decimals: int | None = None,
    least: float | None = None,
    most: float | None = None,
) -> Panel:
    """One bar for each of a group."""
    return Panel(
        "bargauge",
        title,
        description,
        unit,
        queries,
        width,
        thresholds=thresholds,
        decimals=decimals,
        least=least,
        most=most,
    )


def rows(
    title: str, description: str, query: Influx, *, width: int = 12, units: Mapping[str, str] | None = None
) -> Panel:
    """A table of what a query finds."""
    return Panel("table", title, description, "none", (query,), width, units=units or {})


def published(text: str, alias: str = "", *, table: bool = False) -> Influx:
    """A query of what the gate for small groups has let out: measurements `kpi` and `kpi_series`, nothing else."""
    return Influx(text, alias, KPI, table)
