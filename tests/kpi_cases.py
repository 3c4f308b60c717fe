"""Golden cases of the indicators: where they are and how they are run.

A case is a folder `services/aggregator/kpis/<name>/testcases/<what>/` with `case.toml` (inputs, and how the result is
worked out by hand) and `expected.toml` (of each outcome what the case is about).
"""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from services.aggregator.kpis import discover
from services.aggregator.kpis.factors import FactorSet, parse_factors
from services.aggregator.kpis.facts import parse_facts
from services.aggregator.kpis.inputs import (
    DayValue,
    Evaluation,
    ExposedDay,
    HazardDay,
    Home,
    Inputs,
    JunctionDays,
    JunctionTraffic,
    ProcessUse,
    Question,
    RegisterDays,
    TrafficHour,
    UsedHour,
    Warned,
)
from services.aggregator.kpis.plan import Plan, parse_plan
from services.aggregator.kpis.results import NotAssessed, Outcome, Period, Subject

__all__ = ["FACTORS", "KPIS", "KpiCase", "find_kpi_cases", "said"]

KPIS: Final = Path(__file__).resolve().parents[1] / "services/aggregator/kpis"
FACTORS: Final[FactorSet] = parse_factors((KPIS / "factors.toml").read_text("utf-8"))


@dataclass(frozen=True)
class KpiCase:
    """Inputs, a question, and what must come of it."""

    folder: Path
    kpi: str
    inputs: Inputs
    question: Question
    expected: list[dict[str, Any]]

    def __str__(self) -> str:
        return f"{self.kpi}/{self.folder.name}"

    def run(self) -> tuple[Outcome, ...]:
        """Compute."""
        return discover()[self.kpi].compute(self.inputs, self.question)


def find_kpi_cases() -> list[KpiCase]:
    """Every golden case of every indicator."""
    return [_read(path.parent) for path in sorted(KPIS.glob("*/testcases/*/case.toml"))]


def _read(folder: Path) -> KpiCase:
    described: dict[str, Any] = tomllib.loads((folder / "case.toml").read_text("utf-8"))
    baseline = described.get("baseline")
    return KpiCase(
        folder=folder,
        kpi=folder.parents[1].name,
        inputs=Inputs(
            factors=FACTORS,
            homes=tuple(_home(each) for each in described.get("homes", ())),
            degree_days={day: row["each"] for row in described.get("degree_days", ()) for day in _days(row)},
            junctions=tuple(_junction(each) for each in described.get("junctions", ())),
            evaluations=tuple(_evaluations(described.get("evaluations", ()))),
            usage=tuple(_process(each) for each in described.get("usage", ())),
            mobility=tuple(_mobility(each) for each in described.get("mobility", ())),
            warned=tuple(_warned(described.get("warned", ()))),
            exposed=tuple(
                ExposedDay(each["junction"], day, {name: float(value) for name, value in each["sums"].items()})
                for each in described.get("exposed", ())
                for day in _days(each)
            ),
            hazards=tuple(
                HazardDay(each["junction"], day, {name: float(value) for name, value in each["sums"].items()})
                for each in described.get("hazards", ())
                for day in _days(each)
            ),
            plan=parse_plan(described.get("plan", "")) if "plan" in described else Plan(),
            facts=parse_facts(described.get("facts", "")),
        ),
        question=Question(
            Subject(**described["subject"]),
            Period(**described["period"]),
            None if baseline is None else Period(**baseline),
        ),
        expected=tomllib.loads((folder / "expected.toml").read_text("utf-8"))["outcomes"],
    )


def _days(row: dict[str, Any]) -> Iterator[date]:
    day: date = row["from"]
    while day < row["to"]:
        yield day
        day += timedelta(days=1)


def _home(described: dict[str, Any]) -> Home:
    registers = []
    for each in described["registers"]:
        days = {
            day: DayValue(float(row["each"]), row.get("coverage", 1.0)) for row in each["days"] for day in _days(row)
        }
        names = (each["meter"], each["carrier"], each["quantity"], each["register"], each["unit"])
        registers.append(RegisterDays(*names, days))
    return Home(described["id"], described["team"], tuple(registers), described.get("heat_share"))


def _evaluations(rows: Sequence[dict[str, Any]]) -> Iterator[Evaluation]:
    """`times` members who say the same; each is another one unless `member` names it."""
    for number, row in enumerate(rows):
        said = {"member": "", **row}
        times = said.pop("times", 1)
        for each in range(times):
            answers = said.get("sus_answers")
            yield Evaluation(
                **said
                | {"member": said["member"] or f"p_{number}_{each}"}
                | {"sus_answers": None if answers is None else tuple(answers)}
            )


def _process(described: dict[str, Any]) -> ProcessUse:
    """A process that says the same in each hour, of the first `hours` of each day."""
    cpu_s, elapsed_s, events = (float(described[name]) for name in ("cpu_s", "elapsed_s", "events"))
    hour = UsedHour(cpu_s, elapsed_s, events, described.get("energy_j"))
    known = {(day, each): hour for day in _days(described) for each in range(described["hours"])}
    return ProcessUse(described["id"], known)


def _mobility(described: dict[str, Any]) -> JunctionDays:
    """Days of a junction: each row of `days` says the same sums for the days from `from` until before `to`."""
    named = {"kind": "passage", "group": "car", "advice": "none", **described}
    sums = named.pop("days")
    days = {
        day: {name: float(value) for name, value in row.items() if name not in {"from", "to"}}
        for row in sums
        for day in _days(row)
    }
    return JunctionDays(**named, days=days)


def _warned(rows: Sequence[dict[str, Any]]) -> Iterator[Warned]:
    """`times` hazards that say the same."""
    for row in rows:
        said = dict(row)
        for _ in range(said.pop("times", 1)):
            yield Warned(**said)


def _junction(described: dict[str, Any]) -> JunctionTraffic:
    return JunctionTraffic(
        described["id"],
        {
            (each["day"], each["hour"]): TrafficHour(
                each["vehicles"], each["speed_vehicles"], each["speed_sum_mps"], each.get("at_least", each["vehicles"])
            )
            for each in described["hours"]
        },
    )


def said(outcome: Outcome, name: str) -> Any:
    """What an outcome says under a name of `expected.toml`; `None` for nothing."""
    if name == "not_assessed":
        return outcome.reason if isinstance(outcome, NotAssessed) else None
    value = getattr(outcome, name, None)
    if name in {"baseline", "reported"} and value is not None:
        return value.value
    if name == "interval" and value is not None:
        return [value.low, value.high]
    return value
