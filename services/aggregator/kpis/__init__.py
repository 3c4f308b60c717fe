"""The KPI mechanism: one folder per indicator, found by its folder.

An indicator is pure: inputs and a question in, outcomes out. It knows no clock, no store, no other indicator (but a
ratio of two, the net effect, asks the other). Nothing but its folder has to be touched to add one.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.results import Outcome, Text

__all__ = ["Compute", "Kpi", "discover"]

Compute = Callable[[Inputs, Question], tuple[Outcome, ...]]
"""One outcome for each variant of the indicator, in a fixed order."""


@dataclass(frozen=True, slots=True)
class Kpi:
    """An indicator.

    Attributes:
        name: the folder's name; also its tag in the store.
        title: for people.
        unit: of its values, `%` or a unit of its own.
        programme: which programme it belongs to.
        about: the kinds of subject that it is asked for.
        theme: theme and level in CITYkeys.
        references: slugs of indicators of CITYkeys, U4SSC, SCIS and SDG that it serves.
        verified: whether the primary text of these references was read.
        compute: pure; never raises for what data may hold.
        needs: what is read for it.
    """

    name: str
    title: Text
    unit: str
    programme: str
    about: tuple[Literal["programme", "team", "junction", "corridor", "application", "service"], ...]
    theme: str
    references: tuple[str, ...]
    verified: bool
    compute: Compute
    needs: frozenset[Literal["homes", "weather", "traffic", "evaluations", "usage", "mobility"]]


@cache
def discover() -> dict[str, Kpi]:
    """Find every indicator by its folder, in the order of their names."""
    found: dict[str, Kpi] = {}
    for module in pkgutil.iter_modules(__path__):
        if module.ispkg:
            candidate: Any = importlib.import_module(f"{__name__}.{module.name}")
            kpi: Kpi = candidate.KPI
            if kpi.name != module.name:
                message = f"the indicator in folder {module.name} calls itself {kpi.name}"
                raise RuntimeError(message)
            found[kpi.name] = kpi
    return found
