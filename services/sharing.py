"""A family's own page: the days of households that agreed to advice, in the place that Grafana reads; no other's.

Whose consent has ended is taken back with the next run: its days are overwritten by nothing (`shared = false`, 0 kWh).
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.kpis.consumption import home_consumption
from services.aggregator.kpis.factors import parse_factors
from services.aggregator.kpis.inputs import Home
from services.aggregator.kpis.results import Period
from services.aggregator.points import TAGS
from services.aggregator.ports import FieldValue, Point, Row, Unavailable
from services.aggregator.report.curves import midnight_ns
from services.aggregator.series import Family, read_homes
from services.ingest.assembly import keys_of
from services.ingest.consent import Book
from services.ingest.consentfile import ConsentProblem, read_changes
from services.ingest.pseudonyms import KeyProblem
from services.running import open_store
from services.runtime.registry import RegistryProblem, read_registry
from services.runtime.settings import ConfigurationProblem, Settings

__all__ = ["SharingProblem", "share"]

_SHOWN: Final = timedelta(days=400)
"""A year and a month: the same days of the year before stand beside."""

Day = tuple[str, int]
"""Household, and Unix nanoseconds of the start of the local day."""


class SharingProblem(Exception):
    """Pages cannot be brought up to date; the text says what to repair."""


async def share(settings: Settings, today: date) -> int:
    """Store the days of those who agree now and agreed on the day; take back all others. Gives how many families.

    Without a consent file nobody has agreed.

    Raises:
        SharingProblem: consent, registry, key or store cannot be read.
    """
    zone = ZoneInfo(settings.timezone)
    try:
        families, book = _agreeing(settings)
        async with open_store(settings) as store:
            period = Period(today - _SHOWN, today)
            now = datetime.now(UTC)
            homes = [each for each in families if book.agreed(each, "advice", now)] if book else []
            known = await read_homes(store, zone, [period], {each: families[each] for each in homes}) if homes else ()
            days = dict(_days(known, book, zone)) if book else {}
            points = [*_shared(days), *_taken_back(await store.select("family_day"), days)]
            refusals = await store.write(points)
    except (ConsentProblem, RegistryProblem, KeyProblem, ConfigurationProblem, Unavailable) as problem:
        raise SharingProblem(str(problem)) from problem
    if refusals:
        raise SharingProblem(f"the store refuses {len(refusals)} days of families: {refusals[0].detail}")
    return len({household for household, _ in days})


def _agreeing(settings: Settings) -> tuple[dict[str, Family], Book | None]:
    """The registered families by pseudonym, and what they agreed to."""
    registry = read_registry(settings.households_file)
    if settings.consent_file is None or not registry.households:
        return {}, None
    keys = keys_of(settings)
    book = Book(read_changes(settings.consent_file), keys.pseudonym, registry.household_of)
    named = {
        keys.pseudonym("household", each.id): Family(
            each.team, each.heat_share, frozenset(keys.pseudonym("meter", device) for device in each.sub_meters)
        )
        for each in registry.households
    }
    return named, book


def _days(homes: Iterable[Home], book: Book, zone: ZoneInfo) -> Iterator[tuple[Day, float]]:
    factors = parse_factors(files("services.aggregator.kpis").joinpath("factors.toml").read_text("utf-8"))
    for home in homes:
        for day, kwh in home_consumption(home, factors).days.items():
            at_ns = midnight_ns(day, zone)
            if book.agreed(home.id, "advice", datetime.fromtimestamp(at_ns // 1_000_000_000, UTC)):
                yield (home.id, at_ns), kwh


def _shared(days: Mapping[Day, float]) -> Iterator[Point]:
    return (_point(day, kwh, shared=True) for day, kwh in days.items())


def _taken_back(stored: Iterable[Row], days: Mapping[Day, float]) -> Iterator[Point]:
    """What was shared and is not any more; days that are merely older than a page shows stay if their family agrees."""
    agreeing = {household for household, _ in days}
    first_ns = min((at_ns for _, at_ns in days), default=0)
    for row in stored:
        day = (row.tags["household"], row.time_ns)
        old = day[0] in agreeing and row.time_ns < first_ns
        if row.fields.get("shared") and day not in days and not old:
            yield _point(day, 0.0, shared=False)


def _point(day: Day, kwh: float, *, shared: bool) -> Point:
    household, at_ns = day
    fields: tuple[tuple[str, FieldValue], ...] = (("energy_kwh", float(kwh)), ("shared", shared))
    return Point("family_day", ((TAGS["family_day"][0], household),), fields, at_ns)
