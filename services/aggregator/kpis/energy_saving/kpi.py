"""The saving of a team or of the whole programme, raw and corrected by degree days. Pure.

Saving = 1 - sum(E) / sum(E_ref) over the families that count: weighted by energy, so that a team is one home.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from statistics import median
from typing import Final

from services.aggregator.kpis.energy_saving import texts
from services.aggregator.kpis.energy_saving.homes import Assessed, Left, Pair, assess
from services.aggregator.kpis.inputs import Home, Inputs, Question
from services.aggregator.kpis.intervals import ratio_error
from services.aggregator.kpis.results import (
    Amount,
    Interval,
    NotAssessed,
    Outcome,
    Quality,
    Reason,
    Result,
    Target,
    Text,
    fingerprint_of,
)
from services.aggregator.kpis.seasons import paired_days

__all__ = ["GOAL", "compute"]

NAME: Final = "energy_saving"
METHOD: Final = "1"
GOAL: Final = Target(8.0, texts.GOAL)


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variants `raw` and `degree_days`.

    Args:
        inputs: homes with their days, and degree days.
        question: a team, or the programme with every family that is in a team.
    """
    if question.baseline is None:
        text = texts.NO_BASELINE
        return _neither(question, "no_baseline", text), _neither(question, "no_baseline", text, "degree_days")
    homes = [home for home in inputs.homes if question.subject.kind == "programme" or home.team == question.subject.id]
    pairs = paired_days(question.period, question.baseline)
    group = _Group(inputs, question, homes, pairs)
    if not group.counted:
        return _empty(question, group.left, len(pairs)), _empty(question, group.left, len(pairs), "degree_days")
    return group.raw(), group.corrected()


class _Group:
    """The families of one answer."""

    def __init__(self, inputs: Inputs, question: Question, homes: Sequence[Home], pairs: Sequence[Pair]) -> None:
        answers = [assess(home, pairs, inputs.factors, inputs.degree_days) for home in homes]
        self.counted = [each for each in answers if isinstance(each, Assessed)]
        self.left = [each for each in answers if isinstance(each, Left)]
        self._inputs = inputs
        self._question = question
        self._homes = homes
        self._pairs = pairs

    def raw(self) -> Result:
        """Energy against energy."""
        return self._result("raw", [each.period_kwh for each in self.counted], {}, self._curves())

    def corrected(self) -> Outcome:
        """As if the period had had the weather of the baseline."""
        known = [(each, each.corrected_kwh) for each in self.counted if each.corrected_kwh is not None]
        if len(known) < len(self.counted):
            return _neither(self._question, "no_weather", texts.NO_WEATHER, "degree_days", self._coverage)
        energies = [kwh for _, kwh in known]
        sources = Counter(each.heat_source for each in self.counted)
        heat = sum((each.heat_share or 0.0) * each.period_kwh for each in self.counted)
        days = self._inputs.degree_days
        cold = [pair for pair in self._pairs if pair[0] in days and pair[1] in days]
        figures = {
            "heat_share_percent": 100 * heat / sum(each.period_kwh for each in self.counted),
            "homes_regression": float(sources["regression"]),
            "homes_declared": float(sources["declared"]),
            "homes_default": float(sources["default"]),
            "degree_days_reference": sum(days[before] for _, before in cold),
            "degree_days_period": sum(days[now] for now, _ in cold),
        }
        return self._result("degree_days", energies, figures, {})

    @property
    def _coverage(self) -> float:
        return sum(len(each.pairs) for each in self.counted) / (len(self._pairs) * len(self.counted))

    def _result(
        self,
        variant: str,
        energies: Sequence[float],
        figures: Mapping[str, float],
        series: Mapping[str, Mapping[str, float]],
    ) -> Result:
        reference = [each.reference_kwh for each in self.counted]
        before, now = sum(reference), sum(energies)
        value = 100 * (1 - now / before)
        corrected = variant == "degree_days"
        subject, period, baseline = self._question
        return Result(
            kpi=NAME,
            variant=variant,
            subject=subject,
            value=value,
            unit="%",
            period=period,
            baseline_period=baseline,
            baseline=Amount(before, "kWh"),
            reported=Amount(now, "kWh"),
            change_percent=-value,
            target=GOAL,
            coverage=self._coverage,
            population=len(self.counted),
            enrolled=len(self._homes),
            largest_share=max(reference) / before,
            quality=Quality.ASSUMPTIONS if corrected else Quality.MEASURED,
            interval=_interval(value, ratio_error(energies, reference)),
            formula=texts.FORMULA_CORRECTED if corrected else texts.FORMULA_RAW,
            factor_set=self._inputs.factors.id,
            fingerprint=self._fingerprint(variant),
            method_version=f"{NAME}/{METHOD}",
            limits=texts.LIMITS_CORRECTED if corrected else texts.LIMITS_RAW,
            figures={**_spread(energies, reference), **_left_out(self.left), **figures},
            series=series,
        )

    def _fingerprint(self, variant: str) -> str:
        homes = sorted(
            (each.home, sorted((str(day), kwh, each.reference[day]) for day, kwh in each.period.items()))
            for each in self.counted
        )
        days = {str(day): cold for day, cold in sorted(self._inputs.degree_days.items())}
        shares = sorted((each.id, each.heat_share) for each in self._homes)
        weather = (days, shares) if variant == "degree_days" else ()
        return fingerprint_of(METHOD, variant, self._question, self._inputs.factors.model_dump_json(), homes, weather)

    def _curves(self) -> dict[str, dict[str, float]]:
        """Mean kWh of a family by day, over the families measured on it in both winters; degree days beside."""
        cold = self._inputs.degree_days
        days = [now for now, _ in self._pairs]
        curves = {
            "reference_kwh_per_home": self._mean(days, lambda each: each.reference),
            "period_kwh_per_home": self._mean(days, lambda each: each.period),
            "reference_degree_days": {str(now): cold[before] for now, before in self._pairs if before in cold},
            "period_degree_days": {str(now): cold[now] for now, _ in self._pairs if now in cold},
        }
        return {name: curve for name, curve in curves.items() if curve}

    def _mean(self, days: Sequence[date], of: Callable[[Assessed], Mapping[date, float]]) -> dict[str, float]:
        known = [of(each) for each in self.counted]
        least = max(1, round(0.9 * len(known)))  # A day that few were measured on would show who they are.
        means = {}
        for day in days:
            values = [its[day] for its in known if day in its]
            if len(values) >= least:
                means[str(day)] = sum(values) / len(values)
        return means


def _interval(value: float, error: float | None) -> Interval | None:
    return None if error is None else Interval(value - 100 * error, value + 100 * error, 0.95, texts.INTERVAL)


def _spread(energies: Sequence[float], reference: Sequence[float]) -> dict[str, float]:
    """The median family, and how many reached the goal."""
    savings = [100 * (1 - now / before) for now, before in zip(energies, reference, strict=True)]
    reached = sum(saving >= GOAL.value for saving in savings)
    return {"median_percent": median(savings), "homes_at_goal": float(reached)}


def _left_out(left: Sequence[Left]) -> dict[str, float]:
    return {f"left_{reason}": float(count) for reason, count in sorted(Counter(each.reason for each in left).items())}


def _empty(question: Question, left: Sequence[Left], days: int, variant: str = "raw") -> NotAssessed:
    """No family counts: because there is nothing, or because there is too little."""
    reasons = {each.reason for each in left}
    coverage = sum(each.days for each in left) / (days * len(left)) if left and days else 0.0
    if reasons <= {"no_data"}:
        return _neither(question, "no_data", texts.NO_DATA, variant, coverage)
    reason: Reason = "low_coverage" if "low_coverage" in reasons else "not_comparable"
    text = texts.LOW_COVERAGE if reason == "low_coverage" else texts.NOT_COMPARABLE
    return _neither(question, reason, text, variant, coverage)


def _neither(
    question: Question, reason: Reason, text: Text, variant: str = "raw", coverage: float | None = None
) -> NotAssessed:
    return NotAssessed(NAME, variant, question.subject, question.period, reason, text, coverage)
