"""Charts as inline SVG: text stays text, ids are unique on the page, each says in words what it shows.

Every chart is drawn twice, wide for a desk and paper, narrow for a phone; the page shows one of them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any, Final, NamedTuple

import matplotlib as mpl
import matplotlib.ticker
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from services.aggregator.kpis.results import Language
from services.aggregator.report.wording import number

__all__ = ["Bar", "Chart", "Drawn", "bars", "draw", "hours", "signature", "winters"]

INK: Final = "#12303f"
QUIET: Final = "#566973"
GRID: Final = "#dfe6e8"
RIVER: Final = "#0b6e74"
PALE: Final = "#9fc9c8"
BEFORE: Final = "#7a6a58"
GOAL: Final = "#a8480b"

_WHOLE_IN: Final = 8.4
_HALF_IN: Final = 5.2
_NARROW_IN: Final = 3.6
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.bottom": False,
    "ytick.left": False,
    "legend.frameon": False,
}
_UNWANTED: Final = re.compile(r"<metadata>.*?</metadata>|<\?xml.*?\?>|<!DOCTYPE.*?>", re.DOTALL)


class Drawn(NamedTuple):
    """Both drawings of a chart, ready for a page."""

    wide: Markup
    narrow: Markup


class Chart(NamedTuple):
    """What stands under a drawing: an id, a title, and what a person who cannot see it should know."""

    id: str
    title: str
    description: str


class Bar(NamedTuple):
    """A value by name; `low` and `high` are the ends of its interval; `strong` tells those that reached the goal."""

    name: str
    value: float
    label: str
    low: float | None = None
    high: float | None = None
    strong: bool = True


def draw(chart: Chart, plot: Callable[[Any, bool], float], wide_in: float = _HALF_IN) -> Drawn:
    """Draw wide and narrow; `plot` gets axes and whether it is narrow, and gives the height in inches."""
    drawn = []
    for suffix, width in (("w", wide_in), ("n", _NARROW_IN)):
        style: Any = {**_STYLE, "svg.hashsalt": f"{chart.id}{suffix}"}
        with mpl.rc_context(style):
            figure = Figure(figsize=(width, 3.2), layout="constrained")
            FigureCanvasSVG(figure)
            axes = figure.add_subplot()
            figure.set_figheight(plot(axes, suffix == "n"))
            buffer = StringIO()
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        drawn.append(_inline(buffer.getvalue(), chart, suffix))
    return Drawn(*drawn)


def _inline(svg: str, chart: Chart, suffix: str) -> Markup:
    """Make the SVG part of a page: no prolog, own ids, a title and a description, as wide as its place."""
    prefix = f"{chart.id}-{suffix}"
    text = _UNWANTED.sub("", svg).strip()
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'(xlink:href="|url\()#', rf"\1#{prefix}-", text)
    text = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", text, count=1)
    named = f'role="img" aria-labelledby="{prefix}-title {prefix}-desc"'
    words = (
        f'<title id="{prefix}-title">{escape(chart.title)}</title>'
        f'<desc id="{prefix}-desc">{escape(chart.description)}</desc>'
    )
    head, _, body = text.partition(">")
    return Markup(f"{head} {named}>{words}{body}")  # noqa: S704 - drawn by matplotlib, words are escaped


def bars(chart: Chart, rows: Sequence[Bar], language: Language, goal: tuple[float, str] | None, unit: str) -> Drawn:
    """Horizontal bars, the first on top, with intervals and the line of the goal."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        places = range(len(rows))
        colours = [RIVER if row.strong else PALE for row in rows]
        axes.barh(places, [row.value for row in rows], height=0.62, color=colours, edgecolor=RIVER, linewidth=0.8)
        for place, row in zip(places, rows, strict=True):
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place, place], color=INK, linewidth=1.1, solid_capstyle="butt")
            axes.annotate(
                row.label,
                (max(row.value, row.high or 0, 0), place),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.9},
            )
        axes.set_yticks(list(places), [row.name for row in rows], color=INK)
        axes.invert_yaxis()
        axes.axvline(0, color=QUIET, linewidth=0.9)
        if goal is not None:
            axes.axvline(goal[0], color=GOAL, linewidth=1.4, linestyle=(0, (4, 2)))
            axes.annotate(
                goal[1],
                (goal[0], 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                color=GOAL,
                ha="center",
                fontweight="bold",
            )
        axes.grid(axis="x")
        axes.spines["bottom"].set_visible(False)
        axes.set_xlabel(unit)
        axes.margins(x=0.16, y=0.02)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4 if narrow else 6, integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: number(value, language))
        return 0.95 + len(rows) * 0.29

    return draw(chart, plot, _HALF_IN if goal is None else _WHOLE_IN)


def winters(
    chart: Chart,
    curves: Sequence[tuple[str, Mapping[str, float]]],
    months: Sequence[tuple[str, str]],
    language: Language,
    unit: str,
) -> Drawn:
    """Two winters over each other, day by day: the first is the reference.

    Args:
        chart: its words.
        curves: name and values by ISO day; both on the days of the challenge.
        months: the ISO day on which each month begins, and its name.
        language: of the numbers.
        unit: of the values.
    """

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        days = sorted(set(curves[0][1]) | set(curves[1][1]))
        place = {day: index for index, day in enumerate(days)}
        for (name, curve), colour, style in zip(curves, (BEFORE, RIVER), ((0, (3, 1.5)), "-"), strict=True):
            known = sorted(curve)
            axes.plot(
                [place[day] for day in known],
                [curve[day] for day in known],
                color=colour,
                linewidth=2.0,
                linestyle=style,
                label=name,
            )
        shared = [day for day in days if day in curves[0][1] and day in curves[1][1]]
        axes.fill_between(
            [place[day] for day in shared],
            [curves[0][1][day] for day in shared],
            [curves[1][1][day] for day in shared],
            color=PALE,
            alpha=0.45,
            linewidth=0,
        )
        ticks = [(place[day], name) for day, name in months if day in place]
        axes.set_xticks([each for each, _ in ticks], [name[:3] if narrow else name for _, name in ticks], ha="left")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        axes.yaxis.set_major_formatter(lambda value, _: number(value, language))
        axes.set_title(unit, loc="left", fontsize=9, color=QUIET)
        axes.legend(loc="lower left", ncols=1 if narrow else 2)
        axes.margins(x=0.01)
        return 2.8 if narrow else 3.1

    return draw(chart, plot)


def signature(
    chart: Chart,
    clouds: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    labels: tuple[str, str],
    language: Language,
) -> Drawn:
    """Energy against cold, a dot for each week, of two winters: the first is the reference."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        for (name, points), colour, marker in zip(clouds, (BEFORE, RIVER), ("s", "o"), strict=True):
            axes.scatter(
                [x for x, _ in points],
                [y for _, y in points],
                s=30,
                color=colour,
                marker=marker,
                label=name,
                alpha=0.85,
                linewidth=0,
            )
            _trend(axes, points, colour)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid()
        axes.set_xlabel(labels[0])
        axes.set_title(labels[1], loc="left", fontsize=9, color=QUIET)
        axes.xaxis.set_major_formatter(lambda value, _: number(value, language))
        axes.yaxis.set_major_formatter(lambda value, _: number(value, language))
        axes.legend(loc="lower right")
        return 2.9 if narrow else 3.1

    return draw(chart, plot)


def _trend(axes: Any, points: Sequence[tuple[float, float]], colour: str) -> None:
    """The straight line of least squares through a cloud."""
    if len({x for x, _ in points}) < 2:
        return
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    ends = min(x for x, _ in points), max(x for x, _ in points)
    axes.plot(ends, [mean_y + slope * (x - mean_x) for x in ends], color=colour, linewidth=1.2)


def hours(chart: Chart, counts: Mapping[int, float], language: Language, unit: str) -> Drawn:
    """Vehicles by hour of the local day."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        axes.bar(list(counts), list(counts.values()), width=0.78, color=RIVER)
        step = 6 if narrow else 3
        axes.set_xticks(range(0, 24, step), [f"{hour} h" for hour in range(0, 24, step)])
        axes.set_xlim(-0.7, 23.7)
        axes.grid(axis="y")
        axes.set_title(unit, loc="left", fontsize=9, color=QUIET)
        axes.yaxis.set_major_formatter(lambda value, _: number(value, language))
        axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
        return 2.6 if narrow else 2.8

    return draw(chart, plot)
