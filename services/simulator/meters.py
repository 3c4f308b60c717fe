"""What a home's meter shows and its gateway publishes, with the faults that meters and gateways have."""

from array import array
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from services.simulator import formats
from services.simulator.formats import Publication
from services.simulator.home import Family
from services.simulator.season import HOUR_S, Winter

__all__ = ["EVERY_HOURS", "Shown", "readings", "summer_wh", "written"]

EVERY_HOURS: Final = 3
_SUMMER_W: Final = 0.55
"""Between the winters a home takes this share of its base load."""


class Shown(NamedTuple):
    """One reading. `counter` is 0, or 1 after a reset or a change; `repeats` is 2 where it is sent twice."""

    sent_s: int
    family: int
    at_s: int
    index_wh: int
    power_w: int
    counter: int = 0
    began_s: int = 0
    repeats: int = 1


def readings(
    family: Family, winter: Winter, sums_wh: "array[float]", *, before_wh: float, installed_s: int
) -> list[Shown]:
    """All that is shown in a winter, every three hours by the clock on the wall.

    Args:
        family: whose meter.
        winter: which hours.
        sums_wh: Wh since the start of the winter at each hour.
        before_wh: index at the start of the winter.
        installed_s: since when the counter counts.
    """
    found = []
    for hour in range(winter.hours + 1):
        if winter.walls[hour] % EVERY_HOURS:
            continue
        at_s = winter.start_s + hour * HOUR_S + family.lag_s
        here = min(hour, winter.hours - 1)
        power_w = sums_wh[here + 1] - sums_wh[here]
        consumed_wh = sums_wh[hour] + (power_w * family.lag_s / HOUR_S if hour < winter.hours else 0.0)
        found.append(Shown(at_s, family.number, at_s, int(before_wh + consumed_wh), round(power_w), 0, installed_s))
    if winter.name != "challenge" or family.fault is None:
        return found
    return _FAULTY[family.fault](family, found)


def summer_wh(family: Family, baseline: Winter, challenge: Winter) -> float:
    """What the home takes between the two winters."""
    hours = (challenge.start_s - baseline.start_s) // HOUR_S - baseline.hours
    return family.base_w * _SUMMER_W * hours


def _restarted(shown: list[Shown], first_wh: int) -> list[Shown]:
    """Another counter from the middle of the winter on."""
    middle = len(shown) // 2
    before, after = shown[:middle], shown[middle:]
    began_s = after[0].at_s - HOUR_S
    from_wh = before[-1].index_wh + (after[0].index_wh - before[-1].index_wh) * 2 // 3 - first_wh
    return before + [each._replace(index_wh=each.index_wh - from_wh, counter=1, began_s=began_s) for each in after]


def _reset(_family: Family, shown: list[Shown]) -> list[Shown]:
    return _restarted(shown, 0)


def _changed_meter(_family: Family, shown: list[Shown]) -> list[Shown]:
    return _restarted(shown, 7)


def _gap(_family: Family, shown: list[Shown]) -> list[Shown]:
    start = len(shown) // 3
    return shown[:start] + shown[start + min(start, 5 * 24 // EVERY_HOURS) :]


def _glitch(family: Family, shown: list[Shown]) -> list[Shown]:
    period, some = 23 + family.number % 7, 1 + family.number % 3
    last = len(shown) - 5  # the winter ends with the meter's word
    return [each._replace(index_wh=0) if n % period < some <= n < last else each for n, each in enumerate(shown)]


def _late(_family: Family, shown: list[Shown]) -> list[Shown]:
    start = len(shown) // 3
    end = start + min(start, 12 * 24 // EVERY_HOURS)
    return [each._replace(sent_s=shown[-1].at_s + n) if start <= n < end else each for n, each in enumerate(shown)]


def _duplicates(_family: Family, shown: list[Shown]) -> list[Shown]:
    return [each._replace(repeats=2) if n % 5 == 0 else each for n, each in enumerate(shown)]


_FAULTY: Final[dict[str, Callable[[Family, list[Shown]], list[Shown]]]] = {
    "reset": _reset,
    "gap": _gap,
    "glitch": _glitch,
    "changed_meter": _changed_meter,
    "late": _late,
    "duplicates": _duplicates,
}


def written(family: Family, shown: Shown) -> Iterator[Publication]:
    """The message of a reading, as the home's gateway writes it."""
    serial = family.serials[shown.counter if len(family.serials) > 1 else 0]
    match family.metering:
        case "linky_standard":
            message = formats.linky_standard(serial, shown.at_s, shown.index_wh, shown.power_w)
        case "linky_historique":
            message = formats.linky_historique(serial, shown.index_wh, shown.power_w)
        case "tasmota_energy":
            total_kwh = shown.index_wh / 1000
            message = formats.tasmota_energy(family.device, shown.at_s, shown.began_s, total_kwh, shown.power_w)
        case "tasmota_teleinfo":
            message = formats.tasmota_teleinfo(family.device, serial, shown.at_s, shown.index_wh, shown.power_w)
    for _ in range(shown.repeats):
        yield message
