"""The register algebra: which part of what a counter shows is energy, and which is a fault of the counter.

Pure and causal in event time: the state after a reading depends on that reading and earlier ones only. Indices are
integers, millionths of the unit (mWh for kWh, mL for m3), so that energy is exact and sums telescope.

Rules: meters.md 4.2. A plausible forward step is credited. Anything else starts or extends a *candidate chain*, which
credits nothing until it is confirmed, and is dropped when a later reading fits the accepted line again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd
from statistics import median_low
from typing import Final, Literal, NamedTuple

__all__ = [
    "LIMITS",
    "MICRO",
    "Chain",
    "Credit",
    "Limits",
    "Mark",
    "Reading",
    "Segment",
    "State",
    "credit",
    "limits_for",
]

MICRO: Final = 1_000_000
_HOUR_MS: Final = 3_600_000
_CONFIRM_SAMPLES: Final = 5
_CONFIRM_MS: Final = 15 * 60_000
_CADENCES: Final = 7
_FIRST_GAP_MS: Final = 2 * _HOUR_MS
LEAST_GAP_MS: Final = 10 * 60_000
_SCALES: Final = (1_000, 100, 10)
_STEPS: Final = (MICRO, MICRO // 10, MICRO // 100)


class Reading(NamedTuple):
    """An index at an instant.

    Attributes:
        at_ms: Unix milliseconds.
        value: millionths of the unit.
        began_ms: the device's own word on when its counter began, if it says so.
        modulus: the value at which the counter rolls over to 0, millionths of the unit, if it is known.
        per_hour: the most that the contract lets through in an hour, millionths of the unit, if it is known.
        quiet_ms: until when the meter spoke of other registers and left this one out: it had not changed.
    """

    at_ms: int
    value: int
    began_ms: int | None = None
    modulus: int | None = None
    per_hour: int | None = None
    quiet_ms: int | None = None


class Segment(NamedTuple):
    """Energy credited between two instants.

    Attributes:
        start_ms: Unix milliseconds.
        end_ms: after `start_ms`.
        delta: millionths of the unit.
        gap: credited as a whole, its course was never measured.
        doubt: `unknown`: what was used is not known at all, 0 is credited (before a reset); `unit_suspect`: the
            device changed its unit, and its values are divided.
    """

    start_ms: int
    end_ms: int
    delta: int
    gap: bool = False
    doubt: Literal["", "unknown", "unit_suspect"] = ""


MarkName = Literal["suspect", "reset", "step_back", "switch", "rollover", "unit_suspect"]


class Mark(NamedTuple):
    """What the algebra noticed at the instant of a reading.

    `suspect`: the reading fits no line, it credits nothing for now. `reset`, `step_back`, `switch`: a new line begins
    here, near zero, lower, or higher. `rollover`: the counter passed its modulus. `unit_suspect`: another unit.
    """

    at_ms: int
    what: MarkName


@dataclass(frozen=True, slots=True)
class Limits:
    """What is plausible for a register: the steepest rise per hour, and the display's finest step."""

    per_hour: int
    resolution: int = 1_000

    def most(self, elapsed_ms: int, step: int, per_hour: int | None = None) -> int:
        """The most by which an index may rise in this time: 1.2 x the power, and one `step` of the display."""
        return (per_hour or self.per_hour) * elapsed_ms * 6 // (5 * _HOUR_MS) + step


LIMITS: Final = {
    "electricity": Limits(36 * MICRO),
    "heat": Limits(100 * MICRO),
    "cooling": Limits(100 * MICRO),
    "gas": Limits(10 * MICRO),
    "water": Limits(5 * MICRO),
}
"""36 kVA, 100 kW, 10 m3/h, 5 m3/h (meters.md 4.2)."""

_GAS_KWH: Final = Limits(120 * MICRO)


def limits_for(carrier: str, unit: str) -> Limits:
    """The limits of a register; gas in kWh has those of 10 m3/h."""
    return _GAS_KWH if carrier == "gas" and unit == "kWh" else LIMITS.get(carrier, LIMITS["heat"])


class Chain(NamedTuple):
    """Candidates: readings that fit each other and not the accepted line. Values are divided by `scale`.

    `leap`: not even a report that came a quarter of an hour late explains it, so time alone never makes it true.
    Its segments are ready to be credited; what does not grow is kept as one of them, so that a meter that is dead at
    zero for months takes no room.
    """

    first: Reading
    last: Reading
    samples: int
    scale: int
    leap: bool
    cadences_ms: tuple[int, ...]
    segments: tuple[Segment, ...] = ()


class State(NamedTuple):
    """All that the past says about a register.

    Attributes:
        accepted: the last reading of the accepted line, divided by `scale`.
        scale: divides what the device shows (1000 after a change from kWh to Wh).
        chain: candidates.
        cadences_ms: the last intervals between accepted readings.
        grain: the greatest common divisor of all values so far, which tells how many decimals the display has.
    """

    accepted: Reading | None = None
    scale: int = 1
    chain: Chain | None = None
    cadences_ms: tuple[int, ...] = ()
    grain: int = 0


class Credit(NamedTuple):
    """What a run over readings gives: the state after it, what it credits, what it noticed."""

    state: State
    segments: list[Segment]
    marks: list[Mark]


def credit(readings: Iterable[Reading], limits: Limits, state: State | None = None) -> Credit:
    """Run over readings in order of time, no two of one instant."""
    current = state or State()
    run = Run([], [])
    for reading in readings:
        current = _step(run, current, reading, limits)
    return Credit(current, run.segments, run.marks)


class Run(NamedTuple):
    """Where a run over readings puts what it credits and notices."""

    segments: list[Segment]
    marks: list[Mark]


def _step(run: Run, state: State, reading: Reading, limits: Limits) -> State:
    """Take a later reading: appends what is credited and noticed now, gives the new state."""
    grain = gcd(state.grain, reading.value)
    accepted = state.accepted
    if accepted is None:
        return State(reading, grain=grain)
    state = state._replace(grain=grain)
    shown = reading if state.scale == 1 else reading._replace(value=reading.value // state.scale)
    step = _display_step(state, limits)
    elapsed_ms = reading.at_ms - accepted.at_ms
    delta = shown.value - accepted.value
    if 0 <= delta <= limits.most(elapsed_ms, step, reading.per_hour) and not _stays_candidate(state, reading, limits):
        return _accept(run, state, shown, delta, limits)
    if -step <= delta < 0 < shown.value:
        # Jitter of the display: the mark stays, and time goes on.
        return _accept(run, state, shown._replace(value=accepted.value), 0, limits)
    if (rolled := _rolled_over(state, shown, limits)) is not None:
        run.marks.append(Mark(reading.at_ms, "rollover"))
        return _accept(run, state, shown, rolled, limits)
    if _began_anew(accepted, reading):
        run.segments.append(Segment(accepted.at_ms, reading.at_ms, 0, gap=True, doubt="unknown"))
        run.marks.append(Mark(reading.at_ms, "reset"))
        return State(reading, cadences_ms=state.cadences_ms, grain=grain)
    run.marks.append(Mark(reading.at_ms, "suspect"))
    return _candidate(run, state, reading, limits)


def _display_step(state: State, limits: Limits) -> int:
    """The display's step as far as it can be known: a meter that shows whole kWh moves by a whole kWh."""
    if state.grain:
        for step in _STEPS:
            if state.grain % (step * state.scale) == 0:
                return step
    return limits.resolution


def _accept(run: Run, state: State, reading: Reading, delta: int, limits: Limits) -> State:
    """Credit the step from the accepted reading to this one."""
    accepted = state.accepted or reading
    start_ms = accepted.at_ms
    doubt: Literal["", "unit_suspect"] = "unit_suspect" if state.scale != 1 else ""
    gap_ms = _gap_ms(state.cadences_ms)
    quiet_ms = reading.quiet_ms
    if (
        quiet_ms is not None
        and state.chain is None
        and start_ms < quiet_ms
        and reading.at_ms - start_ms > gap_ms
        and delta <= limits.most(reading.at_ms - quiet_ms, _display_step(state, limits), reading.per_hour)
    ):
        # Silent because it did not change: the meter itself went on speaking.
        run.segments.append(Segment(start_ms, quiet_ms, 0, gap=False, doubt=doubt))
        start_ms = quiet_ms
    elapsed_ms = reading.at_ms - start_ms
    # What did not grow has no unknown course.
    run.segments.append(Segment(start_ms, reading.at_ms, delta, elapsed_ms > gap_ms and delta > 0, doubt))
    return State(reading, state.scale, None, (*state.cadences_ms[1 - _CADENCES :], elapsed_ms), state.grain)


def _gap_ms(cadences_ms: tuple[int, ...]) -> int:
    """Longer than twice the usual interval is a gap."""
    return max(LEAST_GAP_MS, 2 * median_low(cadences_ms)) if cadences_ms else _FIRST_GAP_MS


def _stays_candidate(state: State, reading: Reading, limits: Limits) -> bool:
    """Whether a reading goes on from a leap: time makes every leap plausible in the end, but not true."""
    return state.chain is not None and state.chain.leap and _extends(state, state.chain, reading, limits) is not None


def _began_anew(accepted: Reading, reading: Reading) -> bool:
    """The device says itself that its counter began after the accepted reading, and shows less."""
    return (
        reading.began_ms is not None
        and reading.began_ms != accepted.began_ms
        and reading.began_ms > accepted.at_ms
        and reading.value < accepted.value
    )


def _rolled_over(state: State, shown: Reading, limits: Limits) -> int | None:
    """What was used if the counter went from above 99 % of its modulus to just after 0."""
    accepted = state.accepted
    if shown.modulus is None or accepted is None:
        return None
    modulus = shown.modulus // state.scale
    used = modulus - accepted.value + shown.value
    elapsed_ms = shown.at_ms - accepted.at_ms
    if accepted.value * 100 <= modulus * 99 or not 0 <= shown.value < accepted.value < modulus:
        return None
    return used if used <= limits.most(elapsed_ms, _display_step(state, limits), shown.per_hour) else None


def _candidate(run: Run, state: State, reading: Reading, limits: Limits) -> State:
    """Extend the chain if the reading goes on from its end, else start a chain anew with it."""
    chain = state.chain
    if chain is not None and (growth := _extends(state, chain, reading, limits)) is not None:
        return _confirm(run, state, _extended(chain, reading, growth, unit_changed=chain.scale != 1))
    accepted = state.accepted or reading
    scale = _scale(state, reading, limits)
    first = reading._replace(value=reading.value // scale)
    late_ms = reading.at_ms - accepted.at_ms + _CONFIRM_MS
    rise = reading.value // state.scale - accepted.value
    leap = rise > limits.most(late_ms, _display_step(state, limits), reading.per_hour)
    return state._replace(chain=Chain(first, first, 1, scale, leap, state.cadences_ms))


def _extends(state: State, chain: Chain, reading: Reading, limits: Limits) -> int | None:
    """By how much a reading goes on from the end of the chain; `None` if it does not."""
    growth = reading.value // chain.scale - chain.last.value
    step = _display_step(state, limits)
    if -step <= growth < 0 < reading.value:
        return 0  # jitter
    fits = 0 <= growth <= limits.most(reading.at_ms - chain.last.at_ms, step, reading.per_hour)
    return growth if fits else None


def _extended(chain: Chain, reading: Reading, growth: int, *, unit_changed: bool) -> Chain:
    elapsed_ms = reading.at_ms - chain.last.at_ms
    gap = growth > 0 and elapsed_ms > _gap_ms(chain.cadences_ms)
    segment = Segment(chain.last.at_ms, reading.at_ms, growth, gap, "unit_suspect" if unit_changed else "")
    segments = chain.segments
    if growth == 0 and segments and segments[-1].delta == 0:
        segments = (*segments[:-1], segment._replace(start_ms=segments[-1].start_ms))
    else:
        segments = (*segments, segment)
    return chain._replace(
        last=reading._replace(value=chain.last.value + growth),
        samples=chain.samples + 1,
        cadences_ms=(*chain.cadences_ms[1 - _CADENCES :], elapsed_ms),
        segments=segments,
    )


def _confirm(run: Run, state: State, chain: Chain) -> State:
    """A chain that grows over enough samples and time is the register now; only its own growth is credited.

    In another unit the chain continues the accepted line: then the step to its first reading is credited too.
    """
    accepted = state.accepted or chain.first
    long_enough = chain.samples >= _CONFIRM_SAMPLES and chain.last.at_ms - chain.first.at_ms >= _CONFIRM_MS
    if not (long_enough and chain.last.value > chain.first.value):
        return state._replace(chain=chain)
    step = Segment(accepted.at_ms, chain.first.at_ms, 0, gap=True, doubt="unknown")
    if chain.scale != state.scale:
        rise = chain.first.value - accepted.value
        gap = rise > 0 and step.end_ms - step.start_ms > _gap_ms(state.cadences_ms)
        step = step._replace(delta=rise, gap=gap, doubt="unit_suspect")
    run.segments.extend((step, *chain.segments))
    run.marks.append(Mark(chain.first.at_ms, _kind(state, chain, accepted)))
    return State(chain.last, chain.scale, None, chain.cadences_ms, state.grain)


def _kind(state: State, chain: Chain, accepted: Reading) -> MarkName:
    if chain.scale != state.scale:
        return "unit_suspect"
    if chain.first.value >= accepted.value:
        return "switch"
    return "reset" if chain.first.value * 10 <= accepted.value else "step_back"


def _scale(state: State, reading: Reading, limits: Limits) -> int:
    """Whether the reading would fit the accepted line in another unit (Wh for kWh, a shifted decimal point)."""
    accepted = state.accepted
    if accepted is None or accepted.value < MICRO:
        return state.scale  # Below one unit any small number fits in some scale.
    elapsed_ms, step = reading.at_ms - accepted.at_ms, _display_step(state, limits)
    plausible = limits.most(elapsed_ms, step, reading.per_hour)
    for scale in (*(state.scale * ratio for ratio in _SCALES), 1):
        # A hundredth at most: a counter near its beginning, ten times higher by accident, is another register. Whole
        # kWh that become Wh show what was hidden of the last one.
        near = max(accepted.value // 100, limits.resolution if scale < state.scale * _SCALES[0] else step)
        if scale != state.scale and 0 <= reading.value // scale - accepted.value <= min(plausible, near):
            return scale
    return state.scale
