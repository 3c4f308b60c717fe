"""What the panel Les pionniers says of an application."""

from services.aggregator.kpis import Kpi
from services.aggregator.kpis.app_evaluation.kpi import NAME, compute
from services.aggregator.kpis.results import Text

__all__ = ["KPI"]

KPI = Kpi(
    name=NAME,
    title=Text("Applications, as the panel sees them", "Les applications vues par le panel"),
    unit="by variant",
    programme="pionniers",
    about=("application",),
    theme="propagation",
    references=("ck.p.propagation.ease-enduser",),
    verified=False,
    compute=compute,
    needs=frozenset({"evaluations"}),
)
