"""What the page shows of the footprint of this service: cards and the way to 30 % less. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from services.aggregator.report import themecharts
from services.aggregator.report.charts import Chart, Drawn
from services.aggregator.report.families import Card
from services.aggregator.report.model import Assessed, Missing, Report
from services.aggregator.report.wording import number, percent, signed_percent, small

__all__ = ["footprint_view"]

KPI: Final = "ict_footprint"
_VARIANTS: Final = ("energy", "emissions", "sci", "reduction", "net_effect")

Words = Mapping[str, str]


def footprint_view(report: Report, words: Words) -> dict[str, Any]:
    """Cards of what is known, and the reasons of the rest."""
    found = {each.variant: each for each in report.entries if each.kpi == KPI}
    known = [each for name in _VARIANTS if isinstance(each := found.get(name), Assessed)]
    absent = [each for name in _VARIANTS if isinstance(each := found.get(name), Missing)]
    reasons: dict[str, list[str]] = {}
    for each in absent:
        reasons.setdefault(each.explanation, []).append(words[f"variant_{each.variant}"])
    reduction = found.get("reduction")
    return {
        "cards": [_card(each, report, words) for each in known],
        "path": _path(reduction, report, words) if isinstance(reduction, Assessed) else None,
        "rows": _rows(reduction, report) if isinstance(reduction, Assessed) else [],
        "absent": [{"explanation": why, "variants": ", ".join(names)} for why, names in reasons.items()],
    }


def _card(entry: Assessed, report: Report, words: Words) -> Card:
    language, label = report.language, words[f"variant_{entry.variant}"]
    if entry.variant == "reduction":
        tone = "good" if entry.value >= entry.figures["line_percent"] else ""
        note = words["charter_line"].format(value=percent(entry.figures["line_percent"], language, 0))
        return Card(label, signed_percent(-entry.value, language), note, tone)
    if entry.variant == "net_effect":
        interval = entry.interval
        note = words["charter_net"]
        if interval is not None:
            low, high = small(interval.low, language), small(interval.high, language)
            note += ", " + words["interval"].format(low=low, high=high)
        return Card(label, small(entry.value, language), note, "good" if entry.value > 1 else "")
    value = f"{small(entry.value, language)} {words[f'unit_{entry.variant}']}"
    return Card(label, value, words[f"note_{entry.variant}"])


def _years(entry: Assessed) -> tuple[int, int, int] | None:
    if entry.comparison is None or entry.target is None or entry.target.due is None:
        return None
    return entry.comparison.period.start.year, entry.period.end.year, entry.target.due.year


def _path(entry: Assessed, report: Report, words: Words) -> Drawn | None:
    """The straight line from the base year to 30 % less, and where the service stands."""
    years, amounts = _years(entry), entry.comparison
    if years is None or amounts is None or amounts.baseline_amount is None or amounts.reported_amount is None:
        return None
    language, goal = report.language, entry.target.value if entry.target is not None else 0.0
    end = amounts.baseline_amount * (1 - goal / 100)
    chart = Chart(
        "footprint",
        words["charter_path"],
        words["charter_path_desc"].format(
            base=number(amounts.baseline_amount, language, 1),
            first=years[0],
            now=number(amounts.reported_amount, language, 1),
            year=years[1],
            goal=number(end, language, 1),
            due=years[2],
        ),
    )
    line = ((years[0], amounts.baseline_amount), (years[2], end))
    named = (words["charter_goal_line"], words["charter_now"])
    return themecharts.path(chart, line, (years[1], amounts.reported_amount), named, language)


def _rows(entry: Assessed, report: Report) -> list[tuple[str, str]]:
    """The table beside the drawing."""
    years, amounts = _years(entry), entry.comparison
    if years is None or amounts is None or amounts.baseline_amount is None or amounts.reported_amount is None:
        return []
    goal = amounts.baseline_amount * (1 - (entry.target.value if entry.target is not None else 0.0) / 100)
    values = (amounts.baseline_amount, amounts.reported_amount, goal)
    return [
        (str(year), f"{number(value, report.language, 1)} kgCO₂e") for year, value in zip(years, values, strict=True)
    ]
