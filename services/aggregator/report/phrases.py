"""The words of CITYkeys, of the charter, of what the city entered and of each result, in English and French."""

from typing import Final

from services.aggregator.kpis.results import Text

__all__ = ["PHRASES"]

PHRASES: Final[dict[str, Text]] = {
    "charter": Text("Green Digital Charter", "Green Digital Charter"),
    "charter_lead": Text(
        "Four commitments of a city that signs it. What the city entered stands beside what this service counts; what "
        "nobody entered is said to be missing.",
        "Quatre engagements d’une ville signataire. Ce que la ville a saisi figure à côté de ce que ce service "
        "compte ; ce que personne n’a saisi est signalé.",
    ),
    "charter_commitment": Text("Commitment {number}", "Engagement {number}"),
    "charter_footprint": Text("What this service itself uses", "Ce que ce service consomme lui-même"),
    "charter_path": Text("The way to 30% less", "Le chemin vers 30 % de moins"),
    "charter_path_desc": Text(
        "Line chart. {base} kgCO2e in {first}, {now} kgCO2e a year in {year}; the goal is {goal} kgCO2e in {due}.",
        "Courbe. {base} kgCO2e en {first}, {now} kgCO2e par an en {year} ; l’objectif est {goal} kgCO2e en {due}.",
    ),
    "charter_goal_line": Text("straight way to the goal", "trajectoire vers l’objectif"),
    "charter_now": Text("this service", "ce service"),
    "charter_line": Text(
        "{value} less is where the straight line stands this year", "la trajectoire est à {value} de moins cette année"
    ),
    "charter_net": Text(
        "kWh saved by the families for each kWh used", "kWh économisés par les familles par kWh consommé"
    ),
    "charter_pilot": Text("Pilot", "Pilote"),
    "charter_part": Text("Take part", "Participent"),
    "charter_saved": Text("Energy saved", "Énergie économisée"),
    "charter_url": Text("Public report", "Rapport public"),
    "charter_year": Text("Year", "Année"),
    "origin_counted": Text("counted", "compté"),
    "origin_entered": Text("entered", "saisi"),
    "origin_missing": Text("missing", "manque"),
    "variant_energy": Text("energy of this service", "énergie de ce service"),
    "variant_emissions": Text("greenhouse gas of this service", "gaz à effet de serre de ce service"),
    "variant_sci": Text("carbon intensity (SCI)", "intensité carbone (SCI)"),
    "variant_reduction": Text("change against the base year", "évolution depuis l’année de référence"),
    "variant_net_effect": Text("net effect", "effet net"),
    "unit_energy": Text("kWh", "kWh"),
    "unit_emissions": Text("kgCO₂e", "kgCO₂e"),
    "unit_sci": Text("g", "g"),
    "note_energy": Text(
        "over the period, brokers and databases as entered", "sur la période, courtiers et bases selon la saisie"
    ),
    "note_emissions": Text(
        "over the period, making of the servers included", "sur la période, fabrication des serveurs comprise"
    ),
    "note_sci": Text("of CO₂e for 1,000 events", "de CO₂e pour 1 000 événements"),
    "named_kgCO2e/year": Text("kgCO₂e a year", "kgCO₂e par an"),
    "named_kWh/year": Text("kWh a year", "kWh par an"),
    "named_people": Text("people", "habitants"),
    "named_partners": Text("partners", "partenaires"),
    "named_pilots": Text("pilots", "projets pilotes"),
    "named_cities": Text("cities", "villes"),
    "named_threads": Text("threads", "fils"),
    "named_years": Text("years", "ans"),
    "named_vehicles": Text("vehicles", "véhicules"),
    "named_kgCO2e": Text("kgCO₂e", "kgCO₂e"),
    "named_gCO2e/1000 events": Text("gCO₂e per 1,000 events", "gCO₂e pour 1 000 événements"),
    "named_kWh/kWh": Text("kWh for each kWh", "kWh par kWh"),
    "points": Text("points", "points"),
    "trend_of": Text("{arrow} {slope} a year, over {count} years", "{arrow} {slope} par an, sur {count} ans"),
    "trend": Text("Direction", "Tendance"),
    "target": Text("Goal", "Objectif"),
    "baseline": Text("Baseline", "Référence"),
    "about_period": Text("Period", "Période"),
    "verdict": Text("what it says", "ce que ça dit"),
    "until": Text("to", "au"),
    "change_short": Text("Change", "Évolution"),
    "subject": Text("About", "Sur"),
    "inputs_print": Text("Inputs", "Données"),
    "no_factors": Text("none", "aucun"),
    "results_table": Text("Each result", "Chaque résultat"),
    "no_trend": Text("no direction before three comparable years", "pas de tendance avant trois années comparables"),
    "entered_title": Text("What the city entered", "Ce que la ville a saisi"),
    "entered_lead": Text(
        "Edition {edition} of the facts. A person entered them; this service does not check them.",
        "Édition {edition} des faits. Une personne les a saisis ; ce service ne les vérifie pas.",
    ),
    "entered_quantities": Text("Quantities", "Quantités"),
    "entered_targets": Text("Goals", "Objectifs"),
    "entered_name": Text("Quantity", "Quantité"),
    "entered_day": Text("As of", "Au"),
    "entered_due": Text("Due", "Échéance"),
    "entered_source": Text("Source", "Source"),
    "ck_state_figures": Text("measured", "mesurés"),
    "ck_state_scores": Text("scored by an assessor", "notés par un évaluateur"),
    "ck_state_open": Text("to be scored", "à noter"),
    "ck_state_absent": Text("not assessed", "non évalués"),
    "ck_overview": Text("Indicators by theme", "Les indicateurs par thème"),
    "ck_theme": Text("Theme", "Thème"),
    "ck_squares": Text("{theme}: a square for each indicator", "{theme} : un carré par indicateur"),
    "ck_goals": Text("Figures and their goals", "Les chiffres et leurs objectifs"),
    "ck_goal": Text("goal", "objectif"),
    "ck_scale": Text("Scores of assessors", "Notes des évaluateurs"),
    "ck_least": Text("least", "le moins"),
    "ck_most": Text("most", "le plus"),
    "ck_span": Text("{low} to {high}", "{low} à {high}"),
    "ck_told": Text("{count} of {all}", "{count} sur {all}"),
    "ck_told_note": Text("indicators with a figure or a score", "indicateurs avec un chiffre ou une note"),
    "ck_label": Text("{name}: {count}", "{name} : {count}"),
    "ck_count_junction": Text("over {count} junctions", "sur {count} carrefours"),
    "ck_count_application": Text("over {count} applications", "sur {count} applications"),
    "ck_count_team": Text("over {count} teams", "sur {count} équipes"),
    "ck_count_service": Text("of this service", "de ce service"),
    "ck_measured": Text("What is measured", "Ce qui est mesuré"),
    "ck_story": Text(
        "{all} indicators: measured {figures}, scored {scores}, waiting for an assessor {open}, not assessed {absent}.",
        "{all} indicateurs : mesurés {figures}, notés {scores}, à noter {open}, non évalués {absent}.",
    ),
    "ck_story_nothing": Text(
        "Nothing is measured or scored here yet. {all} indicators: waiting for an assessor {open}, not assessed "
        "{absent}: they need data that are not connected.",
        "Rien n’est encore mesuré ni noté ici. {all} indicateurs : à noter {open}, non évalués {absent}, faute de "
        "données raccordées.",
    ),
    "theme_people_about": Text(
        "Health, safety, access to services, education, living together.",
        "Santé, sécurité, accès aux services, éducation, vivre ensemble.",
    ),
    "theme_planet_about": Text(
        "Energy and climate, materials and water, air, nature.", "Énergie et climat, matières et eau, air, nature."
    ),
    "theme_prosperity_about": Text(
        "Work, fairness, a green economy, innovation, getting about.",
        "Emploi, équité, économie verte, innovation, déplacements.",
    ),
    "theme_governance_about": Text(
        "How the city organises itself and takes its people along.",
        "Comment la ville s’organise et associe ses habitants.",
    ),
    "theme_propagation_about": Text(
        "Whether what works here can work elsewhere.", "Ce qui marche ici peut-il marcher ailleurs ?"
    ),
}
