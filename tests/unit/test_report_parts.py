"""Parts of the report: periods, the gate for small groups, series out of the store, words."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from services.aggregator.kpis.disclosure import publishable
from services.aggregator.kpis.energy_saving import KPI as ENERGY_SAVING
from services.aggregator.kpis.factors import FactorProblem, parse_factors
from services.aggregator.kpis.inputs import (
    DayValue,
    Home,
    Inputs,
    JunctionDays,
    JunctionTraffic,
    Question,
    RegisterDays,
    TrafficHour,
)
from services.aggregator.kpis.intervals import ratio_error, student_95
from services.aggregator.kpis.results import NotAssessed, Period, Result, Subject
from services.aggregator.kpis.seasons import degree_day, degree_days, paired_days, same_calendar_days, years_before
from services.aggregator.kpis.vehicles_per_junction import KPI
from services.aggregator.points import hour_point, milliseconds
from services.aggregator.ports import Point
from services.aggregator.report.texts import WORDS
from services.aggregator.report.wording import day, number, percent, signed_percent
from services.aggregator.series import Family, read_homes, read_traffic, read_weather
from services.aggregator.traffic import HourFigures
from services.cli import app
from services.embedded.series import SqliteStore
from services.reporting import ReportProblem, last_winter, parse_period, periods_of
from tests.kpi_cases import FACTORS
from tests.report_city import build_city

PARIS = ZoneInfo("Europe/Paris")
DAY = date(2025, 12, 1)
ADVICE: tuple[Literal["none", "received"], ...] = ("none", "received")
JUNCTION = Subject("junction", "bx-0", "Carrefour")


def counted(hours: dict[int, int]) -> NotAssessed | Result:
    """The published outcome of a junction with these vehicles by hour."""
    traffic = {(DAY, hour): TrafficHour(vehicles, 0, 0.0, vehicles) for hour, vehicles in hours.items()}
    inputs = Inputs(FACTORS, junctions=(JunctionTraffic("bx-0", traffic),))
    (outcome,) = KPI.compute(inputs, Question(JUNCTION, Period(DAY, DAY + timedelta(days=1)), None))
    return publishable(outcome)


def test_fewer_than_five_vehicles_are_not_shown() -> None:
    """Four are withheld, five are not."""
    few = counted({8: 4})
    assert isinstance(few, NotAssessed)
    assert few.reason == "small_group"
    enough = counted({8: 5})
    assert isinstance(enough, Result)
    assert enough.value == 5


def test_one_vehicle_that_stays_is_not_five() -> None:
    """Forty minutes of a parked car are of one vehicle: withheld; five that were told apart over the day are enough."""
    traffic = JunctionTraffic("bx-0", {(DAY, 8): TrafficHour(40, 0, 0.0, 1)})
    question = Question(JUNCTION, Period(DAY, DAY + timedelta(days=1)), None)
    (alone,) = KPI.compute(Inputs(FACTORS, junctions=(traffic,)), question)
    assert isinstance(publishable(alone), NotAssessed)
    told_apart = tuple(JunctionDays("bx-0", "passage", "car", advice, {DAY: {"heard": 5.0}}) for advice in ADVICE)
    (five,) = KPI.compute(Inputs(FACTORS, junctions=(traffic,), mobility=told_apart), question)
    shown = publishable(five)
    assert isinstance(shown, Result)
    assert (shown.value, shown.population, shown.series) == (40.0, 5, {})


def test_a_quiet_hour_is_not_shown() -> None:
    """Hours with fewer than five vehicles are left out of the curve."""
    outcome = counted({3: 4, 4: 4, 8: 50})
    assert isinstance(outcome, Result)
    assert outcome.series["vehicles_by_hour"] == {"08": 50.0}


def test_a_quiet_hour_is_not_told_by_the_difference() -> None:
    """The total less the hours shown would be the two vehicles of 3 h: then no hour is shown."""
    outcome = counted({3: 2, 8: 50, 9: 50})
    assert isinstance(outcome, Result)
    assert outcome.value == 102
    assert outcome.series == {}


def saving(energies: list[float]) -> NotAssessed | Result:
    """The published raw outcome of a team whose families took this a day before, and a tenth less now."""
    homes = []
    for place, before in enumerate(energies):
        days = {DAY: DayValue(before * 0.9, 1.0), date(2024, 12, 1): DayValue(before, 1.0)}
        register = RegisterDays(f"m{place}", "electricity", "import_energy", "total", "kWh", days)
        homes.append(Home(f"h{place}", "castors", (register,)))
    period = Period(DAY, DAY + timedelta(days=1))
    question = Question(Subject("team", "castors", "Les Castors"), period, years_before(period))
    return publishable(ENERGY_SAVING.compute(Inputs(FACTORS, tuple(homes)), question)[0])


def test_a_percentage_needs_five_families() -> None:
    """Four are withheld, five are not."""
    assert isinstance(saving([10.0] * 4), NotAssessed)
    five = saving([10.0] * 5)
    assert isinstance(five, Result)
    assert five.value == pytest.approx(10.0)
    assert (five.baseline, five.reported, dict(five.series)) == (None, None, {})


def test_a_family_that_outweighs_the_others_is_not_told_by_a_percentage() -> None:
    """More than half of the energy is withheld, half is not."""
    assert isinstance(saving([10.0] * 4 + [40.1]), NotAssessed)
    assert isinstance(saving([10.0] * 4 + [40.0]), Result)


def test_a_period_is_two_days_both_included() -> None:
    """What a person writes; the end is the day after."""
    assert parse_period("2025-11-01..2026-03-31") == Period(date(2025, 11, 1), date(2026, 4, 1))


@pytest.mark.parametrize("text", ["2025-11-01", "2025-11-01..", "2025-11-01..tomorrow", "2025-11-02..2025-11-01"])
def test_what_is_no_period_is_refused(text: str) -> None:
    """The text says how to write one."""
    with pytest.raises(ReportProblem):
        parse_period(text)


@pytest.mark.parametrize(
    ("today", "winter"),
    [
        (date(2026, 6, 15), Period(date(2025, 11, 1), date(2026, 4, 1))),
        (date(2026, 1, 10), Period(date(2025, 11, 1), date(2026, 1, 10))),
        (date(2026, 11, 1), Period(date(2025, 11, 1), date(2026, 4, 1))),
        (date(2026, 11, 2), Period(date(2026, 11, 1), date(2026, 11, 2))),
    ],
)
def test_the_usual_period_is_the_newest_winter(today: date, winter: Period) -> None:
    """As far as its days have passed."""
    assert last_winter(today) == winter


def test_the_usual_baseline_is_the_year_before() -> None:
    """Unless another one or none is asked for."""
    asked = "2025-11-01..2026-03-31"
    assert periods_of(asked, None)[1] == Period(date(2024, 11, 1), date(2025, 4, 1))
    assert periods_of(asked, "none")[1] is None
    assert periods_of(asked, "2023-11-01..2024-03-31")[1] == Period(date(2023, 11, 1), date(2024, 4, 1))


@pytest.mark.parametrize("last", [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 31)])
def test_a_leap_year_has_the_same_calendar_days(last: date) -> None:
    """29 February is as the 28th, and pairs with nothing."""
    period = Period(date(2023, 11, 1), last + timedelta(days=1))
    before = years_before(period)
    assert same_calendar_days(period, before)
    pairs = paired_days(period, before)
    assert all((now.month, now.day) == (then.month, then.day) and now.year == then.year + 1 for now, then in pairs)
    assert date(2024, 2, 29) not in {now for now, _ in pairs}
    assert pairs[-1][1] == before.last


def test_degree_days_of_published_examples() -> None:
    """max(0, 18 - (Tmin + Tmax) / 2)."""
    assert degree_day(2.0, 10.0) == 12.0
    assert degree_day(16.0, 26.0) == 0.0


def test_a_day_without_temperature_for_more_than_six_hours_has_no_degree_days() -> None:
    """Six hours are accepted, at the ends of the day too."""
    start = datetime(2025, 12, 1, tzinfo=UTC)
    bounds = {DAY: (start, start + timedelta(days=1))}

    def known(*hours: int) -> dict[date, float]:
        return degree_days({DAY: [(start + timedelta(hours=hour), float(hour)) for hour in hours]}, bounds)

    assert known(6, 12, 18) == {DAY: 18.0 - 12.0}
    assert known(6, 13, 19) == {}
    assert known(7, 13, 19) == {}
    assert known(0, 6, 12) == {}


def test_the_interval_of_a_ratio_is_the_one_of_the_textbook() -> None:
    """Worked by hand: 90/100 and 190/200 give 28.24 points; a constant ratio has none; one pair says nothing."""
    assert ratio_error([90, 190], [100, 200]) == pytest.approx(0.2823556, abs=1e-6)
    assert ratio_error([50, 100, 200], [100, 200, 400]) == pytest.approx(0.0)
    assert ratio_error([1], [2]) is None
    assert student_95(60) == pytest.approx(2.0)


def test_a_carrier_has_one_basis_in_a_factor_set() -> None:
    """Gross and net calorific value never meet."""
    row = '[[conversions]]\ncarrier = "gas"\nunit = "{}"\nbasis = "{}"\n'
    row += 'kwh_per_unit = 1.0\nsource = "x"\nverified = true\n'
    text = 'id = "x"\nheat_shares = []\n' + row.format("kWh", "PCS") + row.format("m3", "PCI")
    with pytest.raises(FactorProblem, match="two bases"):
        parse_factors(text)


def _at(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=PARIS).timestamp()) * 1_000_000_000  # type: ignore[misc,arg-type]


async def test_days_of_the_store_are_local_days(tmp_path: Path) -> None:
    """A window that starts at local midnight belongs to that day, on the days of 23 and 25 hours too."""
    tags = {
        "carrier": "gas",
        "household": "h_1",
        "meter": "m",
        "quantity": "volume",
        "register": "total",
        "window": "1d",
    }
    days = [date(2025, 10, 25), date(2025, 10, 26), date(2025, 10, 27), date(2026, 3, 29), date(2026, 3, 30)]
    points = [
        Point(
            "energy",
            tuple(sorted(tags.items())),
            (("coverage", 1.0), ("volume_m3", float(each.day))),
            _at(each.year, each.month, each.day),
        )
        for each in days
    ]
    async with SqliteStore(tmp_path / "series.sqlite") as store:
        await store.write(points)
        period = Period(date(2025, 10, 25), date(2026, 3, 30))
        (home,) = await read_homes(store, PARIS, [period], {"h_1": Family(None, None)})
    (register,) = home.registers
    assert register.unit == "m3"
    assert {each: value.value for each, value in register.days.items()} == {each: float(each.day) for each in days[:4]}


async def test_a_family_that_is_not_in_the_registry_is_not_read(tmp_path: Path) -> None:
    """And one without any measurement is there, with nothing."""
    async with SqliteStore(tmp_path / "series.sqlite") as store:
        homes = await read_homes(store, PARIS, [Period(DAY, DAY + timedelta(days=1))], {"h_2": Family("castors", 0.5)})
    assert [(home.id, home.team, home.heat_share, home.registers) for home in homes] == [("h_2", "castors", 0.5, ())]


async def test_the_station_that_knows_most_days_is_taken(tmp_path: Path) -> None:
    """Not a mean of stations: one place's weather."""
    points = [
        Point("weather", (("station", name),), (("temperature_degc", degc),), _at(2025, 12, day_of_month, hour))
        for name, degc, days in (("a", 1.0, (1,)), ("b", 8.0, (1, 2)))
        for day_of_month in days
        for hour in (0, 6, 12, 18)
    ]
    async with SqliteStore(tmp_path / "series.sqlite") as store:
        await store.write(points)
        weather = await read_weather(store, PARIS, [Period(DAY, date(2025, 12, 3))])
    assert weather.station == "b"
    assert weather.degree_days == {DAY: 10.0, date(2025, 12, 2): 10.0}


async def test_hours_are_read_by_local_day_and_the_doubled_one_is_one(tmp_path: Path) -> None:
    """On 26 October the clocks show the hour from 2 to 3 twice: its vehicles add up; other days are left out."""
    midnight_ms = milliseconds(datetime(2025, 10, 25, 22, tzinfo=UTC))
    said = [(-1, 7), (2, 3), (3, 1), (24, 2), (25, 9)]
    points = [
        hour_point(HourFigures("bx-0", midnight_ms + number * 3_600_000, 2, vehicles, 9, vehicles, 10.0 * vehicles, 1))
        for number, vehicles in said
    ]
    day = date(2025, 10, 26)
    async with SqliteStore(tmp_path / "series.sqlite") as store:
        await store.write(points)
        (junction,) = await read_traffic(store, PARIS, [Period(day, date(2025, 10, 27))])
    assert junction.hours == {(day, 2): TrafficHour(4, 4, 40.0, 1), (day, 23): TrafficHour(2, 2, 20.0, 1)}


def test_every_word_is_there_in_both_languages() -> None:
    """And takes the same values."""
    for name, text in WORDS.items():
        assert text.en, name
        assert text.fr, name
        assert sorted(_places(text.en)) == sorted(_places(text.fr)), name


def _places(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]


def test_numbers_and_dates_in_words() -> None:
    """Separators, minus sign, the first of a month."""
    space = "\N{NARROW NO-BREAK SPACE}"
    assert number(-1234.5, "fr", 1) == f"\N{MINUS SIGN}1{space}234,5"
    assert number(-1234.5, "en", 1) == "\N{MINUS SIGN}1,234.5"
    assert percent(-0.04, "en") == "0.0%", "no minus sign before zero"
    assert signed_percent(3.21, "fr") == f"+3,2{space}%"
    assert day(date(2025, 11, 1), "fr") == "1er novembre 2025"
    assert day(date(2025, 11, 2), "en") == "2 November 2025"


async def test_the_command_makes_a_report_and_says_where(tmp_path: Path) -> None:
    """`garonne report` prints the files that it wrote."""
    await build_city(tmp_path)
    (tmp_path / "garonne.toml").write_text(
        'storage = "embedded"\nkey_file = "garonne.key"\nhouseholds_file = "households.toml"\n'
        'junctions_file = "junctions.geojson"\n[embedded]\nfolder = "var"\n'
    )
    command = ["report", "-c", str(tmp_path / "garonne.toml"), "--period", "2025-11-01..2026-01-30"]
    import asyncio  # noqa: PLC0415 - the command has a loop of its own

    result = await asyncio.to_thread(CliRunner().invoke, app, [*command, "--lang", "en", "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"garonne-report-2025-11-01-2026-01-30-en.{form}" for form in ("html", "json")]
    assert all(name in result.output.replace("\n", "") for name in names)


def test_the_command_says_what_is_wrong_with_a_period() -> None:
    """In one line, with exit code 1."""
    result = CliRunner().invoke(app, ["report", "--period", "last winter"])
    assert result.exit_code == 1
    assert "is not a period" in result.output
