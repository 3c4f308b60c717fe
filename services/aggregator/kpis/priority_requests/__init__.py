"""Requests for priority at junctions, how many were granted, and how fast."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.priority_requests.kpi import NAME, compute
from services.aggregator.kpis.results import Text

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("Priority at junctions", "Priorité aux carrefours"),
    unit="by variant",
    programme="compass4d",
    about=("programme", "corridor", "junction"),
    theme="prosperity",
    references=("u4.EC:ICT:T:3A",),
    verified=False,
    compute=compute,
    needs=frozenset({"mobility"}),
)
