"""Changes with their intervals on one axis: what lies off zero is no chance."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.ticker

from services.aggregator.kpis.results import Language
from services.aggregator.report.charts import INK, PALE, QUIET, RIVER, Chart, Drawn, draw
from services.aggregator.report.wording import number

__all__ = ["Change", "changes"]

_MOST_PERCENT = 150.0
_WIDE_IN = 8.4


class Change(NamedTuple):
    """A measure's change in per cent of what was before, and the ends of its interval."""

    name: str
    value: float
    low: float
    high: float


def changes(chart: Chart, rows: Sequence[Change], language: Language, axis: str) -> Drawn:
    """A dot and a line for each measure, the first on top; lines that leave the picture are cut."""

    def plot(axes: Any, narrow: bool) -> float:  # noqa: FBT001
        for place, row in enumerate(rows):
            clear = row.low > 0 or row.high < 0
            low, high = max(row.low, -_MOST_PERCENT), min(row.high, _MOST_PERCENT)
            axes.plot([low, high], [place, place], color=RIVER if clear else QUIET, linewidth=2.2)
            dot = {"facecolor": RIVER if clear else "white", "edgecolor": RIVER if clear else QUIET}
            if -_MOST_PERCENT <= row.value <= _MOST_PERCENT:
                axes.scatter([row.value], [place], s=46, zorder=3, linewidth=1.6, **dot)
        axes.axvline(0, color=INK, linewidth=1.0)
        axes.axvspan(-0.4, 0.4, color=PALE, alpha=0.25, linewidth=0)
        axes.set_yticks(range(len(rows)), [row.name for row in rows], color=INK)
        axes.invert_yaxis()
        axes.grid(axis="x")
        axes.spines["bottom"].set_visible(False)
        axes.set_xlabel(axis)
        axes.margins(x=0.06, y=0.06)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4 if narrow else 7))
        axes.xaxis.set_major_formatter(lambda value, _: number(value, language))
        return 0.9 + len(rows) * 0.28

    return draw(chart, plot, _WIDE_IN)
