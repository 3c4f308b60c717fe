"""The words of a family's own page and of a team's, in English and French."""

from typing import Final

from services.aggregator.kpis.results import Text

__all__ = ["OWN_WORDS"]

OWN_WORDS: Final[dict[str, Text]] = {
    "own_family_title": Text("Your winter, {name}", "Votre hiver, {name}"),
    "own_family_lead": Text(
        "This page is about your home alone, and is made because you agreed to it. Nobody else’s figures are on it.",
        "Cette page ne parle que de votre foyer, et n’existe que parce que vous l’avez acceptée. Aucun chiffre d’une "
        "autre famille n’y figure.",
    ),
    "own_family_privacy": Text(
        "For this family only: keep the file to yourself. If you withdraw your consent to advice, no new page is made.",
        "Pour cette famille seulement : gardez ce fichier pour vous. Si vous retirez votre consentement au conseil, "
        "plus aucune page n’est faite.",
    ),
    "own_team_lead": Text(
        "For the captain and the members of the team: percentages of the whole team, never one family’s value.",
        "Pour le capitaine et les membres de l’équipe : des pourcentages de toute l’équipe, jamais la valeur d’une "
        "famille.",
    ),
    "own_team_privacy": Text(
        "For members of the team, who agreed to the challenge; not for publication. A percentage needs five families, "
        "none with more than half of the energy; amounts in kWh of a team are not told.",
        "Pour les membres de l’équipe, qui ont accepté le défi ; à ne pas publier. Un pourcentage demande cinq "
        "familles, aucune n’ayant plus de la moitié de l’énergie ; les kWh d’une équipe ne sont pas donnés.",
    ),
    "own_not_told": Text("There is no figure to tell yet.", "Il n’y a pas encore de chiffre à donner."),
    "own_saved": Text("{value} less energy than the winter before", "{value} d’énergie en moins que l’hiver précédent"),
    "own_used_more": Text(
        "{value} more energy than the winter before", "{value} d’énergie en plus que l’hiver précédent"
    ),
    "own_heat_regression": Text(
        "{share} of it heats, found in your own data", "{share} sert à chauffer, d’après vos propres données"
    ),
    "own_heat_declared": Text("{share} of it heats, as you said", "{share} sert à chauffer, selon votre déclaration"),
    "own_heat_default": Text("{share} of it heats, a usual share", "{share} sert à chauffer, une part d’usage"),
    "own_before_now": Text("{before}, then {now} {unit}", "{before}, puis {now} {unit}"),
    "own_litres_a_day": Text("litres a day", "litres par jour"),
    "own_water": Text("Water saved", "Eau économisée"),
    "own_days": Text("Days compared", "Jours comparés"),
    "own_days_note": Text("measured in both winters", "mesurés aux deux hivers"),
    "own_curve": Text("Your energy, day by day", "Votre énergie, jour après jour"),
    "own_curve_unit": Text("kWh per day, mean of 7 days", "kWh par jour, moyenne sur 7 jours"),
    "own_month_table": Text("Month by month", "Mois par mois"),
    "own_month": Text("Month", "Mois"),
    "own_days_short": Text("days", "jours"),
    "own_change": Text("change", "évolution"),
    "own_why": Text("Why some of it is missing", "Pourquoi il en manque"),
    "own_how": Text("How this was computed", "Comment c’est calculé"),
    "own_energies": Text("Energies of this winter", "Énergies de cet hiver"),
    "own_limits": Text(
        "Works, absence and a change in who lives there are not told apart from what you did.",
        "Les travaux, les absences et un changement dans le foyer ne sont pas distingués de vos gestes.",
    ),
    "own_place": Text("Place among the teams", "Rang parmi les équipes"),
    "own_of_teams": Text("of {count} ranked teams", "sur {count} équipes classées"),
    "own_coverage_note": Text(
        "of the days are measured; 90% are needed for a place", "des jours mesurés ; il en faut 90 % pour être classé"
    ),
    "own_figures": Text("All figures of the team", "Tous les chiffres de l’équipe"),
    "own_figure": Text("Figure", "Chiffre"),
    "own_energy_saving": Text("Energy", "Énergie"),
    "own_co2_saving": Text("Greenhouse gas", "Gaz à effet de serre"),
    "own_water_saving": Text("Water", "Eau"),
    "carrier_electricity": Text("electricity", "électricité"),
    "carrier_gas": Text("gas (PCS)", "gaz (PCS)"),
    "carrier_heat": Text("heat network", "réseau de chaleur"),
    "carrier_fuel_oil": Text("fuel oil (PCI)", "fioul (PCI)"),
    "left_no_emission_factor": Text(
        "no factor of greenhouse gas for one of its energies", "pas de facteur de gaz à effet de serre pour une énergie"
    ),
}
