"""The site's own words for what a device calls by a name that its user chose.

A line of the mapping is `"SML.Total_in" = "import_energy total kWh"`: section and key of the payload, then
quantity, register name, unit, and the carrier where it is not electricity (`"volume total m3 water"`). A key
without section (`"Total_in"`) counts in every section. The unit may carry a factor: `0.01*V`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple, get_args

from pydantic import ValidationError

from schemas.energy import Carrier, Gauge, GaugeQuantity, Register, RegisterQuantity, Unit
from services.ingest.codecs import trusted

__all__ = ["Compiled", "MappingProblem", "Target", "compile_mapping", "read_target"]


class MappingProblem(ValueError):
    """A line of the mapping is wrong; the text says which and what is allowed."""


class Target(NamedTuple):
    """What a value becomes: a register or a gauge of a carrier, after multiplying by `factor`."""

    make: Callable[[float], Register] | Callable[[float], Gauge]
    is_register: bool
    carrier: Carrier
    factor: float


UNITS: Final = {
    "Wh": ("kWh", 1e-3),
    "MWh": ("kWh", 1e3),
    "mWh": ("kWh", 1e-6),
    "Wmin": ("kWh", 1 / 60_000),
    "MJ": ("kWh", 1 / 3.6),
    "GJ": ("kWh", 1000 / 3.6),
    "varh": ("kvarh", 1e-3),
    "L": ("m3", 1e-3),
    "kW": ("W", 1e3),
    "kVA": ("VA", 1e3),
    "mA": ("A", 1e-3),
    "mV": ("V", 1e-3),
    "kvar": ("var", 1e3),
    "L/h": ("m3/h", 1e-3),
    "L/min": ("m3/h", 0.06),
}
"""Units that are converted; all units of the schema stand for themselves."""

_ENERGY = ("kWh",)
_UNITS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("import_energy", "export_energy", "production", "consumption"), _ENERGY),
    **dict.fromkeys(("volume", "backflow_volume"), ("m3",)),
    **dict.fromkeys(("active_power", "peak_power"), ("W",)),
    **dict.fromkeys(("flow_temperature", "return_temperature", "external_temperature"), ("degC",)),
    "reactive_energy": ("kvarh",),
    "heat_cost_units": ("hca",),
    "apparent_power": ("VA",),
    "reactive_power": ("var",),
    "voltage": ("V",),
    "current": ("A",),
    "frequency": ("Hz",),
    "power_factor": ("1",),
    "flow": ("m3/h",),
    "state_of_charge": ("%",),
}
"""Units of a quantity, after conversion; power is no energy, whatever a mapping says."""
_WORDS: Final = (3, 4)


@lru_cache(maxsize=4096)
def read_target(text: str) -> Target:
    """Read the right-hand side of a line.

    Raises:
        MappingProblem: not of the form `<quantity> <name> <unit> [<carrier>]`, or a word that is not known.
    """
    words = text.split()
    if len(words) not in _WORDS:
        raise MappingProblem(f"{text!r}: write '<quantity> <name> <unit> [<carrier>]', as 'import_energy total kWh'")
    quantity, name, unit = words[:3]
    carrier: Any = words[3] if len(words) == _WORDS[1] else "electricity"
    if carrier not in get_args(Carrier):
        raise MappingProblem(f"{text!r}: carrier {carrier!r} is none of {', '.join(get_args(Carrier))}")
    factor_text, star, unit_text = unit.rpartition("*")
    try:
        factor = float(factor_text) if star else 1.0
    except ValueError:
        raise MappingProblem(f"{text!r}: the factor of {unit!r} must be a number, as in 0.01*V") from None
    known, scale = UNITS.get(unit_text, (unit_text, 1.0))
    return _target(text, (quantity, name, known), carrier, factor * scale)


def _target(text: str, words: tuple[Any, Any, Any], carrier: Carrier, factor: float) -> Target:
    quantity, name, unit = words
    is_register = quantity in get_args(RegisterQuantity)
    if not is_register and quantity not in get_args(GaugeQuantity):
        known = ", ".join(sorted({*get_args(RegisterQuantity), *get_args(GaugeQuantity)}))
        raise MappingProblem(f"{text!r}: quantity {quantity!r} is none of {known}")
    if unit in get_args(Unit) and unit not in _UNITS_OF.get(quantity, (unit,)):
        raise MappingProblem(f"{text!r}: {quantity} is in {' or '.join(_UNITS_OF[quantity])}, not in {unit}")
    try:
        if is_register:
            return Target(trusted.register(quantity, name, unit), True, carrier, factor)  # noqa: FBT003 - a NamedTuple
        return Target(trusted.gauge(quantity, name, unit), False, carrier, factor)  # noqa: FBT003 - a NamedTuple
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise MappingProblem(f"{text!r}: {first['loc'][0]}: {first['msg']}") from error


Compiled = Mapping[str, Mapping[str, Target]]
"""Targets by section, then key; the section `""` holds the keys that count in every section."""


def compile_mapping(mapping: Mapping[str, str]) -> Compiled:
    """Targets by section and key of a site's mapping; read once and remembered.

    Raises:
        MappingProblem: a line is wrong; the text begins with its key.
    """
    return _compile(tuple(mapping.items()))


@lru_cache(maxsize=256)
def _compile(lines: tuple[tuple[str, str], ...]) -> Compiled:
    compiled: dict[str, dict[str, Target]] = {}
    for place, text in lines:
        section, _, key = place.rpartition(".")
        try:
            compiled.setdefault(section, {})[key] = read_target(text)
        except MappingProblem as problem:
            raise MappingProblem(f"mapping {place!r} = {problem}") from None
    return compiled
