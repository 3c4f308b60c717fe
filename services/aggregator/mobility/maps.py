"""The maps that hold at a junction, and their points: a map is remembered in the time series. Pure.

A map is no event but a state: it holds from the quarter of an hour in which it was first heard on, until others are
heard on a later day. So one that is heard once, as a retained message is, holds for good. There is a point for each
map and day on which it was heard; what is read back and what is heard make one set (docs/adr/0025).
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from schemas.mobility import IntersectionGeometry
from services.aggregator.mobility.geometry import Junction, junction_of
from services.aggregator.mobility.nearby import Nearby
from services.aggregator.points import milliseconds
from services.aggregator.ports import FieldValue, Point, Row

__all__ = ["DAY_MS", "MAP_MS", "Maps"]

MAP_MS: Final = 900_000
DAY_MS: Final = 86_400_000
_PART: Final = 30_000
"""Characters in one field: InfluxDB takes 64 kB."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Maps:
    """What was heard of the lanes of one junction; `surveyed` lanes count alone where there are any."""

    def __init__(self, surveyed: Junction | None = None) -> None:
        self.is_loaded = surveyed is not None
        self._surveyed = None if surveyed is None else [Nearby(surveyed)]
        self._days: dict[int, dict[str, int]] = {}
        self._made: dict[str, Nearby] = {}
        self._holding: dict[int, list[Nearby]] = {}

    def __bool__(self) -> bool:
        return self._surveyed is not None or bool(self._days)

    def holding(self, at_ms: int) -> list[Nearby]:
        """The maps that hold at an instant, the one to be believed first: the newest, then the highest revision.

        They are those of the day until then, and those of the last day before on which any was heard.
        """
        if self._surveyed is not None:
            return self._surveyed
        slot_ms = at_ms - at_ms % MAP_MS
        known = self._holding.get(slot_ms)
        if known is None:
            known = self._holding[slot_ms] = self._hold(slot_ms)
        return known

    def _hold(self, slot_ms: int) -> list[Nearby]:
        day_ms = slot_ms - slot_ms % DAY_MS
        before_ms = max((each for each in self._days if each < day_ms), default=None)
        heard = [(text, from_ms) for text, from_ms in self._days.get(day_ms, {}).items() if from_ms <= slot_ms]
        if before_ms is not None:
            heard += self._days[before_ms].items()
        holding: list[Nearby] = []
        for text, _ in sorted(heard, key=self._order):
            if (nearby := self._made[text]) not in holding:
                holding.append(nearby)
        return holding

    def _order(self, heard: tuple[str, int]) -> tuple[int, int, str]:
        return -heard[1], -(self._made[heard[0]].junction.revision or 0), heard[0]

    def hear(self, record: IntersectionGeometry) -> tuple[Point | None, int | None]:
        """Take a MAPEM.

        Returns:
            The point to write, if this says something new of the day, and the instant from which on other maps hold,
            if so.
        """
        if self._surveyed is not None:
            return None, None
        from_ms = _holds_from_ms(record)
        as_sent = {"observed_at": _EPOCH, "received_at": _EPOCH, "clock": "its", "flags": (), "retained": False}
        text = record.model_copy(update=as_sent).model_dump_json(exclude_defaults=True)
        day_ms = from_ms - from_ms % DAY_MS
        known_ms = self._days.get(day_ms, {}).get(text)
        if known_ms is not None and known_ms <= from_ms:
            return None, None
        times = [from_ms, *(each for each in self._days.get(day_ms, {}).values() if each >= from_ms)]
        before = [self.holding(each) for each in times]
        self._put(day_ms, text, from_ms)
        changed = before != [self.holding(each) for each in times]
        return _point(record.intersection, day_ms, text, from_ms), from_ms if changed else None

    def load(self, rows: Iterable[Row]) -> None:
        """Take what points say."""
        for row in rows:
            at_ms = row.time_ns // 1_000_000
            parts = sorted((name, str(value)) for name, value in row.fields.items() if name.startswith("map_"))
            from_ms = row.fields.get("from_ms")
            if isinstance(from_ms, int) and parts:
                self._put(at_ms - at_ms % DAY_MS, "".join(value for _, value in parts), from_ms)
        self.is_loaded = True

    def _put(self, day_ms: int, text: str, from_ms: int) -> None:
        if text not in self._made:
            junction = junction_of(IntersectionGeometry.model_validate_json(text))
            known = (each for each in self._made.values() if each.junction == junction)
            self._made[text] = next(known, None) or Nearby(junction)
        of_day = self._days.setdefault(day_ms, {})
        of_day[text] = min(from_ms, of_day.get(text, from_ms))
        self._holding.clear()


def _holds_from_ms(record: IntersectionGeometry) -> int:
    """The start of the quarter of an hour from which on it holds: that of its own time, if it is one of today.

    A retained message tells what is so now, whenever it was sent.
    """
    at_ms, received_ms = milliseconds(record.observed_at), milliseconds(record.received_at)
    if record.retained or at_ms > received_ms or at_ms < received_ms - received_ms % DAY_MS:
        at_ms = received_ms
    return at_ms - at_ms % MAP_MS


def _point(zone: str, day_ms: int, text: str, from_ms: int) -> Point:
    digits = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    fields: dict[str, FieldValue] = {"from_ms": from_ms}
    fields |= {f"map_{number:02}": part for number, part in enumerate(_parts(text))}
    time_ns = day_ms * 1_000_000 + digits % (DAY_MS * 1_000_000)
    return Point("map", (("zone", zone),), tuple(sorted(fields.items())), time_ns)


def _parts(text: str) -> Iterator[str]:
    for begin in range(0, len(text), _PART):
        yield text[begin : begin + _PART]
