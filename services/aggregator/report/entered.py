"""What the page shows of the facts that the city entered: quantities and goals, with day and source. Pure."""

from collections.abc import Mapping
from typing import Any

from services.aggregator.report.model import Report
from services.aggregator.report.said import amount, target_text
from services.aggregator.report.wording import day

__all__ = ["entered_view"]


def entered_view(report: Report, words: Mapping[str, str]) -> dict[str, Any] | None:
    """Both tables; `None` without a file of facts."""
    entered = report.entered
    if entered is None or not (entered.quantities or entered.targets):
        return None
    language = report.language
    return {
        "lead": words["entered_lead"].format(edition=entered.edition),
        "quantities": [
            {
                "title": each.title,
                "value": amount(each.value, each.unit, words, language),
                "day": day(each.day, language),
                "source": each.source,
            }
            for each in entered.quantities
        ],
        "targets": [
            {
                "title": each.title,
                "indicator": each.indicator,
                "value": target_text(each, language).partition(" (")[0],
                "due": day(each.due, language),
                "source": each.source,
            }
            for each in entered.targets
        ],
    }
