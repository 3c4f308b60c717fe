"""The file of service periods is read as it stands; what is wrong with it is told by key, before any computation."""

import json
from datetime import date
from pathlib import Path

import pytest

from services.aggregator.kpis.plan import Plan, PlanProblem, parse_plan
from services.aggregator.kpis.results import Period
from services.aggregator.service_plan import read_sites
from services.checking import check_configuration
from services.runtime.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy/service-periods.example.toml"
HEAD = 'edition = "1"\n'
OFF = '[[periods]]\nservice = "off"\nfirst = 2026-01-12\nlast = 2026-01-18\nsource = "log"\n'
ON = '[[periods]]\nservice = "on"\nfirst = 2026-02-02\nlast = 2026-02-08\nsource = "log"\n'


def test_the_example_that_is_shipped_is_right() -> None:
    """An operator begins with it."""
    plan = parse_plan(EXAMPLE.read_text("utf-8"))
    assert len(plan.days("33:1004", "off", date(2027, 1, 1))) == 28
    assert plan.with_service is not None
    assert plan.with_service.includes("bus", "none")
    assert plan.corridors[0].junctions[0] == "33:1004"


def test_days_are_those_of_the_junction_until_the_end_of_the_report() -> None:
    """Both days are included; a period of other junctions says nothing; what comes after the report is not told."""
    text = HEAD + OFF + 'junctions = ["33:1001"]\n' + ON
    plan = parse_plan(text)
    assert plan.days("33:1001", "off", date(2026, 3, 1)) == {date(2026, 1, number) for number in range(12, 19)}
    assert plan.days("33:1002", "off", date(2026, 3, 1)) == frozenset()
    assert plan.days("33:1002", "on", date(2026, 2, 4)) == {date(2026, 2, 2), date(2026, 2, 3)}
    assert plan.spans(date(2026, 2, 4)) == [
        Period(date(2026, 1, 12), date(2026, 1, 19)),
        Period(date(2026, 2, 2), date(2026, 2, 4)),
    ]
    assert plan.spans(date(2025, 1, 1)) == []


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("edition = 1", "edition", "string"),
        ("edition =", "not TOML", ""),
        (HEAD + OFF.replace("2026-01-18", "2026-01-02"), "periods.0.last", "before first"),
        (HEAD + OFF + ON.replace("2026-02-02", "2026-01-18"), "periods.1.service", "periods.0 says 'off'"),
        (HEAD + OFF.replace('"off"', '"maybe"'), "periods.0.service", "off"),
        (HEAD + OFF + "colour = 1\n", "periods.0.colour", "no such key"),
        (HEAD + '[[corridors]]\nid = "a"\nname = "A"\njunctions = ["33:1"]\n', "corridors.0.junctions", "2"),
        (
            HEAD + '[[corridors]]\nid = "a"\nname = "A"\njunctions = ["33:1", "33:1"]\n',
            "corridors.0.junctions",
            "twice",
        ),
        (
            HEAD + '[with_service]\nname = {en = "B", fr = "B"}\nstations = ["bus"]\nsource = "x"\n',
            "with_service",
            "both",
        ),
        (
            HEAD
            + '[with_service]\nname = {en = "B", fr = "B"}\nstations = ["bus"]\nadvice = "received"\nsource = "x"\n'
            + '[without_service]\nname = {en = "C", fr = "C"}\nstations = ["car", "bus"]\nsource = "x"\n',
            "with_service and without_service",
            "bus, advice received",
        ),
        (
            HEAD + '[with_service]\nname = {en = "B", fr = "B"}\nstations = ["boat"]\nsource = "x"\n',
            "with_service.stations.0",
            "car",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_key(text: str, key: str, says: str) -> None:
    """One line for each fault."""
    with pytest.raises(PlanProblem) as problem:
        parse_plan(text)
    lines = [line for line in str(problem.value).splitlines() if line.startswith(key)]
    assert lines
    assert says in lines[0]


def test_the_same_days_at_other_junctions_are_no_contradiction() -> None:
    """The service may come to one junction while another still waits."""
    waiting = OFF + 'junctions = ["33:1001"]\n' + ON.replace("2026-02-02", "2026-01-12") + 'junctions = ["33:1002"]\n'
    assert len(parse_plan(HEAD + waiting).periods) == 2


def site(folder: Path, periods: str) -> Settings:
    """A configuration with one junction and this file."""
    feature = {
        "type": "Feature",
        "properties": {"id": "33:1001", "name": "Gambetta", "radius_m": 60},
        "geometry": {"type": "Point", "coordinates": [-0.58, 44.84]},
    }
    square = {
        "type": "Feature",
        "properties": {"id": "33:1002"},
        "geometry": {"type": "Polygon", "coordinates": [[[0, 44], [2, 44], [2, 46], [0, 46], [0, 44]]]},
    }
    (folder / "junctions.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": [feature, square]}), "utf-8"
    )
    (folder / "periods.toml").write_text(periods, "utf-8")
    return Settings(junctions_file=folder / "junctions.geojson", service_periods_file=folder / "periods.toml")


def told(settings: Settings) -> list[str]:
    """What `garonne check` says of the file."""
    return [each for each in check_configuration(settings) if each.startswith("service_periods_file")]


def test_check_tells_of_a_junction_that_is_not_there(tmp_path: Path) -> None:
    """The file names ids of the junctions file."""
    right = HEAD + OFF + 'junctions = ["33:1001"]\n'
    assert told(site(tmp_path, right)) == []
    (line,) = told(site(tmp_path, right.replace("33:1001", "33:9")))
    assert line == "service_periods_file: periods.0.junctions: the junctions file has no '33:9'"


def test_check_tells_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    """With its path."""
    settings = site(tmp_path, HEAD).model_copy(update={"service_periods_file": tmp_path / "nothing.toml"})
    (line,) = told(settings)
    assert "nothing.toml cannot be read" in line


def test_a_junction_stands_in_the_middle_of_its_zone(tmp_path: Path) -> None:
    """Of a point the point, of a polygon the middle of what it spans."""
    settings = site(tmp_path, HEAD)
    places = {each.id: (each.longitude_deg, each.latitude_deg) for each in read_sites(settings.junctions_file)}
    assert places == {"33:1001": (-0.58, 44.84), "33:1002": (1.0, 45.0)}


def test_without_a_file_nothing_is_entered() -> None:
    """Then there is neither before nor after."""
    assert Plan().days("33:1001", "on", date(2026, 1, 1)) == frozenset()
