"""What the command line does with recorded messages: reading, normalising, showing progress."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.ingest.assembly import build_normaliser
from services.ingest.jsonlines import BadLine, read_line
from services.ingest.normalise import Outcome
from services.ingest.profiles import Message
from services.runtime.settings import Settings

__all__ = ["normalise_lines", "outcome_json", "progress", "recorded_messages", "watched", "watched_async"]

_Step = TypeVar("_Step")


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data: `records`, `rejected` or `ignored`."""
    if outcome.ignored is not None:
        return {"ignored": {"rule": outcome.ignored.rule}, "profile": outcome.profile}
    if (rejected := outcome.rejected) is not None:
        return {"rejected": rejected.model_dump(mode="json", exclude={"sealed", "kind", "retained"}, exclude_none=True)}
    return {
        "records": [
            {"id": event.id, **event.record.model_dump(mode="json", exclude_none=True)} for event in outcome.events
        ],
        "profile": outcome.profile,
    }


def normalise_lines(lines: Iterable[str], settings: Settings) -> Iterator[tuple[str, bool]]:
    """One output line for each input line, and whether the input line was a recorded message.

    Raises:
        KeyProblem, RegistryProblem, ZoneProblem: a file that the configuration names is wrong.
    """
    normaliser, _ = build_normaliser(settings, trial=True)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            message = read_line(line)
        except BadLine as problem:
            yield json.dumps({"error": f"line {number}: {problem}"}, ensure_ascii=False), False
            continue
        yield json.dumps(outcome_json(normaliser(message)), ensure_ascii=False), True


def recorded_messages(lines: Iterable[str]) -> Iterator[Message]:
    """The messages of a recording.

    Raises:
        BadLine: with the number of the line.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield read_line(line)
        except BadLine as problem:
            raise BadLine(f"line {number}: {problem}") from problem


def watched(steps: Iterator[int], text: str) -> Iterator[int]:
    """The same numbers, with a progress line on the terminal."""
    with progress() as bar:
        task = bar.add_task(text, total=None)
        for step in steps:
            bar.update(task, completed=step)
            yield step


async def watched_async(
    steps: AsyncIterator[Sequence[_Step]], text: str, total: int | None = None
) -> AsyncIterator[Sequence[_Step]]:
    """The same parts, with a progress bar on the terminal that counts what is in them."""
    with progress() as bar:
        task = bar.add_task(text, total=total)
        async for step in steps:
            bar.advance(task, len(step))
            yield step


def progress() -> Progress:
    """A progress bar on standard error that goes when it is done."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
