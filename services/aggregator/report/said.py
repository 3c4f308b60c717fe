"""Values, goals, intervals and directions in words: the same on the page, on paper and in tables. Pure."""

from collections.abc import Mapping
from typing import Final

from services.aggregator.kpis.results import Language
from services.aggregator.report.model import Assessed, EnteredTarget, Target
from services.aggregator.report.wording import day, goal, number, percent, signed_percent, small

__all__ = ["amount", "interval_text", "target_text", "trend_text"]

Words = Mapping[str, str]
_LEVEL: Final = 0.05
"""A slope that moves the value by less than a twentieth in a year is called level."""
_AT_MOST: Final = "≤"
_SCALES: Final = ("1-5", "0-5")


def amount(value: float, unit: str, words: Words, language: Language) -> str:
    """A value with its unit, in as many digits as say something."""
    if unit == "%":
        return percent(value, language)
    text = number(value, language) if float(value).is_integer() else small(value, language)
    return f"{text} {words.get(f'named_{unit}', unit)}".strip()


def interval_text(entry: Assessed, words: Words, language: Language) -> str:
    """`between … and … (95%)`; empty where there is none."""
    if entry.interval is None:
        return ""
    between = entry.interval
    if entry.unit == "%":
        low, high = percent(between.low, language), percent(between.high, language)
    else:  # the value beside it has the unit
        low, high = small(between.low, language), small(between.high, language)
    return words["interval"].format(low=low, high=high)


def target_text(target: Target | EnteredTarget, language: Language, unit: str = "") -> str:
    """A goal with its day, as `8.0% (31 March 2027)`; a ceiling has its sign."""
    unit = target.unit if isinstance(target, EnteredTarget) else unit
    if unit in _SCALES:
        return f"{number(target.value, language)} / 5" + _by(target, language)
    value = goal(target.value, language) if unit == "%" else f"{small(target.value, language)} {unit}".strip()
    ceiling = f"{_AT_MOST} " if target.at_most else ""
    return f"{ceiling}{value}{_by(target, language)}"


def _by(target: Target | EnteredTarget, language: Language) -> str:
    return "" if target.due is None else f" ({day(target.due, language)})"


def trend_text(entry: Assessed, words: Words, language: Language) -> str:
    """The direction for each year, and on how many years it stands; a dash before there are three."""
    trend = entry.trend
    if trend is None:
        return "–"
    slope = trend.slope_per_year
    level = abs(slope) < _LEVEL * max(abs(entry.value), 1e-9)
    arrow = "→" if level else "↗" if slope > 0 else "↘"
    if entry.unit == "%":
        text = signed_percent(slope, language, 2).removesuffix("%").strip() + " " + words["points"]
    else:
        text = f"{'+' if slope > 0 else ''}{small(slope, language)} {words.get(f'named_{entry.unit}', entry.unit)}"
    return words["trend_of"].format(arrow=arrow, slope=text, count=len(trend.values))
