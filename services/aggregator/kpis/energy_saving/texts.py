"""The words of this indicator, in English and French."""

from typing import Final

from services.aggregator.kpis.results import Text

__all__ = [
    "FORMULA_CORRECTED",
    "FORMULA_RAW",
    "GOAL",
    "INTERVAL",
    "LIMITS_CORRECTED",
    "LIMITS_RAW",
    "LOW_COVERAGE",
    "NOT_COMPARABLE",
    "NO_BASELINE",
    "NO_DATA",
    "NO_WEATHER",
]

FORMULA_RAW: Final = Text(
    "saving = 100 · (1 − ΣE / ΣE_ref), E and E_ref in kWh of final energy, over the same calendar days of both winters",
    "économie = 100 · (1 − ΣE / ΣE_réf), E et E_réf en kWh d’énergie finale, sur les mêmes jours des deux hivers",
)
FORMULA_CORRECTED: Final = Text(
    "saving = 100 · (1 − ΣE_corr / ΣE_ref), E_corr = E · (1 − h + h · DD_ref / DD), h the share of E that heats, "
    "DD degree days below 18 °C",
    "économie = 100 · (1 − ΣE_corr / ΣE_réf), E_corr = E · (1 − h + h · DJU_réf / DJU), h la part de E qui chauffe, "
    "DJU degrés-jours sous 18 °C",
)
GOAL: Final = Text(
    "Familles à énergie positive: at least 8% less than the winter before (Kyoto)",
    "Familles à énergie positive : au moins 8 % de moins que l’hiver précédent (Kyoto)",
)
INTERVAL: Final = "ratio estimator over families, Student's t"
NO_BASELINE: Final = Text(
    "There is no baseline winter to compare with.", "Il n’y a pas d’hiver de référence auquel comparer."
)
NO_DATA: Final = Text(
    "No family has measured days in both winters.", "Aucune famille n’a de jours mesurés dans les deux hivers."
)
LOW_COVERAGE: Final = Text(
    "No family has 90% of the days measured in both winters.",
    "Aucune famille n’a 90 % des jours mesurés dans les deux hivers.",
)
NOT_COMPARABLE: Final = Text(
    "No family’s two winters can be compared: meters changed, or what they measure cannot be converted.",
    "Les deux hivers d’aucune famille ne sont comparables : compteurs changés ou mesures non convertibles.",
)
NO_WEATHER: Final = Text(
    "The outdoor temperature is not known on 90% of the days of both winters.",
    "La température extérieure n’est pas connue sur 90 % des jours des deux hivers.",
)
_BOTH: Final = (
    Text(
        "Behaviour is not told apart from works, absence or a change in who lives there.",
        "Les gestes ne sont pas distingués des travaux, des absences ou d’un changement dans le foyer.",
    ),
    Text(
        "Meters of one home and energy add up: a sub-meter that the registry does not name as one counts twice, "
        "in both winters.",
        "Les compteurs d’un foyer s’additionnent : un sous-compteur que le registre ne désigne pas comme tel "
        "compte deux fois, dans les deux hivers.",
    ),
    Text(
        "The interval says what a similar group of families would show; it is not an error of the meters.",
        "L’intervalle dit ce qu’un groupe semblable de familles montrerait ; ce n’est pas l’erreur des compteurs.",
    ),
)
LIMITS_RAW: Final = (
    Text(
        "A mild winter looks like a saving: read it beside the corrected value.",
        "Un hiver doux ressemble à une économie : à lire avec la valeur corrigée.",
    ),
    *_BOTH,
)
LIMITS_CORRECTED: Final = (
    Text(
        "The share that heats comes from a regression on 60 days or more, else from the family, else a usual one.",
        "La part qui chauffe vient d’une régression sur 60 jours ou plus, sinon de la famille, sinon d’un usage.",
    ),
    *_BOTH,
)
