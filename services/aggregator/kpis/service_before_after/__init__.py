"""What changed at junctions with the service, against the days before it."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.results import Text
from services.aggregator.kpis.service_before_after.kpi import NAME, compute

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("Before and after the service", "Avant et après le service"),
    unit="by variant",
    programme="compass4d",
    about=("programme", "corridor", "junction"),
    theme="prosperity",
    references=("x.stops", "x.glosa", "x.rlv-rate", "x.hazard", "ck.p.prosperity.travel-time"),
    verified=False,
    compute=compute,
    needs=frozenset({"mobility"}),
)
