"""A profile from a table: the built-in ones from their folder, a site's from its file."""

from importlib import import_module
from importlib.resources import files
from typing import Any

from services.ingest.declarative.engine import Engine, Hook, compile_takes
from services.ingest.declarative.table import TableProblem, read_table
from services.ingest.profiles import Profile

__all__ = ["TABLE", "profile_of", "read_profile"]

TABLE = "fields.toml"


def read_profile(name: str, text: str, source: str, hooks: dict[str, Hook] | None = None) -> Profile:
    """The profile that a table describes.

    Args:
        name: of the profile; devices are `<name>:<identifier>`.
        text: the TOML.
        source: the file's name, for errors.
        hooks: functions that rows may name.

    Raises:
        TableProblem: the table is wrong.
    """
    table = read_table(text, source)
    try:
        engine = Engine(name, table, hooks)
    except ValueError as error:
        raise TableProblem(f"{source}: {error}") from None
    return Profile(
        name=name,
        topics=table.topics,
        parse=engine.parse,
        stability=table.stability,
        summary=table.summary,
        takes=compile_takes(table.takes),
    )


def profile_of(package: str) -> Profile:
    """The profile of a folder that holds `fields.toml`, and `parser.py` with `HOOKS` if its rows name any."""
    folder = files(package)
    hooks: dict[str, Hook] = {}
    if folder.joinpath("parser.py").is_file():
        module: Any = import_module(f"{package}.parser")
        hooks = module.HOOKS
    name = package.rpartition(".")[2]
    return read_profile(name, folder.joinpath(TABLE).read_text(encoding="utf-8"), f"{name}/{TABLE}", hooks)
