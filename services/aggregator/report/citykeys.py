"""The catalogue of CITYkeys as the report holds it: scores, targets, and why something is missing. Pure."""

from datetime import date
from typing import Final

from services.aggregator.kpis.catalogue import Catalogue, Indicator, catalogue
from services.aggregator.kpis.facts import Facts, Target
from services.aggregator.kpis.results import Language, Text
from services.aggregator.report.model import CatalogueRow, EnteredTarget, Judgement

__all__ = ["rows_of", "targets_of"]

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
            "target": _target(row, facts, end, language),
            "verified": row.verified,
            "source": row.source,
        }
    )


def _target(row: Indicator, facts: Facts, at: date, language: Language) -> EnteredTarget | None:
    found = facts.target_of(row.slug, at)
    return None if found is None else _entered(row, found, language)


def _entered(row: Indicator, target: Target, language: Language) -> EnteredTarget:
    return EnteredTarget(
        indicator=row.slug,
        title=row.fr if language == "fr" else row.en,
        value=target.value,
        unit=row.unit,
        due=target.due,
        at_most=row.better == "less",
        source=target.source,
    )


def targets_of(facts: Facts, language: Language) -> tuple[EnteredTarget, ...]:
    """Every target that was entered, with the name and unit of its indicator."""
    known = catalogue()
    found = [(known.get(each.indicator), each) for each in facts.targets]
    return tuple(_entered(row, each, language) for row, each in found if row is not None)
