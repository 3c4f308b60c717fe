"""Speed advice for a green light (GLOSA), and whether a driver followed it (c-its.md 5). Pure."""

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas.mobility import SignalGroupState
from services.aggregator.mobility.crossings import Crossing
from services.aggregator.mobility.signals import GREEN, RED, Signals, sure
from services.aggregator.points import milliseconds

__all__ = ["Advice", "advice_at", "compliance_of"]

_LEAST_MPS: Final = 20 / 3.6
_NEAR_M: Final = 50.0
_FAR_M: Final = 500.0
_REACTION_MS: Final = 5_000
_TOLERANCE_MPS: Final = 1.4
_TOLERANCE_SHARE: Final = 0.1


class Advice(NamedTuple):
    """The speeds that reach the stop line in green, m/s."""

    low_mps: float
    high_mps: float

    def allows(self, speed_mps: float) -> bool:
        """Whether a speed follows it, within 1.4 m/s or a tenth."""
        low_mps = self.low_mps - max(_TOLERANCE_MPS, _TOLERANCE_SHARE * self.low_mps)
        high_mps = self.high_mps + max(_TOLERANCE_MPS, _TOLERANCE_SHARE * self.high_mps)
        return low_mps <= speed_mps <= high_mps


def advice_at(said: SignalGroupState, at_ms: int, before_m: float, limit_mps: float) -> Advice | None:
    """The advice that a SPATEM allows at an instant; `None` if its times are unknown or no speed will do.

    In green the vehicle must arrive before its end, in red after it. A SPATEM tells the end of the present state
    alone, so in red the end of the coming green bounds nothing.
    """
    green, red = said.event_state in GREEN, said.event_state in RED
    # A careful driver: in green the earliest end, in red the latest, unless the likely one is to be relied on.
    end = said.likely_end if sure(said) else said.min_end if green else said.max_end
    if end is None or not (green or red):
        return None
    left_s = (milliseconds(end) - at_ms) / 1000
    if left_s <= 0:
        return None
    low_mps, high_mps = (max(_LEAST_MPS, before_m / left_s), limit_mps) if green else (_LEAST_MPS, before_m / left_s)
    advice = Advice(low_mps, min(high_mps, limit_mps))
    return advice if advice.low_mps <= advice.high_mps else None


def compliance_of(crossing: Crossing, signals: Signals, limit_mps: float) -> float | None:
    """Share of the time under advice in which the speed followed it, from five seconds after the first advice on."""
    group = crossing.lane.signal_group
    if group is None:
        return None
    advised: list[tuple[int, bool]] = []
    first_ms: int | None = None
    for fix, place in crossing.steps:
        said = signals.foretold(group, fix.at_ms)
        if said is None or not _NEAR_M <= place.before_m <= _FAR_M:
            continue
        advice = advice_at(said, fix.at_ms, place.before_m, limit_mps)
        if advice is not None:
            first_ms = fix.at_ms if first_ms is None else first_ms
            if fix.at_ms - first_ms >= _REACTION_MS:
                advised.append((fix.at_ms, advice.allows(fix.speed_mps)))
    return _share_of_time(advised)


def _share_of_time(advised: Sequence[tuple[int, bool]]) -> float | None:
    """By the time between messages, so that a vehicle that speaks more often has no more weight."""
    followed_ms = total_ms = 0
    for (at_ms, follows), (next_ms, _) in itertools.pairwise(advised):
        lasts_ms = min(next_ms - at_ms, _REACTION_MS)
        total_ms += lasts_ms
        followed_ms += lasts_ms if follows else 0
    return followed_ms / total_ms if total_ms else None
