"""A family's home: what it consumes hour by hour, as an index that grows."""

import random
from array import array
from dataclasses import dataclass
from typing import Final, Literal

from services.simulator.season import Winter

__all__ = ["FAULTS", "Family", "Fault", "Metering", "consumed_wh"]

Metering = Literal["linky_standard", "linky_historique", "tasmota_energy", "tasmota_teleinfo"]
"""What reads the meter: teleinfo2mqtt in standard or historique mode, Tasmota on a clamp, Tasmota on a Linky."""

Fault = Literal["reset", "gap", "glitch", "changed_meter", "late", "duplicates"]

FAULTS: Final[dict[Fault, str]] = {
    "reset": "the counter starts again from 0 after a power cut, and says so (TotalStartTime)",
    "gap": "nothing is read for five days, or a third of a short winter",
    "glitch": "now and then the index is shown as 0",
    "changed_meter": "the meter is replaced by one with another number and a small index",
    "late": "the gateway has no network for twelve days, or a third of a short winter, and delivers at its end",
    "duplicates": "messages are sent twice, as QoS 1 allows",
}

_BASE_PROFILE: Final = (
    0.55, 0.5, 0.48, 0.48, 0.5, 0.6, 0.9, 1.25, 1.15, 0.95, 0.9, 1.0,
    1.25, 1.1, 0.95, 0.9, 0.95, 1.15, 1.5, 1.75, 1.6, 1.35, 1.0, 0.7,
)  # fmt: skip
_HEAT_PROFILE: Final = (
    0.7, 0.7, 0.7, 0.7, 0.7, 0.9, 1.25, 1.3, 1.1, 1.0, 0.95, 0.95,
    1.0, 1.0, 0.95, 0.95, 1.05, 1.2, 1.3, 1.3, 1.2, 1.1, 0.85, 0.7,
)  # fmt: skip
_HEATING_STARTS_DEGC: Final = 17.0


@dataclass(frozen=True)
class Family:
    """A home with the traits that its consumption follows from.

    `saving` is the share of its energy that its efforts spare in the challenge: 0.1 is 10 % less at equal weather.
    `heat_w_per_k` is 0 where gas heats. `serials` are the numbers of its meters, the second after a change.
    `device` is the name of its Tasmota, `lag_s` how long after the full hour its gateway reads.
    """

    number: int
    team: str
    inhabitants: int
    base_w: float
    heat_w_per_k: float
    saving: float
    metering: Metering
    serials: tuple[str, ...]
    device: str
    lag_s: int
    first_index_wh: int
    fault: Fault | None = None

    @property
    def name(self) -> str:
        """Its number in the challenge."""
        return f"famille-{self.number:03}"


def consumed_wh(seed: int, family: Family, winter: Winter, temperatures_degc: "array[float]") -> "array[float]":
    """Wh since the start of the winter at each hour, the last included."""
    chance = random.Random(f"{seed}/home/{family.number}/{winter.name}")
    effort = 1 - family.saving if winter.name == "challenge" else 1.0
    moods = [max(0.4, chance.gauss(1.0, 0.12)) * effort for _ in range((winter.after - winter.first).days)]
    base = [family.base_w * each for each in _BASE_PROFILE]
    heat = [family.heat_w_per_k * each for each in _HEAT_PROFILE]
    sums = array("d", [0.0])
    total = 0.0
    for wall, day, outside in zip(winter.walls[:-1], winter.days[:-1], temperatures_degc[:-1], strict=True):
        power_w = base[wall]
        if outside < _HEATING_STARTS_DEGC:
            power_w += heat[wall] * (_HEATING_STARTS_DEGC - outside)
        total += power_w * moods[day]
        sums.append(total)
    return sums
