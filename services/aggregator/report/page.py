"""The report as one HTML file: nothing is loaded from elsewhere."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.aggregator.report.charter import charter_view
from services.aggregator.report.compass import compass_view
from services.aggregator.report.entered import entered_view
from services.aggregator.report.families import families_view, headline
from services.aggregator.report.junctions import junctions_view, traffic_headline
from services.aggregator.report.methods import methods_view
from services.aggregator.report.model import Missing, Period, Report
from services.aggregator.report.panel import panel_view
from services.aggregator.report.texts import words
from services.aggregator.report.themes import citykeys_view
from services.aggregator.report.wording import day, days

__all__ = ["own_page", "page"]


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("services.aggregator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def own_page(view: Mapping[str, object]) -> str:
    """A family's own page, or a team's, of what `own` says."""
    return _environment().get_template("own.html.jinja").render(**view)


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
            compass=compass_view(report, text),
            panel=panel_view(report, text),
            citykeys=citykeys_view(report, text),
            charter=charter_view(report, text),
            entered=entered_view(report, text),
            missing=_missing(report, text),
            methods=methods_view(report, text),
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
