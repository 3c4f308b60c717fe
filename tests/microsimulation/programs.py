"""Signal programs: three greens in turn, the road from west to east, its left turns, the road from south to north."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

__all__ = ["AMBER", "GREEN", "PHASES", "RED", "Phase", "colours", "left_s", "program"]

GREEN, AMBER, RED = "g", "y", "r"
PERMITTED: Final = frozenset((5, 6))
"""Groups whose lane also turns left, through the traffic that comes the other way."""


class Phase(NamedTuple):
    """Which groups show which colour, else red; how long in seconds, alone and where traffic actuates it."""

    groups: frozenset[int]
    colour: str
    fixed_s: float
    bounds_s: tuple[float, float]


def _phases() -> Iterator[Phase]:
    greens = (((1, 3), 30.0, (12.0, 45.0)), ((2, 4), 9.0, (5.0, 15.0)), ((5, 6), 24.0, (8.0, 35.0)))
    for groups, fixed_s, bounds_s in greens:
        yield Phase(frozenset(groups), GREEN, fixed_s, bounds_s)
        yield Phase(frozenset(groups), AMBER, 3.0, (3.0, 3.0))
        yield Phase(frozenset(), RED, 2.0, (2.0, 2.0))


PHASES: Final = tuple(_phases())


def colours(group: int) -> list[str]:
    """What a group shows in each phase."""
    return [phase.colour if group in phase.groups else RED for phase in PHASES]


def left_s(group: int, number: int, since_s: float, *, actuated: bool) -> tuple[float, float]:
    """How long a group still shows what it shows: at least and at most, `since_s` after its phase began."""
    shown = colours(group)
    least_s = most_s = 0.0
    for step in range(len(PHASES)):
        index = (number + step) % len(PHASES)
        if shown[index] != shown[number]:
            break
        low_s, high_s = PHASES[index].bounds_s if actuated else (PHASES[index].fixed_s,) * 2
        passed_s = 0.0 if step else since_s
        least_s, most_s = least_s + max(0.0, low_s - passed_s), most_s + max(0.0, high_s - passed_s)
    return least_s, most_s


def program(name: str, links: Mapping[int, int], *, offset_s: int, actuated: bool) -> str:
    """The program as SUMO reads it; `links` gives the group of each of its links."""
    kind = "actuated" if actuated else "static"
    rows = "".join(_row(phase, [links[each] for each in sorted(links)], actuated=actuated) for phase in PHASES)
    return f'<tlLogic id="{name}" type="{kind}" programID="town" offset="{offset_s}">{rows}</tlLogic>\n'


def _row(phase: Phase, groups: Sequence[int], *, actuated: bool) -> str:
    letters = (phase.colour if group in phase.groups else RED for group in groups)
    state = "".join(
        "G" if letter == GREEN and group not in PERMITTED else letter
        for letter, group in zip(letters, groups, strict=True)
    )
    bounds = f' minDur="{phase.bounds_s[0]}" maxDur="{phase.bounds_s[1]}"' if actuated else ""
    return f'<phase duration="{phase.bounds_s[0] if actuated else phase.fixed_s}" state="{state}"{bounds}/>'
