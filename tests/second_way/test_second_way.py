"""The report says what a person finds who adds up the raw records of a simulated city by hand."""

import ast
import asyncio
import json
import random
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.telemetry import AggregatorTelemetry
from services.demo import Options, run_demo
from services.demo.orchestration import Result
from services.embedded.eventlog import SqliteLog, SqliteSink
from services.embedded.series import SqliteStore
from services.ingest.pipeline import outgoing
from services.ingest.profiles import Message
from services.ingest.pseudonyms import read_keys
from services.reporting import make_report
from services.runtime.settings import AggregatorSettings
from services.simulator import Winter
from tests.cases import KEYS, normaliser
from tests.second_way import plainly
from tests.second_way.plainly import Raw

PARIS: Final = ZoneInfo("Europe/Paris")
SERVICES: Final = Path(__file__).resolve().parents[2] / "services"

KWH: Final = 0.001
"""Two sums of a winter over all homes may differ by this: a day is rounded down to 1 mWh at both ends."""
PERCENT: Final = 1e-4
"""And a percentage of some hundred kWh by this."""
EXACT: Final = 1e-9
"""Of what is counted, and of means of the same numbers: the order in which floats are added."""


class Simulated(NamedTuple):
    """A demonstration, what its event log holds, and the entries of its reports."""

    demo: Result
    raw: list[Raw]
    entries: list[dict[str, Any]]

    def said(self, kpi: str, variant: str, kind: str) -> dict[str, dict[str, Any]]:
        """Entries by the name of what they are about."""
        return {
            each["subject"]["label"]: each
            for each in self.entries
            if (each["kpi"], each["variant"], each["subject"]["kind"]) == (kpi, variant, kind)
        }


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """25 families in three teams over twice twenty days, every kind of fault, and ten minutes of traffic."""
    folder = tmp_path_factory.mktemp("second-way") / "bordeaux"
    options = Options(folder, families=25, teams=3, days=20, junctions=3, traffic_minutes=10)
    demo = run_demo(options, Console(file=StringIO()), today=date(2026, 11, 24))
    entries = [
        entry
        for path in demo.report
        if path.suffix == ".json"
        for entry in json.loads(path.read_text("utf-8"))["entries"]
    ]
    return Simulated(demo, asyncio.run(records_of(folder / "events.sqlite")), entries)


async def records_of(path: Path) -> list[Raw]:
    """The data of every event of an event log, each event once."""
    log = SqliteLog(path, "second-way", ["garonne.energy", "garonne.mobility", "garonne.citizen"])
    found: dict[str, Raw] = {}
    while batch := await log.poll(10_000, 0):
        for each in batch:
            event = json.loads(each.value)
            found[event["id"]] = event["data"]
    await log.close()
    return list(found.values())


def days_of(winter: Winter) -> list[date]:
    """Its local days."""
    return [winter.first + timedelta(days=n) for n in range((winter.after - winter.first).days)]


def usual_share() -> float:
    """The share of electricity that heats, where nothing else is known: a datum of the factors."""
    rows = tomllib.loads((SERVICES / "aggregator/kpis/factors.toml").read_text("utf-8"))["heat_shares"]
    (share,) = [float(row["share"]) for row in rows if row["carrier"] == "electricity"]
    return share


def saving_by_hand(city: Simulated, team: str | None) -> plainly.Saving:
    """Of a team, or of all families."""
    assert city.demo.settings.key_file is not None
    keys = read_keys(city.demo.settings.key_file)
    homes = plainly.homes_of(city.raw)
    baseline, challenge = map(days_of, city.demo.city.winters)
    families = [each for each in city.demo.city.families if team in {None, each.team}]
    group = [homes.get(keys.pseudonym("household", each.name)) for each in families]
    return plainly.saving_of(group, baseline, challenge, plainly.degree_days(city.raw), usual_share())


def test_the_second_way_uses_nothing_of_the_first() -> None:
    """Otherwise one defect would be in both: only the standard library is imported."""
    tree = ast.parse(Path(plainly.__file__).read_text("utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert modules
    assert not [each for each in modules if (each or "services").startswith(("services", "schemas", "tests"))]


def test_the_saving_of_each_team_is_the_one_by_hand(city: Simulated) -> None:
    """Percentage, coverage and how many families count, raw and in equal weather."""
    raw, corrected = (city.said("energy_saving", variant, "team") for variant in ("raw", "degree_days"))
    assert set(raw) == set(corrected) == set(city.demo.city.teams)
    for team, entry in raw.items():
        ours = saving_by_hand(city, team)
        assert entry["value"] == pytest.approx(ours.percent, abs=PERCENT), team
        assert corrected[team]["value"] == pytest.approx(ours.corrected_percent, abs=PERCENT), team
        assert entry["coverage"] == pytest.approx(ours.coverage, abs=EXACT), team
        assert (entry["population"], entry["enrolled"]) == (ours.homes, ours.homes + sum(ours.left.values())), team


def test_the_saving_of_the_programme_is_the_one_by_hand(city: Simulated) -> None:
    """The energy of both winters too, and why families are in neither sum: each reason that the faults give."""
    (entry,) = city.said("energy_saving", "raw", "programme").values()
    ours = saving_by_hand(city, None)
    assert entry["value"] == pytest.approx(ours.percent, abs=PERCENT)
    assert entry["comparison"]["baseline_amount"] == pytest.approx(ours.before_kwh, abs=KWH)
    assert entry["comparison"]["reported_amount"] == pytest.approx(ours.now_kwh, abs=KWH)
    assert entry["coverage"] == pytest.approx(ours.coverage, abs=EXACT)
    assert entry["population"] == ours.homes
    assert set(ours.left) == {"no_data", "meter_changed", "low_coverage"}
    left = {name: count for name, count in entry["figures"].items() if name.startswith("left_")}
    assert left == {f"left_{why}": count for why, count in ours.left.items()}


def test_the_saving_in_equal_weather_is_the_one_by_hand(city: Simulated) -> None:
    """Degree days out of the raw temperatures of both winters; and it is not the raw saving."""
    (entry,) = city.said("energy_saving", "degree_days", "programme").values()
    ours, cold = saving_by_hand(city, None), plainly.degree_days(city.raw)
    assert entry["value"] == pytest.approx(ours.corrected_percent, abs=PERCENT)
    assert abs(ours.corrected_percent - ours.percent) > 100 * PERCENT
    for name, winter in zip(("reference", "period"), city.demo.city.winters, strict=True):
        theirs = entry["figures"][f"degree_days_{name}"]
        assert theirs == pytest.approx(sum(cold[day] for day in days_of(winter)), abs=1e-6)


def test_the_vehicles_of_each_junction_are_those_by_hand(city: Simulated) -> None:
    """Distinct vehicles minute by minute, and their mean speed; fewer than five at once may be withheld."""
    said, ours = city.said("vehicles_per_junction", "seen", "junction"), plainly.vehicles_of(city.raw)
    names = {each.id: each.name for each in city.demo.city.junctions}
    assert set(said) == {names[each] for each in ours}
    shown = 0
    for junction, (vehicles, at_once, speed_kmh) in ours.items():
        entry = said[names[junction]]
        if entry["status"] == "assessed":
            shown += 1
            assert entry["value"] == vehicles, junction
            assert entry["figures"]["mean_speed_kmh"] == pytest.approx(speed_kmh, abs=1e-6), junction
        else:
            assert entry["reason"] == "small_group", junction
            assert at_once < 5, junction
    assert shown


def panel_messages(chance: random.Random) -> Iterator[Message]:
    """Two months: forty members on two versions and three on another; some answer twice, some messages come again."""
    for number in range(43):
        version = "3.0" if number >= 40 else ("1.0", "2.0")[number % 2]
        for month in (datetime(2025, 12, 3, 11, number, tzinfo=UTC), datetime(2026, 1, 3, 11, number, tzinfo=UTC)):
            for nth in range(chance.choice((1, 1, 2))):
                for place, (kind, data) in enumerate(session(chance)):
                    at = month + timedelta(days=9 * nth, seconds=7 * place)
                    event = {"specversion": "1.0", "type": f"fr.bordeaux.pionniers.{kind}", "time": at.isoformat()}
                    payload = json.dumps({**event, "data": {**data, "version": version}}).encode()
                    message = Message(f"pionniers/tbm/member-{number}/events", payload, at + timedelta(seconds=2))
                    yield from [message] * chance.choice((1, 1, 1, 2))


def session(chance: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a member says at once: ten answers, of which some are missing, and up to three tasks."""
    answers = [chance.choice((1, 2, 3, 4, 5, None)) for _ in range(9)]
    yield "survey.sus.submitted", {"answers": [*answers, 4]}
    for _ in range(chance.randrange(4)):
        yield "task.completed", {"task": "buy", "success": chance.random() < 0.7}


async def test_what_the_panel_says_is_what_is_counted_by_hand(tmp_path: Path, city: Simulated) -> None:
    """The mean SUS score and the tasks of an application, out of the log that the aggregator read as well."""
    settings = city.demo.settings.model_copy(
        update={"embedded": city.demo.settings.embedded.model_copy(update={"folder": tmp_path})}
    )
    read = normaliser(PARIS, {})
    async with SqliteSink(tmp_path / "events.sqlite") as sink:
        for message in panel_messages(random.Random(8)):  # noqa: S311 - repeatable, not secret
            await sink.send([outgoing(event) for event in read(message).events])
    sealing = Sealing(KEYS.seal, "d_0000000000000001")
    async with SqliteLog(tmp_path / "events.sqlite") as log, SqliteStore(tmp_path / "series.sqlite") as store:
        pipeline = Pipeline(log, store, sealing, AggregatorSettings(), PARIS, AggregatorTelemetry())
        while batch := await log.poll(1000, 0):
            await pipeline.store(batch)
    (path,) = await make_report(
        settings,
        start=date(2025, 12, 1),
        end=date(2026, 2, 1),
        baseline_start=None,
        baseline_end=None,
        language="en",
        formats=("json",),
        folder=tmp_path / "report",
        wanted=("pionniers",),
        audience="members",
    )
    entries = json.loads(path.read_text("utf-8"))["entries"]
    said = {each["variant"]: each for each in entries if each["subject"]["id"] == "tbm"}
    ours = plainly.panel_of(await records_of(tmp_path / "events.sqlite"), "tbm")
    assert ours.members == 40
    assert 0 < ours.completed < ours.attempted
    assert said["sus"]["value"] == pytest.approx(ours.sus, abs=EXACT)
    assert said["sus"]["population"] == ours.members
    assert said["task_success"]["figures"]["attempts"] == ours.attempted
    assert said["task_success"]["value"] == pytest.approx(100 * ours.completed / ours.attempted, abs=EXACT)
