"""Events on Kafka: CloudEvents 1.0, the same bytes for the same event, and back without loss."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import CodecError, decode, encode
from schemas.energy import Gauge, MeterReading, Register
from schemas.envelope import KEYS, RECORDS, TOPICS, AnyRecord, Event, key_of, topic_of
from schemas.jsonschemas import json_schemas
from schemas.mobility import Position, VehicleState

ROOT = Path(__file__).resolve().parents[2]
INSTANTS = st.datetimes(datetime(2010, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
FLOATS = st.floats(-1e9, 1e9, allow_nan=False)


def _reading(observed_at: datetime, received_at: datetime, value: float) -> MeterReading:
    return MeterReading(
        household="h_0123456789abcdef",
        meter="m_0123456789abcdef",
        carrier="electricity",
        observed_at=observed_at,
        received_at=received_at,
        clock="local_naive",
        registers=(Register(quantity="import_energy", name="total", value=value, unit="kWh"),),
        gauges=(Gauge(quantity="active_power", name="net", value=value, unit="W"),),
    )


@given(observed_at=INSTANTS, received_at=INSTANTS, value=FLOATS)
def test_an_event_comes_back_as_it_was(observed_at: datetime, received_at: datetime, value: float) -> None:
    """Encode and decode are inverse, and encode gives the same bytes each time."""
    event = Event("0" * 32, "tasmota", _reading(observed_at, received_at, value))
    assert decode(encode(event)) == event
    assert encode(event) == encode(event)


def test_an_event_is_a_cloud_event_and_fits_the_published_schema() -> None:
    """The required attributes of CloudEvents 1.0 are there, and `data` validates against the JSON Schema."""
    at = datetime(2026, 1, 12, 7, 15, 42, tzinfo=UTC)
    value: dict[str, Any] = json.loads(encode(Event("id-1", "tasmota", _reading(at, at, 1.5))))
    assert value["specversion"] == "1.0"
    assert value["type"] == "eu.garonne.meter_reading.v1"
    assert value["subject"] == "h_0123456789abcdef"
    assert value["time"] == "2026-01-12T07:15:42Z"
    jsonschema.validate(value["data"], json_schemas()["meter_reading"])


def test_a_naive_time_is_refused_and_another_zone_becomes_utc() -> None:
    """Records hold aware UTC instants only."""
    aware = datetime(2026, 1, 12, 8, 15, tzinfo=timezone(timedelta(hours=1)))
    assert _reading(aware, aware, 1.0).observed_at.isoformat() == "2026-01-12T07:15:00+00:00"
    with pytest.raises(ValueError, match="timezone"):
        _reading(datetime(2026, 1, 12), aware, 1.0)  # noqa: DTZ001


@pytest.mark.parametrize("household", ["famille-dupont", "06400000000103", "h_0123", "m_0123456789ABCDEF"])
def test_a_raw_identifier_cannot_be_put_into_a_record(household: str) -> None:
    """The pattern of a pseudonym refuses anything else."""
    at = datetime(2026, 1, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="pattern"):
        MeterReading(
            household=household,
            meter="m_0123456789abcdef",
            carrier="gas",
            observed_at=at,
            received_at=at,
            clock="none",
        )


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"[1]",
        b'{"specversion":"1.0","id":"1","source":"/x","type":"t","data":{"kind":"unknown"}}',
        b'{"specversion":"0.3","id":"1","source":"/x","type":"t","data":{}}',
    ],
)
def test_bytes_that_are_no_event_give_a_clear_error(value: bytes) -> None:
    """Anything else is CodecError with the place in the text."""
    with pytest.raises(CodecError, match=r"\w"):
        decode(value)


def test_an_attribute_of_a_later_envelope_is_let_through() -> None:
    """Readers of today accept extension attributes of tomorrow."""
    at = datetime(2026, 1, 12, tzinfo=UTC)
    value = json.loads(encode(Event("id-1", "tasmota", _reading(at, at, 1.0))))
    value["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert decode(json.dumps(value).encode()).id == "id-1"


def test_every_kind_has_a_topic_and_a_key_that_exists() -> None:
    """The closed set, the topics and the keys name the same kinds."""
    assert set(RECORDS) == set(TOPICS) == set(KEYS)
    assert [kind for kind, key in KEYS.items() if key not in RECORDS[kind].model_fields] == []


def test_a_vehicle_is_keyed_by_its_zone() -> None:
    """All messages of a junction are in one partition."""
    at = datetime(2026, 1, 12, tzinfo=UTC)
    record: AnyRecord = VehicleState(
        observed_at=at,
        received_at=at,
        clock="its",
        zone="33:4101",
        vehicle="v_0123456789abcdef",
        station_type=5,
        position=Position(latitude_deg=44.84, longitude_deg=-0.58),
    )
    assert (topic_of(record), key_of(record)) == ("garonne.mobility", "33:4101")
