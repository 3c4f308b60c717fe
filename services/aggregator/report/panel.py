"""What the page shows of the panel Les pionniers: one row for each application and question. Pure."""

from collections.abc import Mapping
from typing import Any

from services.aggregator.report.model import Assessed, Report
from services.aggregator.report.wording import number, percent

__all__ = ["panel_view"]


def panel_view(report: Report, text: Mapping[str, str]) -> dict[str, Any] | None:
    """Values with their intervals; `None` if there is none."""
    rows = [_row(each, report, text) for each in report.entries if _shown(each)]
    return {"rows": rows} if rows else None


def _shown(entry: object) -> bool:
    return isinstance(entry, Assessed) and entry.subject.kind == "application"


def _row(entry: Any, report: Report, text: Mapping[str, str]) -> dict[str, str]:
    def said(value: float) -> str:
        if entry.unit == "%":
            return percent(value, report.language, 0)
        return f"{number(value, report.language, 1)} {text.get(f'unit_{entry.variant}', '')}".strip()

    interval = entry.interval
    return {
        "application": entry.subject.label,
        "question": text[f"variant_{entry.variant}"],
        "value": said(entry.value),
        "interval": ""
        if interval is None
        else text["interval_short"].format(low=said(interval.low), high=said(interval.high)),
        "members": number(entry.population, report.language),
    }
