"""What a report holds besides its entries: the catalogue of CITYkeys, the charter, the facts of the city. Pure."""

from datetime import date

from services.aggregator.kpis.facts import KNOWN, Facts, Quantity
from services.aggregator.kpis.results import Language
from services.aggregator.report.assessment import CITYKEYS
from services.aggregator.report.charter import CHARTER, commitments_of
from services.aggregator.report.citykeys import rows_of, targets_of
from services.aggregator.report.model import Entered, EnteredQuantity, Report

__all__ = ["complete"]


def complete(report: Report, facts: Facts) -> Report:
    """The report with all that its programmes tell besides figures."""
    end, language = report.period.end, report.language
    return report.model_copy(
        update={
            "entered": None if facts == Facts() else _entered(facts, end, language),
            "catalogue": rows_of(facts, end, language) if CITYKEYS in report.programmes else (),
            "charter": commitments_of(report, facts) if CHARTER in report.programmes else (),
        }
    )


def _entered(facts: Facts, end: date, language: Language) -> Entered:
    """The newest quantity of each name from before the end of the period, and every target."""
    names = sorted({each.name for each in facts.quantities})
    newest = [found for name in names if (found := facts.quantity(name, end)) is not None]
    return Entered(
        edition=facts.edition,
        quantities=tuple(_quantity(each, language) for each in newest),
        targets=targets_of(facts, language),
    )


def _quantity(quantity: Quantity, language: Language) -> EnteredQuantity:
    known = KNOWN.get(quantity.name)
    title = quantity.name.replace("_", " ") if known is None else known.fr if language == "fr" else known.en
    return EnteredQuantity(
        name=quantity.name,
        title=title,
        value=quantity.value,
        unit=quantity.unit,
        day=quantity.date,
        source=quantity.source,
        used=quantity.name.startswith(("ict_", "gdc_")),
    )
