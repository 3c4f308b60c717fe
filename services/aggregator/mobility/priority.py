"""Requests for priority at a junction and what became of them, from the set of SREM and SSEM (c-its.md 5). Pure."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from schemas.mobility import PriorityRequest, PriorityStatus

__all__ = ["Outcome", "Priority", "priorities_of"]

Outcome = Literal["granted", "rejected", "unanswered", "cancelled"]

_PROCESSING: Final = 2
_GRANTED: Final = 4
_REJECTED: Final = frozenset({5, 6, 7})
_NEW_AFTER: Final = timedelta(minutes=5)
"""A request id that was quiet for so long is used anew: ids are one byte."""


class Priority(NamedTuple):
    """One request: when it was first made, and seconds to the first answer (processing or more) and to the grant."""

    intersection: str
    role: int | None
    requested_at: datetime
    updates: int
    outcome: Outcome
    rejected_status: int | None
    answered_s: float | None
    granted_s: float | None


def priorities_of(requests: Iterable[PriorityRequest], statuses: Iterable[PriorityStatus]) -> list[Priority]:
    """Requests, unique by junction, requestor and id; an update is no new request."""
    asked: dict[tuple[str, str, int], list[PriorityRequest]] = defaultdict(list)
    for request in set(requests):
        asked[request.intersection, request.requestor, request.request_id].append(request)
    answers: dict[tuple[str, str | None, int | None], list[PriorityStatus]] = defaultdict(list)
    for status in set(statuses):
        answers[status.intersection, status.requestor, status.request_id].append(status)
    found = []
    for key, each in asked.items():
        told = sorted(answers.get(key, ()), key=lambda status: (status.observed_at, status.status))
        begins = _episodes(each)
        for number, episode in enumerate(begins):
            until = begins[number + 1][0].observed_at if number + 1 < len(begins) else None
            found.append(_priority(episode, told, until))
    return sorted(found, key=lambda each: (each.requested_at, each.intersection, each.role or 0))


def _episodes(requests: list[PriorityRequest]) -> list[list[PriorityRequest]]:
    episodes: list[list[PriorityRequest]] = []
    for request in sorted(requests, key=lambda each: (each.observed_at, each.model_dump_json())):
        if not episodes or request.observed_at - episodes[-1][-1].observed_at > _NEW_AFTER:
            episodes.append([])
        episodes[-1].append(request)
    return episodes


def _priority(asked: list[PriorityRequest], told: list[PriorityStatus], until: datetime | None) -> Priority:
    first = asked[0]
    end = until or asked[-1].observed_at + _NEW_AFTER
    answers = [each for each in told if first.observed_at <= each.observed_at < end]
    answered = next((each for each in answers if each.status >= _PROCESSING), None)
    granted = next((each for each in answers if each.status == _GRANTED), None)
    refused = next((each for each in reversed(answers) if each.status in _REJECTED), None)
    cancelled = any(each.request_type == "cancellation" for each in asked)
    outcome: Outcome = "granted" if granted else "rejected" if refused else "cancelled" if cancelled else "unanswered"
    return Priority(
        first.intersection,
        first.role,
        first.observed_at,
        len({each.observed_at for each in asked if each.request_type == "update"}),
        outcome,
        refused.status if refused is not None and granted is None else None,
        None if answered is None else (answered.observed_at - first.observed_at).total_seconds(),
        None if granted is None else (granted.observed_at - first.observed_at).total_seconds(),
    )
