"""Warnings of road hazards: how many, how long, how fast they spread, whom they reached, what drivers did."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.hazard_warnings.kpi import NAME, compute
from services.aggregator.kpis.results import Text

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("Road hazard warnings", "Alertes de danger routier"),
    unit="by variant",
    programme="compass4d",
    about=("programme", "corridor", "junction"),
    theme="people",
    references=("x.hazard",),
    verified=False,
    compute=compute,
    needs=frozenset({"mobility"}),
)
