"""The report as CSV: one row for each indicator, subject and period. UTF-8, commas, ISO dates, decimal points.

Numbers are in the unit of their row. Text that a spreadsheet would run as a formula begins with an apostrophe.
"""

import csv
from io import StringIO
from typing import Final

from services.aggregator.report.model import Assessed, Missing, Report

__all__ = ["COLUMNS", "csv_text", "safe_cell"]

COLUMNS: Final = (
    "indicator", "title", "variant", "programme", "theme", "subject_kind", "subject_id", "subject",
    "period_start", "period_end_excluded", "status", "value", "unit", "interval_low", "interval_high",
    "baseline_start", "baseline_end_excluded", "baseline_amount", "reported_amount", "amount_unit", "change_percent",
    "target", "target_due", "trend_per_year",
    "coverage", "population", "quality", "formula", "factor_set", "fingerprint", "method_version",
    "references_verified", "explanation",
)  # fmt: skip
_FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r")

_Cell = str | float | None


def csv_text(report: Report) -> str:
    """All entries, then the catalogue of CITYkeys if it was asked for: scores, and what is not assessed."""
    out = StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for entry in report.entries:
        writer.writerow({name: safe_cell(cell) for name, cell in _entry(entry).items()})
    for row in report.catalogue:
        cells: dict[str, _Cell] = {
            "indicator": row.slug,
            "title": row.title,
            "programme": "citykeys",
            "theme": row.theme,
            "period_start": report.period.start.isoformat(),
            "period_end_excluded": report.period.end.isoformat(),
            "status": row.status,
            "value": None if row.score is None else row.score.value,
            "unit": row.unit,
            "target": None if row.target is None else row.target.value,
            "target_due": None if row.target is None else row.target.due.isoformat(),
            "formula": row.formula,
            "references_verified": str(row.verified).lower(),
            "explanation": row.explanation if row.score is None else row.score.justification,
        }
        writer.writerow({name: safe_cell(cell) for name, cell in cells.items()})
    return out.getvalue()


def _entry(entry: Assessed | Missing) -> dict[str, _Cell]:
    cells: dict[str, _Cell] = {
        "indicator": entry.kpi,
        "title": entry.title,
        "variant": entry.variant,
        "programme": entry.programme,
        "theme": entry.theme,
        "subject_kind": entry.subject.kind,
        "subject_id": entry.subject.id,
        "subject": entry.subject.label,
        "period_start": entry.period.start.isoformat(),
        "period_end_excluded": entry.period.end.isoformat(),
        "status": entry.status,
        "coverage": entry.coverage,
        "references_verified": str(entry.references_verified).lower(),
    }
    if isinstance(entry, Missing):
        return cells | {"explanation": entry.explanation}
    return cells | _value(entry) | _compared(entry)


def _value(entry: Assessed) -> dict[str, _Cell]:
    return {
        "value": entry.value,
        "unit": entry.unit,
        "interval_low": None if entry.interval is None else entry.interval.low,
        "interval_high": None if entry.interval is None else entry.interval.high,
        "target": None if entry.target is None else entry.target.value,
        "target_due": None if entry.target is None or entry.target.due is None else entry.target.due.isoformat(),
        "trend_per_year": None if entry.trend is None else entry.trend.slope_per_year,
        "population": entry.population,
        "quality": entry.quality,
        "formula": entry.formula,
        "factor_set": entry.factor_set,
        "fingerprint": entry.fingerprint,
        "method_version": entry.method_version,
        "explanation": " ".join(entry.limits),
    }


def _compared(entry: Assessed) -> dict[str, _Cell]:
    compared = entry.comparison
    if compared is None:
        return {}
    return {
        "baseline_start": compared.period.start.isoformat(),
        "baseline_end_excluded": compared.period.end.isoformat(),
        "baseline_amount": compared.baseline_amount,
        "reported_amount": compared.reported_amount,
        "amount_unit": compared.unit,
        "change_percent": compared.change_percent,
    }


def safe_cell(cell: _Cell) -> _Cell:
    """The cell, or with an apostrophe before it what a spreadsheet would run."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_SIGNS) else cell
