"""Priority at a junction by requestor and minute, and its points (docs/adr/0023). Pure; no requestor is named.

As with passages a point stands for a minute in which a request was heard, and for the role that it named; the
request itself counts in the minute in which it was first made. Answers count for two minutes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from schemas.mobility import PriorityRequest, PriorityStatus
from services.aggregator.mobility.priority import Priority, priorities_of
from services.aggregator.mobility.slots import AHEAD_MS, BACK_MS, SLOT_MS, slot_of
from services.aggregator.points import milliseconds
from services.aggregator.ports import FieldValue, Point

__all__ = ["RequestKey", "priority_points", "request_key"]

RequestKey = tuple[str, int]
"""Requestor, and the id of its request."""

_OUTCOMES: Final = ("granted", "rejected", "unanswered", "cancelled")


def request_key(record: PriorityRequest | PriorityStatus) -> RequestKey | None:
    """Whose request it is about; `None` for an answer that does not say."""
    if record.requestor is None or record.request_id is None:
        return None
    return record.requestor, record.request_id


def priority_points(
    zone: str, records: Iterable[PriorityRequest | PriorityStatus], minutes: tuple[int, int]
) -> list[Point]:
    """The points of one requestor's id, of minutes that begin in [low, high]."""
    known = list(records)
    asked = [each for each in known if isinstance(each, PriorityRequest)]
    points = []
    for start_ms in sorted({slot_of(milliseconds(each.observed_at)) for each in asked}):
        if not minutes[0] <= start_ms <= minutes[1]:
            continue
        low_ms, high_ms = start_ms - BACK_MS, start_ms + SLOT_MS + AHEAD_MS
        window = [each for each in known if low_ms <= milliseconds(each.observed_at) < high_ms]
        found = priorities_of(
            (each for each in window if isinstance(each, PriorityRequest)),
            (each for each in window if isinstance(each, PriorityStatus)),
        )
        here = [each for each in found if slot_of(milliseconds(each.requested_at)) == start_ms]
        roles = {each.role for each in asked if slot_of(milliseconds(each.observed_at)) == start_ms}
        for role in sorted(roles, key=repr):
            of_role = [each for each in here if each.role == role]
            points.append(_point(zone, role, _time_ns(zone, asked[0], start_ms), of_role))
    return points


def _point(zone: str, role: int | None, time_ns: int, found: Sequence[Priority]) -> Point:
    granted = [each.granted_s for each in found if each.granted_s is not None]
    answered = [each.answered_s for each in found if each.answered_s is not None]
    fields: dict[str, FieldValue] = {
        "requests": len(found),
        "updates": sum(each.updates for each in found),
        "granted_s": float(sum(granted)),
        "answered": len(answered),
        "answered_s": float(sum(answered)),
    }
    fields |= {name: sum(each.outcome == name for each in found) for name in _OUTCOMES}
    tags = (("role", "none" if role is None else str(role)), ("zone", zone))
    return Point("priority", tags, tuple(sorted(fields.items())), time_ns)


def _time_ns(zone: str, request: PriorityRequest, start_ms: int) -> int:
    named = f"{request.requestor}|{request.request_id}|{zone}|{start_ms}".encode()
    digits = int.from_bytes(hashlib.sha256(named).digest()[:8], "big")
    return start_ms * 1_000_000 + digits % (SLOT_MS * 1_000_000)
