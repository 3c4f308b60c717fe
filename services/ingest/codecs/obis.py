"""OBIS codes of meters at home, with their meaning: shared by P1 telegrams and the JSON of Austria and Italy.

Sources: IEC 62056-6-1 (OBIS), DSMR P1 companion standard 5.0.2, e-MUCS-P1 1.7.1 (Belgium); meters.md 2.2. The key is
C.D.E of an electricity code (A = 1, B = 0). "Import" is energy from the grid to the home (A+, 1.8.0).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from schemas.energy import Gauge, GaugeQuantity, Register, RegisterQuantity, Unit
from services.ingest.codecs import trusted
from services.ingest.codecs.jsontext import finite, index
from services.ingest.codecs.units import UNITS, scaled
from services.ingest.profiles import Unparseable

__all__ = ["ELECTRICITY", "IDENTITIES", "Code", "Meaning", "electricity", "read_code"]


class Code(NamedTuple):
    """A-B:C.D.E: medium, channel, and the rest as text."""

    medium: int
    channel: int
    cde: str


class Meaning(NamedTuple):
    """What a code stands for; `unit` is ours, `base` the one that is meant where the device gives none."""

    is_register: bool
    quantity: str
    name: str
    unit: Unit
    base: str

    def __call__(self, value: float, unit: str | None, *, modulus: float | None = None) -> Register | Gauge:
        """The register or gauge of a value in `unit`; `modulus` is in `unit` too.

        Raises:
            Unparseable: a unit that is unknown or of another kind.
        """
        scale = UNITS.get(unit or self.base)
        if scale is None or scale.unit != self.unit:
            raise Unparseable("bad_value", f"{self.quantity} {self.name}: not in a unit of this quantity")
        of_ours = None if modulus is None else scaled(modulus, scale.factor)
        ours = finite(scaled(value, scale.factor), self.name)
        return _maker(self, of_ours)(index(ours, self.name) if self.is_register else ours)


@lru_cache(maxsize=1024)
def _maker(meaning: Meaning, modulus: float | None) -> Callable[[float], Register] | Callable[[float], Gauge]:
    quantity: RegisterQuantity | GaugeQuantity = meaning.quantity  # type: ignore[assignment]  # by the table below
    if meaning.is_register:
        return trusted.register(quantity, meaning.name, meaning.unit, modulus=modulus)  # type: ignore[arg-type]
    return trusted.gauge(quantity, meaning.name, meaning.unit)  # type: ignore[arg-type]


def _energy(quantity: str, name: str) -> Meaning:
    return Meaning(True, quantity, name, "kWh", "Wh")  # noqa: FBT003 - a NamedTuple


def _reactive(name: str) -> Meaning:
    return Meaning(True, "reactive_energy", name, "kvarh", "varh")  # noqa: FBT003 - a NamedTuple


def _gauge(quantity: GaugeQuantity, name: str, unit: Unit) -> Meaning:
    return Meaning(False, quantity, name, unit, unit)  # noqa: FBT003 - a NamedTuple


_PHASES: Final = ((20, "L1"), (40, "L2"), (60, "L3"))
_TARIFFS: Final = (("0", "total"), ("1", "T1"), ("2", "T2"), ("3", "T3"), ("4", "T4"))

ELECTRICITY: Final[Mapping[str, Meaning]] = MappingProxyType(
    {
        **{f"1.8.{e}": _energy("import_energy", name) for e, name in _TARIFFS},
        **{f"2.8.{e}": _energy("export_energy", name) for e, name in _TARIFFS},
        **{f"3.8.{e}": _reactive("import" if e == "0" else f"import_{name}") for e, name in _TARIFFS},
        **{f"4.8.{e}": _reactive("export" if e == "0" else f"export_{name}") for e, name in _TARIFFS},
        **{f"{4 + q}.8.0": _reactive(f"Q{q}") for q in (1, 2, 3, 4)},
        "1.7.0": _gauge("active_power", "import", "W"),
        "2.7.0": _gauge("active_power", "export", "W"),
        "16.7.0": _gauge("active_power", "net", "W"),
        "3.7.0": _gauge("reactive_power", "import", "var"),
        "4.7.0": _gauge("reactive_power", "export", "var"),
        "9.7.0": _gauge("apparent_power", "import", "VA"),
        "10.7.0": _gauge("apparent_power", "export", "VA"),
        "1.4.0": _gauge("active_power", "import_quarter_hour_running", "W"),
        "1.6.0": _gauge("peak_power", "import_month", "W"),
        "14.7.0": _gauge("frequency", "total", "Hz"),
        **{f"{c + 1}.8.0": _energy("import_energy", phase) for c, phase in _PHASES},
        **{f"{c + 2}.8.0": _energy("export_energy", phase) for c, phase in _PHASES},
        **{f"{c + 1}.7.0": _gauge("active_power", phase, "W") for c, phase in _PHASES},
        **{f"{c + 2}.7.0": _gauge("active_power", f"{phase}_export", "W") for c, phase in _PHASES},
        **{f"{c + 11}.7.0": _gauge("current", phase, "A") for c, phase in _PHASES},
        **{f"{c + 12}.7.0": _gauge("voltage", phase, "V") for c, phase in _PHASES},
    }
)
"""Registers and gauges by C.D.E; 15.x (sum of both directions) and all else are not kept."""

IDENTITIES: Final = ("96.1.1", "96.1.0", "96.1.255", "42.0.0")
"""C.D.E of a meter's own number, as the countries put it, in order of trust (96.1.2 is the delivery point)."""

_CODE: Final = re.compile(r"(\d{1,3})-(\d{1,3}):(\d{1,3}\.\d{1,3}\.\d{1,3})(?:[*.&]\d{1,3})?")


@lru_cache(maxsize=4096)
def read_code(text: str) -> Code | None:
    """`1-0:1.8.0`, with or without F (`*255`, `.255`); `None` if it is no OBIS code."""
    match = _CODE.fullmatch(text)
    return None if match is None else Code(int(match[1]), int(match[2]), match[3])


def electricity(code: Code | None) -> Meaning | None:
    """The meaning of a code of the main electricity meter."""
    return ELECTRICITY.get(code.cde) if code is not None and (code.medium, code.channel) == (1, 0) else None
