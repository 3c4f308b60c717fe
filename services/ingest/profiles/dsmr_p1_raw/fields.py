"""What a P1 telegram holds besides the electricity codes of `codecs.obis`: M-Bus meters, peaks, the running tariff.

Source: DSMR P1 companion standard 5.0.2, 6.12; e-MUCS-P1 1.7.1; EN 13757-3 (device types); meters.md 2.2.
"""

from collections.abc import Mapping
from typing import Final

from schemas.energy import Carrier

__all__ = ["CLOCK", "DEVICE_TYPE", "MBUS_CARRIERS", "MBUS_IDENTITIES", "MBUS_VALUES", "NET_POWER", "PEAK", "TARIFF"]

CLOCK: Final = "1.0.0"
TARIFF: Final = "96.14.0"
PEAK: Final = "1.6.0"
"""Largest quarter-hour mean of the running month, with the instant of its own (Belgium)."""

DEVICE_TYPE: Final = "24.1.0"
MBUS_IDENTITIES: Final = ("96.1.0", "96.1.1")
"""The Netherlands and Belgium; 96.1.2 (delivery point) is not kept."""

MBUS_VALUES: Final = ("24.2.1", "24.2.3", "24.3.0")
"""Value with its instant; 24.2.3 is Belgian gas without temperature compensation, 24.3.0 is DSMR 2.2 and 3."""

MBUS_CARRIERS: Final[Mapping[int, Carrier]] = {
    3: "gas",
    4: "heat",  # outlet
    6: "water",  # warm
    7: "water",
    10: "cooling",
    11: "cooling",
    12: "heat",  # inlet
    22: "water",  # cold
}
"""By M-Bus device type. 2 (a second electricity meter) is not kept: nobody says what it measures."""

NET_POWER: Final = ("ESY",)
"""Makers whose 1.7.0 is import less export (EasyMeter)."""
