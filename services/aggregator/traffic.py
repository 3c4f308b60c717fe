"""Vehicles and their mean speed, by junction and minute. Pure; vehicles stay in memory and in the log.

A minute's figures are a function of the set of messages about it. Only while all of them are in memory are they known
for certain: `complete_from_ms` says from when on. For an older minute the log is read again (`Missing`).
"""

from dataclasses import dataclass, field
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


@dataclass
class Minutes:
    """The minutes of one partition of the log that are in memory."""

    complete_from_ms: int | None = None
    _samples: dict[tuple[str, int], dict[tuple[str, int], float | None]] = field(default_factory=dict)

    def knows(self, sample: Sample) -> bool:
        """Whether every earlier message about the sample's minute is in memory."""
        start_ms = sample.at_ms - sample.at_ms % MINUTE_MS
        return self.complete_from_ms is not None and start_ms - MARGIN_MS >= self.complete_from_ms

    def add(self, sample: Sample) -> tuple[str, int] | None:
        """Take a sample; gives its minute if that has news, `None` for a duplicate."""
        minute = (sample.zone, sample.at_ms - sample.at_ms % MINUTE_MS)
        known = self._samples.setdefault(minute, {})
        key = (sample.vehicle, sample.at_ms)
        speed = sample.speed_mps
        if key in known:
            before = known[key]
            if speed is None or (before is not None and before >= speed):
                return None
        known[key] = speed
        return minute

    def figures(self, minute: tuple[str, int]) -> MinuteFigures:
        """The figures of a minute in memory."""
        speeds: dict[str, list[float]] = {}
        for (vehicle, _), speed in self._samples[minute].items():
            of_vehicle = speeds.setdefault(vehicle, [])
            if speed is not None:
                of_vehicle.append(speed)
        means = [fsum(each) / len(each) for each in speeds.values() if each]
        mean = fsum(means) / len(means) if means else None
        return MinuteFigures(*minute, len(speeds), len(self._samples[minute]), mean)

    def between(self, zone: str, start_ms: int, end_ms: int) -> list[MinuteFigures] | None:
        """The minutes of a junction that begin in [start, end); `None` if not all of them are in memory."""
        if self.complete_from_ms is None or start_ms - MARGIN_MS < self.complete_from_ms:
            return None
        minutes = ((zone, at_ms) for at_ms in range(start_ms, end_ms, MINUTE_MS))
        return [self.figures(minute) for minute in minutes if minute in self._samples]

    def forget(self, now_ms: int) -> None:
        """Drop minutes well in the past of `now_ms`, the newest receive time."""
        bound_ms = now_ms - now_ms % MINUTE_MS - _KEPT_MINUTES * MINUTE_MS
        if self.complete_from_ms is not None and bound_ms > self.complete_from_ms:
            self.complete_from_ms = bound_ms
            for minute in [minute for minute in self._samples if minute[1] - MARGIN_MS < bound_ms]:
                del self._samples[minute]
