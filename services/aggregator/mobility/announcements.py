"""What is known of a hazard, as a set that only grows, and its points (docs/adr/0023). Pure.

An event is an action id with its detectionTime: ids are used again. What its point holds can be read back and merged
with more, in any order and any number of times, because it is a union; so no log is read again for a hazard.
"""

import hashlib
import json
from typing import Final, NamedTuple

from schemas.mobility import HazardNearby, RoadHazard
from services.aggregator.points import milliseconds
from services.aggregator.ports import FieldValue, Point, Row

__all__ = ["EventKey", "Known", "hazard_points", "key_of_hazard", "known_from", "known_of", "time_ns"]

MOST_ANNOUNCEMENTS: Final = 500
"""More updates are not counted: a field of InfluxDB holds 64 kB, and the newest of a union are a union too."""

_NO_CAUSE: Final = "none"

EventKey = tuple[str, int]
"""Action id, and detectionTime in Unix milliseconds."""

Announcement = tuple[int, bool, int, str]
"""referenceTime, whether it ends the event, end, and how: `validity`, `cancellation` or `negation`."""

Cause = tuple[int, str]
"""referenceTime at which a cause was told, and `cause.sub_cause`; `none` where a message tells none."""


class Known(NamedTuple):
    """All that the messages of an event said, and when the first of them was received."""

    first_ms: int
    announcements: frozenset[Announcement]
    causes: frozenset[Cause]

    def merge(self, other: "Known") -> "Known":
        """What both know: the newest announcements, and for each cause when it was told last."""
        return Known(
            min(self.first_ms, other.first_ms),
            frozenset(sorted(self.announcements | other.announcements)[-MOST_ANNOUNCEMENTS:]),
            frozenset({cause: (at_ms, cause) for at_ms, cause in sorted(self.causes | other.causes)}.values()),
        )

    @property
    def text(self) -> str:
        """The same text for the same knowledge."""
        return json.dumps([self.first_ms, sorted(self.announcements), sorted(self.causes)], separators=(",", ":"))


def key_of_hazard(record: RoadHazard | HazardNearby) -> EventKey:
    """The event that a DENM is about."""
    return record.action_id, milliseconds(record.detection_time)


def known_of(record: RoadHazard | HazardNearby) -> Known:
    """What one DENM says."""
    reference_ms = milliseconds(record.observed_at)
    ending = record.termination or "validity"
    said = (reference_ms, record.termination is not None, milliseconds(record.ends_at), ending)
    cause = _NO_CAUSE if record.cause_code is None else f"{record.cause_code}.{record.sub_cause_code or 0}"
    return Known(milliseconds(record.received_at), frozenset({said}), frozenset({(reference_ms, cause)}))


def known_from(rows: list[Row]) -> Known | None:
    """What the points of an event hold together; `None` if there is none."""
    known: Known | None = None
    for row in rows:
        first_ms, announcements, causes = json.loads(str(row.fields["state"]))
        each = Known(first_ms, frozenset(map(tuple, announcements)), frozenset(map(tuple, causes)))
        known = each if known is None else known.merge(each)
    return known


def time_ns(key: EventKey) -> int:
    """The detection, with digits that keep two events of one instant apart."""
    digits = int.from_bytes(hashlib.sha256(f"{key[0]}|{key[1]}".encode()).digest()[:8], "big")
    return key[1] * 1_000_000 + digits % 1_000_000


def hazard_points(key: EventKey, known: Known) -> list[Point]:
    """One point for each cause that was told; the last told counts as the hazard, the others as none."""
    detected_ms = key[1]
    _, _, end_ms, ending = max(known.announcements)
    told = max(known.causes, key=lambda each: (each[1] != _NO_CAUSE, each))[1].split(".")[0]
    updates = {each[0] for each in known.announcements if not each[1]}
    points = []
    for cause in sorted({each[1].split(".")[0] for each in known.causes}):
        counts = cause == told
        fields: dict[str, FieldValue] = {
            "hazards": int(counts),
            "duration_s": max(0, end_ms - detected_ms) / 1000 if counts else 0.0,
            "dissemination_s": (known.first_ms - detected_ms) / 1000 if counts else 0.0,
            "updates": max(0, len(updates) - 1) if counts else 0,
            "ending": ending if counts else _NO_CAUSE,
            "state": known.text,
        }
        points.append(Point("hazard", (("cause", cause),), tuple(sorted(fields.items())), time_ns(key)))
    return points
