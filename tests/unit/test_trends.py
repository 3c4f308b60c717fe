"""The city's targets on results, and the direction over the years."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.aggregator.kpis import discover
from services.aggregator.kpis.catalogue import catalogue
from services.aggregator.kpis.facts import parse_facts
from services.aggregator.kpis.results import NotAssessed, Period, Quality, Result, Subject, Text, fingerprint_of
from services.aggregator.kpis.trends import Told, theil_sen, with_target, with_trend
from services.aggregator.ports import FieldValue, Point
from services.aggregator.told import read_told
from services.embedded.series import SqliteStore

PARIS = ZoneInfo("Europe/Paris")
WINTER = Period(date(2025, 11, 1), date(2026, 4, 1))
RESULT = Result(
    kpi="energy_saving",
    variant="raw",
    subject=Subject("programme", "familles", "Familles"),
    value=9.0,
    unit="%",
    period=WINTER,
    coverage=1.0,
    population=40,
    quality=Quality.MEASURED,
    formula=Text("f", "f"),
    factor_set=None,
    fingerprint=fingerprint_of(),
    method_version="energy_saving/1",
)


def winter(year: int, shift: int = 0) -> Period:
    """From 1 November, or some days later."""
    return Period(date(year, 11, 1) + timedelta(days=shift), date(year + 1, 4, 1) + timedelta(days=shift))


def told(year: int, value: float, **changes: object) -> Told:
    """What the report of a winter told."""
    about = Told("energy_saving.raw", "familles", winter(year), value, "%", "energy_saving/1")
    return about._replace(**changes)  # type: ignore[arg-type]


def test_the_slope_is_the_median_of_all_slopes() -> None:
    """Worked by hand: of (0, 1), (1, 2), (2, 9), (3, 4) the six slopes are 1, 4, 1, 7, 1 and -5; the median is 1."""
    assert theil_sen([(0, 1), (1, 2), (2, 9), (3, 4)]) == 1
    with pytest.raises(ValueError, match="two places"):
        theil_sen([(1, 1), (1, 2)])


def test_a_trend_stands_on_three_years() -> None:
    """5, 7 and 9 % over three winters: two points more a year. Two winters say nothing yet."""
    trended = with_trend(RESULT, [told(2023, 5.0), told(2024, 7.0)])
    assert isinstance(trended, Result)
    assert trended.trend is not None
    assert trended.trend.slope_per_year == pytest.approx(2.0)
    assert trended.trend.values == {"2023-11-01": 5.0, "2024-11-01": 7.0, "2025-11-01": 9.0}
    assert with_trend(RESULT, [told(2024, 7.0)]) == RESULT


@pytest.mark.parametrize(
    "changes",
    [
        {"method_version": "energy_saving/0"},
        {"unit": "kWh"},
        {"kpi": "energy_saving.degree_days"},
        {"subject": "castors"},
        {"period": winter(2024, 30)},
        {"period": Period(date(2024, 11, 1), date(2025, 3, 1))},
    ],
)
def test_what_cannot_be_compared_is_no_part_of_a_trend(changes: dict[str, object]) -> None:
    """Another method, unit, variant, subject, or other days of the year."""
    assert with_trend(RESULT, [told(2023, 5.0), told(2024, 7.0, **changes)]) == RESULT


def test_a_week_more_or_less_is_the_same_winter() -> None:
    """And a winter that was told twice counts once, as it was told last."""
    earlier = [told(2023, 5.0), told(2024, 6.0), told(2024, 7.0, period=winter(2024, 6))]
    trended = with_trend(RESULT, earlier)
    assert isinstance(trended, Result)
    assert trended.trend is not None
    assert list(trended.trend.values.values()) == [5.0, 7.0, 9.0]


def test_what_is_withheld_has_no_trend() -> None:
    """A value that may not be told is not told by its direction either."""
    withheld = NotAssessed("energy_saving", "raw", RESULT.subject, WINTER, "small_group", Text("few", "peu"))
    assert with_trend(withheld, [told(2023, 5.0), told(2024, 7.0)]) == withheld


FACTS = """
edition = "1"
[[targets]]
indicator = "ck.p.planet.final-energy-red"
value = 10
due = 2026-12-31
source = "council"
[[targets]]
indicator = "ck.p.planet.final-energy-red"
value = 12
due = 2027-12-31
source = "council"
[[targets]]
indicator = "x.sci"
value = 5
due = 2027-12-31
source = "council"
"""


def test_the_citys_target_takes_the_place_of_the_programmes() -> None:
    """The next that is due, with its day and source; a target of another unit leaves a value alone."""
    kpi, facts = discover()["energy_saving"], parse_facts(FACTS)
    aimed = with_target(RESULT, kpi, facts, catalogue())
    assert isinstance(aimed, Result)
    assert aimed.target is not None
    assert (aimed.target.value, aimed.target.due, aimed.reached) == (10, date(2026, 12, 31), False)
    assert with_target(replace(RESULT, unit="kWh"), kpi, facts, catalogue()).target is None  # type: ignore[union-attr]


def test_less_is_better_where_the_catalogue_says_so() -> None:
    """Four grams are within a target of five; six are not."""
    kpi, facts = discover()["ict_footprint"], parse_facts(FACTS)
    for value, reached in ((4.0, True), (6.0, False)):
        result = replace(RESULT, kpi="ict_footprint", variant="sci", unit="gCO2e/1000 events", value=value)
        aimed = with_target(result, kpi, facts, catalogue())
        assert isinstance(aimed, Result)
        assert aimed.reached is reached


def stored(year: int, value: float, **fields: FieldValue) -> Point:
    """A value as a report stores it."""
    end = winter(year).end
    at_ns = int(datetime(end.year, end.month, end.day, tzinfo=PARIS).timestamp()) * 10**9
    tags = (("kpi", "energy_saving.raw"), ("programme", "familles"), ("subject", "familles"))
    known: dict[str, FieldValue] = {
        "assessed": True,
        "method_version": "energy_saving/1",
        "period_start": winter(year).start.isoformat(),
        "public": True,
        "unit": "%",
        "value": value,
    }
    return Point("kpi", tags, tuple(sorted((known | fields).items())), at_ns)


async def test_everybody_sees_the_direction_of_what_everybody_saw(tmp_path: Path) -> None:
    """A value of an earlier year that only members could see is no part of a public trend; a withheld one of none."""
    async with SqliteStore(tmp_path / "series.sqlite") as store:
        await store.write([stored(2022, 4.0, assessed=False), stored(2023, 5.0, public=False), stored(2024, 7.0)])
        public = await read_told(store, PARIS, WINTER, public=True)
        members = await read_told(store, PARIS, WINTER, public=False)
    assert [each.value for each in public] == [7.0]
    assert [each.value for each in members] == [5.0, 7.0]
    assert members[0] == told(2023, 5.0)
