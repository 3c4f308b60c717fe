"""Drawings of the themes of CITYkeys and of the charter, by the same means as all charts."""

from collections.abc import Sequence
from math import ceil
from typing import Any, Final, NamedTuple

import matplotlib as mpl
import matplotlib.ticker
from matplotlib.patches import Patch

from services.aggregator.kpis.results import Language
from services.aggregator.report.charts import BEFORE, GOAL, GRID, INK, PALE, QUIET, RIVER, Chart, Drawn, draw
from services.aggregator.report.wording import number, small

__all__ = ["STATES", "Goal", "Scored", "Share", "goals", "overview", "path", "scores", "squares"]

STATES: Final = ("figures", "scores", "open", "absent")
"""What may be said of an indicator: a figure, a score, a score that nobody gave yet, nothing."""
_COLOURS: Final = {"figures": RIVER, "scores": BEFORE, "open": PALE, "absent": GRID}
_HATCH: Final = {"figures": "", "scores": "", "open": "////", "absent": ""}
_LABELLED: Final = 3
"""Below this width a bar has no room for its number; the table beside has it."""


class Share(NamedTuple):
    """How many indicators of a theme are in each of `STATES`."""

    name: str
    counts: tuple[int, int, int, int]


class Scored(NamedTuple):
    """A score on its scale."""

    name: str
    value: int


class Goal(NamedTuple):
    """A figure beside the goal for it, both in the same unit; `label` is how the value is written."""

    name: str
    value: float
    label: str
    goal: float
    low: float | None = None
    high: float | None = None


def _patches(names: Sequence[str]) -> list[Patch]:
    return [
        Patch(facecolor=_COLOURS[state], edgecolor=QUIET, hatch=_HATCH[state], linewidth=0.5, label=name)
        for state, name in zip(STATES, names, strict=True)
    ]


def overview(chart: Chart, shares: Sequence[Share], names: Sequence[str]) -> Drawn:
    """A bar for each theme: how many indicators are figures, scores, open scores, and not assessed."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        places = list(range(len(shares)))
        left = [0] * len(shares)
        for index, state in enumerate(STATES):
            counts = [each.counts[index] for each in shares]
            style = {"color": _COLOURS[state], "hatch": _HATCH[state], "edgecolor": "white", "linewidth": 0.8}
            axes.barh(places, counts, left=left, height=0.66, **style)
            for place, count in zip(places, counts, strict=True):
                if count >= _LABELLED:
                    dark = state in {"figures", "scores"}
                    where = (left[place] + count / 2, place)
                    box = None if dark else {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
                    axes.annotate(str(count), where, ha="center", va="center", color="white" if dark else INK, bbox=box)
            left = [before + count for before, count in zip(left, counts, strict=True)]
        axes.set_yticks(places, [each.name for each in shares], color=INK)
        axes.invert_yaxis()
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.margins(x=0.01)
        columns = 1 if narrow else 4
        axes.legend(handles=_patches(names), loc="upper left", bbox_to_anchor=(0, -0.02), ncols=columns, fontsize=8.5)
        return 0.9 + len(shares) * 0.4 + (0.75 if narrow else 0.0)

    return draw(chart, plot, 8.4)


def squares(chart: Chart, share: Share, names: Sequence[str]) -> Drawn:
    """A square for each indicator of a theme, by what is said of it."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        states = [state for state, count in zip(STATES, share.counts, strict=True) for _ in range(count)]
        wide = 12 if narrow else 16
        for place, state in enumerate(states):
            row, column = divmod(place, wide)
            axes.add_patch(
                mpl.patches.FancyBboxPatch(
                    (column + 0.1, -row + 0.1),
                    0.72,
                    0.72,
                    boxstyle="round,pad=0.02,rounding_size=0.14",
                    facecolor=_COLOURS[state],
                    edgecolor=QUIET if state in {"open", "absent"} else _COLOURS[state],
                    linewidth=0.5,
                    hatch=_HATCH[state],
                )
            )
        rows = ceil(len(states) / wide)
        axes.set_xlim(0, wide)
        axes.set_ylim(1 - rows - 0.05, 1.05)
        axes.set_aspect("equal")
        axes.axis("off")
        columns = 1 if narrow else 2
        axes.legend(handles=_patches(names), loc="upper left", bbox_to_anchor=(0, 0), ncols=columns, fontsize=8.5)
        return (0.3 * rows + 1.15) if narrow else (0.32 * rows + 0.6)

    return draw(chart, plot)


def scores(chart: Chart, rows: Sequence[Scored], ends: tuple[str, str], lowest: int) -> Drawn:
    """Scores of assessors as dots on their scale."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        places = list(range(len(rows)))
        for place, row in zip(places, rows, strict=True):
            axes.plot([lowest, 5], [place, place], color=GRID, linewidth=5, solid_capstyle="round", zorder=1)
            axes.plot([lowest, row.value], [place, place], color=PALE, linewidth=5, solid_capstyle="round", zorder=2)
            axes.scatter([row.value], [place], s=190, color=RIVER, zorder=3)
            axes.annotate(str(row.value), (row.value, place), ha="center", va="center", color="white", zorder=4)
        axes.set_yticks(places, [_wrapped(row.name, 20 if narrow else 34) for row in rows], color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(lowest - 0.3, 5.3)
        ticks = list(range(lowest, 6))
        named = {lowest: f"{lowest}\n{ends[0]}", 5: f"5\n{ends[1]}"}
        axes.set_xticks(ticks, [named.get(tick, str(tick)) for tick in ticks])
        axes.spines["bottom"].set_visible(False)
        return 0.75 + len(rows) * (0.44 if narrow else 0.36)

    return draw(chart, plot)


def _wrapped(text: str, width: int) -> str:
    """Lines of at most so many letters, where the words allow it."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def goals(chart: Chart, rows: Sequence[Goal], words: tuple[str, str], language: Language) -> Drawn:
    """Figures in % with their intervals, each beside the mark of its goal."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        places = list(range(len(rows)))
        axes.barh(places, [row.value for row in rows], height=0.46, color=RIVER, zorder=2)
        for place, row in zip(places, rows, strict=True):
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place, place], color=INK, linewidth=1.2, zorder=3)
            axes.plot([row.goal, row.goal], [place - 0.36, place + 0.36], color=GOAL, linewidth=2.4, zorder=4)
            edge = max(row.value, row.high or 0.0, row.goal, 0.0)
            axes.annotate(
                row.label,
                (edge, place),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
            )
        axes.set_yticks(places, [_wrapped(row.name, 20 if narrow else 34) for row in rows], color=INK)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.axvline(0, color=QUIET, linewidth=0.9)
        axes.margins(x=0.2)
        axes.grid(axis="x")
        axes.spines["bottom"].set_visible(False)
        axes.set_xlabel(words[0])
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axes.xaxis.set_major_formatter(lambda value, _: number(value, language))
        mark = mpl.lines.Line2D([], [], color=GOAL, linewidth=2.4, label=words[1])
        axes.legend(handles=[mark], loc="lower right", fontsize=8.5)
        return 0.95 + len(rows) * (0.6 if narrow else 0.5)

    return draw(chart, plot)


def path(
    chart: Chart,
    line: tuple[tuple[int, float], tuple[int, float]],
    now: tuple[int, float],
    names: tuple[str, str],
    language: Language,
) -> Drawn:
    """A straight way from a base year to a goal, and where we stand."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        years, values = zip(*line, strict=True)
        axes.fill_between(years, values, color=PALE, alpha=0.28, linewidth=0)
        axes.plot(years, values, color=GOAL, linewidth=2.0, linestyle=(0, (4, 2)), label=names[0])
        axes.plot([line[0][0], now[0]], [line[0][1], now[1]], color=RIVER, linewidth=2.2, label=names[1])
        axes.scatter([line[0][0], now[0]], [line[0][1], now[1]], s=46, color=RIVER, zorder=4)
        for year, value in (line[0], now, line[1]):
            axes.annotate(
                small(value, language),
                (year, value),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                fontweight="bold",
                color=INK,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
            )
        axes.set_ylim(0, 1.3 * max(line[0][1], now[1]))
        axes.set_xlim(line[0][0] - 0.8, max(line[1][0], now[0]) + 0.8)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5 if narrow else 8, integer=True))
        axes.xaxis.set_major_formatter(lambda value, _: str(int(value)))
        axes.yaxis.set_major_formatter(lambda value, _: number(value, language))
        axes.yaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axes.grid(axis="y")
        axes.set_title("kgCO₂e", loc="left", fontsize=9, color=QUIET)
        axes.legend(loc="lower left", ncols=1)
        return 2.6 if narrow else 2.8

    return draw(chart, plot)
