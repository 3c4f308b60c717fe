"""Records to points and back: what is loaded from the store is what the records said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.energy import Gauge, IntervalEnergy, MeterReading, Register
from schemas.envelope import Event
from services.aggregator.history import Changed
from services.aggregator.points import TAGS, raw_point, readings_of, stored_readings, window_point
from services.aggregator.ports import Point, Row
from services.aggregator.windows import Window

AT = datetime(2026, 1, 12, 7, 15, 3, 250_000, tzinfo=UTC)


def _record(*registers: Register, **changes: Any) -> MeterReading:
    return MeterReading(
        **{
            "household": "h_0123456789abcdef",
            "meter": "m_0123456789abcdef",
            "carrier": "electricity",
            "observed_at": AT,
            "received_at": AT,
            "clock": "epoch_ms",
            "registers": registers,
            **changes,
        }
    )


def _import(value: float, name: str = "total", modulus: float | None = None) -> Register:
    return Register(quantity="import_energy", name=name, value=value, unit="kWh", modulus=modulus)


def _point(record: MeterReading | IntervalEnergy, number: int = 1) -> Point:
    point = raw_point(Event(f"{number:032x}", "linky", record))
    assert point is not None
    return point


def _row(point: Point) -> Row:
    return Row(point.time_ns, dict(point.tags), dict(point.fields))


QUANTITIES = st.sampled_from(["import_energy", "export_energy", "production", "volume", "reactive_energy"])
REGISTERS = st.builds(
    lambda quantity, name, value, midnight, modulus: Register(
        quantity=quantity,
        name=name,
        value=value,
        unit={"volume": "m3", "reactive_energy": "kvarh"}.get(quantity, "kWh"),
        since_midnight=midnight,
        modulus=modulus,
    ),
    QUANTITIES,
    st.sampled_from(["total", "HC", "T1", "supplier_01", "tempo_blue_hc", "channel_1"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.sampled_from([None, None, 1e6, 99_999.999, 1.7e308]),
)


@given(
    registers=st.lists(REGISTERS, min_size=1, max_size=6, unique_by=lambda each: (each.quantity, each.name)),
    subscribed_va=st.sampled_from([None, 6000.0, 12_000.0, 0.0, 9.0, 1e300]),
    since=st.sampled_from([None, AT - timedelta(days=3)]),
    retained=st.booleans(),
    clock=st.sampled_from(["none", "epoch_ms"]),
)
def test_what_is_loaded_is_what_was_said(
    registers: list[Register],
    subscribed_va: float | None,
    since: datetime | None,
    retained: bool,  # noqa: FBT001
    clock: str,
) -> None:
    """Indices to the millionth, moduli, contracts, beginnings; the largest and smallest floats break nothing."""
    gauges = () if subscribed_va is None else (
        Gauge(quantity="subscribed_power", name="import", value=subscribed_va, unit="VA"),
    )  # fmt: skip
    record = _record(*registers, gauges=gauges, counter_since=since, retained=retained, clock=clock)
    said = readings_of(record)
    stored = stored_readings([_row(_point(record))])
    assert {key: readings[0] for key, readings in stored.items()} == said


def test_the_contract_limits_import_alone() -> None:
    """12 kVA let 12 kWh through in an hour; a solar roof may give more than the contract."""
    contract = Gauge(quantity="subscribed_power", name="import", value=12_000, unit="VA")
    export = Register(quantity="export_energy", name="total", value=4, unit="kWh")
    said = readings_of(_record(_import(5), export, gauges=(contract,)))
    assert {key[0]: reading.per_hour for key, reading in said.items()} == {
        "import_energy": 12_000_000,
        "export_energy": None,
    }


def test_a_modulus_that_all_registers_share_is_one_field() -> None:
    """Linky has ten registers of nine digits; a mixture is kept register by register."""
    shared = dict(_point(_record(_import(1, "HC", 1e6), _import(2, "HP", 1e6))).fields)
    assert shared == {"import_energy_HC_kwh": 1.0, "import_energy_HP_kwh": 2.0, "modulus": 1e6}
    mixed = dict(_point(_record(_import(1, "HC", 1e6), _import(2, "HP"))).fields)
    assert mixed["modulus_import_energy_HC_kwh"] == 1e6
    assert "modulus" not in mixed


@pytest.mark.parametrize("value", [1e10, -1e10, 1.7e308])
def test_an_index_that_no_counter_shows_is_kept_and_never_becomes_energy(value: float) -> None:
    """The raw point has it, the algebra does not."""
    record = _record(_import(value))
    assert dict(_point(record).fields)["import_energy_total_kwh"] == value
    assert readings_of(record) == {}


def test_a_retained_message_without_a_clock_is_no_reading() -> None:
    """It was true some time ago, nobody knows when: kept and marked, never a mark to count from."""
    record = _record(_import(5), retained=True, clock="none")
    assert readings_of(record) == {}
    assert stored_readings([_row(_point(record))]) == {}
    assert readings_of(_record(_import(5), retained=True)) != {}


def test_two_messages_of_one_instant_are_two_points_and_a_copy_is_one() -> None:
    """The digits below the millisecond come from the event's identity."""
    record = _record(_import(5))
    assert _point(record, 1).time_ns == _point(record, 1).time_ns != _point(record, 2).time_ns
    assert _point(record, 1).time_ns // 1_000_000 == round(AT.timestamp() * 1000)


def test_a_window_says_all_that_is_to_be_said_and_takes_back_what_is_void() -> None:
    """The flags of curve and register together; an empty text where there are none, so that it overwrites."""
    window = Window(0, 1_800_000, 1_234_567, 900_000, estimated=True, flags=("gap",))
    key = ("import_energy", "total", "kWh")
    point = window_point(("electricity", "h", "m"), key, Changed("30m", window, 4, ("reset",)))
    assert dict(point.fields) == {
        "coverage": 0.5,
        "energy_kwh": 1.234567,
        "estimated": True,
        "flags": "gap,reset",
        "revision": 4,
    }
    assert tuple(name for name, _ in point.tags) == TAGS["energy"]
    plain = window_point(("electricity", "h", "m"), key, Changed("30m", window._replace(flags=()), 4))
    assert dict(plain.fields)["flags"] == ""
