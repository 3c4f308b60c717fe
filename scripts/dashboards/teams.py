"""*Familles à énergie positive* for teams and their captains: what may be told of a group, and nothing of a home."""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.indicators import SPAN, last_of
from scripts.dashboards.panels import KPI, Dashboard, Influx, Panel, Row, Steps, Values
from scripts.dashboards.shapes import COVERAGE, bars, lines, number, published, rows

__all__ = ["teams"]

_GOAL: Final = Steps("orange", ((0, "yellow"), (8, "green")))
_TEAM: Final = '"subject" != \'familles\' AND "subject" =~ /^$team$/ AND '
_FEW: Final = "Moins de cinq familles, ou une avec plus de la moitié de l’énergie : pas de valeur."


def _curve(name: str, alias: str) -> Influx:
    where = f'"series" = \'{name}\' AND "subject" = \'familles\' AND "assessed" = true AND $timeFilter'
    return published(f'SELECT "value" FROM "kpi_series" WHERE {where}', alias)


def _together() -> list[Panel]:
    whole = "\"subject\" = 'familles' AND "
    return [
        number(
            "Économie, à temps égal",
            "De toutes les familles, corrigée des degrés-jours, sur les mêmes jours de l’hiver d’avant ; défi : 8 %.",
            "percent",
            last_of("energy_saving.degree_days", "value", "économie", whole, ""),
            width=8,
            thresholds=_GOAL,
            decimals=1,
        ),
        number(
            "Économie, mesurée",
            "De toutes les familles, sans correction : un hiver doux y compte comme un effort.",
            "percent",
            last_of("energy_saving.raw", "value", "économie", whole, ""),
            width=8,
            thresholds=_GOAL,
            decimals=1,
        ),
        number(
            "Couverture",
            "Part des jours de toutes les familles qui a été mesurée ; sous 75 % aucune valeur n’est dite.",
            "percentunit",
            last_of("energy_saving.raw", "coverage", "couverture", whole, ""),
            width=8,
            thresholds=COVERAGE,
            decimals=0,
        ),
        lines(
            "Énergie d’une famille par jour, cet hiver et le précédent",
            "Moyenne des familles mesurées les deux hivers, aux mêmes jours civils ; dix familles au moins.",
            "kwatth",
            _curve("period_kwh_per_home", "cet hiver"),
            _curve("reference_kwh_per_home", "hiver précédent"),
            width=24,
            decimals=1,
        ),
    ]


def _ranking() -> list[Panel]:
    withheld = f'{_TEAM}"kpi" =~ /^energy_saving/ AND "span" =~ /^$span$/ AND "assessed" = false AND $timeFilter'
    return [
        bars(
            "Économie par équipe, à temps égal",
            f"Corrigée des degrés-jours ; le défi est de 8 %. {_FEW}",
            "percent",
            last_of("energy_saving.degree_days", "value", "économie", _TEAM),
            thresholds=_GOAL,
            decimals=1,
        ),
        bars(
            "Couverture par équipe",
            "Le classement demande 90 % : une équipe qui mesure moins n’y entre pas.",
            "percentunit",
            last_of("energy_saving.raw", "coverage", "couverture", _TEAM),
            thresholds=COVERAGE,
            least=0,
            most=1,
        ),
        rows(
            "Équipes sans valeur, et pourquoi",
            "Trop peu de familles, pas d’hiver de référence, couverture trop faible, ou pas de température.",
            published(
                f'SELECT last("reason") AS "raison" FROM "kpi" WHERE {withheld} GROUP BY "kpi", "subject"', table=True
            ),
            width=24,
        ),
    ]


def teams() -> Dashboard:
    """The page of coaches, captains and families."""
    known = 'SHOW TAG VALUES FROM "kpi" WITH KEY = "subject" WHERE "programme" = \'familles\''
    return Dashboard(
        uid="garonne-familles",
        folder="Familles",
        title="Familles à énergie positive",
        description="L’économie des équipes et de toutes les familles. Aucune famille n’est à part.",
        since="now-2y",
        refresh="1h",
        variables=(Values("team", "Équipe", "Équipes du défi.", known, KPI), SPAN),
        content=(Row("Toutes les familles"), *_together(), Row("Les équipes"), *_ranking()),
    )
