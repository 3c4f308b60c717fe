"""One family's page, by its consent: for its coach, in the folder with restricted access, under its pseudonym.

It reads `family_day` alone, where `garonne kpi` puts the days of households that agreed to advice and takes back those
of others: whatever name somebody writes into the address, a family that did not agree has nothing there.
"""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.panels import KPI, RESTRICTED, Dashboard, Influx, Panel, Row, Values
from scripts.dashboards.shapes import lines, number, published

__all__ = ["family"]

_ZONE: Final = "tz('Europe/Paris')"


def _own(shown: str, group: str = "") -> str:
    where = '"household" =~ /^$household$/ AND "shared" = true AND $timeFilter'
    return f'SELECT {shown} FROM "family_day" WHERE {where} {group} {_ZONE}'.replace("  ", " ")


def _mean() -> Influx:
    where = '"series" = \'period_kwh_per_home\' AND "subject" = \'familles\' AND "assessed" = true AND $timeFilter'
    return published(f'SELECT "value" FROM "kpi_series" WHERE {where}', "moyenne des familles")


def _panels() -> list[Panel]:
    return [
        number(
            "Énergie de la période",
            "Toutes les énergies du foyer en kWh, sans l’eau, des jours mesurés de la période choisie.",
            "kwatth",
            published(_own('sum("energy_kwh") AS "énergie"'), "énergie"),
            width=8,
            decimals=0,
        ),
        number(
            "Par jour",
            "Moyenne des jours mesurés : comparable d’une période à l’autre, même s’il en manque.",
            "kwatth",
            published(_own('mean("energy_kwh") AS "énergie"'), "énergie"),
            width=8,
            decimals=1,
        ),
        number(
            "Jours mesurés",
            "Jours de la période dont chaque compteur du foyer a été mesuré à 90 % au moins.",
            "short",
            published(_own('count("energy_kwh") AS "jours"'), "jours"),
            width=8,
        ),
        lines(
            "Énergie par jour, et moyenne des familles",
            "La moyenne est celle des familles mesurées les deux hivers ; elle manque à moins de dix familles.",
            "kwatth",
            published(_own('sum("energy_kwh") AS "énergie"', "GROUP BY time(1d) fill(none)"), "foyer"),
            _mean(),
            width=24,
            decimals=1,
        ),
    ]


def family() -> Dashboard:
    """The coach's page for one family."""
    known = 'SHOW TAG VALUES FROM "family_day" WITH KEY = "household"'
    return Dashboard(
        uid="garonne-famille",
        folder=RESTRICTED,
        title="Une famille, avec son accord",
        description="Les jours d’un foyer qui a accepté le conseil. Sans accord, ou s’il est retiré, rien.",
        since="now-400d",
        refresh="1h",
        variables=(Values("household", "Foyer", "Pseudonymes des foyers d’accord.", known, KPI, one=True),),
        content=(Row("Le foyer"), *_panels()),
    )
