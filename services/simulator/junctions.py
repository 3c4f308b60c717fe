"""Twelve equipped junctions of Bordeaux, and what their signals show: fixed times, two groups in turn."""

from typing import Final, NamedTuple

__all__ = ["HEADINGS", "JUNCTIONS", "Junction", "green_after_s", "state_at"]

_CYCLE_S: Final = 60
_GREEN_S: Final = 27
_AMBER_S: Final = 3
GREEN, AMBER, RED = 6, 8, 3
HEADINGS: Final = {0: 1, 90: 2, 180: 1, 270: 2}
"""The ways that vehicles go, and the signal group of each."""


class Junction(NamedTuple):
    """A junction with roadside unit; `radius_m` is the reach of its zone."""

    id: str
    name: str
    latitude_deg: float
    longitude_deg: float
    vehicles_per_minute: float
    radius_m: float = 100.0


JUNCTIONS: Final = (
    Junction("33:1001", "Place Gambetta", 44.84110, -0.58080, 2.6),
    Junction("33:1002", "Quinconces", 44.84460, -0.57450, 2.9),
    Junction("33:1003", "Place de la Victoire", 44.83060, -0.57250, 2.2),
    Junction("33:1004", "Barrière de Pessac", 44.82360, -0.59350, 1.9),
    Junction("33:1005", "Barrière d'Ornano", 44.82820, -0.60020, 1.7),
    Junction("33:1006", "Barrière Judaïque", 44.84240, -0.60210, 1.6),
    Junction("33:1007", "Barrière du Médoc", 44.85260, -0.59570, 1.8),
    Junction("33:1008", "Place Ravezies", 44.86370, -0.57790, 1.5),
    Junction("33:1009", "Gare Saint-Jean", 44.82590, -0.55630, 2.4),
    Junction("33:1010", "Porte de Bourgogne", 44.83730, -0.56520, 2.8),
    Junction("33:1011", "Place Stalingrad", 44.83970, -0.55790, 2.0),
    Junction("33:1012", "Mérignac Soleil", 44.83270, -0.64590, 1.4),
)
"""Places of the city with coordinates near enough to look right; identifiers are made up (region 33)."""


def state_at(junction: Junction, group: int, at_s: int) -> tuple[int, int]:
    """What a signal group shows in a second (`eventState`), and when it changes: fixed time, the groups in turn."""
    number = int(junction.id.rpartition(":")[2])
    phase = (at_s + 7 * number + (0 if group == 1 else _CYCLE_S // 2)) % _CYCLE_S
    began_s = at_s - phase
    if phase < _GREEN_S:
        return GREEN, began_s + _GREEN_S
    if phase < _GREEN_S + _AMBER_S:
        return AMBER, began_s + _GREEN_S + _AMBER_S
    return RED, began_s + _CYCLE_S


def green_after_s(junction: Junction, group: int, at_s: int) -> int:
    """How long somebody waits who comes now; 0 in green."""
    state, change_s = state_at(junction, group, at_s)
    if state == GREEN:
        return 0
    red_s = _CYCLE_S - _GREEN_S - _AMBER_S
    return change_s - at_s + (red_s if state == AMBER else 0)
