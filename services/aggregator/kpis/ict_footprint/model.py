"""From seconds of CPU to kilowatt-hours and grams: the power model, by factors of the set or of the city. Pure.

The city's own quantities take the place of the factors one by one; which ones did is part of the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from services.aggregator.kpis.factors import FactorSet
from services.aggregator.kpis.facts import Facts
from services.aggregator.kpis.inputs import ProcessUse, UsedHour
from services.aggregator.kpis.results import Period

__all__ = ["NAMES", "YEAR_DAYS", "Model", "Use", "model_of", "use_of"]

YEAR_DAYS: Final = 365
NAMES: Final = ("ict_idle_w", "ict_busy_w", "ict_pue", "ict_server_kgco2e", "ict_lifetime_years", "ict_threads")
_J_PER_KWH: Final = 3.6e6
_G_PER_KG: Final = 1000.0
_DAY_S: Final = 86_400


class Use(NamedTuple):
    """What all processes together told of a period; `hours` is how many of its hours somebody told of."""

    cpu_s: float
    elapsed_s: float
    events: float
    counted_j: float
    modelled: tuple[float, float]
    """Seconds of CPU and of clock of the statements without a counter of energy."""
    hours: int
    processes: int


@dataclass(frozen=True, slots=True)
class Model:
    """Numbers of the model, in the units of their names."""

    values: Mapping[str, float]
    grid_gco2e_per_kwh: float
    other_kwh_per_year: float
    entered: tuple[str, ...]

    def energy_kwh(self, use: Use) -> float:
        """Energy of the processes as they told it, with the building around them."""
        cpu_s, elapsed_s = use.modelled
        joules = self.values["ict_idle_w"] * elapsed_s + self.values["ict_busy_w"] * cpu_s + use.counted_j
        return joules / _J_PER_KWH * self.values["ict_pue"]

    def other_kwh(self, days: int) -> float:
        """Energy of what the city entered besides, over so many days."""
        return self.other_kwh_per_year * days / YEAR_DAYS

    def embodied_gco2e(self, elapsed_s: float) -> float:
        """SCI: M = TE · TS · RS, the share of making the server that falls to one thread for so long."""
        lifetime_s = self.values["ict_lifetime_years"] * YEAR_DAYS * _DAY_S
        return self.values["ict_server_kgco2e"] * _G_PER_KG * elapsed_s / lifetime_s / self.values["ict_threads"]


def model_of(factors: FactorSet, facts: Facts, until: date) -> Model | None:
    """The numbers that hold for a period that ends at `until`; `None` if one of them is known to nobody."""
    values, entered = {}, []
    for name in NAMES:
        own = facts.quantity(name, until)
        value = factors.parameter(name) if own is None else own.value
        if value is None:
            return None
        values[name] = value
        if own is not None:
            entered.append(name)
    grid = facts.quantity("ict_gco2e_per_kwh", until)
    usual = factors.emission_kgco2e_per_kwh("electricity")
    other = facts.quantity("ict_other_kwh_per_year", until)
    if grid is None and usual is None:
        return None
    entered += [each.name for each in (grid, other) if each is not None]
    return Model(
        values,
        grid.value if grid is not None else (usual or 0.0) * _G_PER_KG,
        0.0 if other is None else other.value,
        tuple(entered),
    )


def use_of(processes: Sequence[ProcessUse], period: Period) -> Use:
    """Add up what was told of a period."""
    told = [
        (process.id, key, hour)
        for process in processes
        for key, hour in process.hours.items()
        if period.start <= key[0] < period.end
    ]
    hours: list[UsedHour] = [hour for _, _, hour in told]
    without = [hour for hour in hours if hour.energy_j is None]
    return Use(
        cpu_s=sum(hour.cpu_s for hour in hours),
        elapsed_s=sum(hour.elapsed_s for hour in hours),
        events=sum(hour.events for hour in hours),
        counted_j=sum(hour.energy_j or 0.0 for hour in hours),
        modelled=(sum(hour.cpu_s for hour in without), sum(hour.elapsed_s for hour in without)),
        hours=len({key for _, key, _ in told}),
        processes=len({name for name, _, _ in told}),
    )
