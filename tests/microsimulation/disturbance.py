"""What lies between a vehicle and Garonne: its clock, its satellite receiver, the air, and the networks behind.

Every level is data; what is drawn is repeatable.
"""

import math
import random
from typing import Final, Literal, NamedTuple

__all__ = ["LEVELS", "Air", "Level", "Receiver", "Sending"]

Sending = Literal["10 Hz", "ETSI", "1 Hz"]


class Level(NamedTuple):
    """How much is disturbed. Seconds, metres, shares; sigmas are of normal distributions.

    `loss` comes in bursts of `burst` messages on average. What is delayed is so by `latency_s` and exponentially by
    `jitter_s` more: messages overtake each other. The error in place keeps its direction for some `keeps_s`.
    """

    name: str
    sending: Sending = "10 Hz"
    loss: float = 0.0
    burst: float = 1.0
    latency_s: float = 0.05
    jitter_s: float = 0.0
    copies: float = 0.0
    pseudonym_s: float = math.inf
    clock_s: float = 0.0
    place_m: float = 0.0
    keeps_s: float = 20.0
    speed_mps: float = 0.0


_USUAL: Final = Level(
    "usual", loss=0.10, burst=3, latency_s=0.08, jitter_s=0.25, copies=0.01, pseudonym_s=300, clock_s=0.05,
    place_m=1.0, speed_mps=0.1,
)  # fmt: skip

LEVELS: Final = (
    Level("none"),
    Level(
        "light", loss=0.02, latency_s=0.05, jitter_s=0.05, copies=0.002, pseudonym_s=900, clock_s=0.02, place_m=0.5,
        speed_mps=0.05,
    ),
    _USUAL,
    _USUAL._replace(name="usual, CAM as ETSI triggers them", sending="ETSI"),
    _USUAL._replace(name="usual, one CAM a second", sending="1 Hz"),
    Level(
        "heavy", loss=0.30, burst=5, latency_s=0.2, jitter_s=0.8, copies=0.05, pseudonym_s=120, clock_s=0.3,
        place_m=2.0, speed_mps=0.2,
    ),
)  # fmt: skip
"""From nothing at all to what no operator would accept."""

_LATEST_S: Final = 8.0
_STANDS_MPS: Final = 0.1


class Receiver:
    """The satellite receiver and the wheels of one vehicle."""

    def __init__(self, level: Level, chance: random.Random, step_s: float) -> None:
        self._sigma_m, self._speed_mps, self._chance = level.place_m, level.speed_mps, chance
        self._keeps = math.exp(-step_s / level.keeps_s)
        self._news_m = level.place_m * math.sqrt(1 - self._keeps**2)
        self._error = chance.gauss(0, level.place_m), chance.gauss(0, level.place_m)

    def place(self, x_m: float, y_m: float) -> tuple[float, float]:
        """Where it believes to be, a step after the last time that it was asked."""
        if self._sigma_m:
            chance, keeps, news_m = self._chance, self._keeps, self._news_m
            self._error = (
                keeps * self._error[0] + chance.gauss(0, news_m),
                keeps * self._error[1] + chance.gauss(0, news_m),
            )
        return x_m + self._error[0], y_m + self._error[1]

    def speed(self, speed_mps: float) -> float:
        """How fast it believes to be; wheels that stand are known to stand."""
        if not self._speed_mps or speed_mps < _STANDS_MPS:
            return speed_mps
        return max(0.0, speed_mps + self._chance.gauss(0, self._speed_mps))


class Air:
    """The way of one sender's messages: some get lost, in bursts, some come twice, all come later."""

    def __init__(self, level: Level, chance: random.Random) -> None:
        self._level, self._chance = level, chance
        self._lossy = chance.random() < level.loss
        # Of two states, one of which loses everything: so long do its bursts last, so often do they begin.
        self._ends = 1 / level.burst
        self._begins = self._ends * level.loss / (1 - level.loss)

    def delays(self) -> list[float]:
        """For each copy that arrives, after how many seconds."""
        chance, level = self._chance, self._level
        self._lossy = chance.random() >= self._ends if self._lossy else chance.random() < self._begins
        if self._lossy:
            return []
        copies = 2 if level.copies and chance.random() < level.copies else 1
        return [self._delay() for _ in range(copies)]

    def _delay(self) -> float:
        jitter_s = self._chance.expovariate(1 / self._level.jitter_s) if self._level.jitter_s else 0.0
        return min(_LATEST_S, self._level.latency_s + jitter_s)
