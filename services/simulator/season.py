"""Winters of the challenge and their clock: hours since the start, as the devices' walls show them."""

from array import array
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["HOUR_S", "PARIS", "Winter", "last_two_winters"]

PARIS: Final = ZoneInfo("Europe/Paris")
HOUR_S: Final = 3600


@dataclass(frozen=True)
class Winter:
    """Local days [first, after); hour 0 is the local midnight that begins the first."""

    name: str
    first: date
    after: date

    @cached_property
    def start_s(self) -> int:
        """Unix seconds of hour 0."""
        return midnight_s(self.first)

    @cached_property
    def hours(self) -> int:
        """How many hours there are; summer time takes one away."""
        return (midnight_s(self.after) - self.start_s) // HOUR_S

    @cached_property
    def walls(self) -> "array[int]":
        """Hour of the day that clocks show at each hour."""
        start = datetime.fromtimestamp(self.start_s, UTC)
        return array("b", ((start + timedelta(hours=n)).astimezone(PARIS).hour for n in range(self.hours + 1)))

    @cached_property
    def days(self) -> "array[int]":
        """Number of the local day at each hour, from 0."""
        start = datetime.fromtimestamp(self.start_s, UTC)
        first = self.first.toordinal()
        return array(
            "h", ((start + timedelta(hours=n)).astimezone(PARIS).toordinal() - first for n in range(self.hours + 1))
        )

    @cached_property
    def midnights(self) -> tuple[int, ...]:
        """The hour at which each local day begins, and the hour at which the last one ends."""
        days = (self.after - self.first).days
        return tuple((midnight_s(self.first + timedelta(n)) - self.start_s) // HOUR_S for n in range(days + 1))


def midnight_s(day: date) -> int:
    """Unix seconds at which a local day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=PARIS).timestamp())


def last_two_winters(today: date, days: int | None = None) -> tuple[Winter, Winter]:
    """The last two whole winters before `today`, 1 December to 30 April: the baseline and the challenge.

    Args:
        today: the day of the simulation.
        days: only so many days from 1 December.

    Source: period of *Familles à énergie positive*, issue 3 and the reference on meters, clause 5.
    """
    year = today.year if today >= date(today.year, 5, 2) else today.year - 1

    def winter(name: str, spring: int) -> Winter:
        first, after = date(spring - 1, 12, 1), date(spring, 5, 1)
        return Winter(name, first, after if days is None else min(after, first + timedelta(days)))

    return winter("baseline", year - 1), winter("challenge", year)
