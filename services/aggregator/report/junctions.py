"""What the page shows of the equipped junctions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from services.aggregator.report import charts
from services.aggregator.report.families import Card
from services.aggregator.report.model import Assessed, Report, assessed
from services.aggregator.report.wording import days, number, percent, signed_percent

__all__ = ["junctions_view", "traffic_headline"]

KPI: Final = "vehicles_per_junction"
_PASSAGES: Final = "junction_passages"
_BARS: Final = 24
_LEAST_HOURS: Final = 4
_WHOLE_DAY: Final = 24
"""Over fewer hours the first and the last one, which are not whole, would bend a mean per hour."""

Words = Mapping[str, str]


def traffic_headline(report: Report, words: Words) -> dict[str, str] | None:
    """The first sentence, where traffic is all there is."""
    known = assessed(report.of(KPI, "seen", "junction"))
    delays = assessed(report.of(_PASSAGES, "delay", "programme"))
    if delays:
        return _delay_headline(delays[0], report, words)
    if not known:
        return None
    total = number(sum(each.value for each in known), report.language)
    sentence = words["traffic_headline"].format(count=len(known))
    return {"big": total, "sentence": sentence, "goal": "", "uncertain": "", "tone": "open"}


def _delay_headline(entry: Assessed, report: Report, words: Words) -> dict[str, str]:
    """How long vehicles were held up, where passages are known."""
    language = report.language
    counts = {"passages": number(entry.population, language), "count": int(entry.figures["junctions"])}
    uncertain = ""
    if entry.interval is not None:
        low, high = (f"{number(each, language, 1)} s" for each in (entry.interval.low, entry.interval.high))
        uncertain = words["interval"].format(low=low, high=high)
    return {
        "big": f"{number(entry.value, language, 1)} s",
        "sentence": words["effects_headline"].format(**counts),
        "goal": "",
        "uncertain": uncertain,
        "tone": "open",
    }


def junctions_view(report: Report, words: Words) -> dict[str, Any] | None:
    """Everything of the section; `None` if the programme is not in the report."""
    if "compass4d" not in report.programmes:
        return None
    language = report.language
    known = sorted(assessed(report.of(KPI, "seen", "junction")), key=lambda each: (-each.value, each.subject.label))
    if not known:
        return {
            "cards": [],
            "chart": None,
            "rows": [],
            "hours": None,
            "hour_rows": [],
            "lead": "",
            "compared": False,
            "per_hour": False,
        }
    first = min(each.period.start for each in known)
    last = max(each.period.end for each in known) - timedelta(days=1)
    counts = _by_hour(known)
    compared = any(each.comparison is not None for each in known)
    return {
        "lead": words["traffic_lead"].format(when=days(first, last, words, language)),
        "cards": _cards(known, words, report),
        "chart": _chart(known, words, report) if len(known) > 1 else None,
        "hours": _hours(counts, words, report) if len(counts) >= _LEAST_HOURS else None,
        "per_hour": min(each.figures["hours_observed"] for each in known) >= _WHOLE_DAY,
        "hour_rows": [(str(hour), number(count, language)) for hour, count in sorted(counts.items())],
        "compared": compared,
        "rows": [_row(each, report) for each in known],
    }


def _cards(known: Sequence[Assessed], words: Words, report: Report) -> list[Card]:
    language = report.language
    total = sum(each.value for each in known)
    note = words["card_vehicles_note"].format(count=len(known))
    cards = [Card(words["card_vehicles"], number(total, language), note)]
    timed = [each for each in known if "mean_speed_kmh" in each.figures]
    if timed:
        weight = sum(each.value for each in timed)
        speed = sum(each.value * each.figures["mean_speed_kmh"] for each in timed) / weight
        cards.append(Card(words["card_speed"], f"{number(speed, language, 1)} km/h", ""))
    return cards


def _by_hour(known: Sequence[Assessed]) -> dict[int, float]:
    counts: dict[int, float] = defaultdict(float)
    for each in known:
        for hour, count in each.series.get("vehicles_by_hour", {}).items():
            counts[int(hour)] += count
    return dict(counts)


def _row(entry: Assessed, report: Report) -> dict[str, str]:
    language = report.language
    speed = entry.figures.get("mean_speed_kmh")
    change = None if entry.comparison is None else entry.comparison.change_percent
    return {
        "name": entry.subject.label,
        "vehicles": number(entry.value, language),
        "per_hour": number(entry.value / entry.figures["hours_observed"], language, 1),
        "speed": "–" if speed is None else f"{number(speed, language, 1)} km/h",
        "coverage": percent(100 * entry.coverage, language, 0),
        "change": "–" if change is None else signed_percent(change, language),
    }


def _chart(known: Sequence[Assessed], words: Words, report: Report) -> charts.Drawn:
    language = report.language
    shown = known[:_BARS]
    first, last = shown[0], shown[-1]
    chart = charts.Chart(
        "junctions",
        words["traffic_title"],
        words["traffic_desc"].format(
            count=len(shown),
            first=first.subject.label,
            first_value=number(first.value, language),
            last=last.subject.label,
            last_value=number(last.value, language),
        ),
    )
    rows = [charts.Bar(each.subject.label, each.value, number(each.value, language)) for each in shown]
    return charts.bars(chart, rows, language, None, words["traffic_unit"])


def _hours(counts: Mapping[int, float], words: Words, report: Report) -> charts.Drawn:
    busiest = max(counts, key=lambda hour: counts[hour])
    text = words["hours_desc"].format(hour=busiest, value=number(counts[busiest], report.language))
    chart = charts.Chart("hours", words["hours_title"], text)
    return charts.hours(chart, counts, report.language, words["traffic_unit"])
