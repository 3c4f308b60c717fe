"""`garonne kpi`: periods that have ended, into the time series, without a file."""

import asyncio
import json
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from services.aggregator.kpis.results import Period, Subject
from services.aggregator.kpis.seasons import Span, closed, may_tell_amounts, span_of
from services.cli import app
from services.closing import closed_period, tell
from services.reporting import ReportProblem
from tests import report_city
from tests.report_city import City, build_city

TODAY = date(2026, 11, 24)
WINTER = Period(date(2025, 11, 1), date(2026, 4, 1))
NOVEMBER = Period(date(2025, 11, 1), date(2025, 12, 1))


@pytest.mark.parametrize(
    ("span", "today", "start", "end"),
    [
        ("month", TODAY, "2026-10-01", "2026-11-01"),
        ("month", date(2026, 1, 1), "2025-12-01", "2026-01-01"),
        ("week", TODAY, "2026-11-16", "2026-11-23"),
        ("week", date(2026, 11, 23), "2026-11-16", "2026-11-23"),
        ("winter", TODAY, "2025-11-01", "2026-04-01"),
        ("winter", date(2026, 4, 1), "2025-11-01", "2026-04-01"),
        ("winter", date(2026, 3, 31), "2024-11-01", "2025-04-01"),
        ("year", TODAY, "2025-01-01", "2026-01-01"),
    ],
)
def test_the_newest_period_that_has_ended_is_meant(span: Span, today: date, start: str, end: str) -> None:
    """Today is in none of them; and each is of its own sort."""
    assert span != "other"
    found = closed(span, today)
    assert found == Period(date.fromisoformat(start), date.fromisoformat(end))
    assert span_of(found) == span
    assert closed_period(span, today) == found


def test_what_is_no_sort_of_a_period_is_another() -> None:
    """Ten days, a week from Tuesday on, two months."""
    for start, end in (("2026-01-05", "2026-01-15"), ("2026-01-06", "2026-01-13"), ("2026-01-01", "2026-03-01")):
        assert span_of(Period(date.fromisoformat(start), date.fromisoformat(end))) == "other"


@pytest.mark.parametrize("text", ["2026-11-01..2026-11-24", "2026-11-01..2026-12-31", "fortnight", "2026-11-01"])
def test_a_period_that_has_not_ended_is_refused_with_a_way_out(text: str) -> None:
    """A value that changes each day is no value of a period."""
    with pytest.raises(ReportProblem, match=r"garonne report|week, month, winter, year"):
        closed_period(text, TODAY)
    assert closed_period("2026-11-01..2026-11-23", TODAY).end == TODAY


def test_amounts_of_families_are_told_of_one_sort_of_period_only() -> None:
    """The families of five months less those of their winter would be those who are in one of them."""
    programme, junction = Subject("programme", "familles", "Familles"), Subject("junction", "bx-0", "Carrefour")
    spans: tuple[Span, ...] = ("week", "month", "winter", "year", "other")
    assert [span for span in spans if may_tell_amounts(programme, span)] == ["winter"]
    assert all(may_tell_amounts(junction, span) for span in spans)


@pytest.fixture(autouse=True)
def _whole_winters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The city has been measured to the end of March, not of January only."""
    monkeypatch.setattr(report_city, "END", WINTER.end)


async def _rows(city: City, measurement: str) -> list[tuple[dict[str, str], dict[str, object], int]]:
    async with city.store() as store:
        return [(dict(row.tags), dict(row.fields), row.time_ns) for row in await store.select(measurement)]


async def test_a_month_does_not_overwrite_a_winter_and_told_again_nothing_changes(tmp_path: Path) -> None:
    """Both are stored at their ends, with their span; the second night writes the same points."""
    city = await build_city(tmp_path)
    for period in (NOVEMBER, WINTER, NOVEMBER):
        done = await tell(city.settings, period)
        assert done.told["energy_saving.raw"] >= 1
    rows = [row for row in await _rows(city, "kpi") if row[0]["subject"] == "familles"]
    ends = {
        span: datetime(end.year, end.month, end.day, tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC).timestamp() * 1e9
        for span, end in (("month", NOVEMBER.end), ("winter", WINTER.end))
    }
    assert {(tags["span"], at) for tags, _, at in rows} == set(ends.items())
    amounts = {tags["span"] for tags, fields, _ in rows if "reported" in fields}
    assert amounts == {"winter"}


async def test_curves_are_stored_as_the_gate_lets_them_out(tmp_path: Path) -> None:
    """A day of the winter that is known has a value; hours of a junction of few vehicles have none, and say so."""
    city = await build_city(tmp_path)
    await tell(city.settings, WINTER)
    rows = await _rows(city, "kpi_series")
    days = [fields for tags, fields, _ in rows if tags["series"] == "period_kwh_per_home" and fields["assessed"]]
    assert len(days) > 60
    assert {tags["subject"] for tags, _, _ in rows} == {"familles", "bx-0", "bx-1", "bx-2"}, "no team has a curve"
    shown = {tags["subject"] for tags, fields, _ in rows if tags["at"] != "day" and fields["assessed"]}
    assert shown == {"bx-0"}, "six vehicles an hour; at bx-1 there are two"
    hours = [tags["at"] for tags, _, _ in rows if (tags["subject"], tags["series"]) == ("bx-1", "vehicles_by_hour")]
    assert sorted(hours) == [f"{hour:02d}" for hour in range(24)]


async def test_a_curve_that_may_not_be_told_any_more_is_not_assessed_any_more(tmp_path: Path) -> None:
    """Families left, and their number fell under ten: each place of the curve says so."""
    city = await build_city(tmp_path)
    await tell(city.settings, WINTER)
    registry = city.folder / "households.toml"
    blocks = registry.read_text("utf-8").split("[[households]]")
    registry.write_text("[[households]]".join(blocks[:8]), "utf-8")
    await tell(city.settings, WINTER)
    rows = await _rows(city, "kpi_series")
    assert not any(fields["assessed"] for tags, fields, _ in rows if tags["subject"] == "familles")


def test_the_command_tells_what_it_stored_and_writes_no_file(tmp_path: Path) -> None:
    """One JSON object a period: values by indicator, and why others have none."""
    asyncio.run(build_city(tmp_path))
    config = tmp_path / "garonne.toml"
    config.write_text(
        'storage = "embedded"\nkey_file = "garonne.key"\nhouseholds_file = "households.toml"\n'
        'junctions_file = "junctions.geojson"\n[embedded]\nfolder = "var"\n',
        "utf-8",
    )
    before = set(tmp_path.rglob("*"))
    command = ["kpi", "-c", str(config), "--period", "2025-11-01..2025-11-30", "--period", "winter", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    november = json.loads(result.stdout.splitlines()[0])
    assert november["span"] == "month"
    assert november["told"]["energy_saving.raw"] >= 1
    assert november["withheld"]["energy_saving.raw"] == {"small_group": 1}
    assert {path.name for path in set(tmp_path.rglob("*")) - before} <= {"series.sqlite-wal", "series.sqlite-shm"}
    table = CliRunner().invoke(app, ["kpi", "-c", str(config), "--period", "winter"])
    assert "energy_saving.raw" in table.stdout
    refused = CliRunner().invoke(app, ["kpi", "-c", str(config), "--period", "2999-01-01..2999-01-31"])
    assert refused.exit_code == 1
    assert "has not ended" in refused.output
