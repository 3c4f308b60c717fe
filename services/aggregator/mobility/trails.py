"""The messages of one vehicle at one junction, by time, packed. Pure; they stay in memory.

A message takes 22 bytes: at 5,000 messages a second a minute of them is 7 MB. What is unpacked is what was packed, to
the last bit, because a fix has no more digits than ETSI's messages have (`fixes.fix_of`).
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from struct import Struct
from typing import Final

from services.aggregator.mobility.fixes import SILENCE_MS, Fix, fix_order

__all__ = ["Trail"]

_PACKED: Final = Struct("<iiHHBB")
_NO_HEADING: Final = 65535


class Trail:
    """A set of fixes of one vehicle, by time; of two voices of one instant the later in order is on the trail.

    `others` are the voices that were talked down. Neither order nor copies of what is added make a difference.
    """

    __slots__ = ("_packed", "at_ms", "others", "vehicle")

    def __init__(self, vehicle: str) -> None:
        self.vehicle = vehicle
        self.at_ms = array("q")
        self.others: list[Fix] = []
        self._packed = bytearray()

    def __len__(self) -> int:
        return len(self.at_ms)

    def add(self, fix: Fix) -> int | None:
        """Take a fix; gives the index from which on the trail is new, `None` if it was known."""
        times, at_ms = self.at_ms, fix.at_ms
        if not times or at_ms > times[-1]:
            times.append(at_ms)
            self._packed += _pack(fix)
            return len(times) - 1
        index = bisect_left(times, at_ms)
        begin = index * _PACKED.size
        if times[index] != at_ms:
            times.insert(index, at_ms)
            self._packed[begin:begin] = _pack(fix)
            return index
        known = self[index]
        if fix == known or fix in self.others:
            return None
        quiet, loud = sorted((known, fix), key=fix_order)
        self.others.append(quiet)
        self._packed[begin : begin + _PACKED.size] = _pack(loud)
        return index

    def __getitem__(self, index: int) -> Fix:
        return self._fix(self.at_ms[index], *_PACKED.unpack_from(self._packed, index * _PACKED.size))

    def fixes(self, begin: int, end: int) -> Iterator[Fix]:
        """The fixes with these indices."""
        size = _PACKED.size
        packed = bytes(self._packed[begin * size : end * size])
        for at_ms, fields in zip(self.at_ms[begin:end], _PACKED.iter_unpack(packed), strict=True):
            yield self._fix(at_ms, *fields)

    def back(self, index: int, until_ms: int) -> Iterator[Fix]:
        """The fix at an index and those before it, newest first, until an instant or until a silence."""
        times = self.at_ms
        while index >= 0 and times[index] >= until_ms:
            yield self[index]
            if index and times[index] - times[index - 1] > SILENCE_MS:
                return
            index -= 1

    def forget(self, before_ms: int) -> int:
        """Drop what lies before an instant; how many fixes went."""
        number = bisect_left(self.at_ms, before_ms)
        if number:
            del self.at_ms[:number]
            del self._packed[: number * _PACKED.size]
            self.others = [each for each in self.others if each.at_ms >= before_ms]
        return number

    def _fix(self, at_ms: int, *fields: int) -> Fix:
        latitude, longitude, speed, heading, station_type, role = fields
        heading_deg = None if heading == _NO_HEADING else heading / 10
        return Fix(self.vehicle, at_ms, latitude / 1e7, longitude / 1e7, speed / 100, heading_deg, station_type, role)


def _pack(fix: Fix) -> bytes:
    heading_deg = fix.heading_deg
    return _PACKED.pack(
        round(fix.latitude_deg * 1e7),
        round(fix.longitude_deg * 1e7),
        round(fix.speed_mps * 100),
        _NO_HEADING if heading_deg is None else round(heading_deg * 10),
        fix.station_type,
        fix.vehicle_role,
    )
