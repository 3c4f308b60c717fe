"""Units as devices write them, with the unit of ours and the factor to it.

Sources: RFC 8428 (SenML units), RFC 8798 (additional and secondary units), IEC 62056-6-2 (OBIS units), and the
usual other spellings of the same. The table is frozen: a unit that is not here is not guessed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.energy import Unit

__all__ = ["UNITS", "Scale", "scaled"]


class Scale(NamedTuple):
    """`value * factor + offset` is in `unit`."""

    unit: Unit
    factor: float = 1.0
    offset: float = 0.0


_JOULE: Final = 1 / 3.6e6

UNITS: Final[Mapping[str, Scale]] = MappingProxyType(
    {
        "kWh": Scale("kWh"),
        "Wh": Scale("kWh", 1e-3),
        "MWh": Scale("kWh", 1e3),
        "J": Scale("kWh", _JOULE),
        "kJ": Scale("kWh", 1e3 * _JOULE),
        "MJ": Scale("kWh", 1e6 * _JOULE),
        "GJ": Scale("kWh", 1e9 * _JOULE),
        "kvarh": Scale("kvarh"),
        "kVArh": Scale("kvarh"),
        "varh": Scale("kvarh", 1e-3),
        "vars": Scale("kvarh", _JOULE),
        "W": Scale("W"),
        "kW": Scale("W", 1e3),
        "MW": Scale("W", 1e6),
        "VA": Scale("VA"),
        "kVA": Scale("VA", 1e3),
        "var": Scale("var"),
        "VAr": Scale("var"),
        "kvar": Scale("var", 1e3),
        "kVAr": Scale("var", 1e3),
        "V": Scale("V"),
        "mV": Scale("V", 1e-3),
        "kV": Scale("V", 1e3),
        "A": Scale("A"),
        "mA": Scale("A", 1e-3),
        "Hz": Scale("Hz"),
        "m3": Scale("m3"),
        "m³": Scale("m3"),
        "l": Scale("m3", 1e-3),
        "L": Scale("m3", 1e-3),
        "m3/h": Scale("m3/h"),
        "m³/h": Scale("m3/h"),
        "m3/s": Scale("m3/h", 3600.0),
        "l/s": Scale("m3/h", 3.6),
        "l/h": Scale("m3/h", 1e-3),
        "L/h": Scale("m3/h", 1e-3),
        "l/min": Scale("m3/h", 0.06),
        "L/min": Scale("m3/h", 0.06),
        "Cel": Scale("degC"),
        "degC": Scale("degC"),
        "°C": Scale("degC"),
        "K": Scale("degC", 1.0, -273.15),
    }
)


def scaled(value: float, factor: float) -> float:
    """`value * factor` without the noise of binary fractions: 412 Wh are 0.412 kWh, 1.023 kW are 1023 W."""
    return value / (1 / factor) if 0 < factor < 1 else round(value * factor, 9)
