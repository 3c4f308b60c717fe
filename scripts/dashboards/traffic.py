"""Compass4D: vehicles at equipped junctions, from their own messages."""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.panels import Dashboard, Influx, Interval, Panel, Row, Steps, Values
from services.aggregator.kpis.disclosure import THRESHOLDS

__all__ = ["traffic"]

_WHERE: Final = '"window" = \'1m\' AND "zone" =~ /^$zone$/ AND $timeFilter'
_KEPT: Final = f"Montré à partir de {THRESHOLDS.vehicles} passages dans l’intervalle."


def _kept(shown: str, figures: str, group: str = 'GROUP BY time($step), "zone" fill(none)') -> str:
    """Figures of an interval and junction; those of fewer than five vehicles are left out."""
    minutes = f'SELECT sum("vehicles") AS "passages", {figures} FROM "traffic" WHERE {_WHERE} {group}'
    zone = 'GROUP BY "zone"' if '"zone"' in group else ""
    kept = f'"passages" >= {THRESHOLDS.vehicles}'
    return f"SELECT {shown} FROM ({minutes}) WHERE {kept} AND $timeFilter {zone}".strip()


def _weighted(group: str, zone: str) -> str:
    """Mean speed in km/h, each minute by its vehicles; minutes in which no vehicle told its speed do not count."""
    minutes = f'SELECT "mean_speed_mps" * "vehicles" AS "way", "vehicles" FROM "traffic" WHERE {_WHERE}'
    minutes += f' AND "mean_speed_mps" >= 0{zone}'
    sums = f'SELECT sum("way") AS "way", sum("vehicles") AS "vehicles" FROM ({minutes}) WHERE $timeFilter {group}'
    kept = f'"vehicles" >= {THRESHOLDS.vehicles}'
    return f'SELECT "way" / "vehicles" * 3.6 AS "speed" FROM ({sums}) WHERE {kept} AND $timeFilter{zone}'


def _overview() -> list[Panel]:
    junctions = f'SELECT sum("samples") AS "samples" FROM "traffic" WHERE {_WHERE} GROUP BY "zone"'
    return [
        Panel(
            "stat",
            "Carrefours avec des messages",
            "Carrefours équipés dont au moins un véhicule a été entendu dans la période choisie.",
            "short",
            (Influx(f'SELECT count("samples") AS "carrefours" FROM ({junctions})', "carrefours"),),
            width=8,
            height=5,
        ),
        Panel(
            "stat",
            "Vitesse moyenne",
            f"Moyenne pondérée par les véhicules, arrêts compris. {_KEPT}",
            "velocitykmh",
            (Influx(_weighted("", ""), "vitesse"),),
            width=8,
            height=5,
            decimals=1,
        ),
        Panel(
            "stat",
            "Messages de véhicules",
            "Messages CAM comptés une fois chacun, tous carrefours ensemble.",
            "short",
            (Influx(f'SELECT sum("samples") AS "messages" FROM "traffic" WHERE {_WHERE}', "messages"),),
            width=8,
            height=5,
        ),
    ]


def _by_junction() -> list[Panel]:
    group = 'GROUP BY time($step), "zone" fill(none)'
    return [
        Panel(
            "timeseries",
            "Véhicules par minute et par carrefour",
            f"Véhicules différents entendus par minute, moyenne de l’intervalle. {_KEPT}",
            "short",
            (Influx(_kept('"each"', 'mean("vehicles") AS "each"'), "$tag_zone"),),
            width=24,
            least=0,
            decimals=1,
        ),
        Panel(
            "timeseries",
            "Vitesse moyenne par carrefour",
            f"Moyenne pondérée par les véhicules, arrêts compris. {_KEPT}",
            "velocitykmh",
            (Influx(_weighted(group, ' GROUP BY "zone"'), "$tag_zone"),),
            least=0,
            decimals=1,
            thresholds=Steps("orange", ((10, "green"), (50, "red"))),
        ),
        Panel(
            "timeseries",
            "Messages par véhicule et minute",
            f"Un CAM part une à dix fois par seconde : moins de 60 par minute montre une mauvaise réception. {_KEPT}",
            "short",
            (Influx(_kept('"messages" / "passages" AS "each"', 'sum("samples") AS "messages"'), "$tag_zone"),),
            least=0,
        ),
        Panel(
            "bargauge",
            "Passages par carrefour",
            f"Véhicules par minute, additionnés : qui reste deux minutes compte deux fois. {_KEPT}",
            "short",
            (Influx(_kept('"passages"', 'sum("samples") AS "messages"', 'GROUP BY "zone"'), "$tag_zone"),),
            width=24,
            least=0,
        ),
    ]


def traffic() -> Dashboard:
    """The traffic engineer's page."""
    known = 'SHOW TAG VALUES FROM "traffic" WITH KEY = "zone"'
    return Dashboard(
        uid="garonne-compass4d",
        folder="Compass4D",
        title="Compass4D / Carrefours",
        description="Véhicules coopératifs aux carrefours équipés : combien, à quelle vitesse, bien reçus ou non.",
        since="now-6h",
        refresh="1m",
        variables=(
            Values("zone", "Carrefour", "Carrefours équipés.", known),
            Interval("step", "Intervalle", "Durée sur laquelle un point est calculé.", ("15m", "5m", "1h", "1d")),
        ),
        content=(Row("Ensemble"), *_overview(), Row("Par carrefour"), *_by_junction()),
    )
