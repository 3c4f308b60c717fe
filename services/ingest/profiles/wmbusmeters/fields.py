"""The field names of wmbusmeters' drivers, with what they mean: a name ends in its unit.

Sources: wmbusmeters 3.0 (drivers and their telegram samples); meters.md 2.4. Names differ by driver for the same
quantity; the first of a row that a telegram has is the total. Month and history values are not kept.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.energy import Carrier, Gauge, Register
from services.ingest.codecs import trusted

__all__ = [
    "CARRIERS",
    "CLOCKS",
    "GAUGES",
    "POWERS_KW",
    "SET_DATES",
    "TOTALS",
    "TOTAL_CLOCKS",
    "USAGE",
    "Field",
    "tariff_field",
]


class Field(NamedTuple):
    """What a value becomes after multiplying by `factor`."""

    make: Callable[[float], Register | Gauge]
    factor: float = 1.0


_VOLUME: Final = trusted.register("volume", "total", "m3")
_BACKFLOW: Final = trusted.register("backflow_volume", "total", "m3")
_IMPORT: Final = trusted.register("import_energy", "total", "kWh")
_EXPORT: Final = trusted.register("export_energy", "total", "kWh")
_HCA: Final = trusted.register("heat_cost_units", "current", "hca")

TOTALS: Final[tuple[tuple[tuple[str, Field], ...], ...]] = (
    (
        ("total_m3", Field(_VOLUME)),
        ("total_volume_m3", Field(_VOLUME)),
        ("volume_m3", Field(_VOLUME)),
        ("total_l", Field(_VOLUME, 1e-3)),
        ("total_volume_l", Field(_VOLUME, 1e-3)),
    ),
    (
        ("total_energy_consumption_kwh", Field(_IMPORT)),
        ("total_kwh", Field(_IMPORT)),
        ("total_energy_kwh", Field(_IMPORT)),
        ("heat_kwh", Field(_IMPORT)),
        ("total_heat_energy_kwh", Field(_IMPORT)),
        ("total_heating_kwh", Field(_IMPORT)),
        ("current_consumption_kwh", Field(_IMPORT)),
    ),
    (("total_energy_production_kwh", Field(_EXPORT)),),
    (("backflow_m3", Field(_BACKFLOW)), ("total_backward_m3", Field(_BACKFLOW)), ("backward_m3", Field(_BACKFLOW))),
    tuple((name, Field(_HCA)) for name in ("current_consumption_hca", "current_hca", "current_period_consumption_hca")),
    (("total_reactive_energy_consumption_kvarh", Field(trusted.register("reactive_energy", "import", "kvarh"))),),
    (("total_reactive_energy_production_kvarh", Field(trusted.register("reactive_energy", "export", "kvarh"))),),
)
"""Registers; of a row the first that is there counts."""

SET_DATES: Final[Mapping[str, tuple[Field, tuple[str, ...]]]] = {
    **{
        name: (Field(trusted.register("volume", "at_set_date", "m3")), clocks)
        for name, clocks in {
            "target_m3": ("target_datetime", "target_date"),
            "target_volume_m3": ("target_datetime", "target_date"),
            "total_at_date_m3": ("at_datetime", "at_date"),
            "consumption_at_set_date_m3": ("set_datetime", "set_date"),
        }.items()
    },
    **{
        name: (Field(trusted.register("import_energy", "at_set_date", "kWh")), clocks)
        for name, clocks in {
            "target_kwh": ("target_datetime", "target_date"),
            "target_energy_kwh": ("target_datetime", "target_date"),
            "consumption_at_set_date_kwh": ("set_datetime", "set_date"),
        }.items()
    },
    "consumption_at_set_date_hca": (
        Field(trusted.register("heat_cost_units", "at_set_date", "hca")),
        ("set_datetime", "set_date"),
    ),
}
"""Values of the last set date, and the keys of their instant."""

TOTAL_CLOCKS: Final = ("total_datetime",)
"""Where the total has an instant of its own."""

CLOCKS: Final = ("device_datetime", "meter_datetime", "device_date_time")
"""The meter's clock, local and to the minute: used only without `timestamp`."""

_PHASES: Final = (1, 2, 3)
GAUGES: Final[Mapping[str, Field]] = {
    "flow_m3h": Field(trusted.gauge("flow", "total", "m3/h")),
    "volume_flow_m3h": Field(trusted.gauge("flow", "total", "m3/h")),
    "flow_temperature_c": Field(trusted.gauge("flow_temperature", "total", "degC")),
    "flow_c": Field(trusted.gauge("flow_temperature", "total", "degC")),
    "return_temperature_c": Field(trusted.gauge("return_temperature", "total", "degC")),
    "return_c": Field(trusted.gauge("return_temperature", "total", "degC")),
    "external_temperature_c": Field(trusted.gauge("external_temperature", "total", "degC")),
    "current_power_consumption_kw": Field(trusted.gauge("active_power", "import", "W"), 1e3),
    "power_kw": Field(trusted.gauge("active_power", "net", "W"), 1e3),
    "current_power_production_kw": Field(trusted.gauge("active_power", "export", "W"), 1e3),
    **{f"voltage_at_phase_{n}_v": Field(trusted.gauge("voltage", f"L{n}", "V")) for n in _PHASES},
    **{f"current_at_phase_{n}_a": Field(trusted.gauge("current", f"L{n}", "A")) for n in _PHASES},
}
POWERS_KW: Final = ("power_kw", "current_power_consumption_kw")
"""Thermal power of a heat or cooling meter; of an electricity meter the first is net, the second import."""
THERMAL: Final = Field(trusted.gauge("active_power", "thermal", "W"), 1e3)

CARRIERS: Final[tuple[tuple[str, Carrier], ...]] = (
    ("water", "water"),
    ("heat", "heat"),
    ("cooling", "cooling"),
    ("gas", "gas"),
    ("electricity", "electricity"),
)
"""By a word of `media` (`cold water`, `heat/cooling load`, `heat cost allocation`); the first that fits."""

USAGE: Final = frozenset(("OK", "LEAKING", "LEAK", "BURST", "DRY", "REVERSED", "BACKFLOW", "REVERSE_FLOW", "NO_FLOW"))
"""Words of `status` on the water, not on the device."""

_TARIFF: Final = re.compile(
    r"(total|total_volume|total_energy_consumption|total_energy_production)_tariff_?([1-4])_(m3|kwh)"
)


@lru_cache(maxsize=4096)
def tariff_field(key: str) -> Field | None:
    """A tariff register: `total_tariff1_m3`, `total_energy_consumption_tariff_1_kwh`."""
    match = _TARIFF.fullmatch(key)
    if match is None:
        return None
    if match[3] == "m3":
        return Field(trusted.register("volume", f"T{match[2]}", "m3"))
    quantity = trusted.register(
        "export_energy" if match[1].endswith("production") else "import_energy", f"T{match[2]}", "kWh"
    )
    return Field(quantity)
