"""The report as one HTML file: nothing is loaded from elsewhere."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.aggregator.report.citykeys import citykeys_view
from services.aggregator.report.families import families_view, headline
from services.aggregator.report.junctions import junctions_view, traffic_headline
from services.aggregator.report.model import Assessed, Missing, Period, Report
from services.aggregator.report.panel import panel_view
from services.aggregator.report.texts import QUALITY, words
from services.aggregator.report.wording import day, days, number, percent

__all__ = ["page"]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("services.aggregator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(report: Report) -> str:
    """The page in the report's language."""
    text = words(report.language)
    families, junctions = families_view(report, text), junctions_view(report, text)
    first = headline(report, text) or traffic_headline(report, text)
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            t=text,
            language=report.language,
            period=days(report.period.start, report.period.end - timedelta(days=1), text, report.language),
            compared=(
                text["no_comparison"]
                if report.baseline is None
                else text["compared"].format(**_days(report.baseline, report))
            ),
            headline=first,
            families=families,
            junctions=junctions,
            panel=panel_view(report, text),
            citykeys=citykeys_view(report, text),
            missing=_missing(report, text),
            methods=_methods(report, text),
            made=text["made"].format(day=day(report.generated_on, report.language)),
            privacy=text[f"privacy_{report.audience}"],
            times=text["times"].format(zone=report.period.timezone),
        )
    )


def _days(period: Period, report: Report) -> dict[str, str]:
    last = period.end - timedelta(days=1)
    return {"first": day(period.start, report.language), "last": day(last, report.language)}


def _missing(report: Report, text: Mapping[str, str]) -> list[dict[str, str]]:
    """What has no value: those with the same reason in one line."""
    subjects: dict[tuple[str, str, str], list[str]] = {}
    for each in report.entries:
        if isinstance(each, Missing):
            variant = text.get(f"variant_{each.variant}", each.variant)
            subjects.setdefault((each.title, variant, each.explanation), []).append(each.subject.label)
    variants: dict[tuple[str, str, str], list[str]] = {}
    for (title, variant, explanation), labels in subjects.items():
        variants.setdefault((title, explanation, ", ".join(labels)), []).append(variant)
    return [
        {"title": title, "variants": ", ".join(its), "explanation": explanation, "subjects": labels}
        for (title, explanation, labels), its in variants.items()
    ]


def _methods(report: Report, text: Mapping[str, str]) -> list[dict[str, Any]]:
    """One block for each indicator and variant that has a value."""
    seen: dict[tuple[str, str], list[Assessed]] = {}
    for entry in report.entries:
        if isinstance(entry, Assessed):
            seen.setdefault((entry.kpi, entry.variant), []).append(entry)
    return [_method(its, report, text) for its in seen.values()]


def _method(entries: Sequence[Assessed], report: Report, text: Mapping[str, str]) -> dict[str, Any]:
    """Of an indicator: the whole programme comes first where there is one."""
    language, entry = report.language, entries[0]
    whole = entry.subject.kind == "programme"
    coverage = entry.coverage if whole else min(each.coverage for each in entries)
    least = "" if whole else text["at_least"] + " "
    rows = [
        (text["formula"], entry.formula),
        (text["quality"], QUALITY[entry.quality].in_language(language)),
        (text["coverage"].capitalize(), least + percent(100 * coverage, language, 0)),
    ]
    figures = entry.figures
    if "homes_regression" in figures:
        counts = {name: number(figures[f"homes_{name}"], language) for name in ("regression", "declared", "default")}
        share = percent(figures["heat_share_percent"], language, 0)
        rows.append((text["heat"], text["heat_note"].format(share=share, **counts)))
    if entry.variant == "degree_days" and report.weather_station:
        rows.append((text["station"], report.weather_station))
    if entry.target is not None:
        rows.append((text["source_goal"], entry.target.source))
    note = "" if entry.references_verified else " " + text["unverified"]
    if entry.factor_set is not None:
        rows.append((text["factors"], entry.factor_set))
    rows += [
        (text["version"], f"{entry.method_version} · {entry.fingerprint}" if whole else entry.method_version),
        (text["references"], ", ".join(entry.references) + note),
    ]
    variant = text.get(f"variant_{entry.variant}", entry.variant)
    return {"title": f"{entry.title} ({variant})", "rows": rows, "limits": entry.limits}
