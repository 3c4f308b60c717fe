"""Plausibility flags: what contradicts earlier messages is named, nothing is dropped, and memory is bounded."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.base import Flag
from schemas.mobility import RoadHazard, VehicleState
from services.aggregator.mobility.fixes import fix_of
from services.ingest.assembly import build_normaliser
from services.ingest.codecs.its_hazard import road_hazard
from services.ingest.codecs.its_time import delta_time, milliseconds, to_its
from services.ingest.codecs.its_tree import Arrival, fold
from services.ingest.codecs.its_units import ellipse_m, position_of
from services.ingest.codecs.its_vehicle import vehicle_state
from services.ingest.plausibility import Box, Sighting, Stations
from services.ingest.profiles import Context, Message
from services.ingest.zones import site_of
from services.runtime.junctionfile import read_junctions
from services.runtime.settings import ConfigurationProblem, Settings, read_settings
from tests.cases import NAMES, NoJunctions

AT = datetime(2026, 5, 4, 6, 41, 7, tzinfo=UTC)
AT_MS = milliseconds(AT)
METRE_DEG = 1 / 111_195.0


def _seen(at_s: float, north_m: float, **changes: Any) -> Sighting:
    """A sighting of a car that tells its place to 1 m; what it sends is different each time."""
    at_ms = AT_MS + round(1000 * at_s)
    known: dict[str, Any] = {
        "station": "v_1",
        "payload": f"{at_s}/{north_m}".encode(),
        "received_ms": at_ms + 100,
        "at_ms": at_ms,
        "place": (44.84 + north_m * METRE_DEG, -0.58),
        "ellipse_m": 1.0,
        "fastest_mps": 70.0,
    }
    return Sighting(**{**known, **changes})


@pytest.mark.parametrize(
    ("second", "north_m", "flags"),
    [
        (1.0, 76.0, ()),  # 70 m/s for a second, 1 m and 1 m of ellipse, 5 m
        (1.0, 78.0, ("position_jump",)),
        (-1.0, 76.0, ()),  # a message that overtook the other one on its way
        (-1.0, 78.0, ("position_jump",)),
        (600.0, 41_000.0, ()),  # far, and long enough ago
    ],
)
def test_a_jump_is_what_no_vehicle_can_drive(second: float, north_m: float, flags: tuple[str, ...]) -> None:
    """v_max times the time between, both ellipses, and five metres (c-its.md 6), in either order of arrival."""
    stations = Stations()
    assert stations.flags(_seen(0, 0)) == ()
    assert stations.flags(_seen(second, north_m)) == flags


def test_how_unsure_a_place_is_counts() -> None:
    """The same jump is plausible for a station that knows its place to 40 m only, or not how well."""
    for ellipse, flags in ((1.0, ("position_jump",)), (40.0, ()), (None, ("position_jump",))):
        stations = Stations()
        stations.flags(_seen(0, 0, ellipse_m=ellipse))
        assert stations.flags(_seen(1, 150, ellipse_m=ellipse)) == flags
    assert [ellipse_m(raw) for raw in (80, 4093, 4094, 4095, None, "80")] == [0.8, 40.93, None, None, None, None]


def test_one_wrong_place_does_not_make_the_next_right_one_a_jump() -> None:
    """An outlier is flagged, also when it is sent again; after two places that agree the station is there."""
    stations = Stations()
    assert stations.flags(_seen(0, 0)) == ()
    outlier = _seen(1, 5000)
    assert [stations.flags(outlier), stations.flags(outlier)] == [("position_jump",)] * 2
    assert stations.flags(_seen(2, 20)) == ()
    assert stations.flags(_seen(3, 9000)) == ("position_jump",)
    assert [stations.flags(_seen(4, 9010)), stations.flags(_seen(5, 9020))] == [(), ()]


def test_stations_do_not_disturb_each_other() -> None:
    """What is a jump for one is the first place of another; and a roadside unit does not move."""
    stations = Stations()
    stations.flags(_seen(0, 0))
    assert stations.flags(_seen(1, 5000, station="v_2")) == ()
    stations.flags(_seen(0, 0, station="v_3", fastest_mps=0.0))
    assert stations.flags(_seen(300, 30, station="v_3", fastest_mps=0.0)) == ("position_jump",)


def test_a_replay_is_the_same_bytes_as_news() -> None:
    """65.536 s later the same CAM reads as fresh: same bytes, another instant. A copy within seconds is no replay."""
    first = _seen(0, 0)
    for later_s, at_s, flags in (
        (0.0, 0.0, ()),  # heard by two roadside units
        (8.0, 0.0, ()),  # sent again by the broker: same instant
        (65.536, 65.536, ("replay",)),
        (30.0, 0.0, ("replay",)),  # same instant, but sent again when it was long not fresh
        (121.0, 121.0, ()),  # longer ago than is looked back
    ):
        stations = Stations()
        assert stations.flags(first) == ()
        again = first._replace(received_ms=first.received_ms + round(1000 * later_s), at_ms=AT_MS + round(1000 * at_s))
        assert stations.flags(again) == flags


def test_a_replayed_message_does_not_move_its_station() -> None:
    """It says nothing of where the station is now: the true next place is no jump."""
    stations = Stations()
    stations.flags(_seen(0, 0))
    stations.flags(_seen(65, 4000))
    stations.flags(_seen(0, 0)._replace(received_ms=AT_MS + 65_600, at_ms=AT_MS + 65_536))
    assert stations.flags(_seen(66, 4010)) == ()


def _context(**changes: Any) -> Context:
    return Context(names=NAMES, zones=NoJunctions(), **changes)


def _vehicle(context: Context, received_ms: int, age_ms: int, north_m: float, *, station_id: int = 42) -> VehicleState:
    """A CAM that says an age, at a place."""
    received_at = datetime.fromtimestamp(received_ms / 1000, UTC)
    message = Message("t", f"{received_ms}|{age_ms}|{north_m}|{station_id}".encode(), received_at)
    found = vehicle_state(
        message,
        context,
        station_id=station_id,
        station_type=5,
        at=delta_time(to_its(received_ms - age_ms) % 65_536, received_at, None, context),
        position=position_of(round((44.84 + north_m * METRE_DEG) * 1e7), -5_800_000, None),
        speed_mps=10.0,
        motion={},
        ellipse=1.0,
    )
    assert isinstance(found, tuple)
    (record,) = found
    assert isinstance(record, VehicleState)
    return record


def test_reasons_stand_beside_each_other() -> None:
    """An old message from elsewhere that jumps has three reasons, and is kept."""
    context = _context(site=Box(-0.7, 44.8, -0.5, 44.9))
    assert _vehicle(context, AT_MS, 100, 0).flags == ()
    assert _vehicle(context, AT_MS + 30_000, 20_000, 20_000).flags == (
        "stale",
        "clock_ambiguous",
        "outside_site",
        "position_jump",
    )


_MESSAGES = st.lists(
    st.tuples(st.integers(0, 200_000), st.integers(-1500, 54_000), st.floats(-50_000, 50_000), st.integers(1, 12)),
    max_size=60,
)


@given(messages=_MESSAGES, stations=st.integers(1, 8), payloads=st.integers(1, 20))
@settings(max_examples=100, deadline=None)
def test_memory_is_bounded_and_flags_change_nothing_but_flags(
    messages: list[tuple[int, int, float, int]], stations: int, payloads: int
) -> None:
    """Whatever comes in whatever order: one record each, equal to that of a process without memory but for flags."""
    memory = Stations(stations, payloads)
    context = _context(stations=memory)
    for after_ms, age_ms, north_m, station_id in messages:
        received_ms = AT_MS + after_ms
        record = _vehicle(context, received_ms, age_ms, north_m, station_id=station_id)
        alone = _vehicle(_context(), received_ms, age_ms, north_m, station_id=station_id)
        assert record.model_copy(update={"flags": ()}) == alone.model_copy(update={"flags": ()})
        assert record.flags[: len(alone.flags)] == alone.flags
        assert set(record.flags) - set(alone.flags) <= {"position_jump", "replay"}
        assert len(memory) <= stations
        assert memory.payloads <= payloads


@given(messages=_MESSAGES, share=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_process_that_hears_a_part_flags_nothing_by_itself(
    messages: list[tuple[int, int, float, int]], share: int
) -> None:
    """A drive that one process flags nowhere is flagged nowhere by a process that hears every n-th message of it."""
    whole, part = _context(), _context()
    records = [_vehicle(whole, AT_MS + 1000 * number, 100, 20.0 * number) for number in range(len(messages))]
    heard = [_vehicle(part, AT_MS + 1000 * number, 100, 20.0 * number) for number in range(0, len(messages), share)]
    assert {record.flags for record in (*records, *heard)} <= {()}


def _ages(context: Context, ages_ms: list[int]) -> list[tuple[int, tuple[str, ...]]]:
    """Age and flags of the records of messages, one a second, at one place."""
    records = [_vehicle(context, AT_MS + 1000 * number, age_ms, 0) for number, age_ms in enumerate(ages_ms)]
    return [(milliseconds(each.received_at) - milliseconds(each.observed_at), each.flags) for each in records]


def test_a_sender_that_forgets_leap_seconds_is_found_by_the_median_of_a_hundred() -> None:
    """Until then its messages are flagged; from the hundredth on five seconds are taken off, and counted."""
    stations = Stations()
    found = _ages(_context(its_leap_seconds="auto", stations=stations), [5100] * 150)
    assert found[:99] == [(5100, ("leap_suspect",))] * 99
    assert found[99:] == [(100, ())] * 51
    assert stations.corrected == 51


@pytest.mark.parametrize(
    "flag", ["position_jump", "replay", "outside_site", "clock_ambiguous", "impossible_speed", "leap_suspect"]
)
def test_a_doubtful_message_becomes_no_figure(flag: Flag) -> None:
    """It is in the log, with its reason; passages and exposure are of messages without any."""
    record = _vehicle(_context(), AT_MS, 100, 0)
    assert fix_of(record) is not None
    assert fix_of(record.model_copy(update={"flags": (flag,)})) is None


def test_what_waited_through_an_outage_becomes_figures() -> None:
    """A roadside unit delivers ten minutes of messages late: they are old, and each says when it was sent."""
    record = _vehicle(_context(), AT_MS, 100, 0)
    assert fix_of(record.model_copy(update={"flags": ("stale", "late")})) == fix_of(record)


def test_a_few_slow_messages_are_no_policy() -> None:
    """Half of the messages 5 s old by a slow network: the median is not there, and nothing is corrected."""
    found = _ages(_context(its_leap_seconds="auto"), [100, 5100] * 100)
    assert {age for age, _ in found} == {100, 5100}


def test_a_fresh_message_of_a_naive_sender_is_not_moved_into_the_future() -> None:
    """The sender was updated: what is fresh as it is stays, and after a hundred the policy is gone."""
    context = _context(its_leap_seconds="auto")
    found = _ages(context, [5100] * 100 + [100] * 100 + [5100])
    assert found[100:200] == [(100, ())] * 100
    assert found[200] == (5100, ("leap_suspect",))


def test_a_naive_message_that_waited_is_corrected_too() -> None:
    """Eight seconds old as it reads, three in truth: neither suspect nor stale."""
    found = _ages(_context(its_leap_seconds="auto"), [5100] * 100 + [8000, 12_000])
    assert found[100:] == [(3000, ()), (7000, ())]


@pytest.mark.parametrize(("policy", "age_ms"), [("tai", 5100), ("utc", 100)])
def test_without_auto_the_policy_of_the_site_holds(policy: str, age_ms: int) -> None:
    """As configured, from the first message to the last, whatever the median says."""
    assert {age for age, _ in _ages(_context(its_leap_seconds=policy), [5100] * 120)} == {age_ms}


def _denm(reference_s: int, latitude: int = 448_400_000) -> Any:
    management = {
        "actionID": {"originatingStationID": 7, "sequenceNumber": 1},
        "detectionTime": to_its(AT_MS),
        "referenceTime": to_its(AT_MS + 1000 * reference_s),
        "eventPosition": {"latitude": latitude, "longitude": -5_800_000},
    }
    return fold({"management": management})


def _hazard(context: Context, reference_s: int, **changes: int) -> RoadHazard:
    arrival = Arrival(Message("t", b"", AT + timedelta(seconds=60)), context)
    return road_hazard(_denm(reference_s, **changes), arrival)[0]


def test_a_hazard_older_than_what_is_known_of_it_is_a_replay() -> None:
    """A repetition is none; an update is none; what was announced before the update is. All are kept."""
    context = _context()
    assert [_hazard(context, second).flags for second in (0, 0, 30, 30, 0)] == [(), (), (), (), ("replay",)]


def test_a_hazard_far_from_the_site_is_flagged() -> None:
    """It is kept: a border may be drawn too narrow."""
    context = _context(site=Box(-0.7, 44.8, -0.5, 44.9))
    assert _hazard(context, 0, latitude=458_400_000).flags == ("outside_site",)


def test_the_actions_that_are_remembered_are_bounded() -> None:
    """The oldest goes first: a late message about it is not told from a first one, and nothing grows."""
    stations = Stations(actions=2)
    assert [stations.is_outdated(name, 10) for name in ("a", "b", "c")] == [False] * 3
    assert stations.is_outdated("c", 5)
    assert not stations.is_outdated("a", 5)


def _configured(folder: Path, text: str) -> Settings:
    path = folder / "garonne.toml"
    path.write_text(f'storage = "embedded"\n{text}')
    return read_settings(path)


def test_a_source_has_a_policy_of_its_own(tmp_path: Path) -> None:
    """Two vehicles of one encoding, one of which forgets leap seconds: its topic says so, and both are dated right."""
    configured = _configured(
        tmp_path, '[profiles.its_client_json.its_leap_seconds_of]\n"+/outQueue/v2x/cam/naive/#" = "utc"\n'
    )
    normaliser, _ = build_normaliser(configured, trial=True)
    generated_at = AT - timedelta(milliseconds=100)
    ages = []
    for source, tai in (("right", True), ("naive", False)):
        delta = to_its(milliseconds(generated_at), tai=tai) % 65_536
        payload = (
            f'{{"message_type":"cam","version":"2.4.0","source_uuid":"{source}","timestamp":{AT_MS},"message":{{'
            f'"station_id":1,"generation_delta_time":{delta},"basic_container":{{"station_type":5,'
            '"reference_position":{"latitude":448400000,"longitude":-5800000}},"high_frequency_container":{'
            '"basic_vehicle_container_high_frequency":{}}}}'
        ).encode()
        outcome = normaliser(Message(f"bx/outQueue/v2x/cam/{source}/0/3", payload, AT))
        (event,) = outcome.events
        assert isinstance(event.record, VehicleState), outcome.rejected
        ages.append((AT - event.record.observed_at, event.record.flags))
    assert ages == [(timedelta(milliseconds=100), ())] * 2


@pytest.mark.parametrize(
    "text",
    [
        "site_bounds = [1, 44, 0, 45]",
        "site_bounds = [0, 44, 1]",
        '[profiles.its_client_json]\nits_leap_seconds = "gps"',
        "[ingest]\nstations_remembered = 0",
    ],
)
def test_a_wrong_setting_is_told_by_its_key(tmp_path: Path, text: str) -> None:
    """Before any connection."""
    key = text.rpartition("\n")[2].split(" ", maxsplit=1)[0]
    with pytest.raises(ConfigurationProblem, match=key):
        _configured(tmp_path, text)


def test_the_site_is_around_its_junctions_if_it_does_not_say(tmp_path: Path) -> None:
    """Ten kilometres beyond the outermost zone; what the configuration says comes before."""
    path = tmp_path / "junctions.geojson"
    path.write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"id":"a","radius_m":300},'
        '"geometry":{"type":"Point","coordinates":[-0.58,44.84]}}]}'
    )
    box = site_of(read_junctions(path), None)
    assert box is not None
    assert [box.holds(44.84 + north_m * METRE_DEG, -0.58) for north_m in (10_299, 10_301, -10_301)] == [
        True,
        False,
        False,
    ]
    assert site_of(read_junctions(path), (0, 1, 2, 3)) == Box(0, 1, 2, 3)
    assert site_of(None, None) is None
