"""Reading evaluations: CloudEvents 1.0 in structured JSON (kpis.md 7, a proposal of this project).

Free text has no way into a record: of `data` only the numbers, truths and names that are listed here are read.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.citizen import AppEvaluation
from schemas.envelope import AnyRecord
from services.ingest.clock import wall_clock_text
from services.ingest.codecs.jsontext import finite, read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

PREFIX: Final = "fr.bordeaux.pionniers."
IGNORED: Final[Mapping[str, str]] = {
    "feedback.text": "free-text",
    "session.started": "session-start",
    "consent.granted": "consent-elsewhere",
    "consent.withdrawn": "consent-elsewhere",
}
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}")
_MOST_TASK_S: Final = 86_400.0


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one event.

    Raises:
        Unparseable: no CloudEvent of version 1.0, a type nobody told us of, or an answer outside of its scale.
    """
    _, application, member, _ = message.topic.split("/")
    event = read_object(message.payload)
    if event.get("specversion") != "1.0":
        raise Unparseable("wrong_shape", "specversion: must be 1.0, of CloudEvents")
    name = event.get("type")
    kind = name.removeprefix(PREFIX) if isinstance(name, str) and name.startswith(PREFIX) else ""
    if kind in IGNORED:
        return Ignored(IGNORED[kind])
    if kind not in _READERS:
        raise Unparseable("wrong_shape", f"type: none of {PREFIX}{{{', '.join(sorted({*_READERS, *IGNORED}))}}}")
    data = event.get("data")
    if not isinstance(data, dict):
        raise Unparseable("wrong_shape", "data: must be an object")
    reading = wall_clock_text(event.get("time"), message.received_at, context)
    version = data.get("version")
    return (
        AppEvaluation(
            observed_at=reading.at,
            received_at=message.received_at,
            clock=reading.clock,
            flags=reading.flags,
            retained=message.retained,
            member=context.names.member(member),
            application=_slug(application, "topic: the application"),
            version=None if version is None else _slug(version, "data.version"),
            **_READERS[kind](data),
        ),
    )


def _slug(value: Any, place: str) -> str:
    if not isinstance(value, str) or not _SLUG.fullmatch(value):
        raise Unparseable("bad_value", f"{place}: must be a name of letters, digits and _.:/-, 80 at most")
    return value


def _whole(value: Any, place: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Unparseable("bad_value", f"{place}: must be a whole number from {least} to {most}")
    return value


def _sus(data: Mapping[str, Any]) -> dict[str, Any]:
    """Ten answers; one that is missing (null) counts as 3, the middle (Bangor and others, 2009)."""
    answers = data.get("answers")
    if not isinstance(answers, list) or len(answers) != 10:
        raise Unparseable("wrong_shape", "data.answers: must be an array of ten answers")
    if all(each is None for each in answers):
        raise Unparseable("bad_value", "data.answers: has not one answer")
    return {"sus_answers": tuple(3 if each is None else _whole(each, "data.answers", 1, 5) for each in answers)}


def _task(data: Mapping[str, Any]) -> dict[str, Any]:
    success = data.get("success")
    if not isinstance(success, bool):
        raise Unparseable("bad_value", "data.success: must be true or false")
    found: dict[str, Any] = {"task": _slug(data.get("task"), "data.task"), "task_success": success}
    if data.get("duration_s") is not None:
        duration_s = finite(data["duration_s"], "duration_s", "data")
        if not 0 <= duration_s <= _MOST_TASK_S:
            raise Unparseable("bad_value", "data.duration_s: must be from 0 to 86400 seconds")
        found["time_on_task_s"] = duration_s
    return found


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "survey.sus.submitted": _sus,
    "survey.csat": lambda data: {"rating": _whole(data.get("rating"), "data.rating", 1, 5)},
    "survey.nps": lambda data: {"recommendation": _whole(data.get("score"), "data.score", 0, 10)},
    "task.completed": _task,
}
