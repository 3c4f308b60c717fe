"""What differs between vehicles with the service and vehicles without it, at the same junctions on the same days."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.results import Text
from services.aggregator.kpis.service_with_without.kpi import NAME, compute

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("With and without the service", "Avec et sans le service"),
    unit="by variant",
    programme="compass4d",
    about=("programme", "corridor", "junction"),
    theme="prosperity",
    references=("x.stops", "x.glosa", "x.rlv-rate", "x.hazard"),
    verified=False,
    compute=compute,
    needs=frozenset({"mobility"}),
)
