"""Vehicles and their mean speed at each equipped junction."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.results import Text
from services.aggregator.kpis.vehicles_per_junction.kpi import compute

__all__ = ["KPI"]

KPI = Kpi(
    name="vehicles_per_junction",
    title=Text("Equipped vehicles per junction", "Véhicules équipés par carrefour"),
    unit="vehicles",
    programme="compass4d",
    about=("junction",),
    theme="prosperity",
    references=("u4.EC:ICT:T:2C", "ck.c.prosperity.congestion"),
    verified=False,
    compute=compute,
    needs=frozenset({"traffic", "mobility"}),
)
