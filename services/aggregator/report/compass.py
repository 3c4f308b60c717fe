"""What the page shows of Compass4D: passages, map, corridors, effects, priority, signals, warnings. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.aggregator.report.charts import Chart, Drawn
from services.aggregator.report.effectcharts import Change, changes
from services.aggregator.report.families import Card
from services.aggregator.report.junctionmap import Mark, draw_map
from services.aggregator.report.model import Assessed, Report, assessed
from services.aggregator.report.said import amount
from services.aggregator.report.wording import days, number, signed_percent, small

__all__ = ["compass_view"]

PASSAGES: Final = "junction_passages"
BEFORE_AFTER: Final = "service_before_after"
WITH_WITHOUT: Final = "service_with_without"
_CARDS: Final = ("delay", "stops", "green", "glosa", "violations", "co2")
_COLUMNS: Final = ("delay", "stops", "idle", "green", "glosa", "violations")
_OTHERS: Final = (("priority", "priority_requests"), ("signals", "signal_predictions"), ("warnings", "hazard_warnings"))
_BY_PLACE: Final = ("delay", "stops")

Words = Mapping[str, str]


def compass_view(report: Report, words: Words) -> dict[str, Any] | None:
    """Everything of the section; `None` where nothing of it has a value."""
    whole = {each.variant: each for each in _known(report, PASSAGES, "programme")}
    blocks = [block for name, kpi in _OTHERS if (block := _block(report, words, name, kpi)) is not None]
    effects = [each for each in (_before_after(report, words), _with_without(report, words)) if each is not None]
    if not whole and not blocks and not effects:
        return None
    rows = _rows(report, words, "junction")
    return {
        "lead": _lead(whole, words, report),
        "cards": [_card(whole[name], words, report) for name in _CARDS if name in whole],
        "columns": [words[f"variant_{name}"] for name in _COLUMNS],
        "rows": rows,
        "map": _map(report, words, rows),
        "corridors": _rows(report, words, "corridor"),
        "effects": effects,
        "blocks": blocks,
    }


def _known(report: Report, kpi: str, kind: str) -> list[Assessed]:
    return [each for each in assessed(report.entries) if (each.kpi, each.subject.kind) == (kpi, kind)]


def _lead(whole: Mapping[str, Assessed], words: Words, report: Report) -> str:
    stops = whole.get("stops")
    if stops is None:
        return ""
    counts = {"passages": number(stops.population, report.language), "count": int(stops.figures["junctions"])}
    return words["effects_lead"].format(**counts)


def _said(entry: Assessed, words: Words, report: Report) -> str:
    return amount(entry.value, entry.unit, words, report.language)


def _between(entry: Assessed, words: Words, report: Report) -> str:
    if entry.interval is None:
        return ""
    low, high = (small(each, report.language) for each in (entry.interval.low, entry.interval.high))
    return words["card_between"].format(low=low, high=high)


def _card(entry: Assessed, words: Words, report: Report) -> Card:
    return Card(words[f"variant_{entry.variant}"], _said(entry, words, report), _between(entry, words, report))


def _rows(report: Report, words: Words, kind: str) -> list[dict[str, Any]]:
    """One row for each place of which something is told, with its number on the map."""
    places: dict[str, dict[str, Assessed]] = {}
    for each in _known(report, PASSAGES, kind):
        places.setdefault(each.subject.id, {})[each.variant] = each
    names = {site.id: site.name for site in report.sites}
    routes = {route.id: route for route in report.routes}
    rows: list[dict[str, Any]] = []
    for number_, (id_, its) in enumerate(sorted(places.items()), 1):
        route = routes.get(id_)
        first = next(iter(its.values()))
        rows.append(
            {
                "id": id_,
                "number": number_,
                "name": first.subject.label,
                "note": ""
                if route is None
                else words["corridor_of"].format(
                    count=len(route.junctions), names=", ".join(names.get(each, each) for each in route.junctions)
                ),
                "population": max(each.population for each in its.values()),
                "passages": number(max(each.population for each in its.values()), report.language),
                "delay": its.get("delay"),
                "cells": [
                    ("–", "") if each is None else (_said(each, words, report), _between(each, words, report))
                    for each in (its.get(name) for name in _COLUMNS)
                ],
            }
        )
    return rows


def _map(report: Report, words: Words, rows: Sequence[Mapping[str, Any]]) -> Drawn | None:
    known = {row["id"]: row for row in rows}
    sites = [site for site in report.sites if site.id in known]
    if not sites:
        return None
    marks = {}
    for site in sites:
        row = known[site.id]
        delay: Assessed | None = row["delay"]
        label = words["map_unknown"] if delay is None else _said(delay, words, report)
        marks[site.id] = Mark(row["number"], row["population"], None if delay is None else delay.value, label)
    told = sorted(
        (mark.delay_s, site.name, mark.label) for site in sites if (mark := marks[site.id]).delay_s is not None
    )
    if told:
        worst, best = told[-1], told[0]
        desc = words["map_desc"].format(
            count=len(sites), worst=worst[1], worst_value=worst[2], best=best[1], best_value=best[2]
        )
    else:
        desc = words["map_desc_places"].format(count=len(sites))
    return draw_map(Chart("junction-map", words["map_title"], desc), sites, marks, report.routes, words)


def _before_after(report: Report, words: Words) -> dict[str, Any] | None:
    known = _known(report, BEFORE_AFTER, "programme")
    if not known or known[0].comparison is None:
        return None
    spans = [
        days(each.start, each.end.fromordinal(each.end.toordinal() - 1), words, report.language)
        for each in (known[0].comparison.period, known[0].period)
    ]
    lead = words["before_after_lead"].format(off=_lower(spans[0]), on=_lower(spans[1]))
    return _effect(report, words, known, ("before_after", lead, words["off"], words["on"]))


def _with_without(report: Report, words: Words) -> dict[str, Any] | None:
    known = _known(report, WITH_WITHOUT, "programme")
    if not known:
        return None
    return _effect(report, words, known, ("with_without", known[0].limits[0], words["without"], words["having"]))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _effect(
    report: Report, words: Words, known: Sequence[Assessed], about: tuple[str, str, str, str]
) -> dict[str, Any]:
    name, lead, first, second = about
    rows = [_difference(each, words, report, words[f"variant_{each.variant}"]) for each in known]
    places = [
        _difference(each, words, report, each.subject.label) | {"measure": words[f"variant_{each.variant}"]}
        for kind in ("corridor", "junction")
        for each in _known(report, known[0].kpi, kind)
        if each.variant in _BY_PLACE
    ]
    return {
        "id": name.replace("_", "-"),
        "title": words[name],
        "lead": lead,
        "first": first,
        "second": second,
        "rows": rows,
        "places": places,
        "chart": _changes(name, known, words, report),
    }


def _difference(entry: Assessed, words: Words, report: Report, label: str) -> dict[str, str]:
    compared, language = entry.comparison, report.language
    before = after = change = "–"
    if compared is not None and compared.baseline_amount is not None and compared.reported_amount is not None:
        unit = compared.unit or ""
        before, after = (
            amount(each, unit, words, language) for each in (compared.baseline_amount, compared.reported_amount)
        )
        change = "–" if compared.change_percent is None else signed_percent(compared.change_percent, language, 0)
    verdict = words["no_interval"]
    if entry.interval is not None:
        clear = entry.interval.low > 0 or entry.interval.high < 0
        verdict = (words["clear_more"] if entry.value > 0 else words["clear_less"]) if clear else words["unclear"]
    return {
        "name": label,
        "before": before,
        "after": after,
        "difference": ("+" if entry.value > 0 else "") + _said(entry, words, report),
        "interval": _between(entry, words, report),
        "change": change,
        "verdict": verdict,
    }


def _changes(name: str, known: Sequence[Assessed], words: Words, report: Report) -> Drawn | None:
    """The differences as a part of what was before, for one axis."""
    shown = []
    for each in known:
        base = None if each.comparison is None else each.comparison.baseline_amount
        if base is not None and base > 0 and each.interval is not None:
            low, high = 100 * each.interval.low / base, 100 * each.interval.high / base
            shown.append(Change(words[f"variant_{each.variant}"], 100 * each.value / base, low, high))
    if not shown:
        return None
    clear = sum(each.low > 0 or each.high < 0 for each in shown)
    text = words["effect_desc"].format(count=len(shown), clear=clear)
    chart = Chart(f"effect-{name}".replace("_", "-"), words["effect_title"], text)
    return changes(chart, shown, report.language, words["effect_axis"])


def _block(report: Report, words: Words, name: str, kpi: str) -> dict[str, Any] | None:
    known = _known(report, kpi, "programme")
    if not known:
        return None
    cells = [
        {
            "name": words[f"variant_{each.variant}"],
            "value": _said(each, words, report),
            "interval": _between(each, words, report),
        }
        for each in known
    ]
    return {"id": name, "title": words[name], "cells": cells}
