"""The register algebra: which part of what a counter shows is energy, and which is a fault of the counter.

Pure and causal in event time: the state after a reading depends on that reading and earlier ones only. Indices are
integers, millionths of the unit (mWh for kWh, mL for m3), so that energy is exact and sums telescope.

Rules: meters.md 4.2. A plausible forward step is credited. Anything else starts or extends a *candidate chain*, which
credits nothing until it is confirmed, and is dropped when a later reading fits the accepted line again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median_low
from typing import Final, NamedTuple

__all__ = ["LIMITS", "MICRO", "Limits", "Reading", "Segment", "State", "credit", "limits_for", "step"]

MICRO: Final = 1_000_000
_HOUR_MS: Final = 3_600_000
_CONFIRM_SAMPLES: Final = 5
_CONFIRM_MS: Final = 15 * 60_000
_CADENCES: Final = 7
_FIRST_GAP_MS: Final = 2 * _HOUR_MS
_LEAST_GAP_MS: Final = 10 * 60_000
_SCALES: Final = (1_000, 100, 10)


class Reading(NamedTuple):
    """An index at an instant. `began_ms` is the device's own word on when its counter began, if it says so."""

    at_ms: int
    value: int
    began_ms: int | None = None


class Segment(NamedTuple):
    """Energy credited between two instants. `gap`: credited as a whole, its course was never measured."""

    start_ms: int
    end_ms: int
    delta: int
    gap: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What is plausible for a register: the steepest rise per hour, the display's resolution, where it rolls over."""

    per_hour: int
    resolution: int = 1_000
    modulus: int | None = None

    def allows(self, delta: int, elapsed_ms: int) -> bool:
        """Whether an index may rise by `delta` in this time."""
        return 0 <= delta <= self.per_hour * elapsed_ms * 6 // (5 * _HOUR_MS) + self.resolution


LIMITS: Final = {
    "electricity": Limits(36 * MICRO),
    "heat": Limits(100 * MICRO),
    "cooling": Limits(100 * MICRO),
    "gas": Limits(10 * MICRO),
    "water": Limits(5 * MICRO),
}
"""36 kVA, 100 kW, 10 m3/h, 5 m3/h (meters.md 4.2)."""

_GAS_KWH: Final = Limits(120 * MICRO)


def limits_for(carrier: str, unit: str, modulus: float | None = None) -> Limits:
    """The limits of a register; gas in kWh has those of 10 m3/h."""
    base = _GAS_KWH if carrier == "gas" and unit == "kWh" else LIMITS.get(carrier, LIMITS["heat"])
    return base if modulus is None else Limits(base.per_hour, base.resolution, round(modulus * MICRO))


class State(NamedTuple):
    """All that the past says about a register.

    `scale` divides what the device shows (1000 after a change from kWh to Wh). `chain` holds candidates, in units of
    `chain_scale`. `cadences_ms` are the last intervals between accepted readings.
    """

    accepted: Reading | None = None
    scale: int = 1
    chain: tuple[Reading, ...] = ()
    chain_scale: int = 1
    cadences_ms: tuple[int, ...] = ()


def step(state: State, reading: Reading, limits: Limits) -> tuple[State, tuple[Segment, ...]]:
    """Take a later reading; gives the new state and what is credited now."""
    accepted = state.accepted
    if accepted is None:
        return State(reading), ()
    shown = reading._replace(value=reading.value // state.scale)
    elapsed_ms = reading.at_ms - accepted.at_ms
    delta = shown.value - accepted.value
    if limits.allows(delta, elapsed_ms) and not _began_anew(accepted, reading):
        return _accept(state, shown, delta)
    if -limits.resolution <= delta < 0:
        return state._replace(chain=()), ()  # Jitter of the display: the mark stays.
    if _rolls_over(accepted.value, shown.value, elapsed_ms, limits):
        return _accept(state, shown, (limits.modulus or 0) - accepted.value + shown.value)
    if _began_anew(accepted, reading):
        return State(reading, cadences_ms=state.cadences_ms), ()
    return _candidate(state, reading, limits)


def credit(readings: Iterable[Reading], limits: Limits, state: State | None = None) -> tuple[State, list[Segment]]:
    """Run over readings in order of time."""
    current = state or State()
    segments: list[Segment] = []
    for reading in readings:
        current, credited = step(current, reading, limits)
        segments.extend(credited)
    return current, segments


def _accept(state: State, reading: Reading, delta: int) -> tuple[State, tuple[Segment, ...]]:
    accepted = state.accepted or reading
    elapsed_ms = reading.at_ms - accepted.at_ms
    segment = Segment(accepted.at_ms, reading.at_ms, delta, elapsed_ms > _gap_ms(state.cadences_ms))
    cadences = (*state.cadences_ms[1 - _CADENCES :], elapsed_ms)
    return State(reading, state.scale, cadences_ms=cadences), (segment,)


def _gap_ms(cadences_ms: tuple[int, ...]) -> int:
    """Longer than twice the usual interval is a gap."""
    return max(_LEAST_GAP_MS, 2 * median_low(cadences_ms)) if cadences_ms else _FIRST_GAP_MS


def _began_anew(accepted: Reading, reading: Reading) -> bool:
    """The device says itself that its counter began after the accepted reading, and shows less."""
    return (
        reading.began_ms is not None
        and reading.began_ms != accepted.began_ms
        and reading.began_ms > accepted.at_ms
        and reading.value < accepted.value
    )


def _rolls_over(before: int, after: int, elapsed_ms: int, limits: Limits) -> bool:
    """From above 99 % of the modulus to just after 0."""
    modulus = limits.modulus
    return (
        modulus is not None
        and before * 100 > modulus * 99
        and after < before
        and limits.allows(modulus - before + after, elapsed_ms)
    )


def _candidate(state: State, reading: Reading, limits: Limits) -> tuple[State, tuple[Segment, ...]]:
    """Extend the chain if the reading goes on from its end, else start a chain anew with it."""
    if state.chain:
        scaled = reading._replace(value=reading.value // state.chain_scale)
        last = state.chain[-1]
        if limits.allows(scaled.value - last.value, scaled.at_ms - last.at_ms):
            return _confirm(state._replace(chain=(*state.chain, scaled)))
    scale = _scale(state, reading, limits)
    return state._replace(chain=(reading._replace(value=reading.value // scale),), chain_scale=scale), ()


def _scale(state: State, reading: Reading, limits: Limits) -> int:
    """Whether the reading would fit the accepted line in another unit (Wh for kWh, a shifted decimal point)."""
    accepted = state.accepted
    if accepted is None or accepted.value < MICRO:
        return state.scale  # Below one unit any small number fits in some scale.
    for ratio in _SCALES:
        scale = state.scale * ratio
        if limits.allows(reading.value // scale - accepted.value, reading.at_ms - accepted.at_ms):
            return scale
    if limits.allows(reading.value - accepted.value, reading.at_ms - accepted.at_ms):
        return 1  # Back to the unit of the beginning.
    return state.scale


def _confirm(state: State) -> tuple[State, tuple[Segment, ...]]:
    """A chain that grows over enough samples and time is the register now; only its own growth is credited.

    In another unit the chain continues the accepted line: then the step to its first reading is credited too.
    """
    chain, accepted = state.chain, state.accepted
    long_enough = len(chain) >= _CONFIRM_SAMPLES and chain[-1].at_ms - chain[0].at_ms >= _CONFIRM_MS
    if not (long_enough and chain[-1].value > chain[0].value):
        return state, ()
    continues = state.chain_scale != state.scale and accepted is not None
    readings = (accepted, *chain) if continues and accepted is not None else chain
    current = State(readings[0], state.chain_scale, cadences_ms=state.cadences_ms)
    segments: list[Segment] = []
    for before, after in pairwise(readings):
        current, credited = _accept(current, after, after.value - before.value)
        segments.extend(credited)
    return current, tuple(segments)
