"""Water of the families whose water is measured, in m³, against the same days of the winter before. Pure."""

from typing import Final

from services.aggregator.kpis.energy_saving.homes import Assessed, Left, assess_water
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.results import Outcome, Quality, Text
from services.aggregator.kpis.seasons import paired_days
from services.aggregator.kpis.winters import NO_BASELINE, Said, counted, homes_of, less, neither, reasons

__all__ = ["NAME", "compute"]

NAME: Final = "water_saving"
_NO_DATA: Final = Text(
    "No family’s water was measured on 90% of the days of both winters by the same meters.",
    "L’eau d’aucune famille n’est mesurée 90 % des jours des deux hivers par les mêmes compteurs.",
)
_SAID: Final = Said(
    kpi=NAME,
    variant="raw",
    unit="m3",
    method="1",
    formula=Text(
        "saving = 100 · (1 − ΣW / ΣW_ref), W and W_ref in m³ over the same calendar days of both winters",
        "économie = 100 · (1 − ΣW / ΣW_réf), W et W_réf en m³ sur les mêmes jours des deux hivers",
    ),
    limits=(
        Text(
            "Who has no water meter that sends is not in it: these families may be others than those of energy.",
            "Qui n’a pas de compteur d’eau communicant n’y est pas : ces familles peuvent être d’autres que pour "
            "l’énergie.",
        ),
        Text(
            "Behaviour is not told apart from leaks, absence or a change in who lives there.",
            "Les gestes ne sont pas distingués des fuites, des absences ou d’un changement dans le foyer.",
        ),
    ),
    quality=Quality.MEASURED,
    factor_set=None,
)


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variant `raw`: water is not corrected by the weather."""
    if question.baseline is None:
        return (neither(_SAID, question, "no_baseline", NO_BASELINE),)
    pairs = paired_days(question.period, question.baseline)
    homes = [each for each in homes_of(inputs, question) if any(its.carrier == "water" for its in each.registers)]
    answers = [assess_water(home, pairs) for home in homes]
    left = [each for each in answers if isinstance(each, Left)]
    known = [
        counted(each, each.reference_kwh, each.period_kwh, len(pairs)) for each in answers if isinstance(each, Assessed)
    ]
    if not known:
        why = {each.reason for each in left}
        return (neither(_SAID, question, "low_coverage" if "low_coverage" in why else "no_data", _NO_DATA),)
    return (less(_SAID, question, known, reasons(left)),)
