"""The ENERGY and SML keys that are kept, with their meaning and unit.

Source: Tasmota documentation, Energy Monitoring and Smart Meter Interface; meters.md 2.3. `Period` (Wh since the
last message), `Yesterday` and `Load` are not kept: the index says the same without gaps.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from schemas.energy import Gauge, GaugeQuantity, Register, RegisterQuantity, Unit
from services.ingest.codecs import trusted

__all__ = ["ENERGY", "SML_DEFAULTS", "TELEINFO", "Key"]

PHASES: Final = ("L1", "L2", "L3")
CHANNELS: Final = tuple(f"channel_{n}" for n in range(1, 9))
TARIFFS: Final = tuple(f"T{n}" for n in range(1, 5))


class Key(NamedTuple):
    """How a key is kept: as one number, or as an array by phase, channel or tariff."""

    is_register: bool
    scalar: Callable[[float], Register | Gauge]
    by_phase: tuple[Callable[[float], Register | Gauge], ...]
    by_channel: tuple[Callable[[float], Register | Gauge], ...]


def _register(quantity: RegisterQuantity, unit: Unit = "kWh") -> Key:
    def make(name: str) -> Callable[[float], Register]:
        return trusted.register(quantity, name, unit)

    return Key(True, make("total"), tuple(map(make, PHASES)), tuple(map(make, CHANNELS)))  # noqa: FBT003 - NamedTuple


def _tariffs(quantity: RegisterQuantity) -> Key:
    makers = tuple(trusted.register(quantity, name, "kWh") for name in TARIFFS)
    return Key(True, makers[0], makers, makers)  # noqa: FBT003 - NamedTuple


def _gauge(quantity: GaugeQuantity, name: str, unit: Unit) -> Key:
    def make(name: str) -> Callable[[float], Gauge]:
        return trusted.gauge(quantity, name, unit)

    return Key(False, make(name), tuple(map(make, PHASES)), tuple(map(make, CHANNELS)))  # noqa: FBT003 - NamedTuple


ENERGY: Final[Mapping[str, Key]] = {
    "Total": _register("import_energy"),
    # Since local midnight, so never energy by itself; arrays of it say nothing that Total does not say.
    "Today": Key(True, trusted.register("import_energy", "today", "kWh", since_midnight=True), (), ()),  # noqa: FBT003
    "TotalTariff": _tariffs("import_energy"),
    "ExportActive": _register("export_energy"),
    "ExportTariff": _tariffs("export_energy"),
    "Power": _gauge("active_power", "net", "W"),
    "ApparentPower": _gauge("apparent_power", "net", "VA"),
    "ReactivePower": _gauge("reactive_power", "net", "var"),
    "Factor": _gauge("power_factor", "total", "1"),
    "Voltage": _gauge("voltage", "L1", "V"),
    "Current": _gauge("current", "total", "A"),
    "Frequency": _gauge("frequency", "total", "Hz"),
}

SML_DEFAULTS: Final[Mapping[str, str]] = {
    "Total_in": "import_energy total kWh",
    "Total_out": "export_energy total kWh",
    "Power_curr": "active_power net W",
    "Verbrauch_Summe": "import_energy total kWh",
    "Einspeisung_Summe": "export_energy total kWh",
    "Watt_Summe": "active_power net W",
}
"""Names that the published scripts use; `mapping` overrides and adds to them."""

TELEINFO: Final = re.compile(rb'"(?:TIC|METER|CONTRACT|PROD|Load)"')
"""Keys of the Teleinfo drivers, whose ENERGY section is wrong: such messages belong to another profile."""
