"""The words of the page, in English and French. Words of an indicator stand in its own folder."""

from typing import Final

from services.aggregator.kpis.results import Language, Quality, Text
from services.aggregator.report.compass_words import COMPASS_WORDS
from services.aggregator.report.own_words import OWN_WORDS
from services.aggregator.report.phrases import PHRASES

__all__ = ["QUALITY", "WORDS", "words"]

WORDS: Final[dict[str, Text]] = {
    "title": Text("What the city measures", "Ce que la ville mesure"),
    "subtitle": Text("Report of indicators", "Rapport d’indicateurs"),
    "period": Text("From {first} to {last}", "Du {first} au {last}"),
    "one_day": Text("On {first}", "Le {first}"),
    "compared": Text("compared with {first} to {last}", "comparé à la période du {first} au {last}"),
    "no_comparison": Text("without a baseline", "sans période de référence"),
    "glance": Text("At a glance", "En bref"),
    "contents": Text("Contents", "Sommaire"),
    "skip": Text("Skip to the figures", "Aller aux chiffres"),
    "familles": Text("Energy of the families", "L’énergie des familles"),
    "compass4d": Text("Equipped junctions", "Les carrefours équipés"),
    "saved": Text(
        "The families used {value} less energy than in the winter before",
        "Les familles ont utilisé {value} d’énergie de moins que l’hiver précédent",
    ),
    "used_more": Text(
        "The families used {value} more energy than in the winter before",
        "Les familles ont utilisé {value} d’énergie de plus que l’hiver précédent",
    ),
    "same_weather": Text("in the same weather", "à météo égale"),
    "as_measured": Text("as measured", "en valeur brute"),
    "goal_reached": Text("The goal of {goal} is reached.", "L’objectif de {goal} est atteint."),
    "goal_missed": Text("The goal of {goal} is not reached.", "L’objectif de {goal} n’est pas atteint."),
    "goal_uncertain": Text(
        "The interval spans the goal: another group like this one might fall on the other side.",
        "L’intervalle contient l’objectif : un autre groupe semblable pourrait tomber de l’autre côté.",
    ),
    "goal": Text("goal {goal}", "objectif {goal}"),
    "no_headline": Text("The saving is not assessed", "L’économie n’est pas évaluée"),
    "traffic_headline": Text(
        "passages of equipped vehicles, seen by {count} junctions",
        "passages de véhicules équipés, vus par {count} carrefours",
    ),
    "nothing": Text("Nothing could be assessed", "Rien n’a pu être évalué"),
    "card_corrected": Text("Saving in the same weather", "Économie à météo égale"),
    "card_raw": Text("Saving as measured", "Économie brute"),
    "card_energy": Text("Energy not used", "Énergie non consommée"),
    "card_homes": Text("Families that count", "Familles retenues"),
    "card_goal_homes": Text("Families at the goal", "Familles à l’objectif"),
    "card_weather": Text("Cold of the winter", "Froid de l’hiver"),
    "card_weather_note": Text(
        "{now} degree days, after {before}", "{now} degrés-jours, contre {before} l’hiver précédent"
    ),
    "card_vehicles": Text("Vehicles, minute by minute", "Véhicules, minute par minute"),
    "card_vehicles_note": Text("at {count} junctions", "à {count} carrefours"),
    "card_speed": Text("Mean speed", "Vitesse moyenne"),
    "interval": Text("between {low} and {high} (95%)", "entre {low} et {high} (95 %)"),
    "interval_short": Text("{low} to {high}", "{low} à {high}"),
    "of_enrolled": Text("of {count} enrolled", "sur {count} inscrites"),
    "median": Text("half of the families saved more than {value}", "une famille sur deux fait mieux que {value}"),
    "curve_title": Text("Two winters, day by day", "Deux hivers, jour après jour"),
    "curve_unit": Text("kWh per family and day, mean of 7 days", "kWh par famille et par jour, moyenne sur 7 jours"),
    "curve_desc": Text(
        "Line chart. Mean {before} kWh per family and day in the winter before, {now} kWh now. "
        "The table below gives the weeks.",
        "Courbes. En moyenne {before} kWh par famille et par jour l’hiver précédent, {now} kWh cet hiver. "
        "Le tableau ci-dessous donne les semaines.",
    ),
    "winter_before": Text("winter before", "hiver précédent"),
    "this_winter": Text("this winter", "cet hiver"),
    "cold_title": Text("Energy against cold", "L’énergie face au froid"),
    "cold_lead": Text(
        "Each mark is a week. At the same cold, a lower mark is less energy: that is what the families did, "
        "not the weather.",
        "Chaque point est une semaine. À froid égal, un point plus bas, c’est moins d’énergie : "
        "ce que les familles ont fait, et non la météo.",
    ),
    "cold_x": Text("degree days per day (below 18 °C)", "degrés-jours par jour (sous 18 °C)"),
    "cold_y": Text("kWh per family and day", "kWh par famille et par jour"),
    "cold_desc": Text(
        "Scatter of weeks of both winters: energy rises with cold, and this winter’s line lies {side} the other.",
        "Nuage des semaines des deux hivers : l’énergie croît avec le froid, et la droite de cet hiver est {side} "
        "de l’autre.",
    ),
    "below": Text("below", "au-dessous"),
    "above": Text("above", "au-dessus"),
    "week_of": Text("week of", "semaine du"),
    "week_table": Text("Table of the weeks", "Tableau des semaines"),
    "degree_days_before": Text("degree days, before", "degrés-jours, avant"),
    "degree_days_now": Text("degree days, now", "degrés-jours, cet hiver"),
    "teams_title": Text("The teams", "Les équipes"),
    "teams_lead": Text(
        "Ranked by saving {how}. A team is ranked if at least 90% of its days are measured and at least three in "
        "four of its families count. Lines are 95% intervals: where they "
        "overlap, two teams may not differ.",
        "Classées par économie {how}. Une équipe est classée si au moins 90 % de ses jours sont mesurés et si au "
        "moins trois familles sur quatre sont retenues. Les traits sont des intervalles à 95 % : "
        "là où ils se recouvrent, deux équipes ne diffèrent peut-être pas.",
    ),
    "teams_desc": Text(
        "Bar chart of {count} teams. First: {first}, {first_value}. Last: {last}, {last_value}. Goal: {goal}.",
        "Barres de {count} équipes. Première : {first}, {first_value}. Dernière : {last}, {last_value}. "
        "Objectif : {goal}.",
    ),
    "rank": Text("rank", "rang"),
    "team": Text("team", "équipe"),
    "corrected": Text("same weather", "météo égale"),
    "raw": Text("as measured", "brute"),
    "median_short": Text("median family", "famille médiane"),
    "families": Text("families", "familles"),
    "coverage": Text("coverage", "couverture"),
    "at_least": Text("at least", "au moins"),
    "unranked": Text("not ranked", "non classée"),
    "saving_axis": Text("saving in %", "économie en %"),
    "traffic_title": Text("Vehicles by junction", "Véhicules par carrefour"),
    "traffic_unit": Text("vehicles, counted in each minute", "véhicules, comptés à chaque minute"),
    "traffic_lead": Text(
        "{when}. Vehicles that send C-ITS messages: a share of the traffic.",
        "{when}. Véhicules qui émettent des messages C-ITS : une part du trafic.",
    ),
    "traffic_desc": Text(
        "Bar chart of {count} junctions. Most: {first}, {first_value}. Fewest: {last}, {last_value}.",
        "Barres de {count} carrefours. Le plus : {first}, {first_value}. Le moins : {last}, {last_value}.",
    ),
    "hours_title": Text("Through the day", "Au fil de la journée"),
    "hours_desc": Text(
        "Column chart by local hour over all junctions. Most at {hour} h: {value} vehicles.",
        "Colonnes par heure locale, tous carrefours. Le plus à {hour} h : {value} véhicules.",
    ),
    "hours_table": Text("Table of the hours", "Tableau des heures"),
    "hour": Text("hour", "heure"),
    "junction": Text("junction", "carrefour"),
    "vehicles": Text("vehicles", "véhicules"),
    "per_hour": Text("per hour", "par heure"),
    "change": Text("change per hour", "évolution par heure"),
    "speed": Text("mean speed", "vitesse moyenne"),
    "missing_title": Text("What is not assessed, and why", "Ce qui n’est pas évalué, et pourquoi"),
    "missing_lead": Text("A wrong figure is worse than none.", "Mieux vaut aucun chiffre qu’un chiffre faux."),
    "left_title": Text("Families left out of both winters", "Familles laissées hors des deux hivers"),
    "left_low_coverage": Text("fewer than 90% of the days measured", "moins de 90 % des jours mesurés"),
    "left_no_data": Text("no day measured in both winters", "aucun jour mesuré dans les deux hivers"),
    "left_meter_changed": Text("a meter in one winter only", "un compteur présent un seul hiver"),
    "left_no_factor": Text("no conversion factor for a meter", "pas de facteur de conversion pour un compteur"),
    "left_export_without_production": Text(
        "solar panels whose production is not measured", "panneaux solaires dont la production n’est pas mesurée"
    ),
    "method_title": Text("How this was computed", "Comment c’est calculé"),
    "formula": Text("Formula", "Formule"),
    "quality": Text("Quality class (U4SSC)", "Classe de qualité (U4SSC)"),
    "heat": Text("Share that heats", "Part qui chauffe"),
    "heat_note": Text(
        "{share}; found by regression for {regression} families, declared by {declared}, usual value for {default}",
        "{share} ; par régression pour {regression} familles, déclarée par {declared}, valeur d’usage pour {default}",
    ),
    "station": Text("Weather station", "Station météo"),
    "factors": Text("Factors", "Facteurs"),
    "version": Text("Method and inputs", "Méthode et données"),
    "references": Text("Serves", "Répond à"),
    "unverified": Text("(reference to be checked)", "(référence à vérifier)"),
    "limits": Text("Limits", "Limites"),
    "source_goal": Text("Goal", "Objectif"),
    "privacy_members": Text(
        "No family appears. A percentage needs five families, none with more than half of the energy; amounts and "
        "curves need ten; traffic five vehicles. This report is for members of the programmes and the city.",
        "Aucune famille n’apparaît. Un pourcentage demande cinq familles, aucune n’ayant plus de la moitié de "
        "l’énergie ; un montant ou une courbe, dix ; le trafic, cinq véhicules. Ce rapport s’adresse aux membres des "
        "programmes et à la ville.",
    ),
    "privacy_public": Text(
        "No family appears. What is said of families needs ten of them, none with more than half of the energy; "
        "traffic needs five vehicles. This report is for everybody.",
        "Aucune famille n’apparaît. Ce qui est dit des familles en demande dix, aucune n’ayant plus de la moitié de "
        "l’énergie ; le trafic demande cinq véhicules. Ce rapport s’adresse à tous.",
    ),
    "made": Text("Made by Garonne on {day}.", "Fait par Garonne le {day}."),
    "times": Text("Days and hours of the time zone {zone}.", "Jours et heures du fuseau {zone}."),
    "variant_raw": Text("as measured", "brute"),
    "variant_degree_days": Text("in the same weather", "à météo égale"),
    "variant_seen": Text("seen", "vus"),
    "citykeys": Text("CITYkeys: the smart city by five themes", "CITYkeys : la ville intelligente en cinq thèmes"),
    "citykeys_lead": Text(
        "Of {all} indicators of CITYkeys, {figures} figures are measured here, and {scores} scores were given by "
        "assessors. All others are listed with the reason. Names, formulas and scales were not yet "
        "checked against the primary text.",
        "Sur {all} indicateurs de CITYkeys, {figures} chiffres sont mesurés ici, et {scores} notes ont été données "
        "par des évaluateurs. Tous les autres sont listés avec la raison. Les noms, formules et échelles n’ont "
        "pas encore été vérifiés dans le texte d’origine.",
    ),
    "theme_people": Text("People", "Population"),
    "theme_planet": Text("Planet", "Planète"),
    "theme_prosperity": Text("Prosperity", "Prospérité"),
    "theme_governance": Text("Governance", "Gouvernance"),
    "theme_propagation": Text("Propagation", "Propagation"),
    "level_project": Text("project", "projet"),
    "level_city": Text("city", "ville"),
    "of_five": Text("{score} of 5", "{score} sur 5"),
    "ck_score": Text("Score", "Note"),
    "ck_indicator": Text("Indicator", "Indicateur"),
    "ck_justification": Text("Justification", "Justification"),
    "ck_assessor": Text("Assessor", "Évaluateur"),
    "ck_nothing": Text("Nothing is measured or scored here yet.", "Rien n’est encore mesuré ni noté ici."),
    "ck_absent": Text("Not assessed: {count}, and why", "Non évalués : {count}, et pourquoi"),
    "pionniers": Text("Les pionniers: what the panel says", "Les pionniers : ce que dit le panel"),
    "application": Text("Application", "Application"),
    "question": Text("Question", "Question"),
    "value": Text("Value", "Valeur"),
    "interval_of_95": Text("Interval (95%)", "Intervalle (95 %)"),
    "members": Text("Members", "Membres"),
    "variant_sus": Text("ease of use (SUS, of 100)", "facilité d’usage (SUS, sur 100)"),
    "variant_task_success": Text("tasks completed", "tâches réussies"),
    "variant_time_on_task": Text("time on task", "temps par tâche"),
    "variant_csat": Text("satisfied (4 or 5 of 5)", "satisfaits (4 ou 5 sur 5)"),
    "variant_nps": Text("recommendation (NPS, −100 to 100)", "recommandation (NPS, −100 à 100)"),
    "variant_adoption": Text("members who took part", "membres qui ont participé"),
    "unit_time_on_task": Text("s", "s"),
    **COMPASS_WORDS,
    **OWN_WORDS,
    **PHRASES,
}

QUALITY: Final[dict[str, Text]] = {
    Quality.MEASURED: Text("Based on accurate measurements", "Fondé sur des mesures exactes"),
    Quality.SURVEY: Text("Extrapolated from survey of inhabitants", "Extrapolé d’une enquête auprès des habitants"),
    Quality.HIGHER_LEVEL: Text("Extrapolated from higher-level data", "Extrapolé de données plus générales"),
    Quality.ASSUMPTIONS: Text("Estimation based on certain assumptions", "Estimation fondée sur certaines hypothèses"),
    Quality.PERSONAL: Text("Personal estimation", "Estimation personnelle"),
    Quality.UNKNOWN: Text("Unknown methodology, not traceable", "Méthode inconnue, non traçable"),
}


def words(language: Language) -> dict[str, str]:
    """All words in one language."""
    return {name: text.in_language(language) for name, text in WORDS.items()}
