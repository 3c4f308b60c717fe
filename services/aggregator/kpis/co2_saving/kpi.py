"""Greenhouse gas of the families' energy: each carrier by its own factor, the same factor in both winters. Pure.

One factor for both winters, the one that holds on the first day of the challenge: what the grid changed is not the
families' doing (kpis.md 6, c).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from services.aggregator.kpis.disclosure import THRESHOLDS
from services.aggregator.kpis.energy_saving.homes import Assessed, Carried, Left, assess
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.results import Outcome, Quality, Result, Text
from services.aggregator.kpis.seasons import paired_days
from services.aggregator.kpis.winters import NO_BASELINE, Counted, Said, counted, homes_of, less, neither, reasons

__all__ = ["NAME", "compute"]

NAME: Final = "co2_saving"
_NO_DATA: Final = Text(
    "No family counts in both winters with a factor for each form of energy.",
    "Aucune famille n’est retenue aux deux hivers avec un facteur pour chaque énergie.",
)
_NO_WEATHER: Final = Text(
    "The outdoor temperature is not known on 90% of the days of both winters.",
    "La température extérieure n’est pas connue sur 90 % des jours des deux hivers.",
)
_LIMITS: Final = (
    Text(
        "One factor for both winters: what the power grid changed is not in it. Factors are of the whole life cycle.",
        "Un seul facteur pour les deux hivers : l’évolution du réseau électrique n’y est pas. Facteurs sur le cycle de "
        "vie.",
    ),
    Text(
        "A kilowatt-hour of gas weighs four times one of electricity: a team may save energy and no gas.",
        "Un kilowatt-heure de gaz pèse quatre fois celui d’électricité : une équipe peut économiser l’énergie sans "
        "réduire le gaz à effet de serre.",
    ),
)
_FORMULA_RAW: Final = Text(
    "saving = 100 · (1 − Σ E_k · f_k / Σ E_ref,k · f_k) over forms of energy k, f_k in kgCO2e per kWh",
    "économie = 100 · (1 − Σ E_k · f_k / Σ E_réf,k · f_k) sur les énergies k, f_k en kgCO2e par kWh",
)
_FORMULA_CORRECTED: Final = Text(
    "as measured, with E_corr for E: the heating share in the weather of the baseline, on the energies that heat",
    "comme mesuré, avec E_corr au lieu de E : la part de chauffage à la météo de référence, sur les énergies qui "
    "chauffent",
)


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variants `raw` and `degree_days`, in % with both winters in kgCO2e."""
    raw, corrected = (_said(inputs, variant) for variant in ("raw", "degree_days"))
    if question.baseline is None:
        return tuple(neither(each, question, "no_baseline", NO_BASELINE) for each in (raw, corrected))
    pairs = paired_days(question.period, question.baseline)
    answers = [assess(home, pairs, inputs.factors, inputs.degree_days) for home in homes_of(inputs, question)]
    left = reasons([each for each in answers if isinstance(each, Left)])
    found = [each for each in answers if isinstance(each, Assessed)]
    told = [each for each in found if all(_factor(inputs, question, carrier) is not None for carrier in each.carriers)]
    lacking = len(found) - len(told)
    if lacking:
        left += Counter({"no_emission_factor": lacking})
    if not told:
        return tuple(neither(each, question, "no_data", _NO_DATA) for each in (raw, corrected))
    days = len(pairs)
    before = [_weighed(inputs, question, each, lambda its: its.reference_kwh) for each in told]
    now = [_weighed(inputs, question, each, lambda its: its.period_kwh) for each in told]
    outcome: Outcome = neither(corrected, question, "no_weather", _NO_WEATHER)
    if all(each.corrected_kwh is not None for each in told):
        then = [_weighed(inputs, question, each, lambda its: its.corrected_kwh or 0.0) for each in told]
        outcome = _kept(less(corrected, question, _joined(told, before, then, days), left), lacking)
    return _kept(less(raw, question, _joined(told, before, now, days), left), lacking), outcome


def _kept(result: Result, lacking: int) -> Result:
    """Kilograms beside the kilowatt-hours of all families would tell the energy of the few who are not in them."""
    if not 0 < lacking < THRESHOLDS.homes_for_amounts:
        return result
    return replace(result, baseline=None, reported=None, change_percent=None)


def _joined(told: list[Assessed], before: list[float], now: list[float], days: int) -> list[Counted]:
    return [counted(each, b, n, days) for each, b, n in zip(told, before, now, strict=True)]


def _factor(inputs: Inputs, question: Question, carrier: str) -> float | None:
    return inputs.factors.emission_kgco2e_per_kwh(carrier, on=question.period.start)


def _weighed(inputs: Inputs, question: Question, each: Assessed, amount: Callable[[Carried], float]) -> float:
    """Kilograms of CO2e of a family."""
    return sum((_factor(inputs, question, name) or 0.0) * amount(its) for name, its in each.carriers.items())


def _said(inputs: Inputs, variant: str) -> Said:
    formula = _FORMULA_CORRECTED if variant == "degree_days" else _FORMULA_RAW
    return Said(NAME, variant, "kgCO2e", "1", formula, _LIMITS, Quality.ASSUMPTIONS, inputs.factors.id)
