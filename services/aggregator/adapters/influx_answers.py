"""What an answer of InfluxDB to a write means: stored, a bad point, too much, later, or a configuration to mend.

Pure. Seen on 1.8.10 and 2.7.12, with the differences of version 3 from its documentation: a 400 may be whole or
partial, 422 and 500 may be partial, so a batch that was refused is always searched for the guilty points.
"""

import re
from enum import Enum
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from schemas.rejection import Reason

__all__ = ["Answer", "Verdict", "understand"]


class Verdict(Enum):
    """What to do now."""

    STORED = "stored"
    REFUSED = "refused"
    """A point of the batch, or all of it, will never be taken: halve the batch."""
    TOO_LARGE = "too large"
    """Halve the batch; a point alone is refused."""
    LATER = "later"
    """No answer about the points: try again."""
    BROKEN = "broken"
    """500 without a known reason: try again, then find out whether points make the server stumble."""
    MISCONFIGURED = "misconfigured"
    """Nothing about the points: somebody must mend token, organisation, bucket or address."""


class Answer(NamedTuple):
    """A verdict; `detail` never holds a value of a point. `dropped` is how many points the server says it dropped."""

    verdict: Verdict
    reason: Reason = "refused"
    detail: str = ""
    dropped: int | None = None
    retry_after_s: float | None = None


_CONFLICT: Final = re.compile(
    r'field type conflict: input field \\?"(?P<field>[^"\\]+)\\?" on measurement \\?"(?P<measurement>[^"\\]+)\\?" '
    r"is type (?P<new>\w+), already exists as type (?P<old>\w+)"
)
_OF_POINTS: Final = re.compile("pars(e|ing)|partial write|line protocol")
"""A 400 that says none of this is about the request, not about points: nobody is condemned for it."""
_DROPPED: Final = re.compile(r"dropped=(\d+)")
_ADVICE: Final = {
    401: "the token is not known (401); put a valid one in the file that influxdb.token_file names",
    403: "the token may not do this (403); give it read and write access to the buckets",
    404: "no such organisation or bucket (404); check influxdb.org and the bucket names, or create the buckets",
}


def understand(status: int, body: bytes, retry_after: str | None) -> Answer:
    """The meaning of an answer: HTTP status, body and the header `Retry-After`."""
    if 200 <= status < 300:
        return Answer(Verdict.STORED)
    if status in _ADVICE:
        return Answer(Verdict.MISCONFIGURED, detail=_ADVICE[status])
    answer = _about_points(status, _message(body)) if status in {400, 413, 422, 500} else None
    if answer is not None:
        return answer
    if status in {429, 502, 503, 504}:
        detail = f"it is overloaded or starting ({status})"
        return Answer(Verdict.LATER, detail=detail, retry_after_s=_seconds(retry_after))
    detail = f"unexpected answer {status}; is influxdb.url InfluxDB's own address, or is a proxy in between?"
    return Answer(Verdict.MISCONFIGURED, detail=detail)


def _message(body: bytes) -> str:
    """InfluxDB's own words; empty if the body is not InfluxDB's, such as a proxy's page."""
    try:
        content: Any = from_json(body)
    except ValueError:
        return ""
    if not isinstance(content, dict):
        return ""
    words = [content[key] for key in ("message", "error") if isinstance(content.get(key), str)]
    # Version 3 lists the lines that it refused, each with its reason.
    listed = content.get("data")
    if isinstance(listed, list):
        words += [str(each.get("error_message", "")) for each in listed if isinstance(each, dict)]
    return " ".join(words)


def _about_points(status: int, message: str) -> Answer | None:
    """The verdict on points, or `None` if the answer says nothing of them."""
    if status == 413:
        return Answer(Verdict.TOO_LARGE, detail="the point alone is larger than a request may be (413)")
    known = _known_reason(message)
    if known is not None:
        found = _DROPPED.search(message)
        return Answer(Verdict.REFUSED, *known, dropped=int(found[1]) if found else None)
    if _OF_POINTS.search(message) is not None:
        return Answer(Verdict.REFUSED, "refused", f"InfluxDB refuses the point ({status})")
    if status == 500:
        return Answer(Verdict.BROKEN, detail="internal error (500); look into InfluxDB's log")
    return None


def _known_reason(message: str) -> tuple[Reason, str] | None:
    conflict = _CONFLICT.search(message)
    if conflict is not None:
        return "field_type", "field {field!r} of {measurement!r} is {new}, but holds {old}".format(
            **conflict.groupdict()
        )
    if "field type conflict" in message or "already exists as type" in message:
        return "field_type", "a field has another type than the one stored"
    if "beyond retention" in message or "retention policy" in message:
        return "beyond_retention", "older than the bucket keeps"
    return None


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        return None  # a date; the own back-off will do
