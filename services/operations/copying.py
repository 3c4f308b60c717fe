"""`garonne backup` and `garonne restore`: event log and time series to a folder, and back into empty servers."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.terminal import ConfigurationFile, fail, load_settings

if TYPE_CHECKING:
    from services.runtime.settings import Settings

__all__ = ["add_copying"]

_Folder = Annotated[Path, typer.Argument(help="Folder of the copy.")]


def add_copying(app: typer.Typer) -> None:
    """Put both commands into the command line."""
    app.command()(backup)
    app.command()(restore)


def backup(folder: _Folder, config: ConfigurationFile = None) -> None:
    """Copy Kafka's topics and InfluxDB's points into a new folder, while everything runs.

    Needs rights to read all of them: the operator's. Keys, registry and consents are files: copy them as well, apart
    from this. Embedded there are no servers: stop the services and copy the folder.
    """
    from services.operations.backup import back_up

    _do(config, lambda settings: back_up(settings, folder), f"copied to {folder}")


def restore(folder: _Folder, config: ConfigurationFile = None) -> None:
    """Put a copy into servers that hold nothing yet; the aggregator then goes on where it stood.

    Stop ingest and aggregate first. Needs rights to make topics and to write everything. Whoever was forgotten after
    the copy was made must be forgotten again.
    """
    from services.operations.backup import restore as put

    _do(config, lambda settings: put(settings, folder), f"restored from {folder}")


def _do(config: Path | None, work: "Callable[[Settings], Coroutine[Any, Any, dict[str, int]]]", what: str) -> None:
    from aiokafka.errors import KafkaError

    from services.aggregator.ports import Unavailable
    from services.operations.backup import BackupProblem
    from services.runtime.settings import ConfigurationProblem

    settings = load_settings(config)
    if settings.storage == "embedded":
        raise fail(f"storage is embedded: stop the services and copy the folder {settings.embedded.folder}")
    try:
        lines = asyncio.run(work(settings))
    except (BackupProblem, ConfigurationProblem, KafkaError, OSError, Unavailable) as problem:
        raise fail(problem) from None
    records = sum(number for name, number in lines.items() if name.endswith(".jsonl.gz"))
    typer.secho(f"{records:,} records and {sum(lines.values()) - records:,} points {what}", fg=typer.colors.GREEN)
