"""Water saved by teams of *Familles à énergie positive*: counted apart from energy."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.results import Text
from services.aggregator.kpis.water_saving.kpi import NAME, compute

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("Water saved on the winter before", "Eau économisée par rapport à l’hiver précédent"),
    unit="%",
    programme="familles",
    about=("programme", "team"),
    theme="planet",
    references=("ck.p.planet.reduction-in-water-consumption", "SDG 6.4"),
    verified=False,
    compute=compute,
    needs=frozenset({"homes"}),
)
