"""`garonne demo`, small, through the whole real path: MQTT 3.1.1, broker, ingest, log, aggregator, series, report."""

import asyncio
import json
from collections import Counter
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from services.checking import check_configuration
from services.demo import DemoProblem, Options, run_demo
from services.demo.checking import TOLERANCE_KWH, stored_by_day_kwh
from services.demo.orchestration import Result
from services.embedded.series import SqliteStore
from services.ingest.pseudonyms import read_keys
from services.runtime.settings import read_settings
from services.simulator import Winter

PARIS = ZoneInfo("Europe/Paris")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, str]:
    """26 families over two times nine days, and ten minutes of traffic; with what was shown on the console."""
    shown = StringIO()
    options = Options(tmp_path_factory.mktemp("demo") / "bordeaux", families=26, days=9, traffic_minutes=10)
    return run_demo(options, Console(file=shown)), shown.getvalue()


def _days_kwh(demo: Result, family: str, winter: Winter) -> dict[str, float]:
    assert demo.settings.key_file is not None
    household = read_keys(demo.settings.key_file).pseudonym("household", family)
    return asyncio.run(stored_by_day_kwh(demo.settings, winter)).get(household, {})


def test_every_message_is_accounted_for(demo: tuple[Result, str]) -> None:
    """Published, acknowledged and received are one number: stored, rejected and ignored together, each as simulated."""
    figures, truth = demo[0].figures, demo[0].city.truth
    assert figures.published == figures.acknowledged == figures.received
    assert figures.published == figures.stored + figures.rejected + figures.ignored
    assert figures.published > 4000
    assert figures.rejected == truth.broken_messages > 0
    assert figures.ignored == truth.unmetered_messages > 0
    assert "Every message is accounted for" in demo[1]


def test_the_store_holds_what_the_homes_consumed(demo: tuple[Result, str]) -> None:
    """Each winter of each home, the faulty meters too, but for what no reader of its messages can know."""
    result = demo[0]
    homes = 0
    for winter in result.city.winters:
        for family in result.city.families:
            if family.metering == "linky_historique":
                continue
            truth = result.city.truth.homes[family.name, winter.name]
            stored_kwh = sum(_days_kwh(result, family.name, winter).values())
            assert stored_kwh == pytest.approx(truth.visible_kwh, abs=TOLERANCE_KWH), family
            assert truth.unseen_kwh <= truth.largest_step_kwh
            homes += 1
    assert homes == 50


def test_each_day_holds_what_the_home_consumed_on_it(demo: tuple[Result, str]) -> None:
    """Local days; where readings are missing, the day is off by no more than was used between two good ones."""
    result = demo[0]
    for winter in result.city.winters:
        for family in result.city.families:
            if family.metering == "linky_historique":
                continue
            truth = result.city.truth.homes[family.name, winter.name]
            stored = _days_kwh(result, family.name, winter)
            doubtful = winter.name == "challenge" and family.fault in {"gap", "glitch", "reset", "changed_meter"}
            for day, kwh in truth.by_day_kwh.items():
                tolerance = TOLERANCE_KWH + (truth.largest_step_kwh if doubtful else 0.0)
                assert stored[day.isoformat()] == pytest.approx(kwh, abs=tolerance), (family, day)


def test_meters_without_a_clock_are_stored_at_their_arrival(demo: tuple[Result, str]) -> None:
    """Historique frames: what the index rose by while the demonstration published."""
    result = demo[0]
    today = datetime.now(PARIS).date()
    around = Winter("now", today - timedelta(days=1), today + timedelta(days=2))
    (family,) = (each for each in result.city.families if each.metering == "linky_historique")
    stored_kwh = sum(_days_kwh(result, family.name, around).values())
    assert stored_kwh == pytest.approx(result.city.truth.live_wh[family.name] / 1000, abs=0.0001)
    assert stored_kwh > 0


def test_every_minute_of_every_junction_counts_its_vehicles(demo: tuple[Result, str]) -> None:
    """Distinct cars by junction and minute, and every CAM a sample."""
    result = demo[0]

    async def minutes() -> tuple[dict[tuple[str, int], int], int]:
        async with SqliteStore(result.settings.embedded.folder / "series.sqlite") as store:
            rows = await store.select("traffic", tags={"window": "1m"})
        cars = {(row.tags["zone"], row.time_ns // 10**9): int(row.fields["vehicles"]) for row in rows}
        return cars, sum(int(row.fields["samples"]) for row in rows)

    stored, samples = asyncio.run(minutes())
    assert stored == {minute: len(cars) for minute, cars in result.city.truth.vehicles.items()}
    assert samples == result.city.truth.awareness_messages


def test_no_identifier_of_a_home_or_a_car_reaches_the_log_or_the_store(demo: tuple[Result, str]) -> None:
    """Serial numbers, device names, family names and station ids are in neither file."""
    folder = demo[0].settings.embedded.folder
    content = b"".join(path.read_bytes() for path in sorted(folder.glob("*.sqlite*")))
    assert len(content) > 1_000_000
    for family in demo[0].city.families[:10]:  # every kind of meter but historique by teleinfo2mqtt, every fault
        for name in (*family.serials, family.device, family.name):
            assert name.encode() not in content
    assert b"com_car_" not in content
    stations = sorted({station for cars in demo[0].city.truth.vehicles.values() for station in cars})
    assert not [station for station in stations[:10] if str(station).encode() in content]


def test_the_reports_are_written_from_the_store(demo: tuple[Result, str]) -> None:
    """A page and JSON for the challenge and for the traffic; the vehicles of each junction are those simulated."""
    paths = demo[0].report
    assert Counter(path.suffix for path in paths) == {".html": 2, ".json": 2}
    entries = [
        entry for path in paths if path.suffix == ".json" for entry in json.loads(path.read_text("utf-8"))["entries"]
    ]
    told = {entry["kpi"] for entry in entries if entry["status"] == "assessed"}
    assert told >= {
        "energy_saving", "vehicles_per_junction", "junction_passages", "signal_predictions", "priority_requests",
        "hazard_warnings", "service_with_without",
    }  # fmt: skip
    junctions = {entry["subject"]["id"] for entry in entries if entry["subject"]["kind"] == "junction"}
    assert junctions == {each.id for each in demo[0].city.junctions}


def test_what_is_left_behind_is_a_configuration_to_go_on_with(demo: tuple[Result, str]) -> None:
    """`garonne check` finds nothing wrong with it."""
    configuration = demo[0].settings.embedded.folder / "garonne.toml"
    assert list(check_configuration(read_settings(configuration))) == []


def test_a_folder_with_another_configuration_is_left_alone(tmp_path: Path) -> None:
    """Only what a demonstration wrote is replaced."""
    (tmp_path / "garonne.toml").write_text('storage = "servers"\n')
    with pytest.raises(DemoProblem, match="choose another --folder"):
        run_demo(Options(tmp_path, families=2, days=2), Console(file=StringIO()), today=date(2026, 11, 24))
    assert (tmp_path / "garonne.toml").read_text() == 'storage = "servers"\n'
