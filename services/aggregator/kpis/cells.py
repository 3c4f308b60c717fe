"""Days of junctions that may be told: small groups are left out before anything is added up. Pure.

A cell is what passed a junction on a local day. Fewer than five vehicles make no part of any sum (c-its.md 6), so no
difference of two sums, over junctions, corridors or periods, is ever fewer than five. Where vehicles are split in
classes, each class and the rest must be five, or the rest nobody; else the day makes no part of the comparison.

Vehicles are counted from below: by the bits that they set, or, of those with or without advice, by the busiest quarter
of an hour (`mobility.hours`). A vehicle that changes its pseudonym within a day counts as two.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.inputs import JunctionDays

__all__ = ["Day", "heard_days", "shown_days", "split_days", "told_days"]

Day = Mapping[str, float]
"""Sums of a day, by the names of their columns."""

_Row = tuple[str, str, Day]
"""Group, advice, sums."""

_COUNTED = {"passage": "passages", "priority": "requests"}
_NO_SUMS = frozenset({"at_once", "heard"})


def heard_days(mobility: Iterable[JunctionDays], junctions: Iterable[str] | None = None) -> set[date]:
    """The days of which anything at all is known, of some junctions or of all."""
    wanted = None if junctions is None else set(junctions)
    return {day for each in mobility if wanted is None or each.junction in wanted for day in each.days}


def shown_days(mobility: Sequence[JunctionDays], junction: str, kind: str) -> dict[date, dict[str, float]]:
    """The days of a junction that may be told, with their sums over all groups."""
    days = _by_day(mobility, junction, kind)
    return {day: _sum(rows) for day, rows in sorted(days.items()) if _enough(rows, rows, kind)}


def told_days(mobility: Sequence[JunctionDays], junction: str, kind: str) -> dict[date, dict[str, float]]:
    """As `shown_days`, with the days on which the junction was heard and there was nothing of this kind."""
    days = _by_day(mobility, junction, kind)
    empty = heard_days(mobility, [junction]) - days.keys()
    return {**shown_days(mobility, junction, kind), **{day: {} for day in empty}}


def split_days(
    mobility: Sequence[JunctionDays],
    junction: str,
    one: Callable[[str, str], bool],
    other: Callable[[str, str], bool],
) -> dict[date, tuple[dict[str, float], dict[str, float]]]:
    """The days on which passages of both classes may be told, with the sums of each.

    Args:
        mobility: everything that was read.
        junction: its id.
        one: whether a group and its advice belong to the first class.
        other: to the second; never both.
    """
    found = {}
    for day, rows in sorted(_by_day(mobility, junction, "passage").items()):
        parts: list[list[_Row]] = [[], [], []]
        for row in rows:
            parts[0 if one(*row[:2]) else 1 if other(*row[:2]) else 2].append(row)
        rest = _sum(parts[2]).get("passages", 0.0)
        enough = [_enough(part, rows, "passage") for part in parts]
        if enough[0] and enough[1] and (rest == 0 or enough[2]):
            found[day] = _sum(parts[0]), _sum(parts[1])
    return found


def _by_day(mobility: Iterable[JunctionDays], junction: str, kind: str) -> dict[date, list[_Row]]:
    days: dict[date, list[_Row]] = defaultdict(list)
    for each in mobility:
        if (each.junction, each.kind) == (junction, kind):
            for day, sums in each.days.items():
                days[day].append((each.group, each.advice, sums))
    return days


def _sum(rows: Iterable[_Row]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for _, _, row in rows:
        for name, value in row.items():
            if name not in _NO_SUMS:
                sums[name] += value
    return dict(sums)


def _enough(rows: Sequence[_Row], day: Sequence[_Row], kind: str) -> bool:
    """Whether these groups of a day were five vehicles or more. Signals are no vehicles."""
    counted = _COUNTED.get(kind)
    if counted is None:
        return True
    passed = sum(row.get(counted, 0.0) for _, _, row in rows)
    return min(passed, _vehicles(rows, day, kind)) >= THRESHOLDS.vehicles


def _vehicles(rows: Sequence[_Row], day: Sequence[_Row], kind: str) -> float:
    """How many vehicles these groups were at least. Station classes have no vehicle in common; roles may."""
    if kind == "priority":
        return max((row.get("heard", 0.0) for _, _, row in rows), default=0.0)
    everybody, these = (Counter(group for group, _, _ in each) for each in (day, rows))
    # The bits are of all of a class: of those with or without advice alone, the busiest quarter of an hour counts.
    name = {group: "heard" if these[group] == everybody[group] else "at_once" for group in these}
    at_least: dict[str, float] = defaultdict(float)
    for group, _, row in rows:
        at_least[group] = max(at_least[group], row.get(name[group], 0.0))
    return sum(at_least.values())
