"""What a demonstration shows while it runs: live on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.demo.figures import Figures

__all__ = ["Display", "table_of"]

_A_LINE_EVERY_S: Final = 5.0
_ROWS: Final = (
    ("published by devices", "published"),
    ("received by Garonne", "received"),
    ("normalised", "normalised"),
    ("rejected, kept with reason", "rejected"),
    ("ignored by a rule", "ignored"),
    ("stored in the time series", "stored"),
    ("on their way", "lag"),
)


def table_of(figures: Figures, per_s: float | None = None) -> Table:
    """The figures as a table."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right", style="bold")
    for text, name in _ROWS:
        table.add_row(text, f"{getattr(figures, name):,}".replace(",", " "))
    if per_s is not None:
        table.add_row("stored each second", f"{per_s:,.0f}".replace(",", " "))
    return table


class Display:
    """Progress of the publishing, and the figures under it."""

    def __init__(self, console: Console, expected: int) -> None:
        self._console = console
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("A city begins to publish", total=expected)
        self._live = Live(console=console, refresh_per_second=4, transient=True)
        self._started_s = self._said_s = time.monotonic()

    def __enter__(self) -> Self:
        """Start to draw, if this is a terminal."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        self._live.stop()

    def show(self, doing: str, figures: Figures) -> None:
        """Show the figures of now."""
        now_s = time.monotonic()
        per_s = figures.stored / max(0.1, now_s - self._started_s)
        self._progress.update(self._task, description=doing, completed=figures.accounted)
        if self._console.is_terminal:
            self._live.update(Group(self._progress, table_of(figures, per_s)))
        elif now_s - self._said_s >= _A_LINE_EVERY_S:
            self._said_s = now_s
            self._console.print(
                f"{now_s - self._started_s:4.0f} s  published {figures.published}, received {figures.received}, "
                f"rejected {figures.rejected}, ignored {figures.ignored}, stored {figures.stored}, "
                f"on their way {figures.lag}",
                highlight=False,
                soft_wrap=True,
            )
