"""From the operator's words in `case.json` to the mapping of a site.

`{"eau_m3": "water volume, m3", "E1": "Wh, grid import"}` becomes `{"eau_m3": "volume total m3 water",
"E1": "import_energy total Wh"}`; what cannot be understood is left out, and the facts then fail.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["mapping_of", "target_of"]

ENERGY_UNITS: Final = ("Wh", "kWh", "MWh")
GAUGES: Final = {
    "W": "active_power net",
    "kW": "active_power net",
    "VA": "apparent_power import",
    "V": "voltage L1",
    "A": "current total",
    "Hz": "frequency total",
}
CARRIERS: Final = {"eau": "water", "gaz": "gas", "water": "water", "gas": "gas"}
PV_COLUMNS: Final = {"power2": "PV, negative = production", "E2": "PV production"}
"""What columns with a bare unit mean at the site of these samples; its cases with words say so."""
REGISTERS: Final = {"base": "base", "HC": "HC", "HP": "HP"}


def mapping_of(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The mapping for `Context.mapping`; keys are names, or `#n` for the columns of a list."""
    if "names" in configuration:
        return _columns(configuration)
    found = {name: target_of(words, name=name) for name, words in configuration.items() if isinstance(words, str)}
    return {name: target for name, target in found.items() if target}


def _columns(configuration: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    columns = zip(configuration["names"], configuration["scales"], configuration["units"], strict=True)
    for position, (name, scale, unit) in enumerate(columns):
        target = target_of(f"{unit}, {PV_COLUMNS.get(name, '')}", scale)
        if target:
            found[f"#{position}"] = found[name] = target
    return found


def target_of(words: str, scale: float = 1, name: str = "") -> str | None:
    """One line of the mapping, or `None` if the words say nothing that is metered.

    Where the words name no carrier, the name of a volume does: `compteur_eau` in m3.
    """
    tokens = re.findall(r"[A-Za-z0-9]+", words)
    hints = [*tokens, *(CARRIERS.get(part, "") for part in re.findall(r"[a-z]+", name.lower()))]
    carrier = next((each for each in ("water", "gas", "heat") if each in hints), "electricity")
    tail = "" if carrier == "electricity" else f" {carrier}"
    pulse = re.search(r"1 count = ([0-9.]+) (Wh|kWh|L|m3)", words)
    if pulse:
        return f"{_register(tokens, pulse[2])} pulse {pulse[1]}*{pulse[2]}{tail}"
    units = [token for token in tokens if token in (*ENERGY_UNITS, *GAUGES, "m3", "L")]
    unit = units[0] if units else "m3" if "volume" in tokens else "kWh" if "energy" in tokens else None
    if unit is None:
        return None
    factor = "" if scale == 1 else f"{scale}*"
    if unit in GAUGES:
        if "negative = production" in words:
            return f"active_power production {-scale}*{unit}"
        return f"{GAUGES[unit]} {factor}{unit}"
    name = next((REGISTERS[token] for token in tokens if token in REGISTERS), "total")
    return f"{_register(tokens, unit)} {name} {factor}{unit}{tail}"


def _register(tokens: list[str], unit: str) -> str:
    if unit in ("m3", "L"):
        return "volume"
    if "production" in tokens:
        return "production"
    return "export_energy" if {"export", "injection"} & set(tokens) else "import_energy"
