"""A family's own page and a team's: what a person sees of themselves, and a captain of the team. Pure.

A family sees its own curve and its own saving beside the goal, never another's value, and no sum that others are in:
its team's saving less its own would be theirs. A team's page is for its members: percentages only.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from services.aggregator.kpis.energy_saving.homes import Assessed, Left, LeftReason
from services.aggregator.kpis.results import Language, NotAssessed, Outcome, Period, Result
from services.aggregator.report import charts
from services.aggregator.report.families import Card
from services.aggregator.report.wording import day, days, month, number, percent, signed_percent
from services.aggregator.report.wording import goal as goal_text

__all__ = ["FamilySaid", "Page", "TeamSaid", "family_view", "team_view"]

Words = Mapping[str, str]
_GOAL_PERCENT: Final = 8.0
_LITRES: Final = 1000


class Page(NamedTuple):
    """What both pages are about."""

    period: Period
    baseline: Period
    language: Language
    timezone: str
    made_on: date


class FamilySaid(NamedTuple):
    """What is known of one family: two winters of energy and of water, or why not; the days it agreed to show."""

    name: str
    team: str | None
    energy: Assessed | Left
    water: Assessed | Left
    factor_set: str


class TeamSaid(NamedTuple):
    """What members may see of a team: outcomes of the gate, by indicator and variant, and its place."""

    name: str
    outcomes: Mapping[str, Outcome]
    rank: int | None
    teams: int


def family_view(said: FamilySaid, page: Page, words: Words) -> dict[str, Any]:
    """Everything of a family's page, as text and drawings."""
    energy = said.energy
    view = _frame(page, words) | {
        "title": words["own_family_title"].format(name=said.name),
        "lead": words["own_family_lead"],
        "privacy": words["own_family_privacy"],
        "missing": [] if isinstance(energy, Assessed) else [words[_because(energy.reason)]],
    }
    if isinstance(energy, Left):
        return view | {"big": "", "sentence": words["own_not_told"], "good": None, "cards": [], "chart": None} | _EMPTY
    raw, corrected = _saving(energy)
    main = raw if corrected is None else corrected
    return view | {
        "big": signed_percent(-main, page.language),
        "sentence": _sentence(main, corrected is not None, words, page.language),
        "good": main >= _GOAL_PERCENT,
        "goal": _goal(main, words, page.language),
        "cards": _family_cards(said, energy, words, page.language),
        "chart": _curve(energy, words, page.language),
        "months": _months(energy, page.language),
        "method": _method(energy, said.factor_set, words, page.language),
        "rows": [],
    }


_EMPTY: Final[dict[str, Any]] = {"goal": "", "months": [], "method": [], "rows": []}


def team_view(said: TeamSaid, page: Page, words: Words) -> dict[str, Any]:
    """Everything of a team's page: percentages of the whole team, or why there is none."""
    known = [said.outcomes[name] for name in ("energy_saving.degree_days", "energy_saving.raw")]
    main = next((each for each in known if isinstance(each, Result)), None)
    missing = [each.text.in_language(page.language) for each in said.outcomes.values() if isinstance(each, NotAssessed)]
    view = _frame(page, words) | {
        "title": said.name,
        "lead": words["own_team_lead"],
        "privacy": words["own_team_privacy"],
        "missing": sorted(set(missing)),
    }
    if main is None:
        return view | {"big": "", "sentence": words["own_not_told"], "good": None, "cards": [], "chart": None} | _EMPTY
    return view | {
        "big": signed_percent(-main.value, page.language),
        "sentence": _sentence(main.value, main.variant == "degree_days", words, page.language),
        "good": main.value >= _GOAL_PERCENT,
        "goal": _goal(main.value, words, page.language),
        "cards": _team_cards(main, said, words, page.language),
        "chart": None,
        "months": [],
        "method": [],
        "rows": [
            _team_row(name, each, words, page.language)
            for name, each in said.outcomes.items()
            if isinstance(each, Result)
        ],
    }


def _frame(page: Page, words: Words) -> dict[str, Any]:
    language = page.language
    return {
        "t": words,
        "language": language,
        "period": days(page.period.start, page.period.last, words, language),
        "compared": words["compared"].format(
            first=day(page.baseline.start, language), last=day(page.baseline.last, language)
        ),
        "made": words["made"].format(day=day(page.made_on, language)),
        "times": words["times"].format(zone=page.timezone),
    }


def _because(reason: LeftReason) -> str:
    return f"left_{reason}"


def _saving(each: Assessed) -> tuple[float, float | None]:
    raw = 100 * (1 - each.period_kwh / each.reference_kwh)
    return raw, None if each.corrected_kwh is None else 100 * (1 - each.corrected_kwh / each.reference_kwh)


def _sentence(value: float, same_weather: bool, words: Words, language: Language) -> str:  # noqa: FBT001
    said = words["own_saved" if value >= 0 else "own_used_more"].format(value=percent(abs(value), language))
    return f"{said}, {words['same_weather' if same_weather else 'as_measured']}."


def _goal(value: float, words: Words, language: Language) -> str:
    name = "goal_reached" if value >= _GOAL_PERCENT else "goal_missed"
    return words[name].format(goal=goal_text(_GOAL_PERCENT, language))


def _family_cards(said: FamilySaid, energy: Assessed, words: Words, language: Language) -> list[Card]:
    raw, corrected = _saving(energy)
    cards = [Card(words["card_raw"], percent(raw, language), words["as_measured"])]
    if corrected is not None:
        share = percent(100 * (energy.heat_share or 0.0), language, 0)
        how = words[f"own_heat_{energy.heat_source}"].format(share=share)
        cards.insert(0, Card(words["card_corrected"], percent(corrected, language), how))
    both = words["own_before_now"].format(
        before=number(energy.reference_kwh, language), now=number(energy.period_kwh, language), unit="kWh"
    )
    saved = number(energy.reference_kwh - energy.period_kwh, language)
    cards.append(Card(words["card_energy"], f"{saved} kWh", both))
    if isinstance(said.water, Assessed):
        before, now = said.water.reference_kwh, said.water.period_kwh
        litres = [number(_LITRES * each / len(said.water.pairs), language) for each in (before, now)]
        note = words["own_before_now"].format(before=litres[0], now=litres[1], unit=words["own_litres_a_day"])
        cards.append(Card(words["own_water"], percent(100 * (1 - now / before), language), note))
    cards.append(Card(words["own_days"], number(len(energy.pairs), language), words["own_days_note"]))
    return cards


def _team_cards(main: Result, said: TeamSaid, words: Words, language: Language) -> list[Card]:
    cards = []
    if main.interval is not None:
        between = [percent(each, language) for each in (main.interval.low, main.interval.high)]
        text = words["interval"].format(low=between[0], high=between[1])
        cards.append(Card(words["card_corrected" if main.variant == "degree_days" else "card_raw"],
                          percent(main.value, language), text))  # fmt: skip
    note = words["of_enrolled"].format(count=number(main.enrolled or main.population, language))
    cards.append(Card(words["card_homes"], number(main.population, language), note))
    place = words["unranked"] if said.rank is None else number(said.rank, language)
    cards.append(Card(words["own_place"], place, words["own_of_teams"].format(count=number(said.teams, language))))
    cards.append(Card(words["coverage"], percent(100 * main.coverage, language, 0), words["own_coverage_note"]))
    return cards


def _team_row(name: str, each: Result, words: Words, language: Language) -> dict[str, str]:
    kpi, variant = name.split(".")
    between = each.interval
    low, high = ("", "") if between is None else (percent(between.low, language), percent(between.high, language))
    return {
        "name": f"{words[f'own_{kpi}']}, {words[f'variant_{variant}']}",
        "value": percent(each.value, language),
        "interval": "" if between is None else words["interval_short"].format(low=low, high=high),
        "median": percent(each.figures["median_percent"], language),
        "families": f"{each.population} / {each.enrolled}",
    }


def _curve(each: Assessed, words: Words, language: Language) -> charts.Drawn:
    before, now = ({str(at): kwh for at, kwh in its.items()} for its in (each.reference, each.period))
    means = [number(sum(its.values()) / len(its), language, 1) for its in (before, now)]
    words_of = charts.Chart("own", words["own_curve"], words["curve_desc"].format(before=means[0], now=means[1]))
    firsts = sorted({at.replace(day=1) for at in each.period})
    marks = [(str(min(at for at in each.period if at >= first)), month(first, language)) for first in firsts]
    curves = [(words["winter_before"], _smooth(before)), (words["this_winter"], _smooth(now))]
    return charts.winters(words_of, curves, marks, language, words["own_curve_unit"])


def _smooth(curve: Mapping[str, float]) -> dict[str, float]:
    """Mean of the week around each day, of the days that are there."""
    smooth = {}
    for text in sorted(curve):
        around = [str(date.fromisoformat(text) + timedelta(days=offset)) for offset in range(-3, 4)]
        known = [curve[each] for each in around if each in curve]
        smooth[text] = sum(known) / len(known)
    return smooth


def _months(each: Assessed, language: Language) -> list[dict[str, str]]:
    """The table beside the curve: kWh of the counted days of each month in both winters."""
    rows = []
    for first in sorted({at.replace(day=1) for at in each.period}):
        its = [at for at in each.period if at.replace(day=1) == first]
        before, now = sum(each.reference[at] for at in its), sum(each.period[at] for at in its)
        change = signed_percent(100 * (now / before - 1), language) if before > 0 else "–"
        rows.append(
            {
                "month": f"{month(first, language)} {first.year}",
                "days": number(len(its), language),
                "before": number(before, language),
                "now": number(now, language),
                "change": change,
            }
        )
    return rows


def _method(each: Assessed, factor_set: str, words: Words, language: Language) -> Sequence[tuple[str, str]]:
    carriers = ", ".join(f"{words.get(f'carrier_{name}', name)} {number(its.period_kwh, language)} kWh"
                         for name, its in sorted(each.carriers.items()))  # fmt: skip
    return [(words["own_energies"], carriers), (words["factors"], factor_set), (words["limits"], words["own_limits"])]
