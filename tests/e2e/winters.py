"""Homes over two winters, as plugs tell it: what they consumed is known to the Wh, what they publish has faults."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["STEP_S", "Homes", "Published"]

STEP_S: Final = 480
"""Eight minutes: 180 readings a day, one of them at each local midnight."""

_PARIS: Final = ZoneInfo("Europe/Paris")
_FIRST_DAYS: Final = (date(2024, 12, 1), date(2025, 12, 1))
_SUMMER_WH: Final = 900_000


class Published(NamedTuple):
    """A message."""

    topic: str
    payload: bytes


@dataclass
class Homes:
    """So many homes and days of each winter. `true_wh` and `readings` are complete when `messages` is exhausted.

    Faults, never at midnight: an index shown as 0; hours without a reading; a day that a gateway delivers three days
    later, last reading first; messages that come twice.
    """

    number: int
    days: int
    seed: int
    true_wh: dict[tuple[int, date], int] = field(default_factory=lambda: defaultdict(int))
    readings: int = 0
    faults: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def days_of_winters(self) -> list[date]:
        """All local days on which there are readings from midnight to midnight."""
        return [first + timedelta(days=n) for first in _FIRST_DAYS for n in range(self.days)]

    def messages(self) -> Iterator[Published]:
        """Day after day, in each day home after home."""
        index_wh = [self._chance(home).randrange(10_000, 20_000_000) for home in range(self.number)]
        for first in _FIRST_DAYS:
            waiting: dict[date, list[Published]] = defaultdict(list)
            for number in range(self.days):
                day = first + timedelta(days=number)
                for home in range(self.number):
                    yield from self._day(home, day, index_wh, waiting)
                yield from waiting.pop(day, ())
            for left in waiting.values():
                yield from left
            # The winter ends with the word of the meter at midnight.
            for home in range(self.number):
                yield self._message(home, _midnight(first + timedelta(days=self.days)), index_wh[home])
                index_wh[home] += _SUMMER_WH

    def _chance(self, *what: object) -> random.Random:
        return random.Random(f"{self.seed}/{what}")  # noqa: S311 - repeatable, not secret

    def _day(
        self, home: int, day: date, index_wh: list[int], waiting: dict[date, list[Published]]
    ) -> Iterator[Published]:
        chance = self._chance(home, day)
        start, end = _midnight(day), _midnight(day + timedelta(days=1))
        gap = _silent_steps(chance)
        fault = chance.choice(("", "", "", "late", "twice"))
        told = []
        for step in range((end - start) // STEP_S):
            shown = index_wh[home]
            if step and chance.random() < 0.01:
                shown = 0
                self.faults["index shown as 0"] += 1
            if step not in gap:
                told.append(self._message(home, start + step * STEP_S, shown))
            used_wh = chance.randrange(0, 400)
            index_wh[home] += used_wh
            self.true_wh[home, day] += used_wh
        self.faults["hours without a reading"] += bool(gap)
        if fault == "late":
            self.faults["day delivered late, last first"] += 1
            waiting[day + timedelta(days=3)].extend(reversed(told))
            return
        yield from told
        if fault == "twice":
            again = told[::7]
            self.faults["message sent twice"] += len(again)
            yield from again

    def _message(self, home: int, at_s: int, shown_wh: int) -> Published:
        self.readings += 1
        at = datetime.fromtimestamp(at_s, UTC)
        payload = b'{"Time":"%b","ENERGY":{"Total":%.3f}}' % (f"{at:%Y-%m-%dT%H:%M:%SZ}".encode(), shown_wh / 1000)
        return Published(f"tele/home-{home:03}/SENSOR", payload)


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=_PARIS).timestamp())


def _silent_steps(chance: random.Random) -> range:
    """Up to six hours of a day, on a fifth of the days; never at midnight."""
    if chance.random() > 0.2:
        return range(0)
    first = chance.randrange(1, 100)
    return range(first, first + chance.randrange(2, 45))
