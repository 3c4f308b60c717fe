"""Energy, emissions, SCI, reduction and net effect of this service. Pure.

The net effect is a ratio of two indicators and therefore asks the one of the families; it is the only one that does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from services.aggregator.kpis.energy_saving.kpi import compute as energy_saving
from services.aggregator.kpis.facts import Quantity
from services.aggregator.kpis.ict_footprint import texts
from services.aggregator.kpis.ict_footprint.model import YEAR_DAYS, Model, Use, model_of, use_of
from services.aggregator.kpis.inputs import Inputs, Question
from services.aggregator.kpis.results import (
    Amount,
    Interval,
    NotAssessed,
    Outcome,
    Period,
    Quality,
    Reason,
    Result,
    Subject,
    Target,
    Text,
    fingerprint_of,
)

__all__ = ["VARIANTS", "compute"]

NAME: Final = "ict_footprint"
METHOD: Final = "1"
VARIANTS: Final = ("energy", "emissions", "sci", "reduction", "net_effect")
LEAST_COVERAGE: Final = 0.75
LEAST_DAYS: Final = 28
REDUCTION_PERCENT: Final = 30.0
YEARS: Final = 10
_PER_EVENTS: Final = 1000.0
_G_PER_KG: Final = 1000.0


def compute(inputs: Inputs, question: Question) -> tuple[Outcome, ...]:
    """The variants `energy`, `emissions`, `sci`, `reduction` and `net_effect`, in this order."""
    use, model = use_of(inputs.usage, question.period), model_of(inputs.factors, inputs.facts, question.period.end)
    coverage = min(1.0, use.hours / (24 * question.period.days))
    refusal: tuple[Reason, Text] | None = None
    if not use.hours:
        refusal = "no_data", texts.NO_DATA
    elif coverage < LEAST_COVERAGE:
        refusal = "low_coverage", texts.LOW
    if model is None or refusal is not None:
        reason, text = refusal or ("no_data", texts.NO_MODEL)
        return tuple(NotAssessed(NAME, each, *question[:2], reason, text, coverage) for each in VARIANTS)
    service = _Service(inputs, question, use, model, coverage)
    return service.energy(), service.emissions(), service.sci(), service.reduction(), service.net_effect()


@dataclass(frozen=True, slots=True)
class _Service:
    """What one answer rests on."""

    inputs: Inputs
    question: Question
    use: Use
    model: Model
    coverage: float

    @property
    def _told_kwh(self) -> float:
        return self.model.energy_kwh(self.use)

    @property
    def _kwh(self) -> float:
        """Of the whole period: hours that nobody told of were as the others."""
        return self._told_kwh / self.coverage + self.model.other_kwh(self.question.period.days)

    @property
    def _kgco2e(self) -> float:
        embodied = self.model.embodied_gco2e(self.use.elapsed_s) / self.coverage
        return (self._kwh * self.model.grid_gco2e_per_kwh + embodied) / _G_PER_KG

    def energy(self) -> Result:
        """Energy of the period."""
        other = self.model.other_kwh(self.question.period.days)
        figures = {"cpu_s": self.use.cpu_s, "elapsed_s": self.use.elapsed_s, "events": self.use.events}
        more = {"told_kwh": self._told_kwh, "other_kwh": other}
        return self._result("energy", self._kwh, "kWh", texts.FORMULA_ENERGY, figures=figures | more)

    def emissions(self) -> Result:
        """Greenhouse gas of the period, with the share of making the servers."""
        figures = {
            "operational_kgco2e": self._kwh * self.model.grid_gco2e_per_kwh / _G_PER_KG,
            "grid_gco2e_per_kwh": self.model.grid_gco2e_per_kwh,
        }
        limits = (texts.LIMIT_GRID,)
        return self._result("emissions", self._kgco2e, "kgCO2e", texts.FORMULA_EMISSIONS, limits, figures=figures)

    def sci(self) -> Outcome:
        """Software carbon intensity, ISO/IEC 21031: of what was told, as both its parts were told together."""
        if self.use.events <= 0:
            return self._neither("sci", "no_data", texts.NO_EVENTS)
        period = self.question.period
        told_kwh = self._told_kwh + self.model.other_kwh(period.days) * self.coverage
        grams = told_kwh * self.model.grid_gco2e_per_kwh + self.model.embodied_gco2e(self.use.elapsed_s)
        value = grams / self.use.events * _PER_EVENTS
        unit = "gCO2e/1000 events"
        return self._result("sci", value, unit, texts.FORMULA_SCI, (texts.LIMIT_GRID,), figures={"gco2e_told": grams})

    def reduction(self) -> Outcome:
        """Against the base year, on the way to 30 % in ten years."""
        period = self.question.period
        base = self.inputs.facts.quantity("ict_baseline_kgco2e_per_year", period.start)
        if base is None:
            return self._neither("reduction", "no_baseline", texts.NO_BASELINE)
        if period.days < LEAST_DAYS:
            return self._neither("reduction", "not_comparable", texts.SHORT)
        now = self._kgco2e / period.days * YEAR_DAYS
        value = 100 * (base.value - now) / base.value
        return self._result(
            "reduction",
            value,
            "%",
            texts.FORMULA_REDUCTION,
            (texts.LIMIT_GRID, texts.LIMIT_YEAR),
            figures={"line_percent": _line(base, period)},
            baseline_period=Period(date(base.date.year, 1, 1), date(base.date.year + 1, 1, 1)),
            baseline=Amount(base.value, "kgCO2e/year"),
            reported=Amount(now, "kgCO2e/year"),
            change_percent=-value,
            target=Target(REDUCTION_PERCENT, texts.GOAL, date(base.date.year + YEARS, 12, 31)),
        )

    def net_effect(self) -> Outcome:
        """What the families saved, for each kWh that the service used."""
        asked = self.question._replace(subject=Subject("programme", "familles", "Familles à énergie positive"))
        raw, corrected = energy_saving(self.inputs, asked)
        saving = corrected if isinstance(corrected, Result) else raw
        if isinstance(saving, NotAssessed):
            return self._neither("net_effect", saving.reason, saving.text)
        if saving.baseline is None or saving.reported is None:
            return self._neither("net_effect", "no_baseline", texts.NO_BASELINE)
        saved_kwh = saving.baseline.value - saving.reported.value
        percent = saving.baseline.value / 100 / self._kwh
        between = saving.interval
        return self._result(
            "net_effect",
            saved_kwh / self._kwh,
            "kWh/kWh",
            texts.FORMULA_NET,
            (texts.LIMIT_NET, *saving.limits),
            figures={"saved_kwh": saved_kwh, "used_kwh": self._kwh},
            population=saving.population,
            enrolled=saving.enrolled,
            largest_share=saving.largest_share,
            interval=None
            if between is None
            else Interval(between.low * percent, between.high * percent, between.level, between.method),
            fingerprint=fingerprint_of(METHOD, "net_effect", self._fingerprint("net_effect"), saving.fingerprint),
        )

    def _result(  # noqa: PLR0913 - what a result is made of
        self,
        variant: str,
        value: float,
        unit: str,
        formula: Text,
        limits: tuple[Text, ...] = (),
        *,
        figures: Mapping[str, float],
        **more: Any,
    ) -> Result:
        whole = self.use.modelled == (0.0, 0.0)
        measured = whole and variant == "energy" and self.coverage == 1.0 and not self.model.other_kwh_per_year
        own = texts.LIMIT_COUNTER if whole else texts.LIMIT_MODEL
        known: dict[str, Any] = {
            "kpi": NAME,
            "variant": variant,
            "subject": self.question.subject,
            "value": value,
            "unit": unit,
            "period": self.question.period,
            "coverage": self.coverage,
            "population": self.use.processes,
            "quality": Quality.MEASURED if measured else Quality.ASSUMPTIONS,
            "formula": formula,
            "factor_set": "; ".join([self.inputs.factors.id, *self._entered()]),
            "fingerprint": self._fingerprint(variant),
            "method_version": f"{NAME}/{METHOD}",
            "limits": (own, texts.LIMIT_OTHER, *limits),
            "figures": dict(figures),
        }
        return Result(**known | more)

    def _entered(self) -> tuple[str, ...]:
        return (f"{', '.join(self.model.entered)}: {self.inputs.facts.edition}",) if self.model.entered else ()

    def _fingerprint(self, variant: str) -> str:
        hours = sorted(
            (process.id, str(day), hour, *used)
            for process in self.inputs.usage
            for (day, hour), used in process.hours.items()
        )
        facts = [each.model_dump_json() for each in self.inputs.facts.quantities]
        return fingerprint_of(METHOD, variant, self.question, self.inputs.factors.model_dump_json(), facts, hours)

    def _neither(self, variant: str, reason: Reason, text: Text) -> NotAssessed:
        return NotAssessed(NAME, variant, self.question.subject, self.question.period, reason, text, self.coverage)


def _line(base: Quantity, period: Period) -> float:
    """Where the straight line from 0 in the base year to 30 % ten years later stands in the period's year."""
    years = min(YEARS, max(0, period.last.year - base.date.year))
    return REDUCTION_PERCENT * years / YEARS
