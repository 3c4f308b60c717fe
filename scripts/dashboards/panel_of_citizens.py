"""*Les pionniers*: what a panel of citizens says of applications, in groups of ten members or more."""

from typing import Final

from scripts.dashboards.indicators import SPAN, last_of
from scripts.dashboards.panels import KPI, Dashboard, Influx, Panel, Row, Steps, Values
from scripts.dashboards.shapes import bars, lines, published, rows

__all__ = ["panel_of_citizens"]

_CHOSEN: Final = '"subject" =~ /^$application$/ AND '
_FEW: Final = "Moins de dix membres : pas de valeur."
_SUS: Final = Steps("red", ((51, "orange"), (68, "green")))
_SHARE: Final = Steps("red", ((60, "orange"), (80, "green")))
_MEASURES: Final = (
    ("sus", "Utilisabilité (SUS)", f"Score de 0 à 100 ; 68 est la moyenne d’usage. {_FEW}", "none", _SUS, 0.0, 100.0),
    ("task_success", "Tâches réussies", f"Tâches réussies parmi celles tentées. {_FEW}", "percent", _SHARE, 0.0, 100.0),
    ("csat", "Satisfaction", f"Part des notes de 4 ou 5 sur 5. {_FEW}", "percent", _SHARE, 0.0, 100.0),
    ("time_on_task", "Temps par tâche", f"Moyenne géométrique des réussites. {_FEW}", "s", Steps("green"), 0.0, None),
    ("nps", "Recommandation (NPS)", f"Promoteurs moins détracteurs, en points ; ± 15 points à cent membres. {_FEW}",
     "none", Steps("red", ((0, "orange"), (30, "green"))), -100.0, 100.0),
)  # fmt: skip


def _measures() -> list[Panel]:
    return [
        bars(
            title,
            description,
            unit,
            last_of(f"app_evaluation.{variant}", "value", variant, _CHOSEN),
            thresholds=steps,
            decimals=0,
            least=least,
            most=most,
        )
        for variant, title, description, unit, steps, least, most in _MEASURES
    ]


def _bounds(field: str, alias: str) -> Influx:
    which = f'{_CHOSEN}"kpi" = \'app_evaluation.sus\' AND "span" =~ /^$span$/ AND "assessed" = true AND $timeFilter'
    return published(f'SELECT "{field}" FROM "kpi" WHERE {which} GROUP BY "subject"', f"{alias}$tag_subject")  # noqa: S608


def panel_of_citizens() -> Dashboard:
    """The panel manager's page."""
    asked = "\"programme\" = 'pionniers'"
    known = f'SHOW TAG VALUES FROM "kpi" WITH KEY = "subject" WHERE {asked}'
    withheld = f'{_CHOSEN}{asked} AND "span" =~ /^$span$/ AND "assessed" = false AND $timeFilter'
    why = f'SELECT last("reason") AS "raison" FROM "kpi" WHERE {withheld} GROUP BY "kpi", "subject"'  # noqa: S608
    return Dashboard(
        uid="garonne-pionniers",
        folder="Pionniers",
        title="Les pionniers",
        description="Ce que le panel dit des applications, avec intervalles. Aucun membre, aucun texte libre.",
        since="now-2y",
        refresh="1h",
        variables=(Values("application", "Application", "Applications évaluées.", known, KPI), SPAN),
        content=(
            Row("Dernière période"),
            *_measures(),
            rows(
                "Sans valeur, et pourquoi", "Trop peu de membres ont répondu, ou personne.", published(why, table=True)
            ),
            Row("Évolution"),
            lines(
                "Utilisabilité, avec son intervalle",
                "Score SUS par période et les bornes de son intervalle de confiance à 95 % (Student).",
                "none",
                _bounds("value", ""),
                _bounds("low", "au moins "),
                _bounds("high", "au plus "),
                width=24,
                decimals=0,
            ),
        ),
    )
