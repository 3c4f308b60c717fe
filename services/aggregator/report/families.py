"""What the page shows of *Familles à énergie positive*: headline, cards, curves, teams."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from services.aggregator.kpis.results import Language
from services.aggregator.report import charts
from services.aggregator.report.model import Assessed, Missing, Report, assessed
from services.aggregator.report.wording import day, month, number, percent, signed_percent
from services.aggregator.report.wording import goal as goal_text

__all__ = ["Card", "families_view", "headline"]

KPI: Final = "energy_saving"
_RANKED_COVERAGE: Final = 0.9
_RANKED_PARTICIPATION: Final = 0.75

Words = Mapping[str, str]


class Card(NamedTuple):
    """One figure of the first screen."""

    label: str
    value: str
    note: str
    tone: str = ""


class Week(NamedTuple):
    """Means of seven days: kWh per family and day, degree days per day."""

    start: date
    before_kwh: float
    now_kwh: float
    before_cold: float | None
    now_cold: float | None


def best(report: Report, kind: str, subject: str) -> Assessed | None:
    """The corrected saving if there is one, else the raw one."""
    for variant in ("degree_days", "raw"):
        for entry in assessed(report.of(KPI, variant, kind)):
            if entry.subject.id == subject:
                return entry
    return None


def headline(report: Report, words: Words) -> dict[str, str] | None:
    """The first sentence of the report."""
    entry = best(report, "programme", "familles")
    if entry is None:
        return None
    language = report.language
    saved = entry.value >= 0
    value = percent(abs(entry.value), language)
    target = entry.target
    goal = "" if target is None else words["goal_reached" if target.reached else "goal_missed"]
    uncertain = (
        target is not None and entry.interval is not None and (entry.interval.low < target.value < entry.interval.high)
    )
    return {
        "big": signed_percent(-entry.value, language),
        "sentence": words["saved" if saved else "used_more"].format(value=value)
        + ", "
        + words["same_weather" if entry.variant == "degree_days" else "as_measured"]
        + ".",
        "goal": "" if target is None else goal.format(goal=goal_text(target.value, language)),
        "uncertain": words["goal_uncertain"] if uncertain else "",
        "tone": "good" if target is not None and target.reached else "open",
    }


def families_view(report: Report, words: Words) -> dict[str, Any] | None:
    """Everything of the section, as text and drawings; `None` if the programme is not in the report."""
    if "familles" not in report.programmes:
        return None
    raw = _one(report, "raw")
    corrected = _one(report, "degree_days")
    weeks = _weeks(raw) if raw is not None else []
    return {
        "cards": _cards(raw, corrected, words, report.language),
        "curve": _curve(report, raw, weeks, words) if raw is not None and weeks else None,
        "cold": _cold(report, weeks, words) if corrected is not None else None,
        "weeks": [_week_row(week, report.language) for week in weeks],
        "teams": _teams(report, words),
        "left": _left(raw, words) if raw is not None else [],
    }


def _one(report: Report, variant: str) -> Assessed | None:
    found = assessed(report.of(KPI, variant, "programme"))
    return found[0] if found else None


def _cards(raw: Assessed | None, corrected: Assessed | None, words: Words, language: Language) -> list[Card]:
    cards = []
    for entry, label in ((corrected, "card_corrected"), (raw, "card_raw")):
        if entry is not None:
            tone = "good" if entry.target is not None and entry.target.reached else ""
            cards.append(Card(words[label], percent(entry.value, language), _interval(entry, words, language), tone))
    if raw is None:
        return cards
    note = words["of_enrolled"].format(count=number(raw.enrolled or raw.population, language))
    cards.append(Card(words["card_homes"], number(raw.population, language), note))
    main = corrected or raw
    if "homes_at_goal" in main.figures:
        note = words["median"].format(value=percent(main.figures["median_percent"], language))
        cards.append(Card(words["card_goal_homes"], number(main.figures["homes_at_goal"], language), note))
    amounts = main.comparison
    if amounts is not None and amounts.baseline_amount is not None and amounts.reported_amount is not None:
        saved_mwh = (amounts.baseline_amount - amounts.reported_amount) / 1000
        how = words["same_weather" if main.variant == "degree_days" else "as_measured"]
        cards.append(Card(words["card_energy"], f"{number(saved_mwh, language, 1)} MWh", how))
    if corrected is not None:
        before, now = corrected.figures["degree_days_reference"], corrected.figures["degree_days_period"]
        note = words["card_weather_note"].format(now=number(now, language), before=number(before, language))
        change = signed_percent(100 * (now / before - 1), language) if before else number(now, language)
        cards.append(Card(words["card_weather"], change, note))
    return cards


def _interval(entry: Assessed, words: Words, language: Language, wording: str = "interval") -> str:
    if entry.interval is None:
        return ""
    low, high = percent(entry.interval.low, language), percent(entry.interval.high, language)
    return words[wording].format(low=low, high=high)


def _weeks(raw: Assessed) -> list[Week]:
    names = ("reference_kwh_per_home", "period_kwh_per_home", "reference_degree_days", "period_degree_days")
    before, now, cold_before, cold_now = (raw.series.get(name, {}) for name in names)
    weeks = []
    start = raw.period.start
    while start + timedelta(days=7) <= raw.period.end:
        days = [str(start + timedelta(days=offset)) for offset in range(7)]
        means = [_mean(curve, days) for curve in (before, now, cold_before, cold_now)]
        if means[0] is not None and means[1] is not None:
            weeks.append(Week(start, means[0], means[1], means[2], means[3]))
        start += timedelta(days=7)
    return weeks


def _mean(curve: Mapping[str, float], days: Sequence[str]) -> float | None:
    known = [curve[day] for day in days if day in curve]
    return sum(known) / len(known) if len(known) > len(days) / 2 else None


def _smooth(curve: Mapping[str, float]) -> dict[str, float]:
    """Mean of the seven days around each day."""
    smooth = {}
    for text in sorted(curve):
        middle = date.fromisoformat(text)
        mean = _mean(curve, [str(middle + timedelta(days=offset)) for offset in range(-3, 4)])
        if mean is not None:
            smooth[text] = mean
    return smooth


def _curve(report: Report, raw: Assessed, weeks: Sequence[Week], words: Words) -> charts.Drawn:
    before, now = raw.series["reference_kwh_per_home"], raw.series["period_kwh_per_home"]
    language = report.language
    means = [number(sum(curve.values()) / len(curve), language, 1) for curve in (before, now)]
    chart = charts.Chart("winters", words["curve_title"], words["curve_desc"].format(before=means[0], now=means[1]))
    curves = [(words["winter_before"], _smooth(before)), (words["this_winter"], _smooth(now))]
    firsts = [date.fromisoformat(text) for text in sorted(now) if text.endswith("-01")]
    months = [(str(first), month(first, language)) for first in firsts]
    if not months:
        months = [(str(week.start), day(week.start, language)) for week in weeks]
    return charts.winters(chart, curves, months, language, words["curve_unit"])


def _cold(report: Report, weeks: Sequence[Week], words: Words) -> charts.Drawn | None:
    before = [(week.before_cold, week.before_kwh) for week in weeks if week.before_cold is not None]
    now = [(week.now_cold, week.now_kwh) for week in weeks if week.now_cold is not None]
    main = best(report, "programme", "familles")
    if not before or not now or main is None:
        return None
    side = words["below" if main.value > 0 else "above"]
    chart = charts.Chart("cold", words["cold_title"], words["cold_desc"].format(side=side))
    clouds = [(words["winter_before"], before), (words["this_winter"], now)]
    return charts.signature(chart, clouds, (words["cold_x"], words["cold_y"]), report.language)


def _week_row(week: Week, language: Language) -> dict[str, str]:
    def text(value: float | None) -> str:
        return "–" if value is None else number(value, language, 1)

    return {
        "start": day(week.start, language),
        "before": text(week.before_kwh),
        "now": text(week.now_kwh),
        "cold_before": text(week.before_cold),
        "cold_now": text(week.now_cold),
    }


def _ranked(entry: Assessed) -> bool:
    return entry.coverage >= _RANKED_COVERAGE and entry.population >= _RANKED_PARTICIPATION * (entry.enrolled or 1)


def _teams(report: Report, words: Words) -> dict[str, Any] | None:
    programme = best(report, "programme", "familles")
    variant = programme.variant if programme is not None else "raw"
    entries = report.of(KPI, variant, "team")
    known = sorted(assessed(entries), key=lambda each: (not _ranked(each), -each.value, each.subject.label))
    if not known:
        return None
    raws = {each.subject.id: each for each in assessed(report.of(KPI, "raw", "team"))}
    language = report.language
    goal = known[0].target
    how = words["same_weather" if variant == "degree_days" else "as_measured"]
    return {
        "lead": words["teams_lead"].format(how=how),
        "corrected": variant == "degree_days",
        "chart": _team_chart(known, words, language) if len(known) > 1 else None,
        "goal": "" if goal is None else goal_text(goal.value, language),
        "rows": [
            _team_row(place, each, raws.get(each.subject.id), words, language) for place, each in enumerate(known)
        ],
        "missing": [each for each in entries if isinstance(each, Missing)],
    }


def _team_row(place: int, entry: Assessed, raw: Assessed | None, words: Words, language: Language) -> dict[str, Any]:
    return {
        "rank": str(place + 1) if _ranked(entry) else words["unranked"],
        "name": entry.subject.label,
        "value": percent(entry.value, language),
        "interval": _interval(entry, words, language, "interval_short"),
        "raw": "–" if raw is None else percent(raw.value, language),
        "median": percent(entry.figures["median_percent"], language),
        "families": f"{entry.population} / {entry.enrolled}",
        "coverage": percent(100 * entry.coverage, language, 0),
        "reached": entry.target is not None and entry.target.reached,
    }


def _team_chart(known: Sequence[Assessed], words: Words, language: Language) -> charts.Drawn:
    goal = known[0].target
    ordered = sorted(known, key=lambda each: -each.value)
    first, last = ordered[0], ordered[-1]
    chart = charts.Chart(
        "teams",
        words["teams_title"],
        words["teams_desc"].format(
            count=len(known),
            first=first.subject.label,
            first_value=percent(first.value, language),
            last=last.subject.label,
            last_value=percent(last.value, language),
            goal="–" if goal is None else goal_text(goal.value, language),
        ),
    )
    rows = [
        charts.Bar(
            each.subject.label,
            each.value,
            percent(each.value, language),
            None if each.interval is None else each.interval.low,
            None if each.interval is None else each.interval.high,
            each.target is None or each.target.reached,
        )
        for each in ordered
    ]
    line = None if goal is None else (goal.value, words["goal"].format(goal=goal_text(goal.value, language)))
    return charts.bars(chart, rows, language, line, words["saving_axis"])


def _left(raw: Assessed, words: Words) -> list[tuple[str, int]]:
    return [
        (words[name], int(count)) for name, count in raw.figures.items() if name.startswith("left_") and name in words
    ]
