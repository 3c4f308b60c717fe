"""Every InfluxQL query of every panel, on a real InfluxDB that the aggregator's own code filled."""

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from scripts.dashboards import DASHBOARDS
from scripts.dashboards.alerts import ALERTS, Alert
from scripts.dashboards.panels import KPI, RESTRICTED, Dashboard, Influx, Prom, Values
from services.aggregator.adapters.influx import InfluxStore
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.telemetry import AggregatorTelemetry
from services.runtime.settings import AggregatorSettings, InfluxSettings
from tests.dashboards.grafana import Asked, Screen, data_sources, questions
from tests.dashboards.published import AGREED, WINTER_END, WITHDRAWN, indicators, passages
from tests.dashboards.town import DAYS, END, HALF_HOURS, HOMES, PER_HALF_HOUR, START, events
from tests.fakes_aggregator import MemoryLog
from tests.servers.running import Influx as Server

pytestmark = pytest.mark.servers

ASKED = [asked for asked in questions() if isinstance(asked.query, Influx)]
CITY = [alert for alert in ALERTS if isinstance(alert.query, Influx)]
_TOLD = (WINTER_END - timedelta(days=400), WINTER_END)
_LATER = (WINTER_END + timedelta(days=36), WINTER_END + timedelta(days=71))
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
        assert list(await store.write([*indicators(), *passages()])) == []
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
    return Screen(server, START, END, _TOLD)


@pytest.fixture(scope="module")
def known(server: Server) -> frozenset[str]:
    """Every measurement, tag and field that InfluxDB holds."""
    viewer = Screen(server, START, END, _TOLD)
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


@pytest.mark.parametrize(
    "name",
    [
        "energy_kwh",
        "volume_m3",
        "coverage",
        "vehicles_at_least",
        "speed_sum_mps",
        "value",
        "assessed",
        "passages",
        "hazards",
    ],
)
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


@pytest.mark.parametrize("alert", CITY, ids=lambda alert: alert.name)
def test_every_alert_finds_something(screen: Screen, known: frozenset[str], alert: Alert) -> None:
    """A number for each series, and each name in the query is one that is written."""
    assert isinstance(alert.query, Influx)
    assert _unknown(alert.query.query, known) == set()
    rows = screen.judge(alert)
    assert rows
    (column,) = set(rows[0]) - {"time", "carrier", "zone"}
    assert all(isinstance(row[column], (int, float)) for row in rows)


@pytest.mark.parametrize("alert", CITY, ids=lambda alert: alert.name)
def test_an_alert_of_the_city_fires_when_it_should(screen: Screen, alert: Alert) -> None:
    """The town as it is fires none of them but silence; where nothing was measured, each fires or has no data."""
    sign, bound = alert.when
    assert sign == "lt"
    last: dict[str, float] = {}
    for row in screen.judge(alert):
        (column,) = set(row) - {"time", "carrier", "zone"}
        last[str(row.get("zone") or row.get("carrier"))] = row[column]
    fires = {name for name, value in last.items() if value < bound}
    assert fires == ({"33:1", "33:2"} if alert.name == "JunctionSilent" else set())
    later = Screen(screen.server, END + timedelta(days=30), END + timedelta(days=31), _LATER)
    rows = later.judge(alert)
    assert not rows or all(value < bound for row in rows for value in row.values() if isinstance(value, float))
    assert rows or alert.silent == "Alerting" or alert.name == "JunctionSilent"


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
    rows = screen.ask(*_panel("garonne-mesures", "Énergie par jour, toutes les familles"))
    expected = HOMES * 48 * PER_HALF_HOUR
    assert [row["sum"] for row in rows] == [pytest.approx(expected, abs=0.01)] * DAYS
    rows = screen.ask(*_panel("garonne-mesures", "Énergie par famille et par jour"))
    assert [row["mean"] for row in rows] == [pytest.approx(expected / HOMES, abs=0.01)] * DAYS
    rows = screen.ask(*_panel("garonne-mesures", "Courbe de charge"))
    assert len(rows) == HALF_HOURS
    assert {round(row["power"], 2) for row in rows} == {HOMES * PER_HALF_HOUR * 2}
    rows = screen.ask(*_panel("garonne-mesures", "Énergie rendue au réseau par jour"))
    assert [row["sum"] for row in rows] == [pytest.approx(10 * 48 * PER_HALF_HOUR / 5, abs=0.01)] * DAYS
    rows = screen.ask(*_panel("garonne-mesures", "Eau par jour"))
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
    assert screen.ask(*_panel("garonne-mesures", title)) == []


def test_few_vehicles_are_not_shown(screen: Screen) -> None:
    """A junction with one vehicle that stays for an hour has points, and none on the screen; eight have theirs."""
    held = screen.rows("garonne-rollup", "SELECT vehicles FROM traffic_hour WHERE \"zone\" = '33:2'")
    assert held[0]["vehicles"] == 60, "a minute each: one that stays is not sixty"
    rows = screen.ask(*_panel("garonne-carrefours", "Véhicules par heure et par carrefour"))
    assert {(row["zone"], row["véhicules"]) for row in rows} == {("33:1", 160)}
    rows = screen.ask(*_panel("garonne-carrefours", "Vitesse moyenne par carrefour"))
    assert {(row["zone"], round(row["vitesse"], 6)) for row in rows} == {("33:1", 36.0)}
    for asked in ASKED:
        if asked.panel.title.endswith(", par carrefour") and asked.board.uid == "garonne-carrefours":
            assert isinstance(asked.query, Influx)
            assert {row["zone"] for row in screen.ask(asked.board, asked.query)} == {"33:1"}


def test_one_junction_less_tells_nothing_of_the_few_at_it(screen: Screen) -> None:
    """The figures of an axis with and without the junction of two vehicles are the same."""
    asked = [each for each in ASKED if each.panel.title.endswith(", carrefours choisis")]
    assert len(asked) >= 6
    for each in asked:
        assert isinstance(each.query, Influx)
        screen.chosen = {"zone": "33:1"}
        alone = screen.ask(each.board, each.query)
        screen.chosen = {"zone": "(33:1|33:2)"}
        assert screen.ask(each.board, each.query) == alone
        screen.chosen = {"zone": "33:2"}
        assert screen.ask(each.board, each.query) == []


def _numbers(screen: Screen, uid: str) -> list[float]:
    """Every number that a board shows, tables too."""
    shown = []
    for asked in ASKED:
        if asked.board.uid == uid and isinstance(asked.query, Influx):
            rows = screen.ask(asked.board, asked.query)
            shown += [v for row in rows for n, v in row.items() if isinstance(v, (int, float)) and n != "time"]
    return shown


def test_planted_small_groups_are_on_no_open_board(screen: Screen) -> None:
    """Four families, nine members, four vehicles: their values are on no panel; a team of six is for members only."""
    planted = {77.0, 72.09, 85.09, 70.09, 40.09, 20.09, 4.0}
    for board in (each for each in DASHBOARDS if each.folder != RESTRICTED and each.uid != "garonne-platform"):
        shown = {round(value, 6) for value in _numbers(screen, board.uid)}
        assert shown & {72.12, 8.4, 222.0, 11.0}, f"{board.uid} shows nothing at all"
        assert not shown & planted, f"{board.uid} shows a group that is too small"
        assert (3.5 in shown) == (board.uid == "garonne-familles"), "everybody sees ten families or more"


def test_the_hours_that_are_left_out_cannot_be_reckoned_from_the_rest(screen: Screen) -> None:
    """Hours of 3 and 4 vehicles are missing; the whole less the hours shown is seven, of two hours: not one alone."""
    rows = screen.ask(*_panel("garonne-compass4d", "Véhicules par heure du jour"))
    shown = {row["at"]: row["valeur"] for row in rows}
    assert shown == {"08": 120.0, "17": 95.0}
    rows = screen.ask(*_panel("garonne-compass4d", "Véhicules équipés par carrefour"))
    whole = {row["subject"]: row["véhicules"] for row in rows}
    assert whole["33:1"] - sum(shown.values()) >= 5
    assert "33:2" not in whole


def test_open_boards_read_only_what_has_passed_the_gate() -> None:
    """Their queries go to the bucket of indicators; whatever looks closer lies in the folder with restricted access."""
    open_boards = [board for board in DASHBOARDS if board.folder != RESTRICTED]
    for asked in ASKED:
        assert isinstance(asked.query, Influx)
        measurement = re.findall(r'FROM "(\w+)"', asked.query.query)[0]
        if asked.board in open_boards:
            assert asked.query.source == KPI
            assert measurement in {"kpi", "kpi_series"}
            assert '"assessed" = ' in asked.query.query
        else:
            assert asked.query.source != KPI or asked.board.uid == "garonne-famille"
    for board in open_boards:
        for variable in board.variables:
            assert isinstance(variable, Values)
            assert variable.source == KPI
            assert '"kpi"' in variable.query


def test_a_family_without_consent_has_no_page(screen: Screen) -> None:
    """Whatever name somebody writes into the address: nothing of a family that withdrew, or never agreed."""
    asked = [each for each in ASKED if each.board.uid == "garonne-famille" and "family_day" in str(each.query)]
    assert len(asked) == 4
    for each in asked:
        assert isinstance(each.query, Influx)
        screen.chosen = {"household": AGREED}
        assert screen.ask(each.board, each.query)
        for name in (WITHDRAWN, f"h_{5:016x}"):
            screen.chosen = {"household": name}
            assert screen.ask(each.board, each.query) == []


def test_what_is_withheld_is_told_with_its_reason(screen: Screen) -> None:
    """A team that is too small has no value on any panel, and stands in the list of what is missing."""
    rows = screen.ask(*_panel("garonne-indicateurs", "Non évalués, et pourquoi"))
    assert {(row["subject"], row["raison"]) for row in rows} == {
        ("herons", "small_group"), ("tri", "small_group"), ("33:2", "small_group"), ("33:3", "no_data"),
    }  # fmt: skip
    rows = screen.ask(*_panel("garonne-familles", "Économie par équipe, à temps égal"))
    assert {row["subject"]: row["économie"] for row in rows} == {"castors": 11.0, "loutres": 3.5}
    rows = screen.ask(*_panel("garonne-familles", "Équipes sans valeur, et pourquoi"))
    assert {(row["subject"], row["raison"]) for row in rows} == {("herons", "small_group")}


def test_no_panel_asks_for_a_home_by_name() -> None:
    """A household is only ever grouped by inside of a sum: no panel's outer query shows one."""
    for asked in (each for each in ASKED if each.board.uid != "garonne-famille"):
        assert isinstance(asked.query, Influx)
        outer = asked.query.query.rpartition(")")[2]
        assert "household" not in outer
        assert "household" not in asked.query.alias
        assert not isinstance(asked.query, Prom)
