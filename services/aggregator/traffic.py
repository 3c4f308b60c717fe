"""Vehicles and their mean speed, by junction and minute. Pure; vehicles stay in memory and in the log.

A minute's figures are a function of the set of messages about it. Only while all of them are in memory are they known
for certain: `complete_from_ms` says from when on. For an older minute the log is read again (`Missing`).
"""

import math
from array import array
from bisect import bisect_left
from math import fsum
from typing import Final, NamedTuple

from schemas.mobility import VehicleState

__all__ = ["HORIZON_MS", "MARGIN_MS", "HourFigures", "MinuteFigures", "Minutes", "Sample", "sample_of"]

MINUTE_MS: Final = 60_000
MARGIN_MS: Final = 600_000
"""A message that claims a time more than this after its reception changes no minute. It is what the normaliser
believes by default; with less, a minute could have messages that are not found when the log is read again."""

HORIZON_MS: Final = 6 * 3_600_000
"""A message received later than this after its own time changes no minute. Both are counted as too late."""

_NOT_VEHICLES: Final = frozenset({1, 15})  # pedestrian, roadside unit
_KEPT_MINUTES: Final = 30
_SILENT: Final = -math.inf
_UNKNOWN: Final = math.nan


class Sample(NamedTuple):
    """One vehicle at one instant; `speed_mps` is `None` where it says none."""

    zone: str
    vehicle: str
    at_ms: int
    speed_mps: float | None


class MinuteFigures(NamedTuple):
    """Distinct vehicles, distinct messages, and the mean over the vehicles of each one's mean speed."""

    zone: str
    start_ms: int
    vehicles: int
    samples: int
    mean_speed_mps: float | None


class HourFigures(NamedTuple):
    """Sums over the minutes of an hour in which somebody was heard: vehicles, messages, and speeds by vehicle.

    `speed_sum_mps` adds up the mean speed of each minute times its vehicles, `speed_vehicles` those vehicles.
    `vehicles` counts one that stays again in each minute; `vehicles_at_least`, of the busiest minute, does not.
    """

    zone: str
    start_ms: int
    minutes: int
    vehicles: int
    samples: int
    speed_vehicles: int
    speed_sum_mps: float
    vehicles_at_least: int


def sample_of(record: VehicleState, at_ms: int) -> Sample | None:
    """The sample of a CAM; `None` for pedestrians, roadside units and what has no place."""
    if record.station_type in _NOT_VEHICLES or record.position is None:
        return None
    return Sample(record.zone, record.vehicle, at_ms, record.speed_mps)


class _Voice:
    """What a vehicle said in a minute: instants within it, and at each the highest speed; 10 bytes for each."""

    __slots__ = ("_at", "_mean_mps", "_speeds")

    def __init__(self) -> None:
        self._at = array("H")
        self._speeds = array("d")
        self._mean_mps: float | None = _UNKNOWN

    def __len__(self) -> int:
        return len(self._at)

    def add(self, at_ms: int, speed_mps: float | None) -> bool:
        """Take what it said at an instant; whether that is new."""
        speed = _SILENT if speed_mps is None else speed_mps
        times = self._at
        if not times or at_ms > times[-1]:
            times.append(at_ms)
            self._speeds.append(speed)
        elif times[index := bisect_left(times, at_ms)] != at_ms:
            times.insert(index, at_ms)
            self._speeds.insert(index, speed)
        elif speed > self._speeds[index]:
            self._speeds[index] = speed
        else:
            return False
        self._mean_mps = _UNKNOWN
        return True

    @property
    def mean_mps(self) -> float | None:
        """The mean of its speeds; `None` if it said none."""
        if self._mean_mps is _UNKNOWN:
            said = [speed for speed in self._speeds if speed != _SILENT]
            self._mean_mps = fsum(said) / len(said) if said else None
        return self._mean_mps


class Minutes:
    """The minutes of one partition of the log that are in memory: 40 minutes, 10 bytes for a message."""

    def __init__(self, complete_from_ms: int | None = None) -> None:
        self.complete_from_ms = complete_from_ms
        self._samples: dict[tuple[str, int], dict[str, _Voice]] = {}

    def knows(self, sample: Sample) -> bool:
        """Whether every earlier message about the sample's minute is in memory."""
        start_ms = sample.at_ms - sample.at_ms % MINUTE_MS
        return self.complete_from_ms is not None and start_ms - MARGIN_MS >= self.complete_from_ms

    def add(self, sample: Sample) -> tuple[str, int] | None:
        """Take a sample; gives its minute if that has news, `None` for a duplicate."""
        zone, vehicle, at_ms, speed_mps = sample
        within_ms = at_ms % MINUTE_MS
        minute = (zone, at_ms - within_ms)
        voices = self._samples.get(minute)
        if voices is None:
            voices = self._samples[minute] = {}
        voice = voices.get(vehicle)
        if voice is None:
            voice = voices[vehicle] = _Voice()
        return minute if voice.add(within_ms, speed_mps) else None

    def figures(self, minute: tuple[str, int]) -> MinuteFigures:
        """The figures of a minute in memory."""
        voices = self._samples[minute].values()
        means = [mean_mps for each in voices if (mean_mps := each.mean_mps) is not None]
        mean = fsum(means) / len(means) if means else None
        return MinuteFigures(*minute, len(voices), sum(map(len, voices)), mean)

    def between(self, zone: str, start_ms: int, end_ms: int) -> list[MinuteFigures] | None:
        """The minutes of a junction that begin in [start, end); `None` if not all of them are in memory."""
        if self.complete_from_ms is None or start_ms - MARGIN_MS < self.complete_from_ms:
            return None
        minutes = ((zone, at_ms) for at_ms in range(start_ms, end_ms, MINUTE_MS))
        return [self.figures(minute) for minute in minutes if minute in self._samples]

    def forget(self, now_ms: int) -> None:
        """Drop minutes well in the past of `now_ms`, the newest time that is told of."""
        bound_ms = now_ms - now_ms % MINUTE_MS - _KEPT_MINUTES * MINUTE_MS
        if self.complete_from_ms is not None and bound_ms > self.complete_from_ms:
            self.complete_from_ms = bound_ms
            for minute in [minute for minute in self._samples if minute[1] - MARGIN_MS < bound_ms]:
                del self._samples[minute]
