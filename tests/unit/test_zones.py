"""Which junction a position belongs to, and what is wrong with a junctions file."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.zones import ZoneProblem, load_zones, quadkey

SQUARE = [[[-0.59, 44.84], [-0.58, 44.84], [-0.58, 44.85], [-0.59, 44.85], [-0.59, 44.84]]]


def _feature(name: Any, geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"id": name, **properties}, "geometry": geometry}


def _polygon(name: Any = "bx/01", rings: Any = SQUARE) -> dict[str, Any]:
    return _feature(name, {"type": "Polygon", "coordinates": rings})


def _point(name: str, longitude: Any, latitude: float, radius_m: Any = 300) -> dict[str, Any]:
    return _feature(name, {"type": "Point", "coordinates": [longitude, latitude]}, radius_m=radius_m)


def _written(folder: Path, *features: Any, **document: Any) -> Path:
    path = folder / "junctions.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **document}))
    return path


def test_a_quadkey_is_the_published_one() -> None:
    """The example topic of its-client names this position (c-its.md 2.2)."""
    assert quadkey(44.7753167, -0.6518623, 22) == "0313331112021001212121"


def test_without_a_file_a_position_is_in_its_cell() -> None:
    """A cell of 16 digits, the beginning of the published quadkey."""
    assert load_zones(None).at(44.7753167, -0.6518623) == "q:0313331112021001"


@given(st.floats(-90, 90), st.floats(-180, 180))
def test_every_position_has_a_cell(latitude: float, longitude: float) -> None:
    """From pole to pole the key has 16 digits of 0 to 3."""
    key = quadkey(latitude, longitude)
    assert len(key) == 16
    assert set(key) <= set("0123")


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (44.845, -0.585, "bx/01"),  # in the polygon
        (44.8399, -0.585, None),  # 11 m south of it
        (44.84, -0.585, "bx/01"),  # on its edge
        (44.8600, -0.57, "bx/02"),  # in the middle of the circle
        (44.8600 + 299 / 111_195, -0.57, "bx/02"),
        (44.8600 + 301 / 111_195, -0.57, None),
        (0.0, 0.0, None),
    ],
)
def test_the_zone_has_a_sharp_edge(tmp_path: Path, latitude: float, longitude: float, zone: str | None) -> None:
    """Inside the id, outside nothing: the edge cuts trips."""
    zones = load_zones(_written(tmp_path, _polygon(), _point("bx/02", -0.57, 44.86)))
    assert zones.at(latitude, longitude) == zone


def test_where_zones_overlap_the_nearest_centre_wins(tmp_path: Path) -> None:
    """Two circles 400 m apart share their middle; each keeps its own half, whatever the order in the file."""
    features = [_point("south", -0.57, 44.86), _point("north", -0.57, 44.86 + 400 / 111_195)]
    for order in (features, features[::-1]):
        zones = load_zones(_written(tmp_path, *order))
        assert zones.at(44.86 + 190 / 111_195, -0.57) == "south"
        assert zones.at(44.86 + 210 / 111_195, -0.57) == "north"


@given(latitude=st.floats(44.83, 44.86), longitude=st.floats(-0.60, -0.57))
def test_the_remembered_answer_is_that_of_the_geometry(
    latitude: float, longitude: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The cells in which answers are remembered never change one."""
    triangle = [[[-0.59, 44.84], [-0.58, 44.843], [-0.583, 44.85], [-0.59, 44.84]]]
    zones = load_zones(_written(tmp_path_factory.getbasetemp(), _polygon(rings=triangle)))
    from shapely import Point, Polygon  # noqa: PLC0415

    expected = Polygon(triangle[0]).intersects(Point(longitude, latitude))
    assert (zones.at(latitude, longitude) is not None) == expected


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ([], "has no features"),
        ([_polygon("no spaces")], "feature 1: properties.id must be a public name"),
        ([_polygon(None)], "feature 1: properties.id must be a public name"),
        ([_polygon(), _polygon()], "feature 2 (bx/01): the id is used twice"),
        ([_polygon("q:0313")], "must not begin with q:"),
        ([_feature("a", {"type": "LineString", "coordinates": []})], "feature 1 (a): geometry must be a Polygon"),
        ([_feature("a", None)], "geometry must be a Polygon"),
        ([_polygon(rings=[[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]])], "no area: Self-intersection"),
        ([_polygon(rings=[[[0, 0], [1]]])], "geometry cannot be read"),
        ([_polygon(rings=[[[0, 91], [1, 91], [1, 92], [0, 91]]])], "latitude -90..90"),
        ([_feature("a", {"type": "Point", "coordinates": [0, 0]})], "needs the property radius_m"),
        ([_point("a", 0, 0, radius_m=0)], "needs the property radius_m"),
        ([_point("a", "x", 0)], "needs two coordinates"),
        ([_point("a", 200, 0)], "longitude -180..180"),
        (["no feature"], "feature 1: properties.id"),
    ],
)
def test_a_wrong_feature_is_named_with_its_rule(tmp_path: Path, features: list[Any], words: str) -> None:
    """The file, the number and id of the feature, and the rule that it breaks."""
    path = _written(tmp_path, *features)
    with pytest.raises(ZoneProblem) as problem:
        load_zones(path)
    assert str(path) in str(problem.value)
    assert words in str(problem.value)


def test_a_file_that_is_no_geojson_is_told(tmp_path: Path) -> None:
    """Missing, not JSON, not a collection."""
    path = tmp_path / "junctions.geojson"
    with pytest.raises(ZoneProblem, match="No such file"):
        load_zones(path)
    path.write_text("{")
    with pytest.raises(ZoneProblem, match="not JSON"):
        load_zones(path)
    path.write_text("[]")
    with pytest.raises(ZoneProblem, match="FeatureCollection"):
        load_zones(path)
