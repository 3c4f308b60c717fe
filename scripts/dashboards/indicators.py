"""The city's indicators, as `garonne report` has stored them: already withheld where a group is too small."""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.panels import KPI, Dashboard, Influx, Panel, Row, Steps, Values

__all__ = ["indicators"]

_WHERE: Final = '"programme" =~ /^$programme$/ AND "kpi" =~ /^$kpi$/ AND $timeFilter'
_EACH: Final = '"kpi", "programme", "subject"'
_SERIES: Final = "$tag_kpi · $tag_subject"
_GOAL_PERCENT: Final = 8
_COVERAGE: Final = Steps("red", ((0.75, "orange"), (0.9, "green")))


def _last(field: str, name: str, more: str = "") -> str:
    return f'SELECT last("{field}") AS "{name}" FROM "kpi" WHERE {_WHERE}{more} GROUP BY {_EACH}'


def _saving() -> list[Panel]:
    where = '"kpi" = \'energy_saving.degree_days\' AND "assessed" = true AND $timeFilter'
    goal = Steps("orange", ((0, "yellow"), (_GOAL_PERCENT, "green")))
    whole = f'SELECT last("value") AS "value" FROM "kpi" WHERE {where} AND "subject" = \'familles\''
    teams = f'SELECT last("value") AS "value" FROM "kpi" WHERE {where} AND "subject" != \'familles\' GROUP BY "subject"'
    return [
        Panel(
            "stat",
            "Économie d’énergie des familles, à temps égal",
            f"Corrigée des degrés-jours, par rapport au même hiver un an avant ; le défi est de {_GOAL_PERCENT} %.",
            "percent",
            (Influx(whole, "économie", KPI),),
            width=8,
            thresholds=goal,
            decimals=1,
        ),
        Panel(
            "bargauge",
            "Économie d’énergie par équipe, à temps égal",
            f"Corrigée des degrés-jours ; le défi est de {_GOAL_PERCENT} %. Moins de cinq familles : pas de valeur.",
            "percent",
            (Influx(teams, "$tag_subject", KPI),),
            width=16,
            thresholds=goal,
            decimals=1,
        ),
    ]


def _all() -> list[Panel]:
    value = f'SELECT "value" FROM "kpi" WHERE {_WHERE} AND "assessed" = true GROUP BY {_EACH}'
    target = f'SELECT "target" FROM "kpi" WHERE {_WHERE} AND "assessed" = true GROUP BY {_EACH}'
    columns = ("value", "target", "low", "high", "coverage")
    table = ", ".join(f'"{name}"' for name in columns)
    return [
        Panel(
            "timeseries",
            "Valeur par période",
            "Chaque point est une période ; il est placé à sa fin. L’unité est celle de l’indicateur.",
            "short",
            (Influx(value, _SERIES, KPI), Influx(target, f"objectif {_SERIES}", KPI)),
            width=24,
        ),
        Panel(
            "table",
            "Dernières valeurs",
            "Valeur, objectif, intervalle de confiance et couverture de chaque indicateur et sujet.",
            "short",
            (
                Influx(
                    f'SELECT {table} FROM "kpi" WHERE {_WHERE} AND "assessed" = true GROUP BY {_EACH}',
                    source=KPI,
                    table=True,
                ),
            ),
            width=24,
            units={"coverage": "percentunit"},
        ),
        Panel(
            "bargauge",
            "Couverture par indicateur",
            "Part de ce qui devait être mesuré et l’a été ; sous son seuil, une valeur est retenue.",
            "percentunit",
            (Influx(_last("coverage", "couverture", ' AND "assessed" = true'), _SERIES, KPI),),
            thresholds=_COVERAGE,
            least=0,
            most=1,
        ),
        Panel(
            "table",
            "Non évalués, et pourquoi",
            "Une valeur fausse est pire qu’aucune : ici la raison pour laquelle il n’y en a pas.",
            "none",
            (Influx(_last("reason", "raison", ' AND "assessed" = false'), source=KPI, table=True),),
        ),
    ]


def indicators() -> Dashboard:
    """The strategy office's page."""
    known = 'SHOW TAG VALUES FROM "kpi" WITH KEY = "{}"'
    return Dashboard(
        uid="garonne-indicateurs",
        folder="Indicateurs",
        title="Indicateurs de la ville",
        description="Les indicateurs tels que le rapport les a calculés, avec objectif, couverture, et ce qui manque.",
        since="now-3y",
        refresh="1h",
        variables=(
            Values("programme", "Programme", "Programmes évalués.", known.format("programme"), KPI),
            Values("kpi", "Indicateur", "Indicateurs calculés.", known.format("kpi"), KPI),
        ),
        content=(Row("Familles à énergie positive"), *_saving(), Row("Tous les indicateurs"), *_all()),
    )
