"""What of the homes' days a figure may count: those on which their household had agreed to its purpose.

A team counts who agreed to the challenge, figures of the whole programme and of the city who agreed to the city. A
consent that ends takes the days after its end out, and leaves those before: what was done under it stays right (GDPR
article 7). Whoever is forgotten has withdrawn for all time, so counts nowhere. Without a consent file everybody counts.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.aggregator.kpis.inputs import Home
from services.ingest.assembly import keys_of, read_book
from services.ingest.consent import Book, Purpose
from services.runtime.registry import Registry
from services.runtime.settings import Settings

__all__ = ["agreed_homes", "agreement"]

_INSTANT = timedelta(microseconds=1)


def agreement(settings: Settings, registry: Registry) -> Book | None:
    """What households agreed to; `None` if the site keeps no consent file.

    Raises:
        ConsentProblem: the file is wrong.
        KeyProblem: there is no key.
    """
    return None if settings.consent_file is None else read_book(settings, keys_of(settings), registry)


def agreed_homes(homes: Iterable[Home], book: Book | None, purpose: Purpose, zone: ZoneInfo) -> tuple[Home, ...]:
    """The homes with the days on which they had agreed to a purpose, from the first to the last instant."""
    if book is None:
        return tuple(homes)
    found = []
    for home in homes:
        days = {day for register in home.registers for day in register.days}
        agreed = {day for day in days if _agreed(book, home.id, purpose, day, zone)}
        registers = tuple(
            replace(register, days={day: value for day, value in register.days.items() if day in agreed})
            for register in home.registers
            if not agreed.isdisjoint(register.days)
        )
        found.append(replace(home, registers=registers))
    return tuple(found)


def _agreed(book: Book, household: str, purpose: Purpose, day: date, zone: ZoneInfo) -> bool:
    first, after = (
        datetime(each.year, each.month, each.day, tzinfo=zone).astimezone(UTC)
        for each in (day, day + timedelta(days=1))
    )
    return book.agreed(household, purpose, first) and book.agreed(household, purpose, after - _INSTANT)
