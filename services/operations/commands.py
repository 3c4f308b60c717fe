"""The commands of an operator, as the command line has them. Imports lazily."""

import typer

from services.operations.refused import rejected

__all__ = ["add_operations"]


def add_operations(app: typer.Typer) -> None:
    """Put the commands of this module into the command line."""
    app.add_typer(rejected, name="rejected")
