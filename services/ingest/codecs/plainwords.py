"""What a value is, where the format gives a unit and a name in plain words: SenML, Sparkplug B, FIWARE, Homie.

The site's `mapping` decides first, by the whole name, then by its last part. Without a line there, the unit says
the quantity and words of the name say direction, carrier and phase (`Energy/Export`, `import`, `eau`,
`power_L2`). What is not certain has no meaning: a volume without a carrier, an energy without a direction, a daily,
mean or extreme value. A power without a direction is `net`, positive = import.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas.energy import Carrier, Gauge, Register, Unit
from services.ingest.codecs import trusted
from services.ingest.codecs.jsontext import finite, index
from services.ingest.codecs.units import UNITS, scaled
from services.ingest.mapping import read_target
from services.ingest.profiles import Unparseable

__all__ = ["Meaning", "Parts", "meaning"]


class Meaning(NamedTuple):
    """What a value becomes: `value * factor + offset`, as a register or a gauge of a carrier."""

    make: Callable[[float], Register | Gauge]
    is_register: bool
    carrier: Carrier
    factor: float = 1.0
    offset: float = 0.0

    def __call__(self, value: float, name: str) -> Register | Gauge:
        """The register or gauge; `name` says where the value stands, should it be out of range."""
        ours = finite(scaled(value, self.factor) + self.offset, name)
        return self.make(index(ours, name) if self.is_register else ours)


class Parts(dict[Carrier, tuple[list[Register], list[Gauge]]]):
    """Registers and gauges of one instant by carrier. Of two equal ones the first counts."""

    def add(self, carrier: Carrier, part: Register | Gauge) -> None:
        """Add a register or a gauge."""
        lists: tuple[list[Any], list[Any]] = self.setdefault(carrier, ([], []))
        kept = lists[0 if isinstance(part, Register) else 1]
        if not any(each.quantity == part.quantity and each.name == part.name for each in kept):
            kept.append(part)


EXPORT: Final = frozenset(("export", "exported", "injection", "injected", "returned", "feedin", "einspeisung", "sold"))
IMPORT: Final = frozenset(
    ("import", "imported", "energy", "consumption", "consumed", "soutirage", "delivered", "bezug", "bought", "energie")
)
PRODUCTION: Final = frozenset(("production", "produced", "pv", "solar", "solaire", "generation", "generated", "yield"))
CARRIERS: Final[Mapping[str, Carrier]] = {
    **dict.fromkeys(("water", "eau", "wasser", "acqua", "agua"), "water"),
    **dict.fromkeys(("gas", "gaz"), "gas"),
    **dict.fromkeys(("heat", "heating", "chaleur", "waerme", "thermal"), "heat"),
}
NOT_AN_INDEX: Final = frozenset(
    ("today", "daily", "day", "yesterday", "hourly", "hour", "week", "month", "monthly", "year", "max", "min", "avg")
) | frozenset(("mean", "average", "peak", "last", "previous", "target", "limit", "setpoint", "jour", "mois"))
TARIFFS: Final = {"t1": "T1", "t2": "T2", "t3": "T3", "t4": "T4", "hc": "HC", "hp": "HP", "base": "base"}
PHASES: Final = {"l1": "L1", "l2": "L2", "l3": "L3"}

_WORD: Final = re.compile(r"[A-Z]?[a-z]+[0-9]?|[A-Z]+[0-9]?(?![a-z])|[0-9]+")


def meaning(name: str, unit: str | None, mapping: Mapping[str, str], *, strip: str = "/:._") -> Meaning | None:
    """What a value called `name` in `unit` is; `None` if it is not known or not kept.

    Args:
        name: as the device gives it, with all its parts.
        unit: as the device gives it, if it does; it decides over the unit of the mapping.
        mapping: the site's own lines.
        strip: characters that part a name.

    Raises:
        Unparseable: the unit of the device is of another kind than that of the mapping.
    """
    line = mapping.get(name)
    if line is None and mapping:
        line = mapping.get(re.split(f"[{re.escape(strip)}]", name)[-1])
    if line is not None:
        return _mapped(line, unit)
    return None if unit is None else _by_words(name, unit)


@lru_cache(maxsize=4096)
def _mapped(line: str, unit: str | None) -> Meaning:
    target = read_target(line)
    if unit is None:
        return Meaning(target.make, target.is_register, target.carrier, target.factor)
    scale = UNITS.get(unit)
    if scale is None or scale.unit != target.make(0.0).unit:
        raise Unparseable("bad_value", "unit: not a unit of what the mapping makes of this name")
    return Meaning(target.make, target.is_register, target.carrier, scale.factor, scale.offset)


@lru_cache(maxsize=16_384)
def _by_words(name: str, unit: str) -> Meaning | None:
    scale = UNITS.get(unit)
    words = tuple(word.lower() for word in _WORD.findall(name))
    if scale is None or NOT_AN_INDEX.intersection(words):
        return None
    carrier = next((CARRIERS[word] for word in words if word in CARRIERS), None)
    make = _register(words, scale.unit, carrier) if scale.unit in _METERED else _gauge(words, scale.unit, carrier)
    if make is None:
        return None
    return Meaning(make, scale.unit in _METERED, carrier or "electricity", scale.factor, scale.offset)


_METERED: Final = frozenset(("kWh", "kvarh", "m3"))


def _register(words: tuple[str, ...], unit: Unit, carrier: Carrier | None) -> Callable[[float], Register] | None:
    name = _first(words, {**PHASES, **TARIFFS}) or "total"
    if unit == "m3":
        return trusted.register("volume", name, "m3") if carrier in ("water", "gas", "heat") else None
    if unit == "kvarh":
        return None
    if EXPORT.intersection(words):
        return trusted.register("export_energy", name, "kWh")
    if PRODUCTION.intersection(words):
        return trusted.register("production", name, "kWh")
    return trusted.register("import_energy", name, "kWh") if IMPORT.intersection(words) else None


def _gauge(words: tuple[str, ...], unit: Unit, carrier: Carrier | None) -> Callable[[float], Gauge] | None:
    phase = _first(words, PHASES)
    if unit in ("W", "VA", "var") and carrier is None:
        quantity: Any = {"W": "active_power", "VA": "apparent_power", "var": "reactive_power"}[unit]
        return trusted.gauge(quantity, phase or _direction(words), unit)
    if unit in ("V", "A", "Hz") and carrier is None:
        quantity = {"V": "voltage", "A": "current", "Hz": "frequency"}[unit]
        return trusted.gauge(quantity, phase or "total", unit)
    if unit == "m3/h" and carrier in ("water", "gas", "heat"):
        return trusted.gauge("flow", "total", unit)
    return None


def _direction(words: tuple[str, ...]) -> str:
    if EXPORT.intersection(words):
        return "export"
    if PRODUCTION.intersection(words):
        return "production"
    return "import" if {"import", "imported", "soutirage", "consumption"}.intersection(words) else "net"


def _first(words: tuple[str, ...], names: Mapping[str, str]) -> str | None:
    return next((names[word] for word in words if word in names), None)
