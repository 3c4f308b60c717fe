"""The main indicators worked out a second time, as one would by hand. Nothing of the services is used.

What comes in are the records of the event log as they were read from JSON. Every rule is the one that the reference
states (meters.md 4.2 and 5, kpis.md 2 and 7); none of the code that the report is computed with.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import fmean, median
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["Home", "Panel", "Saving", "degree_days", "homes_of", "panel_of", "saving_of", "vehicles_of"]

PARIS: Final = ZoneInfo("Europe/Paris")
ENOUGH: Final = 0.9
"""Of a day, and of the days of a winter."""
_NO_VEHICLES: Final = (1, 15)  # pedestrians and roadside units

Raw = dict[str, Any]
"""The `data` of one event."""


@dataclass
class Home:
    """What the meters of a home showed: the index in kWh by meter and instant."""

    index_kwh: dict[str, dict[float, float]]

    def days_kwh(self, days: Iterable[date]) -> dict[date, float]:
        """Energy of the days that are known well enough; only for a home with one meter."""
        (meter,) = self.index_kwh
        found = {}
        for day in days:
            energy_kwh, known = _day(_steps(self.index_kwh[meter]), day)
            if known >= ENOUGH:
                found[day] = energy_kwh
        return found

    def meters_on(self, days: Sequence[date]) -> set[str]:
        """The meters that spoke on any of these days."""
        start, end = _midnight(days[0]), _midnight(days[-1] + timedelta(days=1))
        return {meter for meter, shown in self.index_kwh.items() if any(start <= at < end for at in shown)}


class _Step(NamedTuple):
    """From one reading to the next; `gap`: its course is not known; `lost`: not even its energy."""

    start_s: float
    end_s: float
    energy_kwh: float
    gap: bool
    lost: bool


class Saving(NamedTuple):
    """Of a group of homes. `coverage` is the mean share of days; `corrected_percent` that of the same weather."""

    percent: float
    corrected_percent: float
    before_kwh: float
    now_kwh: float
    coverage: float
    homes: int
    left: dict[str, int]


class Panel(NamedTuple):
    """Of an application: the mean SUS score, and how many tasks were completed of how many."""

    sus: float
    members: int
    completed: int
    attempted: int


def homes_of(records: Iterable[Raw]) -> dict[str, Home]:
    """The index of every meter by household. What is sent twice has the same instant, and is there once."""
    homes: dict[str, Home] = defaultdict(lambda: Home(defaultdict(dict)))
    for record in records:
        if record["kind"] == "meter_reading":
            registers = [each for each in record.get("registers", ()) if each["quantity"] == "import_energy"]
            assert len(registers) == 1, "the simulated meters show one index"
            at_s = datetime.fromisoformat(record["observed_at"]).timestamp()
            homes[record["household"]].index_kwh[record["meter"]][at_s] = registers[0]["value"]
    return homes


def _steps(shown: dict[float, float]) -> list[_Step]:
    """From reading to reading. 0 is no index of a meter in use. A lower one is of a counter that began again."""
    readings = [(at_s, kwh) for at_s, kwh in sorted(shown.items()) if kwh > 0]
    usual_s = median(after - before for (before, _), (after, _) in pairwise(readings))
    steps = []
    for (start_s, first_kwh), (end_s, last_kwh) in pairwise(readings):
        lost = last_kwh < first_kwh
        gap = lost or end_s - start_s > 2 * usual_s
        steps.append(_Step(start_s, end_s, 0.0 if lost else last_kwh - first_kwh, gap, lost))
    return steps


def _day(steps: Sequence[_Step], day: date) -> tuple[float, float]:
    """Energy in kWh of a local day, and the share of it that is known; evenly within a step that midnight cuts."""
    start_s, end_s = _midnight(day), _midnight(day + timedelta(days=1))
    energy_kwh = known_s = 0.0
    for step in steps:
        inside_s = min(end_s, step.end_s) - max(start_s, step.start_s)
        if inside_s > 0:
            share = inside_s / (step.end_s - step.start_s)
            energy_kwh += share * step.energy_kwh
            # Of a gap within the day it is known what was used; of one that midnight cuts it is not.
            if not step.lost and (share == 1 or not step.gap):
                known_s += inside_s
    return energy_kwh, known_s / (end_s - start_s)


def _midnight(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=PARIS).timestamp()


def degree_days(records: Iterable[Raw]) -> dict[date, float]:
    """Of each local day: what is missing to 18 °C, of the middle between the lowest and the highest temperature."""
    said: dict[date, list[float]] = defaultdict(list)
    for record in records:
        if record["kind"] == "outdoor_temperature":
            day = datetime.fromisoformat(record["observed_at"]).astimezone(PARIS).date()
            said[day].append(record["temperature_degc"])
    return {day: max(0.0, 18 - (min(degc) + max(degc)) / 2) for day, degc in said.items()}


def saving_of(
    homes: Sequence[Home | None], before: Sequence[date], now: Sequence[date], cold: dict[date, float], heats: float
) -> Saving:
    """How much less the homes used than on the same days of the winter before.

    Args:
        homes: of the group; `None` is one that nothing was heard of.
        before: days of the baseline.
        now: the same calendar days of the challenge.
        cold: degree days.
        heats: the share of the energy that heats.
    """
    before_kwh = now_kwh = corrected_kwh = 0.0
    shares: list[float] = []
    left: dict[str, int] = defaultdict(int)
    for home in homes:
        why = _why_not(home, before, now)
        if home is None or why:
            left[why] += 1
            continue
        pairs, then_kwh, used_kwh = _both(home, before, now)
        before_kwh += then_kwh
        now_kwh += used_kwh
        colder = sum(cold[then] for then, _ in pairs) / sum(cold[day] for _, day in pairs)
        corrected_kwh += used_kwh * (1 - heats) + used_kwh * heats * colder
        shares.append(len(pairs) / len(now))
    return Saving(
        100 * (before_kwh - now_kwh) / before_kwh,
        100 * (before_kwh - corrected_kwh) / before_kwh,
        before_kwh,
        now_kwh,
        fmean(shares),
        len(shares),
        dict(left),
    )


def _why_not(home: Home | None, before: Sequence[date], now: Sequence[date]) -> str:
    """Why a home counts in neither sum; empty if it counts."""
    if home is None or not home.meters_on(before) | home.meters_on(now):
        return "no_data"
    if home.meters_on(before) != home.meters_on(now):
        return "meter_changed"
    return "low_coverage" if len(_both(home, before, now)[0]) < ENOUGH * len(now) else ""


def _both(home: Home, before: Sequence[date], now: Sequence[date]) -> tuple[list[tuple[date, date]], float, float]:
    """The pairs of days that are known in both winters, and the energy of either winter on them."""
    then_kwh, used_kwh = home.days_kwh(before), home.days_kwh(now)
    pairs = [(then, day) for then, day in zip(before, now, strict=True) if then in then_kwh and day in used_kwh]
    return pairs, sum(then_kwh[then] for then, _ in pairs), sum(used_kwh[day] for _, day in pairs)


def vehicles_of(records: Iterable[Raw]) -> dict[str, tuple[int, int, float]]:
    """By junction: vehicles summed over the minutes, the most in one minute, and their mean speed in km/h."""
    minutes: dict[tuple[str, int], dict[str, dict[float, float]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        if record["kind"] == "vehicle_state" and record["station_type"] not in _NO_VEHICLES:
            at_s = datetime.fromisoformat(record["observed_at"]).timestamp()
            minutes[record["zone"], int(at_s // 60)][record["vehicle"]][at_s] = record["speed_mps"]
    found: dict[str, tuple[int, int, float]] = {}
    for junction in {where for where, _ in minutes}:
        here = [vehicles for (where, _), vehicles in minutes.items() if where == junction]
        speeds_mps = [fmean(said.values()) for vehicles in here for said in vehicles.values()]
        found[junction] = len(speeds_mps), max(map(len, here)), 3.6 * fmean(speeds_mps)
    return found


def panel_of(records: Iterable[Raw], application: str) -> Panel:
    """The last answers of each member and month on a version, and all tasks; months of fewer than ten are left out."""
    answers: dict[tuple[str, str], dict[str, tuple[str, float]]] = defaultdict(dict)
    tasks: dict[tuple[str, str], list[tuple[str, bool]]] = defaultdict(list)
    for record in records:
        if record["kind"] != "app_evaluation" or record["application"] != application:
            continue
        at, member = record["observed_at"], record["member"]
        cell = record.get("version", ""), at[:7]
        if "sus_answers" in record and at >= answers[cell].get(member, ("", 0.0))[0]:
            answers[cell][member] = at, _sus(record["sus_answers"])
        if "task_success" in record:
            tasks[cell].append((member, record["task_success"]))
    scores = [(member, sus) for cell in answers.values() if len(cell) >= 10 for member, (_, sus) in cell.items()]
    told = [each for cell in tasks.values() if len({member for member, _ in cell}) >= 10 for each in cell]
    completed = sum(success for _, success in told)
    return Panel(fmean(sus for _, sus in scores), len({member for member, _ in scores}), completed, len(told))


def _sus(answers: Sequence[int]) -> float:
    """Brooke (1996): statements 1, 3, 5, 7, 9 count their mark less 1, the others 5 less their mark; 2.5 times that."""
    points = 0
    for number, mark in enumerate(answers, start=1):
        points += mark - 1 if number % 2 else 5 - mark
    return 2.5 * points
