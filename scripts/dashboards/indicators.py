"""The city's indicators, as `garonne kpi` has stored them: already withheld where a group is too small."""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.panels import KPI, Dashboard, Influx, Panel, Row, Steps, Values
from scripts.dashboards.shapes import COVERAGE, bars, lines, number, published, rows

__all__ = ["SPAN", "indicators", "last_of", "listed"]

_WHERE: Final = (
    '"programme" =~ /^$programme$/ AND "kpi" =~ /^$kpi$/ AND "span" =~ /^$span$/ AND "public" = true AND $timeFilter'
)
_EACH: Final = '"kpi", "programme", "subject"'
_SERIES: Final = "$tag_kpi · $tag_subject"
_GOAL: Final = Steps("orange", ((0, "yellow"), (8, "green")))

SPAN: Final = Values(
    "span",
    "Période",
    "Semaine, mois, hiver ou année : une sorte de période à la fois.",
    'SHOW TAG VALUES FROM "kpi" WITH KEY = "span"',
    KPI,
    start="winter",
)
"""Values of a month and of a winter are never on one line."""


def listed(tag: str, label: str, description: str, where: str = "") -> Values:
    """A variable: every value of a tag of the indicators that are told."""
    query = f'SHOW TAG VALUES FROM "kpi" WITH KEY = "{tag}"'
    return Values(tag, label, description, f"{query} WHERE {where}" if where else query, KPI)


def last_of(kpi: str, field: str, name: str, where: str, group: str = ' GROUP BY "subject"') -> Influx:
    """The newest value of an indicator by subject."""
    which = f'"kpi" = \'{kpi}\' AND "span" =~ /^$span$/ AND "assessed" = true AND {where}$timeFilter'
    alias = "$tag_subject" if group else name
    return published(f'SELECT last("{field}") AS "{name}" FROM "kpi" WHERE {which}{group}', alias)


def _saving() -> list[Panel]:
    everybody = '"public" = true AND '
    return [
        number(
            "Économie d’énergie des familles, à temps égal",
            "Corrigée des degrés-jours, par rapport au même hiver un an avant ; le défi est de 8 %.",
            "percent",
            last_of("energy_saving.degree_days", "value", "économie", everybody + "\"subject\" = 'familles' AND ", ""),
            width=8,
            thresholds=_GOAL,
            decimals=1,
        ),
        bars(
            "Applications, d’après le panel",
            "Score SUS des applications, de 0 à 100 ; 68 est la moyenne d’usage. Moins de dix membres : pas de valeur.",
            "none",
            last_of("app_evaluation.sus", "value", "SUS", everybody),
            width=16,
            thresholds=Steps("red", ((51, "orange"), (68, "green"))),
            decimals=0,
            least=0,
            most=100,
        ),
    ]


def _all() -> list[Panel]:
    columns = ", ".join(f'"{name}"' for name in ("value", "target", "low", "high", "coverage", "unit", "quality"))
    of = f'FROM "kpi" WHERE {_WHERE} AND "assessed" = true GROUP BY {_EACH}'
    withheld = _WHERE.replace('"public" = true', '"assessed" = false')
    return [
        lines(
            "Valeur par période",
            "Chaque point est une période ; il est placé à sa fin. L’unité est celle de l’indicateur.",
            "short",
            published(f'SELECT "value" {of}', _SERIES),
            published(f'SELECT "target" {of}', f"objectif {_SERIES}"),
            width=24,
            least=None,
        ),
        rows(
            "Dernières valeurs",
            "Valeur, objectif, intervalle de confiance, couverture, unité et qualité (U4SSC) de chaque indicateur.",
            published(f"SELECT {columns} {of}", table=True),
            width=24,
            units={"coverage": "percentunit"},
        ),
        bars(
            "Couverture par indicateur",
            "Part de ce qui devait être mesuré et l’a été ; sous son seuil, une valeur est retenue.",
            "percentunit",
            published(f'SELECT last("coverage") AS "couverture" {of}', _SERIES),
            thresholds=COVERAGE,
            least=0,
            most=1,
        ),
        rows(
            "Non évalués, et pourquoi",
            "Une valeur fausse est pire qu’aucune : ici la raison pour laquelle il n’y en a pas.",
            published(f'SELECT last("reason") AS "raison" FROM "kpi" WHERE {withheld} GROUP BY {_EACH}', table=True),
        ),
    ]


def indicators() -> Dashboard:
    """The strategy office's page."""
    return Dashboard(
        uid="garonne-indicateurs",
        folder="Indicateurs",
        title="Indicateurs de la ville (CITYkeys)",
        description="Les indicateurs tels que garonne les a calculés, avec objectif, couverture, et ce qui manque.",
        since="now-3y",
        refresh="1h",
        variables=(
            listed("programme", "Programme", "Programmes évalués."),
            listed("kpi", "Indicateur", "Indicateurs calculés."),
            SPAN,
        ),
        content=(Row("En bref"), *_saving(), Row("Tous les indicateurs"), *_all()),
    )
