"""Numbers and dates as people of each language write them."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from services.aggregator.kpis.results import Language

__all__ = ["day", "days", "goal", "month", "number", "percent", "signed_percent", "small"]

_MONTHS: Final = {
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip
_NARROW: Final = "\N{NARROW NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"


def number(value: float, language: Language, decimals: int = 0) -> str:
    """A number with its separators and a real minus sign."""
    text = f"{abs(value):,.{decimals}f}"
    if language == "fr":
        text = text.replace(",", _NARROW).replace(".", ",")
    negative = value < 0 and any(digit in "123456789" for digit in text)
    return f"{_MINUS}{text}" if negative else text


def small(value: float, language: Language) -> str:
    """A number with three digits that count, without more than three decimals: `1,234`, `12.3`, `0.037`."""
    decimals = next((count for limit, count in ((100, 0), (10, 1), (1, 2)) if abs(value) >= limit), 3)
    return number(value, language, decimals)


def percent(value: float, language: Language, decimals: int = 1) -> str:
    """A percentage: `8,4 %` in French, `8.4%` in English."""
    return number(value, language, decimals) + (f"{_NARROW}%" if language == "fr" else "%")


def goal(value: float, language: Language) -> str:
    """A goal as it was set: `8 %`, but `7.5 %`, never rounded to another goal."""
    return percent(value, language, 0 if float(value).is_integer() else 1)


def signed_percent(value: float, language: Language, decimals: int = 1) -> str:
    """A change, with its sign."""
    text = percent(value, language, decimals)
    return text if value <= 0 else f"+{text}"


def day(when: date, language: Language) -> str:
    """A date in words."""
    month = _MONTHS[language][when.month - 1]
    if language == "fr":
        return f"{'1er' if when.day == 1 else when.day} {month} {when.year}"
    return f"{when.day} {month} {when.year}"


def days(first: date, last: date, words: Mapping[str, str], language: Language) -> str:
    """A period in words: `From … to …`, or `On …` for one day."""
    name = "one_day" if first == last else "period"
    return words[name].format(first=day(first, language), last=day(last, language))


def month(when: date, language: Language) -> str:
    """The name of a month."""
    return _MONTHS[language][when.month - 1]
