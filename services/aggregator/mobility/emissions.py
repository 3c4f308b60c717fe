"""Fuel and CO2 of a vehicle from its speed: estimated by vehicle specific power (c-its.md 5). Pure.

The coefficients of each class say where they are from, and whether that source was read. The figures are good for
comparing a junction with itself, and are labelled as estimates; those that rest on what was not read are kept apart.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

__all__ = ["COEFFICIENTS", "BurningClass", "Burnt", "Coefficients", "burnt", "specific_power_kw_per_t"]

BurningClass = Literal["car", "bus", "truck"]


class Coefficients(NamedTuple):
    """Specific power `v (mass a + 9.81 grade + rolling) + drag v^3` in kW/t, and rates by mode in g/s.

    A mode is the place of the power among `bounds`. `verified`: whether somebody read the figures in their source.
    """

    source: str
    verified: bool
    mass: float
    rolling: float
    drag: float
    bounds: tuple[float, ...]
    co2_g_per_s: tuple[float, ...]
    fuel_g_per_s: tuple[float, ...]


_BUS: Final = Coefficients(
    source="power: Zhai's form for transit buses, numbers as c-its.md 5 has them from memory; rates: Zhai, Frey "
    "and Rouphail 2008 (diesel transit buses), from memory; fuel is CO2 / 3.16",
    verified=False,
    mass=1.0,
    rolling=0.092,
    drag=0.00021,
    bounds=(0, 2, 4, 6, 8, 10, 13),
    co2_g_per_s=(2.4, 7.8, 12.5, 17.1, 21.3, 24.8, 27.6, 30.5),
    fuel_g_per_s=(0.76, 2.47, 3.96, 5.41, 6.74, 7.85, 8.73, 9.65),
)
COEFFICIENTS: Final[dict[BurningClass, Coefficients]] = {
    "car": Coefficients(
        source="power: Jimenez-Palacios 1999 (light duty); rates: Frey, Zhang, Rouphail 2008, US petrol cars of "
        "the 2000s (c-its.md 5)",
        verified=True,
        mass=1.1,
        rolling=0.132,
        drag=0.000302,
        bounds=(-2, 0, 1, 4, 7, 10, 13, 16, 19, 23, 28, 33, 39),
        co2_g_per_s=(1.30, 1.43, 0.97, 2.03, 2.74, 3.42, 4.02, 4.56, 5.08, 5.61, 6.05, 6.41, 6.86, 7.41),
        fuel_g_per_s=(0.41, 0.45, 0.31, 0.64, 0.87, 1.08, 1.27, 1.44, 1.61, 1.77, 1.91, 2.03, 2.17, 2.34),
    ),
    "bus": _BUS,
    "truck": _BUS._replace(source="those of the bus stand in: no source for trucks was at hand"),
}
_LONGEST_GAP_S: Final = 2.0


class Burnt(NamedTuple):
    """Estimated grams, the seconds that they are known for, and whether the source of the coefficients was read."""

    co2_g: float
    fuel_g: float
    known_s: float
    verified: bool = True


def specific_power_kw_per_t(
    speed_mps: float, acceleration_mps2: float, grade: float = 0.0, of: BurningClass = "car"
) -> float:
    """Vehicle specific power, in kW per tonne; `grade` is a fraction."""
    known = COEFFICIENTS[of]
    return speed_mps * (known.mass * acceleration_mps2 + 9.81 * grade + known.rolling) + known.drag * speed_mps**3


def burnt(speeds: Sequence[tuple[float, float]], of: BurningClass = "car") -> Burnt:
    """What a vehicle burnt.

    Args:
        speeds: time in seconds and speed in m/s, by time. They are brought to one a second, linearly; what lies in
            a gap of more than two seconds is left out.
        of: whose coefficients.
    """
    known = COEFFICIENTS[of]
    co2_g = fuel_g = known_s = 0.0
    for stretch in _stretches(speeds):
        for (at_s, speed), (next_s, next_speed) in pairwise(_each_second(stretch)):
            lasts_s = next_s - at_s
            power = specific_power_kw_per_t((speed + next_speed) / 2, (next_speed - speed) / lasts_s, of=of)
            mode = bisect_right(known.bounds, power)
            co2_g += known.co2_g_per_s[mode] * lasts_s
            fuel_g += known.fuel_g_per_s[mode] * lasts_s
            known_s += lasts_s
    return Burnt(co2_g, fuel_g, known_s, known.verified)


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
