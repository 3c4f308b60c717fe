"""Raw ETSI integers to records: sentinels, scales, spellings, naming, zones."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import decode, encode
from schemas.envelope import Event
from schemas.mobility import Position, VehicleState
from services.ingest.clock import Reading
from services.ingest.codecs import its_units
from services.ingest.codecs.its_map import Plane
from services.ingest.codecs.its_tree import Enumeration, child, flags_set, fold, integer, items
from services.ingest.codecs.its_vehicle import OUTSIDE, vehicle_state
from services.ingest.profiles import Context, Message, Unparseable
from tests.cases import NAMES, NoJunctions

AT = datetime(2026, 5, 4, 6, 41, 7, tzinfo=UTC)
MESSAGE = Message("a/outQueue/v2x/cam/b", b"{}", AT)
CONTEXT = Context(names=NAMES, zones=NoJunctions())


class Nowhere:
    """Every position is outside of every junction."""

    def at(self, latitude_deg: float, longitude_deg: float) -> str | None:
        """Outside."""
        del latitude_deg, longitude_deg
        return None


def test_a_sentinel_is_never_a_value() -> None:
    """Unavailable, and out of the range that can be said, in every field."""
    fields = {
        its_units.LATITUDE: (900000001,),
        its_units.LONGITUDE: (1800000001,),
        its_units.ALTITUDE: (800001,),
        its_units.SPEED: (16382, 16383),
        its_units.LONGITUDINAL_ACCELERATION: (161,),
        its_units.YAW_RATE: (32767,),
        its_units.CURVATURE_V1: (30001,),
        its_units.CURVATURE_V2: (1023,),
        its_units.VEHICLE_LENGTH: (1022, 1023),
        its_units.VEHICLE_WIDTH: (61, 62),
        its_units.DSRC_SPEED: (8191,),
        its_units.DSRC_HEADING: (28800,),
        its_units.DSRC_ELEVATION: (-4096,),
        its_units.heading_deg: (3601,),
    }
    for quantity, sentinels in fields.items():
        for sentinel in sentinels:
            assert quantity(sentinel) is None  # type: ignore[operator]
            assert quantity(float(sentinel)) is None  # type: ignore[operator]


@given(st.integers(-900000000, 900000000))
def test_a_degree_is_the_nearest_float(raw: int) -> None:
    """The scaled value has the digits of the raw one and leads back to it."""
    value = its_units.LATITUDE(raw)
    assert value is not None
    assert round(value * 10_000_000) == raw
    assert f"{value:.7f}" == f"{raw / 1e7:.7f}"


@pytest.mark.parametrize("raw", ["1", 1.5, True, [], {}, 16384, -1, float("inf"), 1e300])
def test_what_the_standard_does_not_know_is_refused(raw: Any) -> None:
    """No integer, or one out of range; the text has the field's name and not the value."""
    with pytest.raises(Unparseable) as refusal:
        its_units.SPEED(raw)
    assert refusal.value.reason == "bad_value"
    assert refusal.value.detail == "speedValue: must be an integer, 0 to 16383"


def test_north_can_be_said_in_two_ways() -> None:
    """0 and 3600 are both north."""
    assert (its_units.heading_deg(0), its_units.heading_deg(3600), its_units.heading_deg(2715)) == (0.0, 0.0, 271.5)


def _vehicle(context: Context = CONTEXT, position: Position | None = None, **motion: Any) -> Any:
    return vehicle_state(
        MESSAGE,
        context,
        station_id=42,
        station_type=5,
        at=Reading(AT, "its", ("stale",)),
        position=position,
        speed_mps=80.0,
        motion=motion,
    )


def test_a_vehicle_is_the_validated_one_on_kafka_too() -> None:
    """Made without a second validation: equal, and the same bytes."""
    motion: dict[str, Any] = {"heading_deg": 12.5, "vehicle_role": 6, "embarkation": True, "curvature_per_m": -0.003}
    place = its_units.position_of(448375512, -5761203, 18.3)
    (made,) = _vehicle(position=place, **motion)
    validated = VehicleState(
        observed_at=AT,
        received_at=AT,
        clock="its",
        flags=("stale", "impossible_speed"),
        zone="q:0",
        vehicle=NAMES.vehicle(42, AT),
        station_type=5,
        position=Position(latitude_deg=44.8375512, longitude_deg=-0.5761203, altitude_m=18.3),
        speed_mps=80.0,
        **motion,
    )
    assert made == validated
    assert encode(Event("0", "x", made)) == encode(Event("0", "x", validated))
    assert decode(encode(Event("0", "x", made))).record == validated


def test_a_trip_is_cut_at_the_edge_of_the_zone() -> None:
    """Outside of all junctions nothing is kept; a message without a place stays, in the zone of none."""
    context = Context(names=NAMES, zones=Nowhere())
    assert _vehicle(context, its_units.position_of(448375512, -5761203, None)) == OUTSIDE
    assert _vehicle(context)[0].zone == "q:none"


@pytest.mark.parametrize(
    "spelling",
    [
        {"signal_group": 3, "state_time_speed": [{"eventState": 1}]},
        {"signalGroup": 3, "state-time-speed": [{"event_state": 1}]},
        {"signalGroup": 3, "state_time_speed": {"movementEventList": [{"eventState": 1}]}},
    ],
)
def test_all_spellings_are_one(spelling: Any) -> None:
    """Snake case, ASN.1 and jpo-ode's double lists read the same."""
    tree = fold(spelling)
    assert integer(tree, "signalGroup", 0, 255) == 3
    assert integer(items(tree, "state-time-speed")[0], "eventState", 0, 9) == 1


def test_a_choice_is_an_object_with_one_key() -> None:
    """As a decoder gives it, and as JSON has it."""
    assert fold({"delta": ("node-XY1", {"x": 1, "y": 2})}) == fold({"delta": {"node-XY1": {"x": 1, "y": 2}}})


@pytest.mark.parametrize(
    "value", [["b", "c"], {"a": False, "b": True, "c": True}, "011", (0b011, 3), ["c", "other", "b"]]
)
def test_all_bit_strings_are_one(value: Any) -> None:
    """Names, booleans, digits with bit 0 first, and a number with its length."""
    assert flags_set(value, ("a", "b", "c"), "x") == ("b", "c")


@pytest.mark.parametrize("value", [1, "stop-And-Remain", "STOP_AND_REMAIN", {"stopandremain": True}])
def test_all_enumerations_are_one(value: Any) -> None:
    """A number, a name, a name in capitals, a name inside an object."""
    assert Enumeration("x", "dark", "stop-And-Remain")(value) == 1


@pytest.mark.parametrize("value", [2, -1, "green", 1.5, [], {"a": 1, "b": 2}])
def test_what_an_enumeration_does_not_have_is_refused(value: Any) -> None:
    """A number too large, another name, another shape."""
    with pytest.raises(Unparseable):
        Enumeration("x", "dark", "stop-And-Remain")(value)


def test_a_missing_container_is_told_by_its_name() -> None:
    """Missing, or no object."""
    with pytest.raises(Unparseable, match="missing_field: refPoint: is missing"):
        child({}, "refPoint")
    with pytest.raises(Unparseable, match="wrong_shape: refPoint: must be an object"):
        child({"refpoint": 1}, "refPoint")


def test_nothing_is_folded_without_end() -> None:
    """A message that is nested on purpose is refused."""
    nested: Any = 1
    for _ in range(60):
        nested = {"a": nested}
    with pytest.raises(Unparseable, match="too_deep"):
        fold(nested)


@given(
    latitude=st.floats(-80, 80),
    east=st.floats(-2000, 2000),
    north=st.floats(-2000, 2000),
)
def test_an_offset_leads_to_a_place_and_back(latitude: float, east: float, north: float) -> None:
    """Metres east and north survive the way over degrees to a tenth of a millimetre."""
    plane = Plane.at(latitude, 2.0)
    place = plane.position((east, north))
    back = plane.offset(place.latitude_deg, place.longitude_deg)
    assert abs(back[0] - east) < 2e-4
    assert abs(back[1] - north) < 2e-4


def test_the_plane_has_the_size_of_the_earth() -> None:
    """A degree at 45 degrees north: 111 132 m of meridian, 78 847 m of parallel (WGS 84)."""
    plane = Plane.at(45.0, 0.0)
    assert abs(plane.metres_per_degree_north - 111_131.8) < 1
    assert abs(plane.metres_per_degree_east - 78_846.8) < 1
