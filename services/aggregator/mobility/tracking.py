"""Crossings of stop lines, found message by message. Pure.

A crossing is told by few messages: the last on a lane before its line, and the first beyond. So a message that comes
in its turn costs the same however long the trail is; one that comes late takes back what was found since, and goes on
from there. What is found is a function of the trail alone (docs/adr/0025).
"""

from bisect import bisect_left
from typing import Final, NamedTuple

from services.aggregator.mobility.fixes import SILENCE_MS, Fix
from services.aggregator.mobility.geometry import Offset
from services.aggregator.mobility.nearby import BESIDE_M, Nearby
from services.aggregator.mobility.trails import Trail

__all__ = ["CONFIRMED_MS", "LONGEST_GAP_MS", "LOOK_BACK_MS", "SLOT_MS", "Found", "Tracker", "index_of", "slot_of"]

SLOT_MS: Final = 60_000
CONFIRMED_MS: Final = 120_000
"""A vehicle that has not gone beyond the line two minutes after the minute of its last message before it made no
crossing there."""

LOOK_BACK_MS: Final = 120_000
"""How far back it is asked whether a vehicle at the line had come to it, or had crossed it already."""

LONGEST_GAP_MS: Final = 5_000
GONE_M: Final = 3.0
BACK_M: Final = 20.0


class Found(NamedTuple):
    """A line that was crossed: the number of its lane, the last message before it, and the one that made it certain."""

    lane: int
    before_ms: int
    confirmed_ms: int


Pending = tuple[tuple[int, int], ...]
"""Lines that seem to be crossed: the number of the lane, and the last message before the line."""


def slot_of(at_ms: int) -> int:
    """The minute of an instant."""
    return at_ms - at_ms % SLOT_MS


class Tracker:
    """What the lanes of one map say of a trail as far as it was read; `found` by the time that made it certain.

    `heard` tells by minute who was heard on which lane: the lane's number, station type and role. `news` are the
    crossings that came or went since it was last cleared.
    """

    __slots__ = ("_marks", "_nearby", "_others", "_read", "found", "heard", "news")

    def __init__(self, nearby: Nearby) -> None:
        self.found: list[Found] = []
        self.news: set[Found] = set()
        self.heard: dict[int, set[tuple[int, int, int]]] = {}
        self._nearby = nearby
        self._marks: list[tuple[int, Pending]] = []
        self._read = 0
        self._others = 0

    def rewind(self, index: int, at_ms: int) -> None:
        """Take back what was read of the trail from a fix on, and what was found since."""
        if index >= self._read:
            return
        self._read = index
        while self._marks and self._marks[-1][0] >= at_ms:
            self._marks.pop()
        while self.found and self.found[-1].confirmed_ms >= at_ms:
            self.news ^= {self.found.pop()}

    def forget(self, fixes: int, before_ms: int) -> None:
        """The trail lost its first fixes, those before an instant."""
        self._read = max(0, self._read - fixes)
        self._others = 0
        self.found = [each for each in self.found if each.before_ms >= before_ms]
        self._marks = [each for each in self._marks[:-1] if each[0] >= before_ms] + self._marks[-1:]
        for minute in [each for each in self.heard if each + SLOT_MS <= before_ms]:
            del self.heard[minute]

    def advance(self, trail: Trail) -> set[int]:
        """Read what is new of the trail; gives the minutes in which it was heard on a lane for the first time."""
        minutes: set[int] = set()
        for fix in trail.others[self._others :]:
            self._hear(fix, self._nearby.on(fix, self._nearby.offset(fix)), minutes)
        self._others = len(trail.others)
        read, end = self._read, len(trail)
        if read >= end:
            return minutes
        fixes = trail.fixes(max(read - 1, 0), end)
        before: Fix | None = None
        on: tuple[int, ...] = ()
        if read:
            before = next(fixes)
            on = self._nearby.on(before, self._nearby.offset(before))
        pending = self._marks[-1][1] if self._marks else ()
        for index, fix in enumerate(fixes, read):
            point = self._nearby.offset(fix)
            now_on = self._nearby.on(fix, point)
            if now_on:
                self._hear(fix, now_on, minutes)
            if before is not None and (pending or on) and (pending or on != now_on):
                still = self._judge(trail, index, fix, point, pending, tuple(n for n in on if n not in now_on))
                if still != pending:
                    self._marks.append((fix.at_ms, still))
                    pending = still
            before, on = fix, now_on
        self._read = end
        return minutes

    def _hear(self, fix: Fix, on: tuple[int, ...], minutes: set[int]) -> None:
        minute = slot_of(fix.at_ms)
        heard = self.heard.setdefault(minute, set())
        for number in on:
            key = (number, fix.station_type, fix.vehicle_role)
            if key not in heard:
                heard.add(key)
                minutes.add(minute)

    def _judge(  # noqa: PLR0913, PLR0917 - what there is at one message
        self, trail: Trail, index: int, fix: Fix, point: Offset, pending: Pending, left: tuple[int, ...]
    ) -> Pending:
        """What is pending after a fix; `left` are lanes that the fix before was on and this one is not."""
        before_ms = trail.at_ms[index - 1]
        gap_ms = fix.at_ms - before_ms
        if gap_ms > SILENCE_MS:
            return ()
        waiting = dict(pending)
        for number in left:
            if gap_ms <= LONGEST_GAP_MS:
                place = self._nearby.place(number, point)
                over = place.before_m <= 0 and place.beside_m <= 3 * BESIDE_M
                if over and self._had_come(trail, index - 1, number):
                    waiting[number] = before_ms  # a vehicle at the line wavers over it: the last time counts
        for number, last_ms in list(waiting.items()):
            before_m = self._nearby.place(number, point).before_m
            in_time = fix.at_ms < slot_of(last_ms) + SLOT_MS + CONFIRMED_MS
            if in_time and before_m <= -GONE_M:
                found = Found(number, last_ms, fix.at_ms)
                self.found.append(found)
                self.news ^= {found}
            if not in_time or before_m <= -GONE_M or before_m > BACK_M:
                del waiting[number]
        return tuple(waiting.items())

    def _had_come(self, trail: Trail, index: int, number: int) -> bool:
        """Whether it came to the line from before; a vehicle that had crossed it and wavers back did not."""
        for fix in trail.back(index, trail.at_ms[index] - LOOK_BACK_MS):
            before_m = self._nearby.place(number, self._nearby.offset(fix)).before_m
            if before_m > BACK_M:
                return True
            if before_m <= -GONE_M:
                return False
        return True

    def found_between(self, low_ms: int, high_ms: int) -> list[Found]:
        """Crossings whose last message before the line lies in [low, high)."""
        return [each for each in self.found if low_ms <= each.before_ms < high_ms]


def index_of(trail: Trail, at_ms: int) -> int:
    """The index of the fix at an instant."""
    return bisect_left(trail.at_ms, at_ms)
