"""Greenhouse gas that the families' savings avoided."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.co2_saving.kpi import NAME, compute
from services.aggregator.kpis.results import Text

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text(
        "Greenhouse gas of homes against the winter before", "Gaz à effet de serre des foyers et hiver précédent"
    ),
    unit="%",
    programme="familles",
    about=("programme", "team"),
    theme="planet",
    references=("ck.p.planet.co2-red", "SCIS 2.3.1", "SDG 13.2"),
    verified=False,
    compute=compute,
    needs=frozenset({"homes", "weather"}),
)
