"""What commands of the command line share: the configuration, errors in one line, times as people write them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from services.runtime.settings import Settings

__all__ = ["ConfigurationFile", "fail", "instant_of", "load_settings", "print_table"]

_WIDTH = 200
"""Of a table that goes into a file or a pipe: nobody wants it folded to 80 columns."""

ConfigurationFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="GARONNE_CONFIG", help="The configuration, such as `garonne.toml`."),
]


def fail(text: object) -> typer.Exit:
    """Say what the user can repair; raise what this gives."""
    typer.secho(str(text), err=True, fg=typer.colors.RED)
    return typer.Exit(1)


def load_settings(path: Path | None) -> "Settings":
    """Read the configuration.

    Raises:
        typer.Exit: it is wrong; said on standard error.
    """
    from services.runtime.settings import ConfigurationProblem, read_settings  # noqa: PLC0415 - lazy

    try:
        return read_settings(path)
    except ConfigurationProblem as problem:
        raise fail(problem) from None


def instant_of(text: str | None, zone: str) -> datetime | None:
    """A day or an instant as ISO 8601 has it; without a zone it is the site's.

    Raises:
        typer.Exit: it is none; said on standard error.
    """
    if text is None:
        return None
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - lazy

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise fail(f"{text!r} is no time: write 2026-01-12, 2026-01-12T07:00 or 2026-01-12T07:00Z") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def print_table(
    title: str, columns: Iterable[str], rows: Iterable[Iterable[object]], *, right: Iterable[str] = ()
) -> None:
    """A table for people; columns named in `right` hold numbers."""
    from rich.console import Console  # noqa: PLC0415 - lazy
    from rich.table import Table  # noqa: PLC0415

    table, numbers = Table(title=title, title_justify="left"), set(right)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{each:,}" if isinstance(each, int) else str(each) for each in row))
    wide = Console()
    (wide if wide.is_terminal else Console(width=_WIDTH)).print(table)
