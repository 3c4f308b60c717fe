"""How well signals foretell their changes, and how long junctions are heard."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.results import Text
from services.aggregator.kpis.signal_predictions.kpi import NAME, compute

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("Signals and roadside stations", "Feux et unités de bord de route"),
    unit="by variant",
    programme="compass4d",
    about=("programme", "corridor", "junction"),
    theme="prosperity",
    references=("u4.EC:ICT:T:3A", "x.data-coverage"),
    verified=False,
    compute=compute,
    needs=frozenset({"mobility"}),
)
