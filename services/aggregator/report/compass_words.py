"""The words of Compass4D's pages, in English and French."""

from typing import Final

from services.aggregator.kpis.results import Text

__all__ = ["COMPASS_WORDS"]

COMPASS_WORDS: Final[dict[str, Text]] = {
    "effects": Text("Compass4D: what happened at the junctions", "Compass4D : ce qui s’est passé aux carrefours"),
    "effects_headline": Text(
        "of delay, in the mean of {passages} passages at {count} junctions",
        "de retard, en moyenne sur {passages} passages à {count} carrefours",
    ),
    "effects_lead": Text(
        "{passages} passages of vehicles that send C-ITS messages, at {count} junctions.",
        "{passages} passages de véhicules qui émettent des messages C-ITS, à {count} carrefours.",
    ),
    "map_title": Text("Delay at each junction", "Retard à chaque carrefour"),
    "map_lead": Text(
        "The larger a circle, the more passages; the darker, the longer the delay. Numbers are those of the table.",
        "Plus un cercle est grand, plus il y a de passages ; plus il est foncé, plus le retard est long. "
        "Les numéros sont ceux du tableau.",
    ),
    "map_desc": Text(
        "Map of {count} junctions without a background. Longest delay: {worst}, {worst_value}. Shortest: {best}, "
        "{best_value}. The table beside it has all values.",
        "Carte de {count} carrefours, sans fond. Retard le plus long : {worst}, {worst_value}. Le plus court : {best}, "
        "{best_value}. Le tableau à côté donne toutes les valeurs.",
    ),
    "map_desc_places": Text(
        "Map of {count} junctions without a background; of none of them a delay may be told.",
        "Carte de {count} carrefours, sans fond ; d’aucun on ne peut dire le retard.",
    ),
    "map_scale": Text("Mean delay", "Retard moyen"),
    "map_unknown": Text("not told", "non dit"),
    "map_north": Text("N", "N"),
    "junction_table": Text("The junctions", "Les carrefours"),
    "corridors": Text("The corridors", "Les corridors"),
    "corridor": Text("corridor", "corridor"),
    "corridor_of": Text("{count} junctions: {names}", "{count} carrefours : {names}"),
    "passages": Text("passages", "passages"),
    "before_after": Text("Before and after the service", "Avant et après le service"),
    "before_after_lead": Text(
        "Off: {off}. On: {on}. All junctions seen in both.",
        "Sans : {off}. Avec : {on}. Tous les carrefours vus dans les deux.",
    ),
    "with_without": Text("With and without the service", "Avec et sans le service"),
    "effect_title": Text("Change with the service", "Évolution avec le service"),
    "effect_axis": Text("change in %", "évolution en %"),
    "effect_desc": Text(
        "Change of {count} measures with 95% intervals. {clear} of them do not contain zero. The table beside it has "
        "all values.",
        "Évolution de {count} mesures, intervalles à 95 %. {clear} d’entre elles ne contiennent pas zéro. "
        "Le tableau à côté donne toutes les valeurs.",
    ),
    "effect_note": Text(
        "A line that crosses zero: the difference may be chance.",
        "Un trait qui traverse zéro : l’écart peut être le hasard.",
    ),
    "effect_by_place": Text("Delay and stops by junction and corridor", "Retard et arrêts par carrefour et corridor"),
    "measure": Text("measure", "mesure"),
    "without": Text("without", "sans"),
    "having": Text("with", "avec"),
    "off": Text("before", "avant"),
    "on": Text("after", "après"),
    "difference": Text("difference", "écart"),
    "clear_less": Text("less", "moins"),
    "clear_more": Text("more", "plus"),
    "unclear": Text("may be chance", "peut-être le hasard"),
    "no_interval": Text("no interval", "sans intervalle"),
    "place": Text("place", "lieu"),
    "warnings": Text("Road hazard warnings", "Alertes de danger routier"),
    "priority": Text("Priority", "Priorité"),
    "signals": Text("Signals and stations", "Feux et unités"),
    "estimate": Text("estimate", "estimation"),
    "card_between": Text("{low} to {high}", "{low} à {high}"),
    "variant_stops": Text("stops per passage", "arrêts par passage"),
    "variant_delay": Text("mean delay", "retard moyen"),
    "variant_stopped": Text("time stopped", "temps à l’arrêt"),
    "variant_idle": Text("standing still", "immobile"),
    "variant_green": Text("arrivals on green", "arrivées au vert"),
    "variant_glosa": Text("speed advice followed", "conseil de vitesse suivi"),
    "variant_violations": Text("red lights crossed, per 1,000", "franchis au rouge, pour 1 000"),
    "variant_fuel": Text("fuel per passage (estimate)", "carburant par passage (estimation)"),
    "variant_co2": Text("CO₂ per passage (estimate)", "CO₂ par passage (estimation)"),
    "variant_requests": Text("requests per day", "demandes par jour"),
    "variant_granted": Text("requests granted", "demandes accordées"),
    "variant_time_to_grant": Text("time to the grant", "délai jusqu’à l’accord"),
    "variant_time_to_answer": Text("time to an answer", "délai jusqu’à une réponse"),
    "variant_prediction_error": Text("error of the foretold change", "erreur du changement annoncé"),
    "variant_foretold": Text("changes foretold", "changements annoncés"),
    "variant_availability": Text("station heard", "unité entendue"),
    "variant_hazards": Text("hazards announced", "dangers annoncés"),
    "variant_duration": Text("how long they lasted", "leur durée"),
    "variant_dissemination": Text("until the first message", "jusqu’au premier message"),
    "variant_exposure": Text("vehicles that met a warning", "véhicules passés sous alerte"),
    "variant_exposure_unwarned": Text("vehicles that passed unwarned", "véhicules passés sans alerte"),
    "variant_warned_response": Text(
        "change of speed at a hazard, warned less unwarned",
        "changement de vitesse au danger, alertés moins non alertés",
    ),
    "variant_speed_response": Text("change of speed, warned", "changement de vitesse, alertés"),
    "variant_speed_unwarned": Text("change of speed, unwarned", "changement de vitesse, non alertés"),
    "named_stops": Text("stops", "arrêts"),
    "named_per day": Text("a day", "par jour"),
    "named_per junction and day": Text("per junction and day", "par carrefour et jour"),
    "named_percentage points": Text("points", "points"),
    "named_per mille points": Text("‰ points", "points de ‰"),
    "named_hazards": Text("hazards", "dangers"),
    "named_vehicles": Text("vehicles", "véhicules"),
}
