"""The junctions file: lanes, stop lines and signal groups that make passages without any MAPEM, and its errors."""

import contextlib
import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.envelope import AnyRecord, Event, key_of, topic_of
from services.aggregator.mobility.geometry import Frame, Junction
from services.aggregator.pipeline import Pipeline, Sealing
from services.aggregator.points import milliseconds
from services.aggregator.ports import Incoming
from services.aggregator.surveyed import surveyed_junctions
from services.aggregator.telemetry import AggregatorTelemetry
from services.checking import check_configuration
from services.ingest.codecs.its_priority import priority_requests
from services.ingest.codecs.its_signals import signal_states
from services.ingest.codecs.its_tree import Arrival, fold
from services.ingest.profiles import Context, Message
from services.ingest.zones import ZoneProblem, load_zones
from services.runtime.junctionfile import JunctionProblem, read_junctions
from services.runtime.settings import AggregatorSettings, Settings
from tests.cases import NAMES
from tests.fakes_aggregator import MemoryLog, MemoryStore
from tests.junctions import LATITUDE_DEG, LONGITUDE_DEG, NORTH_M, START, ZONE, Car, drive, geometry, heard, signals

LASTS_S = 150.0
Feature = dict[str, Any]


def _at(east_m: float, north_m: float) -> list[float]:
    across = NORTH_M * math.cos(math.radians(LATITUDE_DEG))
    return [LONGITUDE_DEG + east_m / across, LATITUDE_DEG + north_m / NORTH_M]


def _feature(kind: str, coordinates: Any, geometry_type: str = "LineString", **properties: Any) -> Feature:
    geometry = {"type": geometry_type, "coordinates": coordinates}
    return {"type": "Feature", "properties": {"kind": kind, **properties}, "geometry": geometry}


def _junction(name: str = ZONE, **properties: Any) -> Feature:
    return _feature("junction", _at(0, 0), "Point", id=name, **{"radius_m": 400, "speed_limit_kmh": 50, **properties})


def _approach(number: int, east_m: float, *, south_m: float = -312, until_m: float = -12, **changes: Any) -> Feature:
    properties = {"junction": ZONE, "approach": number, "signal_group": number, **changes}
    return _feature("approach", [_at(east_m, south_m), _at(east_m, -162), _at(east_m, until_m)], **properties)


def _stop_line(number: int, north_m: float = -12, **changes: Any) -> Feature:
    properties = {"junction": ZONE, "approach": number, **changes}
    return _feature("stop_line", [_at(-10, north_m), _at(10, north_m)], **properties)


def _site(folder: Path, *features: Feature) -> Path:
    path = folder / "junctions.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def _two_lanes(folder: Path) -> Path:
    return _site(folder, _junction(), _approach(1, 1.8), _approach(2, 5.3))


def _incoming(record: AnyRecord, number: int) -> Incoming:
    event = Event(f"{number:032x}", "its_client_json", record)
    return Incoming(topic_of(record), 0, 0, key_of(record).encode(), encode(event), milliseconds(record.received_at))


async def _passages(records: list[AnyRecord], surveyed: Mapping[str, Junction]) -> dict[Any, Any]:
    """What is stored of passages: by series and time."""
    log, store = MemoryLog([_incoming(each, number) for number, each in enumerate(records)]), MemoryStore()
    sealing = Sealing(lambda topic, content: topic.encode() + content, "d_0123456789abcdef")
    settings, zone = AggregatorSettings(), ZoneInfo("Europe/Paris")
    pipeline = Pipeline(log, store, sealing, settings, zone, AggregatorTelemetry(), surveyed)
    while batch := await log.poll(1000, 0.01):
        await pipeline.store(batch)
    return {key: times for key, times in store.content.items() if key[0] == "passage"}


def _heard() -> list[AnyRecord]:
    cars, chance = [Car(0, 5.0), Car(1, 12.0, obeys=False), Car(2, 30.0)], random.Random(3)  # noqa: S311
    drive(cars, LASTS_S)
    return [*signals(LASTS_S, chance), *heard(cars, chance)]


def _rounded(content: dict[Any, Any]) -> dict[Any, Any]:
    """Positions go through other roundings than a MAPEM's, so figures are compared to the tenth."""
    return {
        (key, at_ns): {name: round(value, 1) if name != "stop_line_ms" else value // 100 for name, value in row.items()}
        for key, times in content.items()
        for at_ns, row in times.items()
    }


async def test_the_file_alone_makes_the_passages_that_a_map_would(tmp_path: Path) -> None:
    """No MAPEM was ever heard: approach, signal group, arrival, violation, delay are those that a MAPEM gives."""
    surveyed = surveyed_junctions(_two_lanes(tmp_path))
    from_file = await _passages(_heard(), surveyed)
    from_map = await _passages([geometry(), *_heard()], {})
    assert sum(row["passages"] for times in from_file.values() for row in times.values()) == 3
    assert sum(row["stops"] for times in from_file.values() for row in times.values()) >= 1
    assert {dict(tags)["approach"] for _, tags in from_file} >= {"1"}
    assert {(dict(tags)["approach"], dict(tags)["signal_group"]) for _, tags in from_file} <= {("1", "1"), ("2", "2")}
    assert _rounded(from_file) == _rounded(from_map)
    assert await _passages(_heard(), {}) == {}


async def test_where_the_file_has_approaches_no_map_counts(tmp_path: Path) -> None:
    """A MAPEM that is heard beside the file, with other groups, changes nothing: one precedence, whatever comes."""
    path = _site(tmp_path, _junction(), _approach(7, 1.8, signal_group=1))
    surveyed = surveyed_junctions(path)
    alone = await _passages(_heard(), surveyed)
    assert {dict(tags)["approach"] for _, tags in alone} == {"7"}
    assert await _passages([geometry(), *_heard(), geometry(revision=4)], surveyed) == alone


async def test_a_junction_without_approaches_in_the_file_is_left_to_maps(tmp_path: Path) -> None:
    """The file of zones alone, as it always was, takes lanes from MAPEM."""
    surveyed = surveyed_junctions(_site(tmp_path, _junction()))
    assert surveyed == {}
    assert await _passages([geometry(), *_heard()], surveyed)


@given(beyond_m=st.floats(-14, 100))
def test_an_approach_ends_at_its_stop_line_wherever_it_is_drawn_to(
    tmp_path_factory: pytest.TempPathFactory, beyond_m: float
) -> None:
    """Drawn some metres short of the line or far over it: the first node is on the line, to a centimetre."""
    folder = tmp_path_factory.mktemp("site")
    path = _site(folder, _junction(), _approach(1, 1.8, until_m=-12 + beyond_m), _stop_line(1))
    node = read_junctions(path).geometries[ZONE].lanes[0].nodes[0]
    frame = Frame.at(geometry().reference)
    east_m, north_m = frame.offset(node.latitude_deg, node.longitude_deg)
    assert math.isclose(north_m, -12, abs_tol=0.01)
    assert math.isclose(east_m, 1.8, abs_tol=0.01)


def test_a_stop_line_of_one_lane_leaves_the_others(tmp_path: Path) -> None:
    """Lane 2 of an approach stops ten metres earlier than lane 1."""
    lanes = (_approach(1, 1.8, lane=1), _approach(1, 5.3, lane=2, signal_group=4))
    path = _site(tmp_path, _junction(), *lanes, _stop_line(1), _stop_line(1, -22, lane=2))
    first, second = surveyed_junctions(path)[ZONE].lanes
    assert (first.lane_id, first.approach, first.signal_group) == (1, 1, 1)
    assert (second.lane_id, second.approach, second.signal_group) == (2, 1, 4)
    assert math.isclose(first.length_m - second.length_m, 10, abs_tol=0.05)


def _spat(region: int | None, number: int) -> dict[str, Any]:
    identifier = {"id": number} if region is None else {"region": region, "id": number}
    movement = {"signalGroup": 1, "state-time-speed": [{"eventState": 3}]}
    return fold({"intersections": [{"id": identifier, "revision": 1, "states": [movement]}]})  # type: ignore[no-any-return]


def test_messages_are_of_the_junction_that_their_intersection_belongs_to(tmp_path: Path) -> None:
    """One roadside unit says region 33, another none: both are of the junction, whose vehicles have the same key."""
    path = _site(tmp_path, _junction("place-gambetta", intersections=["33:4101", "0:4101"]))
    context = Context(names=NAMES, zones=load_zones(path), intersections=read_junctions(path).intersections)
    arrival = Arrival(Message("t", b"", START), context)
    for region, number, junction in ((33, 4101, "place-gambetta"), (None, 4101, "place-gambetta"), (33, 9, "33:9")):
        found = signal_states(_spat(region, number), arrival)
        assert isinstance(found, tuple)
        (record,) = found
        assert key_of(record) == junction
    assert context.zones.at(LATITUDE_DEG, LONGITUDE_DEG) == "place-gambetta"


@pytest.mark.parametrize(("north_m", "is_kept"), [(399, True), (401, False)])
def test_a_request_from_outside_of_all_zones_does_not_say_where(tmp_path: Path, north_m: float, is_kept: bool) -> None:  # noqa: FBT001
    """The zone's edge cuts the trips of buses that ask for priority too; the request itself is kept."""
    zones = load_zones(_site(tmp_path, _junction()))
    arrival = Arrival(Message("t", b"", START), Context(names=NAMES, zones=zones))
    longitude, latitude = _at(0, north_m)
    where = {"position": {"position": {"lat": round(latitude * 1e7), "long": round(longitude * 1e7)}}}
    request = {"request": {"id": {"region": 33, "id": 4101}, "requestID": 1, "requestType": 1}}
    srem = fold({"second": 1, "requestor": {"id": {"stationID": 7}, **where}, "requests": [request]})
    found = priority_requests(srem, arrival)
    assert isinstance(found, tuple)
    (record,) = found
    assert (record.position is not None) is is_kept


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ([_junction(), _approach(1, 1.8, junction="x")], "feature 2 (approach 1 of x): junction: must be the id of"),
        ([_junction(), _approach(300, 1.8)], "approach: must be an integer, 0 to 255"),
        ([_junction(), _approach(1, 1.8, approach=None)], "approach: is missing"),
        ([_junction(), _approach(1, 1.8, signal_group="3")], "signal_group: must be an integer, 0 to 255"),
        ([_junction(), _approach(1, 1.8, signal_groups=[3])], "signal_groups: is not known here; known are approach"),
        ([_junction(), _approach(1, 1.8, width_m=0)], "width_m: must be a number, 1 to 20"),
        (
            [_junction(), _approach(1, 1.8, lane=1), _approach(2, 5.3, lane=1)],
            "feature 3 (approach 2 of 33:4101): lane: 1",
        ),
        ([_junction(), _feature("approach", [[0, 0]], junction=ZONE, approach=1)], "geometry: must have 2 to"),
        ([_junction(), _feature("approach", [[0, 0], [1]], junction=ZONE, approach=1)], "geometry: point 2 must be"),
        (
            [_junction(), _feature("approach", [[0, 0], [1, 91]], junction=ZONE, approach=1)],
            "point 2 must be longitude",
        ),
        ([_junction(), _feature("approach", _at(0, 0), "Point", junction=ZONE, approach=1)], "must be a LineString"),
        (
            [_junction(), _approach(1, 1.8, south_m=-13), _stop_line(2)],
            "stop_line 2 of 33:4101): approach: there is no",
        ),
        ([_junction(), _approach(1, 1.8), _stop_line(1), _stop_line(1)], "has a stop line already, feature 3"),
        ([_junction(), _approach(1, 40), _stop_line(1)], "geometry: does not reach its stop line"),
        (
            [_junction(), _approach(1, 1.8, until_m=-160, south_m=-158)],
            "m long up to the stop line; must be 10 to 2000",
        ),
        (
            [_junction(), _feature("lane", [])],
            "feature 2: properties.kind must be one of junction, approach, stop_line",
        ),
        ([_junction(speed_limit_kmh=500)], "feature 1 (33:4101): speed_limit_kmh: must be a number, 5 to 130"),
        ([_junction(intersections="33:1")], "feature 1 (33:4101): intersections: must be a list of ids"),
        (
            [_junction(intersections=["33:1"]), _junction("b", intersections=["33:1"])],
            "33:1 belongs to 33:4101 already",
        ),
        (
            [_junction(intersections=["b"]), _junction("b")],
            "feature 2 (b): id: it is named among the intersections of 33:",
        ),
        ([_approach(1, 1.8)], "has no junction: each has a feature with an id"),
    ],
)
def test_what_is_wrong_is_named_by_feature_and_property(tmp_path: Path, features: list[Feature], words: str) -> None:
    """The file, the number of the feature, what it is, the property, and what would be right."""
    path = _site(tmp_path, *features)
    with pytest.raises(JunctionProblem) as problem:
        read_junctions(path)
    assert str(path) in str(problem.value)
    assert words in str(problem.value)


def test_an_approach_that_crosses_its_line_twice_is_told(tmp_path: Path) -> None:
    """Nobody can say where it ends."""
    there_and_back = [_at(0, -100), _at(0, 0), _at(5, 0), _at(5, -100)]
    approach = _feature("approach", there_and_back, junction=ZONE, approach=1)
    with pytest.raises(JunctionProblem, match="crosses its stop line more than once"):
        read_junctions(_site(tmp_path, _junction(), approach, _stop_line(1)))


def test_a_stop_line_outside_of_the_zone_is_told(tmp_path: Path) -> None:
    """No vehicle is kept there, so no passage would ever be seen."""
    with pytest.raises(ZoneProblem, match="approach 1 of 33:4101, lane 1: its stop line lies outside"):
        load_zones(_site(tmp_path, _junction(radius_m=10), _approach(1, 1.8)))


def test_garonne_check_reads_approaches_too(tmp_path: Path) -> None:
    """The problem comes with the key of the configuration that names the file."""
    path = _site(tmp_path, _junction(), _approach(1, 1.8, width_m=True))
    settings = Settings(storage="embedded", junctions_file=path)
    assert [each for each in check_configuration(settings) if "width_m: must be a number" in each] == [
        f"junctions_file: junctions file {path}: feature 2 (approach 1 of {ZONE}): width_m: must be a number, 1 to 20"
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    where=st.sampled_from(["geometry", "properties", "coordinates", "kind", "junction", "approach", "lane", "id"]),
    number=st.integers(0, 2),
    value=_JSON,
)
def test_whatever_stands_in_the_file_gives_zones_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, where: str, number: int, value: Any
) -> None:
    """Any value in any place: never another exception."""
    features = [_junction(), _approach(1, 1.8), _stop_line(1)]
    feature = features[number]
    place = feature if where in feature else feature["geometry" if where == "coordinates" else "properties"]
    place[where] = value
    path = _site(tmp_path_factory.mktemp("site"), *features)
    with contextlib.suppress(ZoneProblem):
        assert load_zones(path).at(0.0, 0.0) is None or where in {"geometry", "coordinates"}
