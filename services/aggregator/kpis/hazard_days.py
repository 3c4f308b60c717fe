"""Days of junctions with a hazard that may be told: how many there were, who was warned, how fast they drove. Pure.

A day with fewer than five vehicles makes no part of a sum of vehicles. A hazard is announced to everybody and is no
vehicle: of hazards a junction needs five before and five after, or none (`hazard_effects`).
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final, NamedTuple

from services.aggregator.kpis.cells import Day, heard_days
from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.inputs import ExposedDay, HazardDay, Inputs
from services.aggregator.kpis.sampling import Sample

__all__ = ["COUNTED", "Told", "band_of", "counted_of", "days_near"]

COUNTED: Final = {"hazard": "hazards", "aware": "aware_vehicles", "unaware": "unaware_vehicles"}
"""What is counted, by the kind of a measure."""


class Told(NamedTuple):
    """The days of a junction that may be told, and those that are withheld."""

    days: Mapping[date, Day]
    withheld: frozenset[date]


def days_near(inputs: Inputs, junction: str, kind: str, *, quiet: bool) -> Told:
    """The days on which there was a hazard or a vehicle of this kind.

    Args:
        inputs: everything that was read.
        junction: its id.
        kind: `hazard`, `aware` or `unaware`.
        quiet: with the days on which the junction was heard and there was nothing: for rates.
    """
    rows: tuple[HazardDay | ExposedDay, ...] = inputs.hazards if kind == "hazard" else inputs.exposed
    least = 1 if kind == "hazard" else THRESHOLDS.vehicles
    own = {each.day: each.sums for each in rows if each.junction == junction and each.sums.get(COUNTED[kind], 0.0) > 0}
    shown = {day: sums for day, sums in sorted(own.items()) if sums[COUNTED[kind]] >= least}
    empty = heard_days(inputs.mobility, [junction]) - own.keys() if quiet else set[date]()
    return Told({**shown, **{day: {} for day in sorted(empty)}}, frozenset(own.keys() - shown.keys()))


def counted_of(days: Mapping[date, Day], kind: str) -> float:
    """How many there were on these days."""
    return sum(sums.get(COUNTED[kind], 0.0) for sums in days.values())


def band_of(days: Iterable[tuple[date, Day]], band: str) -> Sample:
    """The mean speed in a band, such as `aware_near`, by day; days without a message of it are left out."""
    sums: dict[date, tuple[float, float]] = {}
    for day, row in days:
        above, below = sums.get(day, (0.0, 0.0))
        sums[day] = above + row.get(f"{band}_mps", 0.0), below + row.get(band, 0.0)
    return Sample({day: row for day, row in sums.items() if row[1] > 0})
