"""What the families use, as a group, day by day as it comes in: for coaches, in the folder with restricted access.

The query itself leaves out groups that are too small. But who may choose any range can also take one answer from
another: so this is not for everybody, and the open boards show what `garonne kpi` has stored.
"""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from dataclasses import replace
from typing import Final

from scripts.dashboards.panels import RESTRICTED, Dashboard, Influx, Panel, Row, Steps, Values
from scripts.dashboards.shapes import COVERAGE, lines, number, share_lines
from services.aggregator.kpis.disclosure import THRESHOLDS

__all__ = ["homes"]

_ZONE: Final = "tz('Europe/Paris')"
_TOTAL: Final = "\"register\" = 'total'"
_PARTS: Final = r'"register" !~ /^(total|supplier_\d+|distributor_\d+|L[1-3]|channel_\d+|interval:.*)$/'
_CURVE: Final = r'"register" =~ /^interval:(total|pcs|HC|HP)$/'
_DAILY: Final = "\"register\" = 'interval:day'"
"""Ways in which a meter tells its energy: as a total, by tariffs that complete each other, by a load curve, day by
day. Where it does several they say the same, so the greatest is taken, never the sum. A meter with phases or
channels alone is left out here: `kpis/consumption` knows more ways, but a screen must be quick."""
_GROUP: Final = THRESHOLDS.homes_for_amounts
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
    estimated = _days('count("energy_kwh") AS "jours"', ' AND "estimated" = true', "")
    return [
        number(
            "Familles avec des mesures",
            "Foyers dont au moins un jour est connu dans la période choisie.",
            "short",
            Influx(f'SELECT count("days") AS "familles" FROM ({homes})', "familles"),
        ),
        number(
            "Couverture moyenne",
            "Part du temps dont le cours a été mesuré, et non réparti sur un trou. Le classement demande 90 %.",
            "percentunit",
            Influx(_days('mean("coverage") AS "couverture"', group=""), "couverture"),
            thresholds=COVERAGE,
        ),
        number(
            "Jours complets, jours connus",
            "Jours de registre couverts à 90 % au moins, et tous ceux dont quelque chose est connu.",
            "short",
            Influx(complete, "complets"),
            Influx(known, "connus"),
        ),
        number(
            "Jours estimés",
            "Jours de registre dont une partie vient d’une estimation de la source.",
            "short",
            Influx(estimated, "jours estimés"),
            thresholds=Steps("green", ((1, "orange"),)),
        ),
    ]


def _energy() -> list[Panel]:
    day = ("import_energy", "energy_kwh", "1d")
    curve = _together("import_energy", "energy_kwh", "30m", '"sum" * 2 AS "power"')
    return [
        lines(
            "Énergie par jour, toutes les familles",
            f"Énergie soutirée par jour civil de Paris. {_KEPT}",
            "kwatth",
            Influx(_together(*day, '"sum"'), "$carrier"),
        ),
        lines(
            "Énergie par famille et par jour",
            f"Moyenne des familles mesurées ce jour-là : comparable quand leur nombre change. {_KEPT}",
            "kwatth",
            Influx(_together(*day, '"sum" / "homes" AS "mean"'), "$carrier"),
            decimals=1,
        ),
        replace(
            lines(
                "Courbe de charge",
                f"Puissance moyenne par demi-heure, toutes les familles ensemble, deux derniers jours. {_KEPT}",
                "kwatt",
                Influx(curve, "$carrier"),
                width=24,
            ),
            last="2d",
        ),
        share_lines(
            "Couverture par jour",
            "Moyenne sur les compteurs. Sous 75 %, chercher une passerelle muette ; le classement demande 90 %.",
            Influx(_days('mean("coverage") AS "couverture"'), "couverture"),
        ),
        lines(
            "Familles mesurées par jour",
            "Foyers dont le jour est connu : une chute montre une collecte interrompue.",
            "short",
            Influx(_together(*day, '"homes"'), "$carrier"),
            decimals=0,
        ),
    ]


def _apart() -> list[Panel]:
    water = _together("volume", "volume_m3", "1d", '"sum"', "'water'")
    return [
        lines(
            "Énergie rendue au réseau par jour",
            f"Injection des installations photovoltaïques. {_KEPT}",
            "kwatth",
            Influx(_together("export_energy", "energy_kwh", "1d", '"sum"'), "$carrier"),
        ),
        lines(
            "Eau par jour",
            f"L’eau n’est pas de l’énergie : elle est comptée à part. {_KEPT}",
            "m3",
            Influx(water, "eau"),
            decimals=2,
        ),
    ]


def homes() -> Dashboard:
    """The coach's page."""
    known = 'SHOW TAG VALUES FROM "energy" WITH KEY = "carrier" WHERE "quantity" = \'import_energy\''
    return Dashboard(
        uid="garonne-mesures",
        folder=RESTRICTED,
        title="Énergie des familles, au jour le jour",
        description="Consommation des familles ensemble, couverture, injection, eau. Aucune famille n’est à part.",
        since="now-30d",
        refresh="15m",
        variables=(Values("carrier", "Énergie", "Une énergie à la fois.", known, start="electricity"),),
        content=(Row("Mesure"), *_measured(), Row("Consommation"), *_energy(), Row("À part"), *_apart()),
    )
