"""What vehicles lived through at junctions: stops, delay, arrivals on green, advice, red lights, fuel and CO2."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.junction_passages.kpi import NAME, compute
from services.aggregator.kpis.results import Text

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("Passages at junctions", "Passages aux carrefours"),
    unit="by variant",
    programme="compass4d",
    about=("programme", "corridor", "junction"),
    theme="prosperity",
    references=("x.stops", "x.glosa", "x.rlv-rate", "ck.c.prosperity.congestion", "ck.p.prosperity.travel-time"),
    verified=False,
    compute=compute,
    needs=frozenset({"mobility"}),
)
