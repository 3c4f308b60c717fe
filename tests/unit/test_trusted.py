"""Records made without a second validation are the ones that validation would give."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.codec import decode, encode
from schemas.energy import Gauge, MeterReading, Register, State
from schemas.envelope import Event
from services.ingest.clock import Reading
from services.ingest.codecs import trusted

VALUES = st.floats(allow_nan=False, allow_infinity=False)
AT = datetime(2026, 4, 10, 6, 5, tzinfo=UTC)


@given(value=VALUES)
def test_a_register_is_the_validated_one(value: float) -> None:
    """Equal, hashed alike, and written to the same bytes."""
    made = trusted.register("import_energy", "today", "kWh", since_midnight=True)(value)
    validated = Register(quantity="import_energy", name="today", value=value, unit="kWh", since_midnight=True)
    assert made == validated
    assert made.model_dump_json() == validated.model_dump_json()


@given(value=VALUES)
def test_a_gauge_is_the_validated_one(value: float) -> None:
    """With and without an instant of its own."""
    made = trusted.dated(trusted.gauge("voltage", "L1", "V")(value), AT)
    assert made == Gauge(quantity="voltage", name="L1", value=value, unit="V", observed_at=AT)
    assert trusted.gauge("voltage", "L1", "V")(value) == Gauge(quantity="voltage", name="L1", value=value, unit="V")


def test_a_reading_is_the_validated_one_on_kafka_too() -> None:
    """The same bytes, and back to an equal record."""
    registers = (trusted.register("import_energy", "total", "kWh", modulus=1e6)(3.5),)
    states = (State(name="contract", value="BASE"),)
    made = trusted.meter_reading(
        household="h_0123456789abcdef",
        meter="m_0123456789abcdef",
        at=Reading(AT, "local_naive", ("late",)),
        received_at=AT,
        retained=True,
        registers=registers,
        states=states,
        counter_since=AT,
    )
    validated = MeterReading(
        household="h_0123456789abcdef",
        meter="m_0123456789abcdef",
        observed_at=AT,
        received_at=AT,
        clock="local_naive",
        flags=("late",),
        retained=True,
        carrier="electricity",
        registers=registers,
        states=states,
        counter_since=AT,
    )
    assert made == validated
    assert encode(Event("0", "tasmota", made)) == encode(Event("0", "tasmota", validated))
    assert decode(encode(Event("0", "tasmota", made))).record == validated


def test_a_wrong_constant_is_refused_when_the_maker_is_set_up() -> None:
    """A name that the schema does not allow never reaches a message."""
    with pytest.raises(ValidationError):
        trusted.register("import_energy", "no spaces here", "kWh")
