"""The consent file: JSON lines, one for each change, only ever added to. `garonne consent` writes it, or a hand.

    {"recorded_at": "2025-10-20T09:00:00Z", "household": "famille-001", "action": "grant",
     "purposes": ["challenge", "city"], "granularity": "half_hourly", "from": "2025-11-01T00:00:00+01:00"}

on one line. A household is named as in the registry, or, without an entry there, by its device
(`<profile>:<identifier>`). Whoever is not named has agreed to nothing. Lines stay: they are the history.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.ingest.consent import Change

__all__ = ["ConsentFile", "ConsentProblem", "append_change", "check_households", "read_changes"]

_PRIVATE: Final = 0o600


class ConsentProblem(Exception):
    """The consent file is wrong; the text names the file, the line, the key and the rule."""


def read_changes(path: Path) -> tuple[Change, ...]:
    """All changes, in the order of the file; empty lines and lines that begin with `#` say nothing.

    Raises:
        ConsentProblem: names the line and the key.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ConsentProblem(f"{path}: not UTF-8") from error
    except OSError as error:
        advice = "an empty file means that nobody has agreed; `garonne consent grant` makes one"
        raise ConsentProblem(f"{path}: {error.strerror or error}; {advice}") from error
    return tuple(
        _change(f"{path}: line {number}", line)
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith("#")
    )


def _change(place: str, line: str) -> Change:
    try:
        return Change.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ").replace("Extra inputs are not permitted", "no such key")
        raise ConsentProblem(f"{place}: {key + ': ' if key else ''}{text}") from error


def check_households(path: Path, changes: Sequence[Change], registered: frozenset[str]) -> None:
    """A name that nobody has is a slip of the pen: its consent, or its withdrawal, would be for nobody.

    Raises:
        ConsentProblem: a household is neither in the registry nor a device.
    """
    for change in changes:
        if change.household not in registered and ":" not in change.household:
            raise ConsentProblem(
                f"{path}: household {change.household!r} is not in households_file; "
                "name it as there, or write <profile>:<identifier> of its device"
            )


def append_change(path: Path, change: Change) -> None:
    """Add a line, on disk when this returns. What is there must be right, so that it stays readable.

    Raises:
        ConsentProblem: what is there is wrong, or the file cannot be written.
    """
    if path.exists():
        read_changes(path)
    text = change.model_dump_json(by_alias=True, exclude_none=True)
    try:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _PRIVATE), "r+b") as file:
            broken = file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
            file.write((b"\n" if broken else b"") + text.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConsentProblem(f"{path}: {error.strerror or error}") from error


class ConsentFile:
    """Says when a file has changed; the first look says so too, for it may have changed while all was set up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: object = self

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def changed(self) -> bool:
        """Whether it is another one than at the last look."""
        before, self._seen = self._seen, self._state()
        return self._seen != before
