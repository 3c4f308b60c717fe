"""What really happened in the simulated city: for tests, and for the demonstration's own check."""

from dataclasses import dataclass, field
from datetime import date

__all__ = ["HomeTruth", "Truth"]


@dataclass
class HomeTruth:
    """One home in one winter.

    `consumed_kwh` is what it took. `unseen_kwh` is the part that no reader of its messages can know: what it took
    between the last reading of a counter and the first one of the next. `largest_step_kwh` is the most that it took
    between two good readings: how far off a day can be where some are missing.
    """

    consumed_kwh: float
    unseen_kwh: float = 0.0
    largest_step_kwh: float = 0.0
    by_day_kwh: dict[date, float] = field(default_factory=dict)

    @property
    def visible_kwh(self) -> float:
        """What a perfect reader finds."""
        return self.consumed_kwh - self.unseen_kwh


@dataclass
class Truth:
    """Of the whole city."""

    homes: dict[tuple[str, str], HomeTruth] = field(default_factory=dict)
    """By family and winter."""
    live_wh: dict[str, int] = field(default_factory=dict)
    """Of meters without a clock, what their index rose by while we published."""
    vehicles: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    """Cars by junction and minute (Unix seconds)."""
    awareness_messages: int = 0
    broken_messages: int = 0
    """Cut off on their way: nobody can read them."""
    unmetered_messages: int = 0
    """Right, and without anything metered."""

    def vehicles_of(self, junction: str) -> int:
        """Distinct cars that crossed a junction."""
        cars: set[int] = set()
        for (where, _), found in self.vehicles.items():
            if where == junction:
                cars |= found
        return len(cars)
