"""What the page and the paper show of CITYkeys: an overview, then one page for each theme. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.aggregator.kpis.catalogue import THEMES
from services.aggregator.report import themecharts
from services.aggregator.report.charts import Chart, Drawn
from services.aggregator.report.model import Assessed, CatalogueRow, Report
from services.aggregator.report.said import amount, interval_text, target_text, trend_text
from services.aggregator.report.wording import day, signed_percent

__all__ = ["citykeys_view"]

Words = Mapping[str, str]
_SLOPE: Final = "%"


def citykeys_view(report: Report, words: Words, *, drawn: bool = True) -> dict[str, Any] | None:
    """What is shown, by theme; `None` if CITYkeys was not asked for. `drawn` makes the charts too."""
    if not report.catalogue:
        return None
    themes = [_theme(name, report, words, drawn=drawn) for name in THEMES]
    counts = {
        "all": len(report.catalogue),
        "figures": sum(len(theme["figures"]) for theme in themes),
        "scores": sum(row.status == "scored" for row in report.catalogue),
    }
    shares = [theme["share"] for theme in themes]
    return {
        "lead": words["citykeys_lead"].format(**counts),
        "themes": themes,
        "overview": _overview(shares, words) if drawn else None,
        "states": _states(words),
        "shares": shares,
    }


def _states(words: Words) -> tuple[str, ...]:
    return tuple(words[f"ck_state_{state}"] for state in themecharts.STATES)


def _theme(name: str, report: Report, words: Words, *, drawn: bool) -> dict[str, Any]:
    rows = [row for row in report.catalogue if row.theme == name]
    figures = [figure for row in rows for figure in _figures(row, report, words)]
    told = {figure["slug"] for figure in figures}
    judged = [row for row in rows if row.score is not None]
    share = _share(words[f"theme_{name}"], rows, told)
    known = share.counts[0] + share.counts[1]
    return {
        "id": name,
        "title": words[f"theme_{name}"],
        "about": words[f"theme_{name}_about"],
        "story": _story(share, words),
        "share": share,
        "told": words["ck_told"].format(count=known, all=len(rows)),
        "first": figures[-1] if figures else None,
        "squares": _squares(name, share, words) if drawn else None,
        "goals": _goals(name, figures, report, words) if drawn else None,
        "scale": _scale(name, judged, words) if drawn and judged else None,
        "figures": figures,
        "scores": [_score(row, report, words) for row in judged],
        **_absent(rows, told, words),
    }


def _share(title: str, rows: Sequence[CatalogueRow], told: set[str]) -> themecharts.Share:
    scored = sum(row.score is not None for row in rows)
    figures = sum(row.score is None and row.slug in told for row in rows)
    waiting = sum(row.status == "not_scored" for row in rows)
    return themecharts.Share(title, (figures, scored, waiting, len(rows) - figures - scored - waiting))


def _story(share: themecharts.Share, words: Words) -> str:
    figures, scored, waiting, absent = share.counts
    known = {"all": sum(share.counts), "figures": figures, "scores": scored, "open": waiting, "absent": absent}
    return words["ck_story" if figures or scored else "ck_story_nothing"].format(**known)


def _score(row: CatalogueRow, report: Report, words: Words) -> dict[str, str]:
    score = row.score
    if score is None:
        return {}
    return {
        "title": row.title,
        "level": words[f"level_{row.level}"],
        "value": words["of_five"].format(score=score.value),
        "justification": score.justification,
        "by": f"{score.assessor_role}, {day(score.day, report.language)}",
        "evidence": "; ".join(score.evidence),
        "target": target_text(row.target, report.language) if row.target is not None else "",
    }


def _absent(rows: Sequence[CatalogueRow], told: set[str], words: Words) -> dict[str, Any]:
    """Names by the reason why they have no value; those with the most names first."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.score is None and row.slug not in told and row.explanation is not None:
            found.setdefault(row.explanation, []).append(f"{row.title} ({words[f'level_{row.level}']})")
    ordered = sorted(found.items(), key=lambda each: -len(each[1]))
    return {
        "absent": [{"explanation": why, "titles": titles} for why, titles in ordered],
        "absent_count": sum(map(len, found.values())),
    }


def _figures(row: CatalogueRow, report: Report, words: Words) -> list[dict[str, Any]]:
    """The figures of the whole programme that say something of the row; else what its junctions span."""
    found = [each for each in report.entries if isinstance(each, Assessed) and each.kpi == row.kpi]
    whole = [each for each in found if each.subject.kind == "programme"]
    if whole:
        return [_figure(row, each, report, words) for each in whole]
    variants: dict[str, list[Assessed]] = {}
    for each in found:
        variants.setdefault(each.variant, []).append(each)
    return [_span(row, its, report, words) for its in variants.values()]


def _about(row: CatalogueRow, entry: Assessed, words: Words) -> dict[str, Any]:
    return {
        "slug": row.slug,
        "title": row.title,
        "level": words[f"level_{row.level}"],
        "variant": words.get(f"variant_{entry.variant}", entry.variant),
        "note": row.explanation or "",
    }


def _figure(row: CatalogueRow, entry: Assessed, report: Report, words: Words) -> dict[str, Any]:
    change = None if entry.comparison is None else entry.comparison.change_percent
    language = report.language
    return _about(row, entry, words) | {
        "entry": entry,
        "value": amount(entry.value, entry.unit, words, language),
        "interval": interval_text(entry, words, language),
        "change": "–" if change is None else signed_percent(change, language),
        "target": "–" if entry.target is None else target_text(entry.target, language, entry.unit),
        "trend": trend_text(entry, words, language),
        "reached": entry.target is not None and entry.target.reached,
    }


def _span(row: CatalogueRow, entries: Sequence[Assessed], report: Report, words: Words) -> dict[str, Any]:
    """Of several junctions or applications: from the least to the most."""
    low, high = min(each.value for each in entries), max(each.value for each in entries)
    first, language = entries[0], report.language
    unit = first.unit if first.unit == _SLOPE else ""
    ends = [amount(low, unit, words, language), amount(high, first.unit, words, language)]
    several = words["ck_span"].format(low=ends[0], high=ends[1])
    return _about(row, first, words) | {
        "entry": None,
        "value": several if low != high else ends[1],
        "interval": words[f"ck_count_{first.subject.kind}"].format(count=len(entries)),
        "change": "–",
        "target": "–",
        "trend": "–",
        "reached": False,
    }


def _overview(shares: Sequence[themecharts.Share], words: Words) -> Drawn:
    told = "; ".join(
        f"{share.name}: "
        + ", ".join(f"{count} {name}" for count, name in zip(share.counts, _states(words), strict=True) if count)
        for share in shares
    )
    return themecharts.overview(Chart("ck-overview", words["ck_overview"], f"{told}."), shares, _states(words))


def _squares(name: str, share: themecharts.Share, words: Words) -> Drawn:
    told = ", ".join(f"{count} {state}" for count, state in zip(share.counts, _states(words), strict=True) if count)
    title = words["ck_squares"].format(theme=share.name)
    labels = [
        words["ck_label"].format(name=state, count=count)
        for count, state in zip(share.counts, _states(words), strict=True)
    ]
    return themecharts.squares(Chart(f"ck-{name}-squares", title, f"{told}."), share, labels)


def _goals(name: str, figures: Sequence[Mapping[str, Any]], report: Report, words: Words) -> Drawn | None:
    """Percentages beside their goals."""
    rows = []
    for figure in figures:
        entry = figure["entry"]
        if entry is not None and entry.target is not None and entry.unit == _SLOPE:
            between = entry.interval
            low, high = (None, None) if between is None else (between.low, between.high)
            label = f"{figure['title']} ({figure['variant']})"
            rows.append(themecharts.Goal(label, entry.value, figure["value"], entry.target.value, low, high))
    if not rows:
        return None
    text = "; ".join(f"{row.name}: {row.label}" for row in rows)
    chart = Chart(f"ck-{name}-goals", words["ck_goals"], f"{text}.")
    return themecharts.goals(chart, rows, ("%", words["ck_goal"]), report.language)


def _scale(name: str, judged: Sequence[CatalogueRow], words: Words) -> Drawn:
    rows = [themecharts.Scored(row.title, row.score.value) for row in judged if row.score is not None]
    text = "; ".join(f"{row.name}: {words['of_five'].format(score=row.value)}" for row in rows)
    lowest = 0 if any(row.unit == "0-5" for row in judged) else 1
    chart = Chart(f"ck-{name}-scores", words["ck_scale"], f"{text}.")
    return themecharts.scores(chart, rows, (words["ck_least"], words["ck_most"]), lowest)
