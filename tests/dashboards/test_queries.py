"""Every InfluxQL query of every panel, on a real InfluxDB that the aggregator's own code filled."""

import asyncio
import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from scripts.dashboards import DASHBOARDS
from scripts.dashboards.panels import Dashboard, Influx, Prom, Values
from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings, InfluxSettings
from tests.dashboards.grafana import Asked, Screen, data_sources, questions
from tests.dashboards.town import DAYS, END, HALF_HOURS, HOMES, PER_HALF_HOUR, START, events, points_of_report
from tests.fakes_aggregator import MemoryLog
from tests.servers.running import Influx as Server

pytestmark = pytest.mark.servers

ASKED = [asked for asked in questions() if isinstance(asked.query, Influx)]
_NAME = re.compile(r'"(\w+)"')


async def _fill(server: Server) -> None:
    settings = InfluxSettings(url=server.url, org=server.org)
    async with InfluxStore(settings, token=server.token) as store:
        log = MemoryLog(events())
        sealing = Sealing(lambda _topic, content: content, f"d_{0:016x}")
        zone, telemetry = ZoneInfo("Europe/Paris"), AggregatorTelemetry()
        pipeline = Pipeline(log, store, sealing, AggregatorSettings(), zone, telemetry)
        while batch := await log.poll(5000, 0):
            await pipeline.store(batch)
        assert list(await store.write(points_of_report())) == []
        assert log.rejected == []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """InfluxDB with the town in it."""
    with Server(tmp_path_factory.mktemp("influx")) as running:
        asyncio.run(_fill(running))
        yield running


@pytest.fixture
def screen(server: Server) -> Screen:
    """A viewer of the town's two days, with everything chosen."""
    return Screen(server, START, END)


@pytest.fixture(scope="module")
def known(server: Server) -> frozenset[str]:
    """Every measurement, tag and field that InfluxDB holds."""
    viewer = Screen(server, START, END)
    asked = {"SHOW MEASUREMENTS": "name", "SHOW TAG KEYS": "tagKey", "SHOW FIELD KEYS": "fieldKey"}
    sources = [uid for uid, each in data_sources().items() if each["type"] == "influxdb"]
    return frozenset(
        str(row[column]) for source in sources for text, column in asked.items() for row in viewer.rows(source, text)
    )


def _unknown(query: str, known: frozenset[str]) -> set[str]:
    """Names in a query that neither InfluxDB holds nor the query itself makes."""
    made = set(re.findall(r'AS "(\w+)"', query))
    return set(_NAME.findall(query)) - made - known


def _panel(uid: str, title: str) -> tuple[Dashboard, Influx]:
    found = [asked for asked in ASKED if asked.board.uid == uid and asked.panel.title == title]
    query = found[0].query
    assert isinstance(query, Influx)
    return found[0].board, query


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_every_panel_shows_something(screen: Screen, known: frozenset[str], asked: Asked) -> None:
    """The query returns rows, no column of them is empty, and each name in it is one that the aggregator writes."""
    assert isinstance(asked.query, Influx)
    assert _unknown(asked.query.query, known) == set()
    rows = screen.ask(asked.board, asked.query)
    assert rows
    for column in rows[0]:
        assert any(row.get(column) not in (None, "") for row in rows), f"{column} is empty"
    for tag in re.findall(r"\$tag_(\w+)", asked.query.alias):
        assert tag in rows[0], f"the alias names {tag}, by which the query does not group"


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_a_misspelt_name_is_noticed(known: frozenset[str], asked: Asked) -> None:
    """Whatever measurement, tag or field of a query is misspelt: the check above would fail."""
    assert isinstance(asked.query, Influx)
    text = asked.query.query
    names = set(_NAME.findall(text)) & known - set(re.findall(r'AS "(\w+)"', text))
    assert names
    for name in names:
        assert _unknown(text.replace(f'"{name}"', f'"{name}_x"'), known) == {f"{name}_x"}


@pytest.mark.parametrize("name", ["energy_kwh", "volume_m3", "coverage", "vehicles", "mean_speed_mps", "value"])
def test_a_misspelt_field_shows_nothing(screen: Screen, name: str) -> None:
    """InfluxDB itself does not complain of a field that is not there: its answer is empty, and so is seen."""
    using = [asked for asked in ASKED if isinstance(asked.query, Influx) and f'"{name}"' in asked.query.query]
    assert using
    for asked in using:
        assert isinstance(asked.query, Influx)
        if re.search(rf'AS "{name}"', asked.query.query) and f'("{name}")' not in asked.query.query:
            continue
        text = re.sub(rf'(?<!AS )"{name}"', f'"{name}_x"', asked.query.query)
        rows = screen.ask(asked.board, asked.query, text)
        assert not rows or any(all(row.get(column) is None for row in rows) for column in rows[0]), str(asked)


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_every_variable_is_used_and_has_values(screen: Screen, board: Dashboard) -> None:
    """A choice that changes nothing, or that is empty, misleads."""
    texts = [
        query.query if isinstance(query, Influx) else query.expression for p in board.panels for query in p.queries
    ]
    for variable in board.variables:
        assert any(f"${variable.name}" in text for text in texts)
        if isinstance(variable, Values):
            assert len(screen.rows(variable.source, variable.query)) >= 1


def test_energy_that_a_meter_tells_several_times_is_counted_once(screen: Screen) -> None:
    """Total, tariffs, supplier, distributor and phases of one meter: 24 kWh a day and home, whatever it shows."""
    screen.chosen = {"carrier": "electricity"}
    rows = screen.ask(*_panel("garonne-familles", "Énergie par jour, toutes les familles"))
    expected = HOMES * 48 * PER_HALF_HOUR
    assert [row["sum"] for row in rows] == [pytest.approx(expected, abs=0.01)] * DAYS
    rows = screen.ask(*_panel("garonne-familles", "Énergie par famille et par jour"))
    assert [row["mean"] for row in rows] == [pytest.approx(expected / HOMES, abs=0.01)] * DAYS
    rows = screen.ask(*_panel("garonne-familles", "Courbe de charge"))
    assert len(rows) == HALF_HOURS
    assert {round(row["power"], 2) for row in rows} == {HOMES * PER_HALF_HOUR * 2}
    rows = screen.ask(*_panel("garonne-familles", "Énergie rendue au réseau par jour"))
    assert [row["sum"] for row in rows] == [pytest.approx(10 * 48 * PER_HALF_HOUR / 5, abs=0.01)] * DAYS
    rows = screen.ask(*_panel("garonne-familles", "Eau par jour"))
    assert [row["sum"] for row in rows] == [pytest.approx(HOMES * 48 * 0.01, abs=0.001)] * DAYS


@pytest.mark.parametrize("carrier", ["gas", "heat"])
@pytest.mark.parametrize("title", [
    "Énergie par jour, toutes les familles", "Énergie par famille et par jour", "Courbe de charge",
])  # fmt: skip
def test_a_group_that_is_too_small_is_not_shown(screen: Screen, title: str, carrier: str) -> None:
    """Nine homes, or twelve of which one has nearly all: there are points, and the panel stays empty."""
    held = screen.rows("garonne-rollup", f"SELECT count(energy_kwh) FROM energy WHERE carrier = '{carrier}'")  # noqa: S608
    assert held[0]["count"] > 0
    screen.chosen = {"carrier": carrier}
    assert screen.ask(*_panel("garonne-familles", title)) == []


def test_few_vehicles_are_not_shown(screen: Screen) -> None:
    """A junction with one vehicle has points, and none on the screen; eight are shown with their speed."""
    rows = screen.ask(*_panel("garonne-compass4d", "Véhicules par minute et par carrefour"))
    assert {(row["zone"], row["each"]) for row in rows} == {("33:1", 8)}
    rows = screen.ask(*_panel("garonne-compass4d", "Vitesse moyenne par carrefour"))
    assert {(row["zone"], round(row["speed"], 6)) for row in rows} == {("33:1", 36.0)}
    screen.chosen = {"zone": "33:2"}
    assert screen.ask(*_panel("garonne-compass4d", "Passages par carrefour")) == []


def test_what_is_withheld_is_told_with_its_reason(screen: Screen) -> None:
    """A team that is too small has no value on any panel, and stands in the list of what is missing."""
    rows = screen.ask(*_panel("garonne-indicateurs", "Non évalués, et pourquoi"))
    assert [(row["subject"], row["raison"]) for row in rows] == [("herons", "small_group")]
    rows = screen.ask(*_panel("garonne-indicateurs", "Économie d’énergie par équipe, à temps égal"))
    assert {row["subject"]: row["value"] for row in rows} == {"castors": 11.0, "loutres": 3.5}


def test_no_panel_asks_for_a_home_by_name() -> None:
    """A household is only ever grouped by inside of a sum: no panel's outer query shows one."""
    for asked in ASKED:
        assert isinstance(asked.query, Influx)
        outer = asked.query.query.rpartition(")")[2]
        assert "household" not in outer
        assert "household" not in asked.query.alias
        assert not isinstance(asked.query, Prom)
