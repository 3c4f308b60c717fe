"""Hours and days of junctions as they are stored: what stands there, with what a batch changes.

An hour that is not in memory is read back from its points of minutes, a day from its hours; so a restart, a late
message or another process gives the same sums.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.mobility.hours import (
    HOUR_MS,
    KINDS,
    Hour,
    RowKey,
    Sums,
    hour_point,
    sums_from,
    sums_of_day,
)
from services.aggregator.points import instant, milliseconds
from services.aggregator.ports import Point, Store

__all__ = ["Crowd", "Rollups"]

_MOST_PARTS: Final = 200_000
"""Points of minutes that are remembered: some 100 MB."""

_MOST_DAYS: Final = 400

HourKey = tuple[str, str, int]
"""Kind, junction, Unix milliseconds of the start."""

DayKey = tuple[str, str, date]

Crowd = tuple[str, str, int, str]
"""An hour, and the group that the bits are of."""


class Rollups:
    """The hours that were touched last, and the hours of the days that were."""

    def __init__(self, store: Store, zone: ZoneInfo) -> None:
        self._store = store
        self._zone = zone
        self._hours: dict[HourKey, Hour] = {}
        self._days: dict[DayKey, dict[int, dict[RowKey, Sums]]] = {}

    def clear(self) -> None:
        """Forget everything; it is read back when needed."""
        self._hours.clear()
        self._days.clear()

    async def take(self, points: Sequence[Point], crowds: Mapping[Crowd, int]) -> list[Point]:
        """The points of hours and days that these points of minutes change; other points change none.

        Args:
            points: of minutes.
            crowds: the bits of those whom the points are about.

        Raises:
            Unavailable: the store cannot be read now.
        """
        told: dict[HourKey, list[Point]] = defaultdict(list)
        for point in points:
            if point.measurement in KINDS:
                at_ms = point.time_ns // 1_000_000
                told[point.measurement, dict(point.tags)["zone"], at_ms - at_ms % HOUR_MS].append(point)
        changed: list[Point] = []
        for key, its in told.items():
            changed += await self._hour(key, its, crowds)
        self._forget()
        return changed

    async def _hour(self, key: HourKey, points: Sequence[Point], crowds: Mapping[Crowd, int]) -> list[Point]:
        kind, zone, start_ms = key
        hour = self._hours.pop(key, None)
        if hour is None:
            hour = Hour(kind)
            end = instant(start_ms + HOUR_MS)
            rows = await self._store.select(kind, tags={"zone": zone}, start=instant(start_ms), end=end)
            hour.put((tuple(sorted(row.tags.items())), row.time_ns, row.fields) for row in rows)
        touched = hour.put((point.tags, point.time_ns, dict(point.fields)) for point in points)
        self._hours[key] = hour
        day, midnight_ms = self._day_of(start_ms)
        hours = await self._hours_of(kind, zone, day, midnight_ms)
        known: dict[str, int] = defaultdict(int)
        for (group, _), before in hours[start_ms].items():
            known[group] |= before.crowd
        for group in {row[0] for row in touched}:
            known[group] |= crowds.get((*key, group), 0)
        sums = hours[start_ms] = hour.sums(known)
        of_day = sums_of_day(hours)
        return [
            point
            for row in sorted(touched)
            for point in (
                hour_point((kind, zone, "1h"), row, sums[row], start_ms),
                hour_point((kind, zone, "1d"), row, of_day[row], midnight_ms),
            )
        ]

    def _day_of(self, start_ms: int) -> tuple[date, int]:
        day = instant(start_ms).astimezone(self._zone).date()
        return day, milliseconds(_midnight(day, self._zone))

    async def _hours_of(self, kind: str, zone: str, day: date, midnight_ms: int) -> dict[int, dict[RowKey, Sums]]:
        """The hours of a local day that have points."""
        hours = self._days.pop((kind, zone, day), None)
        if hours is None:
            hours = defaultdict(dict)
            tags = {"kind": kind, "window": "1h", "zone": zone}
            end = _midnight(day + timedelta(days=1), self._zone)
            rows = await self._store.select("mobility", tags=tags, start=instant(midnight_ms), end=end)
            for at_ms, row, sums in sums_from(kind, rows):
                hours[at_ms][row] = sums
        self._days[kind, zone, day] = hours
        return hours

    def _forget(self) -> None:
        """Drop what was touched longest ago."""
        parts = sum(map(len, self._hours.values()))
        for key in list(self._hours)[:-1]:
            if parts <= _MOST_PARTS:
                break
            parts -= len(self._hours.pop(key))
        for day in list(self._days)[: max(0, len(self._days) - _MOST_DAYS)]:
            del self._days[day]


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
