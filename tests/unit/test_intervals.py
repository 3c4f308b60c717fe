"""Windows of measured intervals: exact, counted once, the same in any order; one home's history and live data meet."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.intervals import Interval, IntervalHistory
from services.aggregator.kpis.consumption import home_consumption
from services.aggregator.kpis.inputs import DayValue, Home, RegisterDays
from services.aggregator.windows import local_day
from tests.kpi_cases import FACTORS

PARIS = ZoneInfo("Europe/Paris")
HALF_HOUR_MS = 1_800_000


def _at(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc,arg-type]


def _history(carrier: str = "electricity") -> IntervalHistory:
    history = IntervalHistory(carrier, "kWh", PARIS)
    history.load((), 0)
    return history


def _values(history: IntervalHistory, intervals: list[Interval], name: str) -> dict[int, int]:
    _, changed = history.merge(intervals)
    return {each.window.start_ms: each.window.value for each in changed if each.name == name}


def test_days_of_46_and_50_half_hours_are_whole() -> None:
    """A load curve over the days of both changes of the clock gives each local day its own half hours."""
    for day, half_hours in ((date(2025, 3, 30), 46), (date(2025, 10, 26), 50), (date(2025, 1, 5), 48)):
        start, end = local_day(_at(day.year, day.month, day.day, 12), PARIS)
        curve = [Interval(at, at + HALF_HOUR_MS, 250_000, 0) for at in range(start, end, HALF_HOUR_MS)]
        assert len(curve) == half_hours
        _, changed = _history().merge(curve)
        (window,) = [each.window for each in changed if each.name == "1d"]
        assert (window.start_ms, window.value, window.coverage) == (start, half_hours * 250_000, 1.0)


@given(
    values=st.lists(st.integers(0, 20_000_000), min_size=1, max_size=60),
    step=st.sampled_from([600_000, 900_000, HALF_HOUR_MS, 3_600_000, 86_400_000]),
    shift=st.integers(0, 86_400),
)
def test_windows_add_up_to_what_was_measured(values: list[int], step: int, shift: int) -> None:
    """Whatever the step, and wherever it lies between the windows: not one millionth is lost or made."""
    start = _at(2025, 10, 20) + shift * 1000
    curve = [Interval(start + i * step, start + (i + 1) * step, value, 0) for i, value in enumerate(values)]
    for name in ("30m", "1h", "1d"):
        history = _history("gas")
        assert sum(_values(history, curve, name).values()) == sum(
            each.value for each in curve if history.credible(each)
        )


def test_a_correction_replaces_and_a_repetition_changes_nothing() -> None:
    """What was said later of the same time counts; the same thing said again is no news."""
    start = _at(2026, 1, 5)
    history = _history()
    history.merge([Interval(start, start + HALF_HOUR_MS, 400_000, 1)])
    assert _values(history, [Interval(start, start + HALF_HOUR_MS, 500_000, 2)], "30m") == {start: 500_000}
    assert history.merge([Interval(start, start + HALF_HOUR_MS, 400_000, 9)]) == ([], [])


def test_an_hour_and_its_halves_are_counted_once() -> None:
    """The finer curve speaks where it is known, the coarser one for the rest of its time."""
    start = _at(2026, 1, 5)
    told = [Interval(start, start + 2 * HALF_HOUR_MS, 600_000, 5), Interval(start, start + HALF_HOUR_MS, 100_000, 1)]
    assert _values(_history(), told, "1h") == {start: 400_000}


def test_a_share_of_a_day_is_estimated_and_the_day_is_not() -> None:
    """A daily value says nothing of its half hours."""
    start, end = local_day(_at(2026, 1, 5, 12), PARIS)
    _, changed = _history().merge([Interval(start, end, 12_000_000, 0)])
    assert {each.name: each.window.estimated for each in changed} == {"30m": True, "1h": True, "1d": False}


def test_what_no_home_uses_is_no_energy() -> None:
    """Wh taken for kWh, a negative value, and a season are kept as they came and make no window."""
    start = _at(2026, 1, 5)
    hour, season = start + 2 * HALF_HOUR_MS, start + 90 * 86_400_000
    for wrong in (
        Interval(start, hour, 900_000_000, 0),
        Interval(start, hour, -1, 0),
        Interval(start, season, 1_000_000, 0),
    ):
        news, changed = _history().merge([wrong])
        assert (news, changed) == ([wrong], [])


def _days(name: str, start: date, values: list[float], quantity: str = "import_energy") -> RegisterDays:
    days = {start + timedelta(days=number): DayValue(value, 1.0) for number, value in enumerate(values)}
    unit = "m3" if quantity == "volume" else "kWh"
    return RegisterDays("m", "gas" if quantity == "volume" else "electricity", quantity, name, unit, days)  # type: ignore[arg-type]


def test_history_and_registers_of_one_meter_are_never_added() -> None:
    """On a day that both tell the register counts; before the meter came online, the imported curve."""
    curve = _days("interval:total", date(2026, 1, 1), [9.0, 9.0, 9.0])
    daily = _days("interval:day", date(2026, 1, 1), [9.1, 9.1, 9.1, 9.1])
    index = _days("total", date(2026, 1, 3), [8.9])
    used = home_consumption(Home("h", None, (curve, daily, index)), FACTORS)
    assert list(used.days.values()) == [9.0, 9.0, 8.9, 9.1]


def test_tariffs_by_interval_complete_each_other() -> None:
    """Off-peak and peak of a history in two columns are one energy."""
    start = date(2026, 1, 1)
    tariffs = (_days("interval:HC", start, [3.0]), _days("interval:HP", start, [4.0]))
    assert list(home_consumption(Home("h", None, tariffs), FACTORS).days.values()) == [7.0]
