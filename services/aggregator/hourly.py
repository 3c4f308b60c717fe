"""Traffic by junction and local hour: the sum of its minutes as they are stored, for reports of a year.

An hour is written with each of its minutes that changes, so it is never older than they are. What memory does not hold
of an hour is read back from the store: the minutes there are functions of the log, so their sum is one too. The sums
are exact (`fsum`): no order of minutes, restart or late message changes a bit of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import fsum
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.points import hour_point, instant, stored_minutes
from services.aggregator.ports import Point, Store
from services.aggregator.traffic import HourFigures, MinuteFigures, Minutes

__all__ = ["HOUR_MS", "Hours", "hour_of", "sum_of"]

HOUR_MS: Final = 3_600_000
_QUARTER_MS: Final = 900_000
_KEPT_MS: Final = 2 * HOUR_MS

Hour = tuple[str, int]
"""Junction, and Unix milliseconds of the hour's start."""


@lru_cache(maxsize=4096)
def _past_the_hour_ms(quarter: int, zone: ZoneInfo) -> int:
    """What the clock on the wall shows past the full hour; every offset in use is whole quarters of an hour."""
    return datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).minute * 60_000


def hour_of(at_ms: int, zone: ZoneInfo) -> int:
    """When the local hour began that an instant lies in; both in Unix milliseconds."""
    quarter = at_ms // _QUARTER_MS
    return quarter * _QUARTER_MS - _past_the_hour_ms(quarter, zone)


def sum_of(hour: Hour, minutes: Iterable[MinuteFigures]) -> HourFigures:
    """The figures of an hour from its minutes, in any order."""
    known = list(minutes)
    timed = [(each.vehicles, each.mean_speed_mps) for each in known if each.mean_speed_mps is not None]
    return HourFigures(
        *hour,
        minutes=len(known),
        vehicles=sum(each.vehicles for each in known),
        samples=sum(each.samples for each in known),
        speed_vehicles=sum(vehicles for vehicles, _ in timed),
        speed_sum_mps=fsum(vehicles * speed_mps for vehicles, speed_mps in timed),
        vehicles_at_least=max((each.vehicles for each in known), default=0),
    )


class Hours:
    """The recent hours of one partition of the log."""

    def __init__(self, store: Store, zone: ZoneInfo) -> None:
        """No hour is known; `zone` is that of the local hours."""
        self._store = store
        self._zone = zone
        self._minutes: dict[Hour, dict[int, MinuteFigures]] = {}

    async def take(self, changed: Sequence[MinuteFigures], memory: Minutes) -> list[Point]:
        """The points of the hours of these minutes.

        Args:
            changed: minutes as they are now.
            memory: all minutes of the partition that are in memory.

        Raises:
            Unavailable: the store cannot be read now.
        """
        told: dict[Hour, list[MinuteFigures]] = defaultdict(list)
        for figures in changed:
            told[figures.zone, hour_of(figures.start_ms, self._zone)].append(figures)
        points = []
        for hour, minutes in sorted(told.items()):
            if hour not in self._minutes:
                self._minutes[hour] = {each.start_ms: each for each in await self._known(hour, memory)}
            self._minutes[hour].update((each.start_ms, each) for each in minutes)
            points.append(hour_point(sum_of(hour, self._minutes[hour].values())))
        newest_ms = max((start_ms for _, start_ms in self._minutes), default=0)
        for hour in [hour for hour in self._minutes if hour[1] < newest_ms - _KEPT_MS]:
            del self._minutes[hour]
        return points

    async def _known(self, hour: Hour, memory: Minutes) -> Iterable[MinuteFigures]:
        """The minutes of an hour: from memory if all of them are there, else from the store."""
        zone, start_ms = hour
        held = memory.between(zone, start_ms, start_ms + HOUR_MS)
        if held is not None:
            return held
        tags = {"window": "1m", "zone": zone}
        rows = await self._store.select("traffic", tags=tags, start=instant(start_ms), end=instant(start_ms + HOUR_MS))
        return stored_minutes(rows)
