"""Energy saved by teams of *Familles à énergie positive*, against the same days of the winter before."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.energy_saving.kpi import compute
from services.aggregator.kpis.results import Text

__all__ = ["KPI"]

KPI = Kpi(
    name="energy_saving",
    title=Text("Energy saved on the winter before", "Énergie économisée par rapport à l’hiver précédent"),
    unit="%",
    programme="familles",
    about=("programme", "team"),
    theme="planet",
    references=("ck.p.planet.final-energy-red", "SCIS 2.1.2", "SDG 7.3"),
    verified=False,
    compute=compute,
    needs=frozenset({"homes", "weather"}),
)
