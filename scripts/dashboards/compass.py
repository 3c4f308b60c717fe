"""Compass4D: the indicators of junctions for everybody; hours of junctions, corridors and hazards for engineers."""

# ruff: noqa: S608 - queries for Grafana, made of constants of this file

from typing import Final

from scripts.dashboards.indicators import SPAN, last_of
from scripts.dashboards.panels import KPI, RESTRICTED, Dashboard, Influx, Panel, Row, Steps, Values
from scripts.dashboards.shapes import COVERAGE, bars, lines, number, published, rows
from services.aggregator.kpis.disclosure import THRESHOLDS

__all__ = ["compass", "junctions"]

_LEAST: Final = THRESHOLDS.vehicles
_FEW: Final = f"Moins de {_LEAST} véhicules : pas de valeur."
_KEPT: Final = f"Heures d’au moins {_LEAST} véhicules différents."
_CHOSEN: Final = '"subject" =~ /^$junction$/ AND '
_SPEED: Final = Steps("orange", ((10, "green"), (50, "red")))


def _profile(series: str) -> Influx:
    where = f'{_CHOSEN}"series" = \'{series}\' AND "span" =~ /^$span$/ AND "assessed" = true AND $timeFilter'
    return published(f'SELECT last("value") AS "valeur" FROM "kpi_series" WHERE {where} GROUP BY "at"', "$tag_at h")


def _junctions_seen() -> list[Panel | Row]:
    return [
        Row("Carrefours"),
        bars(
            "Véhicules équipés par carrefour",
            f"Véhicules par minute, additionnés : qui reste deux minutes compte deux fois. {_FEW}",
            "short",
            last_of("vehicles_per_junction.seen", "value", "véhicules", _CHOSEN),
            least=0,
        ),
        bars(
            "Couverture par carrefour",
            "Heures où le carrefour a émis, parmi celles où le réseau émettait ; sous 50 %, pas de valeur.",
            "percentunit",
            last_of("vehicles_per_junction.seen", "coverage", "couverture", _CHOSEN),
            thresholds=COVERAGE,
            least=0,
            most=1,
        ),
    ]


def _of_the_day() -> list[Panel | Row]:
    return [
        Row("La journée"),
        bars(
            "Véhicules par heure du jour",
            f"Sur toute la période, par heure locale. {_FEW} Rien n’est dit si le reste trahissait les autres.",
            "short",
            _profile("vehicles_by_hour"),
            least=0,
        ),
        bars(
            "Vitesse moyenne par heure du jour",
            f"Pondérée par les véhicules, arrêts compris. {_FEW}",
            "velocitykmh",
            _profile("speed_kmh_by_hour"),
            thresholds=_SPEED,
            decimals=1,
            least=0,
        ),
    ]


def compass() -> Dashboard:
    """What everybody may know of the junctions."""
    asked = "\"programme\" = 'compass4d'"
    known = f'SHOW TAG VALUES FROM "kpi" WITH KEY = "subject" WHERE {asked}'
    where = f'{_CHOSEN}{asked} AND "span" =~ /^$span$/ AND "assessed"'
    told = f'FROM "kpi" WHERE {where} = true AND $timeFilter GROUP BY "kpi", "subject"'
    columns = ", ".join(f'"{name}"' for name in ("value", "low", "high", "coverage", "unit"))
    why = (
        f'SELECT last("reason") AS "raison" FROM "kpi" WHERE {where} = false AND $timeFilter GROUP BY "kpi", "subject"'
    )
    return Dashboard(
        uid="garonne-compass4d",
        folder="Compass4D",
        title="Compass4D",
        description="Les carrefours équipés : indicateurs par période et profil de la journée.",
        since="now-2y",
        refresh="1h",
        variables=(Values("junction", "Carrefour", "Carrefours équipés.", known, KPI), SPAN),
        content=(
            *_junctions_seen(),
            *_of_the_day(),
            Row("Tous les indicateurs"),
            rows(
                "Indicateurs des carrefours",
                "Valeur, intervalle, couverture et unité de chaque indicateur et carrefour, par période.",
                published(f"SELECT {columns} {told}", table=True),
                units={"coverage": "percentunit"},
            ),
            rows(
                "Sans valeur, et pourquoi", "Trop peu de véhicules, ou un carrefour muet.", published(why, table=True)
            ),
        ),
    )


_ZONE: Final = "tz('Europe/Paris')"


def _where(kind: str, window: str) -> str:
    return f'"kind" = \'{kind}\' AND "window" = \'{window}\' AND "zone" =~ /^$zone$/ AND $timeFilter'


def _each(kind: str, window: str, sums: tuple[str, ...]) -> str:
    """Sums of each junction by window, of at least five different vehicles or requestors."""
    own = ", ".join(f'sum("{name}") AS "{name}"' for name in sums)
    group = f'GROUP BY time({window}), "zone" fill(none) {_ZONE}'
    windows = f'SELECT {own}, max("heard") AS "heard" FROM "mobility" WHERE {_where(kind, window)} {group}'
    names = ", ".join(f'"{name}"' for name in sums)
    return f'SELECT {names} FROM ({windows}) WHERE "heard" >= {_LEAST} AND $timeFilter GROUP BY "zone" {_ZONE}'


def _by_junction(shown: str, sums: tuple[str, ...]) -> str:
    return f'SELECT {shown} FROM ({_each("passage", "1h", sums)}) WHERE $timeFilter GROUP BY "zone"'


def _together(kind: str, window: str, shown: str, sums: tuple[str, ...]) -> str:
    """A figure of all junctions that are chosen.

    A window of a junction is kept or left out by its own vehicles before junctions are added up: so one junction less
    does not tell of the few at it.
    """
    own = ", ".join(f'sum("{name}") AS "{name}"' for name in sums)
    whole = (
        f"SELECT {own} FROM ({_each(kind, window, sums)}) WHERE $timeFilter GROUP BY time({window}) fill(none) {_ZONE}"
    )
    return f"SELECT {shown} FROM ({whole}) WHERE $timeFilter {_ZONE}"


def _traffic(shown: str) -> Influx:
    where = f'"vehicles_at_least" >= {_LEAST} AND "zone" =~ /^$zone$/ AND $timeFilter'
    return Influx(f'SELECT {shown} FROM "traffic_hour" WHERE {where} GROUP BY "zone"', "$tag_zone")


_PASSED: Final = (
    ("Passages", "Passages de la ligne d’arrêt par heure.", "short", '"passages" AS "value"', ("passages",), 0),
    ("Retard par passage", "Temps de plus qu’à la vitesse libre, en moyenne des passages où il est connu.", "s",
     '"delay_s" / "delay_known" AS "value"', ("delay_s", "delay_known"), 1),
    ("Arrêts par passage", "Arrêts avant la ligne, en moyenne des passages.", "none",
     '"stops" / "passages" AS "value"', ("stops", "passages"), 2),
    ("Arrivées au vert", "Part des passages dont l’arrivée a trouvé le feu vert.", "percentunit",
     '"arrival_green" / "passages" AS "value"', ("arrival_green", "passages"), 2),
    ("Franchissements au rouge", "Passages certains au rouge, pour mille passages.", "none",
     '1000 * "violations" / "passages" AS "value"', ("violations", "passages"), 1),
    ("CO₂ estimé par passage", "Modèle VSP des véhicules équipés : une estimation, en grammes.", "massg",
     '"co2_estimated_g" / "estimated" AS "value"', ("co2_estimated_g", "estimated"), 0),
)  # fmt: skip


def _passed() -> list[Panel]:
    return [
        lines(
            f"{title}, par carrefour",
            f"{description} {_KEPT}",
            unit,
            Influx(_by_junction(shown, sums), "$tag_zone"),
            decimals=decimals,
        )
        for title, description, unit, shown, sums, decimals in _PASSED
    ]


def _corridor() -> list[Panel]:
    return [
        number(
            f"{title}, carrefours choisis",
            f"{description} Les carrefours choisis ensemble : un axe. {_KEPT}",
            unit,
            Influx(_together("passage", "1h", shown, sums), title.lower()),
            width=8,
            decimals=decimals,
        )
        for title, description, unit, shown, sums, decimals in _PASSED
    ]


def _signals() -> list[Panel]:
    foretold = 'SELECT sum("error_s") AS "error", sum("foretold") AS "foretold" FROM "mobility"'
    where = f'WHERE {_where("signal", "1h")} GROUP BY time(1h), "zone" fill(none)'
    answers = {"requests": "demandes", "granted": "accordées", "rejected": "refusées", "unanswered": "sans réponse"}
    shown = ", ".join(f'"{name}" AS "{label}"' for name, label in answers.items())
    return [
        lines(
            "Erreur de prévision des feux",
            "Écart moyen entre le changement annoncé et le changement réel, par carrefour et heure.",
            "s",
            Influx(
                f'SELECT "error" / "foretold" AS "erreur" FROM ({foretold} {where}) '
                'WHERE "foretold" > 0 AND $timeFilter GROUP BY "zone"',
                "$tag_zone",
            ),
            thresholds=Steps("green", ((2, "orange"), (5, "red"))),
            decimals=1,
        ),
        lines(
            "Demandes de priorité et leurs réponses",
            f"Par jour, carrefours choisis ensemble. Jours d’un carrefour d’au moins {_LEAST} demandeurs différents.",
            "short",
            Influx(_together("priority", "1d", shown, tuple(answers)), "$col"),
            decimals=0,
        ),
    ]


def _hazards() -> list[Panel]:
    where = '"hazards" = 1 AND "cause" =~ /^$cause$/ AND $timeFilter'
    each = f'FROM "hazard" WHERE {where}'
    return [
        bars(
            "Dangers annoncés, par cause",
            "Événements DENM par code de cause (EN 302 637-3) ; répétitions et mises à jour comptées une fois.",
            "short",
            Influx(f'SELECT sum("hazards") AS "dangers" {each} GROUP BY "cause"', "cause $tag_cause"),
            width=8,
            least=0,
        ),
        bars(
            "Durée moyenne, par cause",
            "De la détection à la fin : annulation, négation ou fin de validité.",
            "s",
            Influx(f'SELECT mean("duration_s") AS "durée" {each} GROUP BY "cause"', "cause $tag_cause"),
            width=8,
            least=0,
        ),
        bars(
            "Délai de diffusion, par cause",
            "De la détection à la première réception ici ; au-delà d’une seconde, voir l’horloge de l’émetteur.",
            "s",
            Influx(f'SELECT median("dissemination_s") AS "délai" {each} GROUP BY "cause"', "cause $tag_cause"),
            width=8,
            thresholds=Steps("green", ((1, "orange"), (10, "red"))),
            decimals=2,
        ),
        rows(
            "Derniers dangers",
            "Chaque événement à son instant de détection : cause, durée, délai, mises à jour, comment il a fini.",
            Influx(f'SELECT "duration_s", "dissemination_s", "updates", "ending" {each} GROUP BY "cause"', table=True),
            width=24,
            units={"duration_s": "s", "dissemination_s": "s"},
        ),
    ]


def junctions() -> Dashboard:
    """The traffic engineer's page, hour by hour."""
    return Dashboard(
        uid="garonne-carrefours",
        folder=RESTRICTED,
        title="Compass4D, heure par heure",
        description="Carrefours, axes et dangers. Les heures de moins de cinq véhicules manquent.",
        since="now-7d",
        refresh="15m",
        variables=(
            Values("zone", "Carrefour", "Un carrefour, ou ceux d’un axe.", _values("traffic_hour", "zone")),
            Values("cause", "Cause", "Codes de cause des dangers.", _values("hazard", "cause")),
        ),
        content=(
            Row("Véhicules"),
            lines(
                "Véhicules par heure et par carrefour",
                f"Véhicules par minute, additionnés. Heures dont une minute a eu {_LEAST} véhicules.",
                "short",
                _traffic('"vehicles" AS "véhicules"'),
            ),
            lines(
                "Vitesse moyenne par carrefour",
                f"Pondérée par les véhicules, arrêts compris. Heures dont une minute a eu {_LEAST} véhicules.",
                "velocitykmh",
                _traffic('"speed_sum_mps" / "speed_vehicles" * 3.6 AS "vitesse"'),
                thresholds=_SPEED,
                decimals=1,
            ),
            Row("Axe : les carrefours choisis ensemble"),
            *_corridor(),
            Row("Passages"),
            *_passed(),
            Row("Feux et priorité"),
            *_signals(),
            Row("Dangers"),
            *_hazards(),
        ),
    )


def _values(measurement: str, tag: str) -> str:
    return f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}"'
