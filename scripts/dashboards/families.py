"""*Familles à énergie positive*: what the families use, as a group. No family and no team is told apart here."""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.panels import Dashboard, Influx, Panel, Row, Steps, Values
from services.aggregator.kpis.disclosure import THRESHOLDS

__all__ = ["families"]

_ZONE: Final = "tz('Europe/Paris')"
_NUMBERED: Final = ("total", r"supplier_\d+", r"distributor_\d+", "L[1-3]", r"T\d+")
_CONTRACT: Final = rf'"register" !~ /^({"|".join(_NUMBERED)}|channel_\d+)$/'
_FAMILIES: Final = (*(f'"register" =~ /^{pattern}$/' for pattern in _NUMBERED), _CONTRACT)
"""Ways in which a meter may tell the same energy: each is complete, and they are never added up (kpis/consumption)."""
_GROUP: Final = THRESHOLDS.homes_for_amounts
_COVERAGE: Final = Steps("red", ((0.75, "orange"), (0.9, "green")))
_KEPT: Final = f"Montré à partir de {_GROUP} familles dont aucune n’a plus de la moitié."


def _homes(quantity: str, value: str, window: str, carrier: str = "/^$carrier$/") -> str:
    """The sum of each home by window and carrier: a meter's best family of registers, then its meters together."""
    tags = '"carrier", "household", "meter"'
    tail = f"fill(none) {_ZONE}"
    where = f'"window" = \'{window}\' AND "quantity" = \'{quantity}\' AND "carrier" =~ {carrier} AND $timeFilter'
    told = ", ".join(
        f'(SELECT sum("{value}") AS "told" FROM "energy" WHERE {where} AND {family} '
        f"GROUP BY time({window}), {tags} {tail})"
        for family in _FAMILIES
    )
    meter = f'SELECT max("told") AS "told" FROM {told} WHERE $timeFilter GROUP BY time({window}), {tags} {tail}'
    home = (
        f'SELECT sum("told") AS "told" FROM ({meter}) WHERE $timeFilter GROUP BY time({window}), "carrier", "household"'
    )
    return f"{home} {tail}"


def _together(quantity: str, value: str, window: str, shown: str, carrier: str = "/^$carrier$/") -> str:
    """A figure of all homes by window; windows of a group that is too small are left out."""
    homes = _homes(quantity, value, window, carrier)
    together = (
        f'SELECT sum("told") AS "sum", count("told") AS "homes", max("told") AS "largest" FROM ({homes}) '
        f'WHERE $timeFilter GROUP BY time({window}), "carrier" fill(none) {_ZONE}'
    )
    kept = f'"homes" >= {_GROUP} AND "largest" <= "sum" * {THRESHOLDS.largest_share}'
    return f'SELECT {shown} FROM ({together}) WHERE {kept} AND $timeFilter GROUP BY "carrier" {_ZONE}'


def _days(shown: str, more: str = "", group: str = "GROUP BY time(1d) fill(none)") -> str:
    where = f'"window" = \'1d\' AND "quantity" = \'import_energy\' AND "carrier" =~ /^$carrier$/{more} AND $timeFilter'
    return f'SELECT {shown} FROM "energy" WHERE {where} {group} {_ZONE}'.replace("  ", " ")


def _measured() -> list[Panel]:
    homes = _days('count("energy_kwh") AS "days"', group='GROUP BY "household"')
    complete = _days('count("coverage") AS "complete"', ' AND "coverage" >= 0.9', "")
    known = _days('count("coverage") AS "all"', group="")
    return [
        Panel(
            "stat",
            "Familles avec des mesures",
            "Foyers dont au moins un jour est connu dans la période choisie.",
            "short",
            (Influx(f'SELECT count("days") AS "familles" FROM ({homes})', "familles"),),
            width=6,
            height=5,
        ),
        Panel(
            "stat",
            "Couverture moyenne",
            "Part du temps dont le cours a été mesuré, et non réparti sur un trou. Le classement demande 90 %.",
            "percentunit",
            (Influx(_days('mean("coverage") AS "couverture"', group=""), "couverture"),),
            width=6,
            height=5,
            thresholds=_COVERAGE,
            least=0,
            most=1,
        ),
        Panel(
            "stat",
            "Jours complets, jours connus",
            "Jours de registre couverts à 90 % au moins, et tous ceux dont quelque chose est connu.",
            "short",
            (Influx(complete, "complets"), Influx(known, "connus")),
            width=6,
            height=5,
        ),
        Panel(
            "stat",
            "Jours estimés",
            "Jours de registre dont une partie vient d’une estimation de la source.",
            "short",
            (Influx(_days('count("energy_kwh") AS "jours"', ' AND "estimated" = true', ""), "jours estimés"),),
            width=6,
            height=5,
            thresholds=Steps("green", ((1, "orange"),)),
        ),
    ]


def _energy() -> list[Panel]:
    day = ("import_energy", "energy_kwh", "1d")
    return [
        Panel(
            "timeseries",
            "Énergie par jour, toutes les familles",
            f"Énergie soutirée par jour civil de Paris. {_KEPT}",
            "kwatth",
            (Influx(_together(*day, '"sum"'), "$tag_carrier"),),
            stacked=True,
            least=0,
        ),
        Panel(
            "timeseries",
            "Énergie par famille et par jour",
            f"Moyenne des familles mesurées ce jour-là : comparable quand leur nombre change. {_KEPT}",
            "kwatth",
            (Influx(_together(*day, '"sum" / "homes" AS "mean"'), "$tag_carrier"),),
            least=0,
            decimals=1,
        ),
        Panel(
            "timeseries",
            "Courbe de charge",
            f"Puissance moyenne par demi-heure, toutes les familles ensemble. {_KEPT}",
            "kwatt",
            (Influx(_together("import_energy", "energy_kwh", "30m", '"sum" * 2 AS "power"'), "$tag_carrier"),),
            width=24,
            least=0,
        ),
        Panel(
            "timeseries",
            "Couverture par jour",
            "Moyenne sur les compteurs. Sous 75 %, chercher une passerelle muette ; le classement demande 90 %.",
            "percentunit",
            (Influx(_days('mean("coverage") AS "couverture"'), "couverture"),),
            thresholds=_COVERAGE,
            least=0,
            most=1,
        ),
        Panel(
            "timeseries",
            "Familles mesurées par jour",
            "Foyers dont le jour est connu : une chute montre une collecte interrompue.",
            "short",
            (Influx(_together(*day, '"homes"'), "$tag_carrier"),),
            least=0,
            decimals=0,
        ),
    ]


def _apart() -> list[Panel]:
    return [
        Panel(
            "timeseries",
            "Énergie rendue au réseau par jour",
            f"Injection des installations photovoltaïques. {_KEPT}",
            "kwatth",
            (Influx(_together("export_energy", "energy_kwh", "1d", '"sum"'), "$tag_carrier"),),
            least=0,
        ),
        Panel(
            "timeseries",
            "Eau par jour",
            f"L’eau n’est pas de l’énergie : elle est comptée à part. {_KEPT}",
            "m3",
            (Influx(_together("volume", "volume_m3", "1d", '"sum"', "/^water$/"), "eau"),),
            least=0,
            decimals=2,
        ),
    ]


def families() -> Dashboard:
    """The coach's page."""
    known = 'SHOW TAG VALUES FROM "energy" WITH KEY = "carrier" WHERE "quantity" = \'import_energy\''
    return Dashboard(
        uid="garonne-familles",
        folder="Familles",
        title="Énergie / Familles",
        description="Consommation des familles ensemble, couverture, injection, eau. Aucune famille n’est à part.",
        since="now-30d",
        refresh="15m",
        variables=(Values("carrier", "Énergie", "Énergies mesurées.", known),),
        content=(Row("Mesure"), *_measured(), Row("Consommation"), *_energy(), Row("À part"), *_apart()),
    )
