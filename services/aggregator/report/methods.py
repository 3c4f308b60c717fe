"""How each result came about: a block for each indicator and variant, with a row for each of its results. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from services.aggregator.report.model import Assessed, Period, Report
from services.aggregator.report.said import amount, interval_text, target_text, trend_text
from services.aggregator.report.texts import QUALITY
from services.aggregator.report.wording import number, percent, signed_percent

__all__ = ["methods_view"]

Words = Mapping[str, str]


def methods_view(report: Report, words: Words) -> list[dict[str, Any]]:
    """One block for each indicator and variant that has a value."""
    seen: dict[tuple[str, str], list[Assessed]] = {}
    for entry in report.entries:
        if isinstance(entry, Assessed):
            seen.setdefault((entry.kpi, entry.variant), []).append(entry)
    return [_method(its, report, words) for its in seen.values()]


def _method(entries: Sequence[Assessed], report: Report, words: Words) -> dict[str, Any]:
    """What all its results share, and each of them."""
    entry = entries[0]
    variant = words.get(f"variant_{entry.variant}", entry.variant)
    return {
        "id": f"method-{entry.kpi}-{entry.variant}".replace("_", "-"),
        "title": f"{entry.title} ({variant})",
        "rows": _shared(entry, report, words),
        "limits": entry.limits,
        "results": [_result(each, report, words) for each in entries],
    }


def _shared(entry: Assessed, report: Report, words: Words) -> list[tuple[str, str]]:
    language = report.language
    rows = [(words["formula"], entry.formula), (words["quality"], QUALITY[entry.quality].in_language(language))]
    figures = entry.figures
    if "homes_regression" in figures:
        counts = {name: number(figures[f"homes_{name}"], language) for name in ("regression", "declared", "default")}
        share = percent(figures["heat_share_percent"], language, 0)
        rows.append((words["heat"], words["heat_note"].format(share=share, **counts)))
    if entry.variant == "degree_days" and report.weather_station:
        rows.append((words["station"], report.weather_station))
    if entry.target is not None:
        rows.append((words["source_goal"], entry.target.source))
    if entry.interval is not None:
        rows.append((words["interval_of_95"], entry.interval.method))
    rows.append((words["factors"], entry.factor_set or words["no_factors"]))
    note = "" if entry.references_verified else " " + words["unverified"]
    rows.append((words["version"], entry.method_version))
    rows.append((words["references"], ", ".join(entry.references) + note))
    return rows


def _result(entry: Assessed, report: Report, words: Words) -> dict[str, Any]:
    language, compared = report.language, entry.comparison
    change = None if compared is None else compared.change_percent
    return {
        "id": entry.subject.id,
        "name": entry.subject.label,
        "value": amount(entry.value, entry.unit, words, language),
        "interval": interval_text(entry, words, language),
        "period": _days(entry.period),
        "baseline": ["–"] if compared is None else _days(compared.period),
        "before": _before(entry, words, report),
        "change": "–" if change is None else signed_percent(change, language),
        "target": "–" if entry.target is None else target_text(entry.target, language, entry.unit),
        "reached": "✓" if entry.target is not None and entry.target.reached else "",
        "trend": trend_text(entry, words, language),
        "coverage": percent(100 * entry.coverage, language, 0),
        "fingerprint": entry.fingerprint,
    }


def _before(entry: Assessed, words: Words, report: Report) -> str:
    """The amount of the baseline, where it may be told."""
    compared = entry.comparison
    if compared is None or compared.baseline_amount is None:
        return ""
    return amount(compared.baseline_amount, compared.unit or "", words, report.language)


def _days(period: Period) -> list[str]:
    """ISO days, the last one included: short, and the same in both languages."""
    last: date = period.end - timedelta(days=1)
    return [str(day) for day in sorted({period.start, last})]
