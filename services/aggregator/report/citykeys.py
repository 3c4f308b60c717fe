"""The catalogue of CITYkeys as the report tells it: figures, scores of assessors, and what is not assessed. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from services.aggregator.kpis.catalogue import THEMES, Catalogue, Indicator, catalogue
from services.aggregator.kpis.facts import Facts
from services.aggregator.kpis.results import Language, Text
from services.aggregator.report.model import Assessed, CatalogueRow, Judgement, Report
from services.aggregator.report.wording import day, number, percent

__all__ = ["citykeys_view", "rows_of"]

_NOT_SCORED: Final = Text(
    "An assessor gives this score; none was entered before the end of the period.",
    "Un évaluateur donne cette note ; aucune n’a été saisie avant la fin de la période.",
)


def rows_of(facts: Facts, end: date, language: Language) -> tuple[CatalogueRow, ...]:
    """Every indicator of CITYkeys, with the newest score before the end of the period."""
    known = catalogue()
    return tuple(_row(row, known, facts, end, language) for row in known.indicators if row.framework == "citykeys")


def _row(row: Indicator, known: Catalogue, facts: Facts, end: date, language: Language) -> CatalogueRow:
    score = facts.score_of(row.slug, end)
    explanation = None
    if row.reason is not None:
        reason = known.reasons[row.reason]
        explanation = Text(reason.en, reason.fr).in_language(language)
    status: str = row.status
    if row.status == "assessor_scored":
        status = "not_scored" if score is None else "scored"
        explanation = _NOT_SCORED.in_language(language) if score is None else None
    return CatalogueRow.model_validate(
        {
            "slug": row.slug,
            "title": row.fr if language == "fr" else row.en,
            "level": row.level,
            "theme": row.theme,
            "subtheme": row.subtheme,
            "formula": row.formula,
            "unit": row.unit,
            "status": status,
            "kpi": row.kpi,
            "explanation": explanation,
            "score": None
            if score is None
            else Judgement(
                value=score.score,
                justification=score.justification,
                assessor_role=score.assessor_role,
                day=score.date,
                evidence=score.evidence,
            ),
            "verified": row.verified,
            "source": row.source,
        }
    )


def citykeys_view(report: Report, text: Mapping[str, str]) -> dict[str, Any] | None:
    """What the page shows, by theme; `None` if CITYkeys was not asked for."""
    if not report.catalogue:
        return None
    themes = [_theme(name, report, text) for name in THEMES]
    rows = report.catalogue
    counts = {
        "all": len(rows),
        "figures": sum(len(theme["figures"]) for theme in themes),
        "scores": sum(row.status == "scored" for row in rows),
    }
    return {"lead": text["citykeys_lead"].format(**counts), "themes": themes}


def _theme(name: str, report: Report, text: Mapping[str, str]) -> dict[str, Any]:
    rows = [row for row in report.catalogue if row.theme == name]
    figures = [figure for row in rows for figure in _figures(row, report, text)]
    scores = [
        {
            "title": row.title,
            "level": text[f"level_{row.level}"],
            "value": text["of_five"].format(score=row.score.value),
            "justification": row.score.justification,
            "by": f"{row.score.assessor_role}, {day(row.score.day, report.language)}",
        }
        for row in rows
        if row.score is not None
    ]
    told = {figure["slug"] for figure in figures}
    absent: dict[str, list[str]] = {}
    for row in rows:
        if row.score is None and row.slug not in told and row.explanation is not None:
            absent.setdefault(row.explanation, []).append(f"{row.title} ({text[f'level_{row.level}']})")
    return {
        "id": name,
        "title": text[f"theme_{name}"],
        "figures": figures,
        "scores": scores,
        "absent": [{"explanation": why, "titles": titles} for why, titles in absent.items()],
        "absent_count": sum(len(titles) for titles in absent.values()),
    }


def _figures(row: CatalogueRow, report: Report, text: Mapping[str, str]) -> list[dict[str, str]]:
    """The figures of the whole programme that say something of the row."""
    found = [
        each
        for each in report.entries
        if isinstance(each, Assessed) and each.kpi == row.kpi and each.subject.kind == "programme"
    ]
    return [
        {
            "slug": row.slug,
            "title": row.title,
            "level": text[f"level_{row.level}"],
            "value": _value(each, report.language),
            "variant": text.get(f"variant_{each.variant}", each.variant),
            "note": row.explanation or "",
        }
        for each in found
    ]


def _value(entry: Assessed, language: Language) -> str:
    if entry.unit == "%":
        return percent(entry.value, language)
    return f"{number(entry.value, language)} {entry.unit}"
