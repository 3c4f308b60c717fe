"""*Familles à énergie positive*: what the families use, as a group. No family and no team is told apart here."""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.panels import Dashboard, Influx, Panel, Row, Steps, Values
from services.aggregator.kpis.disclosure import THRESHOLDS

__all__ = ["families"]

_ZONE: Final = "tz('Europe/Paris')"
_TOTAL: Final = "\"register\" = 'total'"
_PARTS: Final = r'"register" !~ /^(total|supplier_\d+|distributor_\d+|L[1-3]|channel_\d+|interval:.*)$/'
_CURVE: Final = r'"register" =~ /^interval:(total|pcs|HC|HP)$/'
_DAILY: Final = "\"register\" = 'interval:day'"
"""Ways in which a meter tells its energy: as a total, by tariffs that complete each other, by a load curve, day by
day. Where it does several they say the same, so the greatest is taken, never the sum. A meter with phases or
channels alone is left out here: `kpis/consumption` knows more ways, but a screen must be quick."""
_GROUP: Final = THRESHOLDS.homes_for_amounts
_COVERAGE: Final = Steps("red", ((0.75, "orange"), (0.9, "green")))
_KEPT: Final = f"Montré à partir de {_GROUP} familles dont aucune n’a plus de la moitié."
_CHOSEN: Final = "'$carrier'"


def _homes(quantity: str, value: str, window: str, carrier: str) -> str:
    """The sum of each home by window: what each meter tells, then a home's meters together."""
    meter = f'GROUP BY time({window}), "household", "meter" fill(none) {_ZONE}'
    home = f'GROUP BY time({window}), "household" fill(none) {_ZONE}'
    where = f'"window" = \'{window}\' AND "quantity" = \'{quantity}\' AND "carrier" = {carrier} AND $timeFilter'
    told = ", ".join(
        f'(SELECT sum("{value}") AS "told" FROM "energy" WHERE {where} AND {registers} {meter})'
        for registers in (_TOTAL, _PARTS, _CURVE, _DAILY)
    )
    meters = f'SELECT max("told") AS "told" FROM {told} WHERE $timeFilter {meter}'
    return f'SELECT sum("told") AS "told" FROM ({meters}) WHERE $timeFilter {home}'


def _together(quantity: str, value: str, window: str, shown: str, carrier: str = _CHOSEN) -> str:
    """A figure of all homes by window; windows of a group that is too small are left out.

    No level above the homes groups by a tag: InfluxDB takes a hundred times longer then.
    """
    homes = _homes(quantity, value, window, carrier)
    together = (
        f'SELECT sum("told") AS "sum", count("told") AS "homes", max("told") AS "largest" FROM ({homes}) '
        f"WHERE $timeFilter GROUP BY time({window}) fill(none) {_ZONE}"
    )
    kept = f'"homes" >= {_GROUP} AND "largest" <= "sum" * {THRESHOLDS.largest_share}'
    return f"SELECT {shown} FROM ({together}) WHERE {kept} AND $timeFilter {_ZONE}"


def _days(shown: str, more: str = "", group: str = "GROUP BY time(1d) fill(none)") -> str:
    where = "\"window\" = '1d' AND \"quantity\" = 'import_energy' AND \"carrier\" = '$carrier'"
    return f'SELECT {shown} FROM "energy" WHERE {where}{more} AND $timeFilter {group} {_ZONE}'.replace("  ", " ")


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
            (Influx(_together(*day, '"sum"'), "$carrier"),),
            least=0,
        ),
        Panel(
            "timeseries",
            "Énergie par famille et par jour",
            f"Moyenne des familles mesurées ce jour-là : comparable quand leur nombre change. {_KEPT}",
            "kwatth",
            (Influx(_together(*day, '"sum" / "homes" AS "mean"'), "$carrier"),),
            least=0,
            decimals=1,
        ),
        Panel(
            "timeseries",
            "Courbe de charge",
            f"Puissance moyenne par demi-heure, toutes les familles ensemble, deux derniers jours. {_KEPT}",
            "kwatt",
            (Influx(_together("import_energy", "energy_kwh", "30m", '"sum" * 2 AS "power"'), "$carrier"),),
            width=24,
            least=0,
            last="2d",
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
            (Influx(_together(*day, '"homes"'), "$carrier"),),
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
            (Influx(_together("export_energy", "energy_kwh", "1d", '"sum"'), "$carrier"),),
            least=0,
        ),
        Panel(
            "timeseries",
            "Eau par jour",
            f"L’eau n’est pas de l’énergie : elle est comptée à part. {_KEPT}",
            "m3",
            (Influx(_together("volume", "volume_m3", "1d", '"sum"', "'water'"), "eau"),),
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
        variables=(Values("carrier", "Énergie", "Une énergie à la fois.", known, start="electricity"),),
        content=(Row("Mesure"), *_measured(), Row("Consommation"), *_energy(), Row("À part"), *_apart()),
    )
