"""What the simulator writes is read by the profiles as it was meant: two programs that share no code agree."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.energy import MeterReading, OutdoorTemperature
from schemas.envelope import AnyRecord
from schemas.mobility import VehicleState
from services.ingest.profiles import Message
from services.simulator import formats, traffic
from services.simulator.formats import Publication
from tests.cases import normaliser

NORMALISER = normaliser(ZoneInfo("Europe/Paris"), {})
INSTANTS = (
    datetime(2026, 1, 12, 8, 15, 42, tzinfo=UTC),
    datetime(2025, 3, 30, 1, 0, 7, tzinfo=UTC),  # the clock has just gone forward
    datetime(2026, 4, 30, 21, 59, 59, tzinfo=UTC),
)


def _read(message: Publication, received_at: datetime) -> AnyRecord:
    outcome = NORMALISER(Message(message.topic, message.payload, received_at, retained=False))
    assert outcome.rejected is None, outcome
    (event,) = outcome.events
    return event.record


def _index(record: AnyRecord) -> dict[str, float]:
    assert isinstance(record, MeterReading)
    return {f"{each.quantity} {each.name} {each.unit}": each.value for each in record.registers}


@pytest.mark.parametrize("at", INSTANTS, ids=str)
def test_a_standard_frame_says_instant_and_index(at: datetime) -> None:
    """EAST in Wh, and the wall clock of DATE as the instant it means."""
    message = formats.linky_standard("041876000103", int(at.timestamp()), 48_120_334, 2_310)
    record = _read(message, at + timedelta(days=200))
    assert record.observed_at == at
    assert _index(record) == {"import_energy total kWh": 48_120.334}


def test_a_historique_frame_belongs_to_its_arrival() -> None:
    """BASE in Wh; the instant is that of reception."""
    received_at = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
    record = _read(formats.linky_historique("021876000104", 9_058_688, 900), received_at)
    assert record.observed_at == received_at
    assert _index(record) == {"import_energy base kWh": 9_058.688}


@pytest.mark.parametrize("at", INSTANTS, ids=str)
def test_a_tasmota_says_when_its_counter_began(at: datetime) -> None:
    """Time and TotalStartTime are local."""
    began = at - timedelta(days=30, seconds=3)
    message = formats.tasmota_energy("compteur-1", int(at.timestamp()), int(began.timestamp()), 310.402, 512)
    record = _read(message, at + timedelta(days=1))
    assert isinstance(record, MeterReading)
    assert (record.observed_at, record.counter_since) == (at, began)
    assert _index(record) == {"import_energy total kWh": 310.402}


@pytest.mark.parametrize("at", INSTANTS, ids=str)
def test_a_tasmota_on_a_linky_says_instant_and_index(at: datetime) -> None:
    """The labels of historique mode with the gateway's own clock."""
    message = formats.tasmota_teleinfo("compteur-2", "021876000105", int(at.timestamp()), 1_204_110, 240)
    record = _read(message, at + timedelta(days=1))
    assert record.observed_at == at
    assert _index(record) == {"import_energy base kWh": 1_204.11}


def test_a_state_of_tasmota_is_ignored_by_a_rule() -> None:
    """Nothing is metered in it."""
    at = INSTANTS[0]
    message = formats.tasmota_state("compteur-1", int(at.timestamp()))
    outcome = NORMALISER(Message(message.topic, message.payload, at, retained=False))
    assert outcome.ignored is not None
    assert outcome.ignored.rule == "no-metering-section"


def test_a_station_says_its_temperature() -> None:
    """Degrees Celsius at an instant."""
    at = INSTANTS[0]
    record = _read(formats.outdoor_temperature("bordeaux-merignac", int(at.timestamp()), -2.34), at)
    assert isinstance(record, OutdoorTemperature)
    assert (record.station, record.observed_at, record.temperature_degc) == ("bordeaux-merignac", at, -2.3)


def test_a_car_says_where_when_and_how_fast() -> None:
    """Raw integers of ETSI and TAI milliseconds, an hour old when they arrive."""
    at = datetime(2026, 11, 24, 15, 0, 0, 250_000, tzinfo=UTC)
    message = formats.awareness(4242, round(at.timestamp() * 1000), 448411000, -5808000, 1350, 900)
    record = _read(message, at + timedelta(hours=1))
    assert isinstance(record, VehicleState)
    assert record.position is not None
    assert (record.position.latitude_deg, record.position.longitude_deg) == (44.8411, -0.5808)
    assert (record.observed_at, record.speed_mps, record.heading_deg, record.station_type) == (at, 13.5, 90.0, 5)


def test_the_topic_of_a_car_is_its_tile() -> None:
    """The quadkey of its-client's own example: zoom 22 at 44.7753167, -0.6518623."""
    message = formats.awareness(555, 1_742_227_617_044, 447753167, -6518623, 144, 1800)
    expected = "default/outQueue/v2x/cam/com_car_555/0/3/1/3/3/3/1/1/1/2/0/2/1/0/0/1/2/1/2/1/2/1"
    assert message.topic == expected


def test_cars_stay_in_the_zone_and_in_the_past() -> None:
    """Every CAM lies inside the junction's radius, and none is later than the end of the watch."""
    start_s, minutes = 1_795_500_000, 10
    passings = traffic.passings(33, start_s, minutes)
    assert len({each.station_id for each in passings}) == len(passings) > 100
    for passing in passings:
        messages = list(traffic.messages(passing))
        assert len(messages) == passing.seconds
        assert start_s <= messages[0][0] <= messages[-1][0] < start_s + minutes * 60
        for at_s, message in messages:
            record = _read(message, datetime.fromtimestamp(at_s + 60, UTC))
            assert isinstance(record, VehicleState)
            assert record.position is not None
            north_m = (record.position.latitude_deg - passing.junction.latitude_deg) * 111_320
            east_m = (record.position.longitude_deg - passing.junction.longitude_deg) * 111_320 * 0.709
            assert north_m**2 + east_m**2 < passing.junction.radius_m**2
