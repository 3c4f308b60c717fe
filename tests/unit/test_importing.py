"""`garonne import` on a site without servers: from files to the saving of a winter, once however often it is done."""

import asyncio
import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from services.aggregator.kpis.energy_saving.homes import Assessed, assess
from services.aggregator.kpis.results import Period
from services.aggregator.kpis.seasons import paired_days
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.ports import Row
from services.aggregator.series import Family, read_homes, read_weather
from services.aggregator.telemetry import AggregatorTelemetry
from services.cli import app
from services.embedded.eventlog import SqliteLog
from services.embedded.series import SqliteStore
from services.ingest.assembly import build_normaliser, keys_of
from services.ingest.pipeline import outgoing
from services.ingest.profiles import Message
from services.running import open_sink
from services.runtime.settings import AggregatorSettings, Settings, read_settings
from tests.kpi_cases import FACTORS

PARIS = ZoneInfo("Europe/Paris")
PRM, ADSC, PCE = "01234567890123", "051976000777", "21400000000341"
DAYS = 12
FIRST = (datetime.now(UTC) - timedelta(days=DAYS + 20)).date().replace(month=1, day=8)
"""Twelve days of January: over by now, and not long ago."""
NOW_DAYS = Period(FIRST, FIRST + timedelta(days=DAYS))
BASE_DAYS = Period(FIRST.replace(year=FIRST.year - 1), FIRST.replace(year=FIRST.year - 1) + timedelta(days=DAYS))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """An embedded site with one family, whose Linky has two names."""
    key = tmp_path / "garonne.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    (tmp_path / "households.toml").write_text(
        f"""
[[households]]
id = "famille-001"
devices = ["linky_teleinfo2mqtt:{ADSC}", "gazpar:{PCE}"]
same_meter = {{ "enedis_csv:{PRM}" = "linky_teleinfo2mqtt:{ADSC}" }}
"""
    )
    path = tmp_path / "garonne.toml"
    path.write_text(
        'storage = "embedded"\nkey_file = "garonne.key"\nhouseholds_file = "households.toml"\n'
        '[ingest]\nbatch = 50\n[embedded]\nfolder = "."\n'
    )
    return path


def _run(site: Path, file: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["import", str(file), "--config", str(site), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, " ".join(result.output.split())


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=PARIS).astimezone(UTC)


def _curve(folder: Path, period: Period, watts: int) -> Path:
    """A load curve of half hours in mean W."""
    rows = []
    at, end = _midnight(period.start), _midnight(period.end)
    while at < end:
        at += timedelta(minutes=30)
        rows.append(f"{at.astimezone(PARIS).isoformat()};{watts}")
    head = f"Identifiant PRM;Grandeur metier;Unite\n{PRM};Consommation;W\nHorodate;Valeur\n"
    path = folder / f"curve-{period.start}.csv"
    path.write_text(head + "\n".join(rows) + "\n")
    return path


def _temperatures(folder: Path, period: Period, degc: float) -> Path:
    start = _midnight(period.start)
    hours = range(24 * (period.end - period.start).days)
    rows = [f"bordeaux;{(start + timedelta(hours=hour)).isoformat()};{degc}" for hour in hours]
    path = folder / f"cold-{period.start}.csv"
    path.write_text("station;time;value\n" + "\n".join(rows) + "\n")
    return path


async def _live(settings: Settings, period: Period, wh_per_hour: int) -> None:
    """Hourly telegrams of the Linky, as teleinfo2mqtt publishes them."""
    normaliser, _ = build_normaliser(settings)
    batch = []
    at, index = _midnight(period.start), 14_000_000
    while at <= _midnight(period.end):
        local = f"{at.astimezone(PARIS):%Y-%m-%dT%H:%M:%S.000Z}"
        values = {
            "ADSC": {"raw": ADSC, "value": int(ADSC)},
            "VTIC": {"raw": "02", "value": 2},
            "DATE": {"raw": "", "value": "", "timestamp": {"date": local, "dst": "winter"}},
            "EAST": {"raw": f"{index:09}", "value": index},
        }
        outcome = normaliser(Message(f"teleinfo/{ADSC}", json.dumps(values).encode(), at))
        assert outcome.rejected is None
        batch += [outgoing(event) for event in outcome.events]
        at, index = at + timedelta(hours=1), index + wh_per_hour
    async with open_sink(settings) as sink:
        await sink.send(batch)


async def _aggregate(settings: Settings) -> Mapping[str, list[Row]]:
    """Store what waits in the log; what stands in the series then."""
    log = SqliteLog(settings.embedded.folder / "events.sqlite", settings.kafka.group)
    async with SqliteStore(settings.embedded.folder / "series.sqlite") as store:
        sealing = Sealing(keys_of(settings).seal, "d_0123456789abcdef")
        pipeline = Pipeline(log, store, sealing, AggregatorSettings(), PARIS, AggregatorTelemetry())
        while batch := await log.poll(500, 0.01):
            await pipeline.store(batch)
        await log.close()
        return {each: list(await store.select(each)) for each in ("energy", "interval", "meter", "weather")}


async def _assessed(settings: Settings) -> Any:
    household = keys_of(settings).pseudonym("household", "famille-001")
    async with SqliteStore(settings.embedded.folder / "series.sqlite") as store:
        periods = [BASE_DAYS, NOW_DAYS]
        (home,) = await read_homes(store, PARIS, periods, {household: Family(None, 1.0)})
        weather = await read_weather(store, PARIS, periods)
    return assess(home, paired_days(NOW_DAYS, BASE_DAYS), FACTORS, weather.degree_days)


async def test_an_imported_winter_is_the_baseline_of_a_live_one(site: Path, tmp_path: Path) -> None:
    """A load curve, a live Linky, and temperatures of both winters: one meter, one saving, in the same weather.

    500 W for twelve days against 400 Wh an hour is a fifth less, and by a tenth more cold all of it heat.
    """
    settings = read_settings(site)
    files = [
        _curve(tmp_path, BASE_DAYS, 500),
        _temperatures(tmp_path, BASE_DAYS, 8.0),
        _temperatures(tmp_path, NOW_DAYS, 7.0),
    ]
    for file in files:
        code, said = await asyncio.to_thread(_run, site, file)
        assert code == 0, said
    await _live(settings, NOW_DAYS, 400)
    await _aggregate(settings)
    home = await _assessed(settings)
    assert isinstance(home, Assessed)
    assert len(home.pairs) == DAYS
    assert home.reference_kwh == pytest.approx(DAYS * 12.0)
    assert home.period_kwh == pytest.approx(DAYS * 9.6)
    assert home.corrected_kwh == pytest.approx(home.period_kwh * 10 / 11)


async def test_history_of_days_that_are_live_is_not_added(site: Path, tmp_path: Path) -> None:
    """The curve of the same days and the same meter changes nothing of what the index says."""
    settings = read_settings(site)
    await _live(settings, NOW_DAYS, 400)
    for file in (_curve(tmp_path, BASE_DAYS, 500), _curve(tmp_path, NOW_DAYS, 410)):
        await asyncio.to_thread(_run, site, file)
    await _aggregate(settings)
    home = await _assessed(settings)
    assert home.period_kwh == pytest.approx(DAYS * 9.6)


async def test_a_second_import_changes_nothing(site: Path, tmp_path: Path) -> None:
    """The same events once more: every point of every series stays as it is."""
    settings = read_settings(site)
    gas = tmp_path / "gas.csv"
    rows = [f"{PCE};{BASE_DAYS.start + timedelta(days=n):%d/%m/%Y};{7 + n / 10};{80 + n}" for n in range(5)]
    gas.write_text("N° PCE;Date de relevé;Volume consommé (m3);Energie consommée (kWh)\n" + "\n".join(rows))
    files = [_curve(tmp_path, BASE_DAYS, 500), _temperatures(tmp_path, BASE_DAYS, 8.0), gas]
    for file in files:
        assert (await asyncio.to_thread(_run, site, file))[0] == 0
    first = await _aggregate(settings)
    assert all(first[each] for each in ("energy", "interval", "weather"))
    for file in files:
        assert (await asyncio.to_thread(_run, site, file))[0] == 0
    assert await _aggregate(settings) == first


def test_bad_rows_are_told_by_line_and_the_others_are_in(site: Path, tmp_path: Path) -> None:
    """The command says how many of each, and ends with 1."""
    file = _curve(tmp_path, BASE_DAYS, 500)
    lines = file.read_text().splitlines()
    lines[5], lines[9] = "no time;500", lines[9].rpartition(";")[0] + ";-4"
    lines[12] = lines[12].rpartition(";")[0] + ";"
    file.write_text("\n".join(lines))
    code, said = _run(site, file)
    assert code == 1
    assert "line 6: bad_value: horodate" in said
    assert "line 10: bad_value: valeur: negative" in said
    assert f"{DAYS * 48} rows read, {DAYS * 48 - 3} normalised" in said
    assert "2 rejected, 1 ignored (no-value)" in said


def test_a_dry_run_writes_nothing(site: Path, tmp_path: Path) -> None:
    """`--check` says the same and opens no log."""
    code, said = _run(site, _curve(tmp_path, BASE_DAYS, 500), "--check")
    assert (code, f"Would import enedis-load-curve: {DAYS * 48} rows read" in said) == (0, True)
    assert not (site.parent / "events.sqlite").exists()


def test_a_meter_that_no_home_has_is_refused_with_what_to_write(site: Path, tmp_path: Path) -> None:
    """And its number is in no text of the command."""
    file = _curve(tmp_path, BASE_DAYS, 500)
    file.write_text(file.read_text().replace(PRM, "99999999999999"))
    code, said = _run(site, file)
    assert code == 1
    assert "same_meter" in said
    assert "99999999999999" not in said


async def test_the_meter_of_a_household_is_its_one_device(site: Path, tmp_path: Path) -> None:
    """`--household` names the live meter, whatever number the file has, where the home has no other."""
    homes = site.parent / "households.toml"
    homes.write_text(f'[[households]]\nid = "famille-002"\ndevices = ["linky_teleinfo2mqtt:{ADSC}"]\n')
    code, said = await asyncio.to_thread(_run, site, _curve(tmp_path, BASE_DAYS, 500), "--household", "famille-002")
    assert code == 0, said
    settings = read_settings(site)
    keys = keys_of(settings)
    energy = (await _aggregate(settings))["energy"]
    assert {row.tags["meter"] for row in energy} == {keys.pseudonym("meter", f"linky_teleinfo2mqtt:{ADSC}")}
    assert {row.tags["household"] for row in energy} == {keys.pseudonym("household", "famille-002")}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--household", "famille-001"), "several devices"),
        (("--household", "famille-002"), "no such household"),
        (("--device", "051976000777"), "<profile>:<identifier>"),
        (("--device", "tasmota:x"), "no household of the registry has it"),
        (("--household", "famille-001", "--device", "tasmota:x"), "none of household"),
        (("--format", "grdf"), "those of enedis-load-curve, not of grdf"),
    ],
)
def test_what_does_not_agree_is_said(site: Path, tmp_path: Path, options: tuple[str, ...], text: str) -> None:
    """Each with what to write instead."""
    code, said = _run(site, _curve(tmp_path, BASE_DAYS, 500), *options)
    assert code == 1
    assert text in said


def test_no_identifier_of_a_file_is_in_the_log(site: Path, tmp_path: Path) -> None:
    """Neither of rows that are read nor of rows that are refused."""
    file = _curve(tmp_path, BASE_DAYS, 500)
    file.write_text(file.read_text() + "no time;500\n")
    _run(site, file)
    content = b"".join(path.read_bytes() for path in site.parent.glob("events.sqlite*"))
    assert b"enedis_csv" in content
    assert PRM.encode() not in content
