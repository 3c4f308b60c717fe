"""Fuel and CO2 of a passenger car from its speed: estimated by vehicle specific power (c-its.md 5). Pure.

The power is Jimenez-Palacios 1999 (light duty), the rates by mode are Frey, Zhang and Rouphail 2008: US petrol cars
of the 2000s. So the figures are good for comparing a junction with itself, and are labelled as estimates.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ["Burnt", "burnt", "specific_power_kw_per_t"]

_BOUNDS: Final = (-2, 0, 1, 4, 7, 10, 13, 16, 19, 23, 28, 33, 39)
_CO2_G_PER_S: Final = (1.30, 1.43, 0.97, 2.03, 2.74, 3.42, 4.02, 4.56, 5.08, 5.61, 6.05, 6.41, 6.86, 7.41)
_FUEL_G_PER_S: Final = (0.41, 0.45, 0.31, 0.64, 0.87, 1.08, 1.27, 1.44, 1.61, 1.77, 1.91, 2.03, 2.17, 2.34)
_LONGEST_GAP_S: Final = 2.0


class Burnt(NamedTuple):
    """Estimated grams, and the seconds that they are known for."""

    co2_g: float
    fuel_g: float
    known_s: float


def specific_power_kw_per_t(speed_mps: float, acceleration_mps2: float, grade: float = 0.0) -> float:
    """Vehicle specific power of a light vehicle, in kW per tonne; `grade` is a fraction."""
    return speed_mps * (1.1 * acceleration_mps2 + 9.81 * grade + 0.132) + 0.000302 * speed_mps**3


def burnt(speeds: Sequence[tuple[float, float]]) -> Burnt:
    """What a car burnt.

    Args:
        speeds: time in seconds and speed in m/s, by time. They are brought to one a second, linearly; what lies in
            a gap of more than two seconds is left out.
    """
    co2_g = fuel_g = known_s = 0.0
    for stretch in _stretches(speeds):
        for (at_s, speed), (next_s, next_speed) in pairwise(_each_second(stretch)):
            lasts_s = next_s - at_s
            power = specific_power_kw_per_t((speed + next_speed) / 2, (next_speed - speed) / lasts_s)
            mode = bisect_right(_BOUNDS, power)
            co2_g += _CO2_G_PER_S[mode] * lasts_s
            fuel_g += _FUEL_G_PER_S[mode] * lasts_s
            known_s += lasts_s
    return Burnt(co2_g, fuel_g, known_s)


def _stretches(speeds: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    stretches: list[list[tuple[float, float]]] = []
    for each in speeds:
        if not stretches or each[0] - stretches[-1][-1][0] > _LONGEST_GAP_S:
            stretches.append([])
        stretches[-1].append(each)
    return stretches


def _each_second(stretch: list[tuple[float, float]]) -> list[tuple[float, float]]:
    begin_s, end_s = stretch[0][0], stretch[-1][0]
    wanted = [begin_s + number for number in range(int(end_s - begin_s) + 1)]
    found, index = [], 0
    for at_s in wanted:
        while index + 2 < len(stretch) and stretch[index + 1][0] < at_s:
            index += 1
        if len(stretch) == 1:
            break
        (low_s, low), (high_s, high) = stretch[index : index + 2]
        found.append((at_s, low + (high - low) * (at_s - low_s) / (high_s - low_s)))
    return found
