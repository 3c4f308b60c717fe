"""A small town whose figures can be told by heart, as events for the aggregator and as results for the report.

Two days from midnight in Paris, a reading each half hour. Of electricity, twelve homes use half a kWh in each half
hour, and their meters tell it in four ways, two of them by a load curve too and one by a load curve alone; ten of them
feed a fifth of it back. Of gas one home of twelve uses nearly all, of heat there are nine homes: neither may be shown.
At junction `33:1` eight vehicles drive at 10 m/s for twenty minutes, at `33:2` there is only one, which stays for an
hour. What `garonne kpi` stores of the winter is in `published`; a small town's hours of passages are in `hours`.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from schemas.codec import encode
from schemas.energy import Carrier, IntervalEnergy, MeterReading, Register, RegisterQuantity, Unit
from schemas.envelope import Event, key_of, topic_of
from schemas.mobility import Position, RoadHazard, VehicleState
from services.aggregator.points import milliseconds
from services.aggregator.ports import Incoming

__all__ = ["DAYS", "END", "HALF_HOURS", "HOMES", "PER_HALF_HOUR", "START", "events"]

START: Final = datetime(2026, 1, 9, 23, tzinfo=UTC)
"""Midnight in Paris."""
DAYS: Final = 2
HALF_HOURS: Final = 48 * DAYS
END: Final = START + timedelta(days=DAYS)
HOMES: Final = 12
PER_HALF_HOUR: Final = 0.5

_SAID: Final[Mapping[int, Mapping[str, float]]] = {
    0: {"total": 1.0},
    1: {"total": 1.0, "HC": 0.4, "HP": 0.6},
    2: {"base": 1.0},
    3: {"total": 1.0, "supplier_01": 1.0, "distributor_01": 1.0, "L1": 0.5, "L2": 0.25, "L3": 0.25},
}
"""In which registers a meter tells the same energy: by the home's number modulo four."""

_BY_CURVE: Final = (4, 5, 6)
"""Homes whose meter tells a load curve: the first of them tells its import by nothing else."""

_identities = count()


def _placed(record: MeterReading | IntervalEnergy | VehicleState | RoadHazard) -> Incoming:
    event = Event(f"{next(_identities):032x}", "town", record)
    received_ms = milliseconds(record.received_at)
    return Incoming(topic_of(record), 0, 0, key_of(record).encode(), encode(event), received_ms)


def _reading(home: int, carrier: Carrier, at: datetime, registers: tuple[Register, ...]) -> Incoming:
    meter = {"electricity": 0, "water": 1, "gas": 2, "heat": 3}[carrier]
    return _placed(
        MeterReading(
            observed_at=at,
            received_at=at + timedelta(seconds=2),
            clock="utc_z",
            household=f"h_{home:016x}",
            meter=f"m_{home * 10 + meter:016x}",
            carrier=carrier,
            registers=registers,
        )
    )


def _interval(home: int, end: datetime) -> Incoming:
    """The half hour before a reading, as a load curve has it."""
    return _placed(
        IntervalEnergy(
            observed_at=end,
            received_at=end + timedelta(days=1),
            clock="iso_offset",
            household=f"h_{home:016x}",
            meter=f"m_{home * 10:016x}",
            carrier="electricity",
            quantity="import_energy",
            register_name="total",
            start=end - timedelta(minutes=30),
            end=end,
            value=PER_HALF_HOUR,
            unit="kWh",
        )
    )


def _register(quantity: RegisterQuantity, name: str, value: float, unit: Unit = "kWh") -> Register:
    return Register(quantity=quantity, name=name, value=round(1000 + value, 6), unit=unit)


def _homes() -> Iterator[Incoming]:
    for step in range(HALF_HOURS + 1):
        at, used = START + timedelta(minutes=30 * step), PER_HALF_HOUR * step
        for home in range(HOMES):
            silent = home == 11 and 40 <= step < 56  # over midnight: both days are estimated in part
            told = [_register("import_energy", name, used * share) for name, share in _SAID[home % 4].items()]
            if home < 10:
                told.append(_register("export_energy", "total", used / 5))
            if home in _BY_CURVE and step:
                yield _interval(home, at)
            if home == _BY_CURVE[0]:
                told = [each for each in told if each.quantity == "export_energy"]
            if not silent:
                yield _reading(home, "electricity", at, tuple(told))
            yield _reading(home, "water", at, (_register("volume", "total", 0.01 * step, "m3"),))
            share = 100 if home == 0 else 1
            yield _reading(home, "gas", at, (_register("import_energy", "total", 0.02 * share * step),))
            if home < 9:
                yield _reading(home, "heat", at, (_register("import_energy", "total", used),))


def _vehicles() -> Iterator[Incoming]:
    for second in range(0, 3600, 10):
        at = START + timedelta(hours=8, seconds=second)
        for zone, vehicles in (("33:1", 8), ("33:2", 1)):
            for vehicle in range(vehicles if zone == "33:2" or second < 1200 else 0):
                yield _placed(
                    VehicleState(
                        observed_at=at,
                        received_at=at + timedelta(milliseconds=200),
                        clock="its",
                        zone=zone,
                        vehicle=f"v_{vehicle:016x}",
                        station_type=5,
                        position=Position(latitude_deg=44.84, longitude_deg=-0.58),
                        speed_mps=10.0,
                    )
                )


def _hazards() -> Iterator[Incoming]:
    """A stationary vehicle and roadworks, each announced twice."""
    for number, cause in enumerate((94, 3)):
        detected = START + timedelta(hours=9 + number)
        for repeated in range(2):
            yield _placed(
                RoadHazard(
                    observed_at=detected + timedelta(seconds=60 * repeated),
                    received_at=detected + timedelta(seconds=60 * repeated, milliseconds=400),
                    clock="its",
                    action_id=f"a_{number:016x}",
                    station_type=15,
                    detection_time=detected,
                    ends_at=detected + timedelta(seconds=600),
                    validity_s=600,
                    cause_code=cause,
                    position=Position(latitude_deg=44.84, longitude_deg=-0.58),
                )
            )


def events() -> list[Incoming]:
    """What stands in the log."""
    return [*_homes(), *_vehicles(), *_hazards()]
