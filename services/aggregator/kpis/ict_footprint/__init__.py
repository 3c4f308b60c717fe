"""What this service itself uses: the fourth commitment of the Green Digital Charter, SCI, and the net effect."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.ict_footprint.kpi import compute
from services.aggregator.kpis.results import Text

__all__ = ["KPI"]

KPI = Kpi(
    name="ict_footprint",
    title=Text("Footprint of this service", "Empreinte de ce service"),
    unit="kWh",
    programme="charter",
    about=("service",),
    theme="planet",
    references=("gdc.ict-footprint", "x.sci", "x.net-effect"),
    verified=False,
    compute=compute,
    needs=frozenset({"usage", "homes", "weather"}),
)
