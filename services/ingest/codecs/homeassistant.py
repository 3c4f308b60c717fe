"""What a sensor of Home Assistant is: its device class, state class, unit and name, in the words of a mapping.

Sources: developers.home-assistant.io (sensor entity: device classes, state classes, units); meters.md 1 rows 17 and
18, 2.5. Direction is nowhere in it, so the name decides; without a hint, energy is import. A counter whose name says
that it starts again with the hour, the week, the month or the year is not kept; one that does at midnight is marked.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from services.ingest.codecs import tic
from services.ingest.declarative.leaves import target_of
from services.ingest.mapping import MappingProblem, Target

__all__ = ["METERING", "Sensor", "target_for"]


class Sensor(NamedTuple):
    """What a discovery message or the attribute topics say of a sensor. `name` is all names that it has."""

    device_class: str
    unit: str
    name: str
    state_class: str = ""


_UNITS: Final[Mapping[str, str]] = {
    "m³": "m3",
    "ft³": "0.028316846592*m3",
    "CCF": "2.8316846592*m3",
    "gal": "0.003785411784*m3",
    "GWh": "1000000*kWh",
    "MW": "1000000*W",
    "mW": "0.001*W",
    "VAr": "var",
    "kVAr": "kvar",
    "kvarh": "kvarh",
    "m³/h": "m3/h",
    "L/s": "3.6*m3/h",
    "°C": "degC",
}
_CLASSES: Final[Mapping[str, str]] = {
    "gas": "volume total {unit} gas",
    "water": "volume total {unit} water",
    "power": "active_power {way} {unit}",
    "apparent_power": "apparent_power {way} {unit}",
    "reactive_power": "reactive_power net {unit}",
    "reactive_energy": "reactive_energy total {unit}",
    "voltage": "voltage {phase} {unit}",
    "current": "current {line} {unit}",
    "frequency": "frequency total {unit}",
    "volume_flow_rate": "flow total {unit} {fluid}",
}
METERING: Final = frozenset((*_CLASSES, "energy", "power_factor"))
"""Device classes that are kept; a temperature is of a room as likely as of the outdoors."""

_CLASS_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("Wh", "kWh", "MWh"), "energy"),
    **dict.fromkeys(("W", "kW"), "power"),
    "VA": "apparent_power",
    "var": "reactive_power",
    "V": "voltage",
    "A": "current",
    "Hz": "frequency",
}
"""Older devices give a unit and no class; m³ can be gas or water, so it says nothing alone."""

_EXPORT: Final = re.compile(r"export|inject|return|feed.?in|einspeis|teruglever|surplus|sold|sell|vendu")
_PRODUCTION: Final = re.compile(r"solar|solaire|\bpv\b|(?<![a-z])pv|photovolt|yield|produ|erzeug|inverter|onduleur")
_DAY: Final = re.compile(r"today|daily|(?<![a-z])day(?![a-z])|jour(?!n)|heute|tag(?![a-z])")
_OTHER_PERIOD: Final = re.compile(
    r"month|mois|mensuel|year|annee|annuel|week|semaine|hebdo|hour|horaire|yesterday|hier|last|previous|cost|price|"
    r"prix|cout|forecast|estimat"
)
_PHASE: Final = re.compile(r"(?:phase[_ ]?|(?<![a-z])l)([1-3abc])(?![a-z0-9])")
_LABEL: Final = re.compile(r"[a-z]+[0-9]*")


def target_for(sensor: Sensor) -> Target | None:
    """What its values become, or `None` if it is nothing that is metered."""
    if not sensor.device_class:
        sensor = sensor._replace(device_class=_CLASS_OF.get(sensor.unit, ""))
    name = sensor.name.lower().replace("é", "e").replace("û", "u")
    if _OTHER_PERIOD.search(name) or sensor.device_class not in METERING:
        return None
    text = _words(sensor, name)
    if text is None:
        return None
    try:
        return target_of(text, None, since_midnight=bool(_DAY.search(name)))
    except MappingProblem:
        return None  # a unit that this quantity does not have


def _words(sensor: Sensor, name: str) -> str | None:
    unit = _UNITS.get(sensor.unit, sensor.unit)
    if sensor.device_class == "energy":
        return None if sensor.state_class == "measurement" else _energy(name, unit)
    if sensor.device_class == "power_factor":
        return f"power_factor total {'0.01*1' if unit == '%' else '1'}"
    phase = _phase(name)
    way = phase or ("export" if _EXPORT.search(name) else "production" if _PRODUCTION.search(name) else "")
    return _CLASSES[sensor.device_class].format(
        unit=unit,
        way=way or ("import" if sensor.device_class == "apparent_power" else "net"),
        phase=phase or "L1",
        line=phase or "total",
        fluid="gas" if re.search(r"gas|gaz", name) else "water",
    )


def _energy(name: str, unit: str) -> str:
    """By the label of a Linky if the name ends in one (`linky_hchc`), else by direction and phase."""
    labels = [word.upper() for word in _LABEL.findall(name) if word.upper() in tic.REGISTERS]
    if labels:
        register = tic.REGISTERS[labels[-1]](0.0)
        return f"{register.quantity} {register.name} {unit}"
    quantity = "export_energy" if _EXPORT.search(name) else "production" if _PRODUCTION.search(name) else None
    return f"{quantity or 'import_energy'} {_phase(name) or ('today' if _DAY.search(name) else 'total')} {unit}"


def _phase(name: str) -> str | None:
    found = _PHASE.search(name)
    return None if found is None else f"L{'123'['123abc'.index(found[1]) % 3]}"
