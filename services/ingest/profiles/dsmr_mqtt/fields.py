"""The fields of dsmr-reader and SmartGateways, and the keys of dsmr2mqtt.

Sources: dsmr-reader 5 (default mappings of its MQTT settings), EDDIE (topics of SmartGateways), dsmr2mqtt (dsmr50.py);
meters.md 1 rows 8 to 10, 2.2. "Delivered" is delivered to the home: import.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, NamedTuple

from schemas.energy import Carrier, Gauge, Register
from services.ingest.codecs import trusted

__all__ = ["AVAILABILITY", "CLOCKS", "DERIVED", "DSMR2MQTT", "GAS", "READING", "STATUS", "TARIFF", "Field"]


class Field(NamedTuple):
    """What a value becomes, after multiplying by `factor`.

    `watts_if_whole`: dsmr-reader gives kW with three decimals, SmartGateways gives whole W under the same name.
    """

    make: Callable[[float], Register | Gauge]
    is_register: bool
    factor: float = 1.0
    carrier: Carrier = "electricity"
    watts_if_whole: bool = False


def _index(quantity: str, name: str, factor: float = 1.0) -> Field:
    make = trusted.register("import_energy" if quantity == "import" else "export_energy", name, "kWh")
    return Field(make, True, factor)  # noqa: FBT003 - a NamedTuple


def _power(name: str, factor: float, *, watts_if_whole: bool = False) -> Field:
    make = trusted.gauge("active_power", name, "W")
    return Field(make, False, factor, watts_if_whole=watts_if_whole)  # noqa: FBT003 - a NamedTuple


_PHASES: Final = (1, 2, 3)
_GAS_VOLUME: Final = trusted.register("volume", "total", "m3")

READING: Final[Mapping[str, Field]] = {
    "electricity_delivered_1": _index("import", "T1"),
    "electricity_delivered_2": _index("import", "T2"),
    "electricity_returned_1": _index("export", "T1"),
    "electricity_returned_2": _index("export", "T2"),
    "electricity_currently_delivered": _power("import", 1e3),
    "electricity_currently_returned": _power("export", 1e3),
    **{f"phase_currently_delivered_l{n}": _power(f"L{n}", 1e3, watts_if_whole=True) for n in _PHASES},
    **{f"phase_currently_returned_l{n}": _power(f"L{n}_export", 1e3, watts_if_whole=True) for n in _PHASES},
    **{f"phase_voltage_l{n}": Field(trusted.gauge("voltage", f"L{n}", "V"), False) for n in _PHASES},  # noqa: FBT003
    **{f"phase_power_current_l{n}": Field(trusted.gauge("current", f"L{n}", "A"), False) for n in _PHASES},  # noqa: FBT003
    "extra_device_delivered": Field(_GAS_VOLUME, True, carrier="gas"),  # noqa: FBT003
}
"""Fields of a telegram; the energies are in kWh, the powers in kW, the volume in m3."""

GAS: Final[Mapping[str, Field]] = {
    "delivered": Field(_GAS_VOLUME, True, carrier="gas"),  # noqa: FBT003
}
"""Fields of `consumption/gas`; `currently_delivered` is a difference of two readings and is not kept."""

CLOCKS: Final = {
    "timestamp": "electricity",
    "extra_device_timestamp": "gas",
    "read_at": "gas",
}
"""Fields that are the instant of the values after them, and of which carrier."""

TARIFF: Final = "electricity_tariff"
STATUS: Final = "status"
AVAILABILITY: Final[Mapping[str, Literal["online", "offline"]]] = {"online": "online", "offline": "offline"}
"""Last will of dsmr2mqtt."""

DERIVED: Final = frozenset(("day-consumption", "current-month", "current-year", "meter-stats"))
"""Levels of topics with sums, costs and counts that the reader makes of the indexes."""

DSMR2MQTT: Final[Mapping[str, Field]] = {
    "el_consumed": _index("import", "total", 1e-3),
    "el_consumed1": _index("import", "T1", 1e-3),
    "el_consumed2": _index("import", "T2", 1e-3),
    "el_returned": _index("export", "total", 1e-3),
    "el_returned1": _index("export", "T1", 1e-3),
    "el_returned2": _index("export", "T2", 1e-3),
    "p_consumed": _power("import", 1.0),
    "p_generated": _power("export", 1.0),
    **{f"P{n}_consumed": _power(f"L{n}", 1.0) for n in _PHASES},
    **{f"P{n}_generated": _power(f"L{n}_export", 1.0) for n in _PHASES},
    **{f"V{n}": Field(trusted.gauge("voltage", f"L{n}", "V"), False) for n in _PHASES},  # noqa: FBT003
    **{f"I{n}": Field(trusted.gauge("current", f"L{n}", "A"), False) for n in _PHASES},  # noqa: FBT003
    "gas_consumed": Field(_GAS_VOLUME, True, 1e-3, "gas"),  # noqa: FBT003
}
"""Keys of dsmr2mqtt: Wh, W, litres; the tag numbers phases, not tariffs, behind a capital P."""
