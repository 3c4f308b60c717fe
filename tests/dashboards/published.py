"""What the town's nights have stored: indicators behind the gate for small groups, and hours of passages."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.kpis import discover
from services.aggregator.kpis.disclosure import publishable
from services.aggregator.kpis.results import (
    Interval,
    NotAssessed,
    Outcome,
    Period,
    Quality,
    Result,
    Subject,
    Target,
    Text,
)
from services.aggregator.mobility.hours import COLUMNS, HOUR_MS
from services.aggregator.points import milliseconds
from services.aggregator.ports import FieldValue, Point
from services.aggregator.report.assessment import Answer, kpi_points
from services.aggregator.report.curves import curve_points, midnight_ns
from tests.dashboards.town import START

__all__ = ["AGREED", "WINTER", "WINTER_END", "WITHDRAWN", "indicators", "passages"]

WINTER: Final = Period(date(2025, 11, 1), date(2026, 4, 1))
_PARIS: Final = ZoneInfo("Europe/Paris")
WINTER_END: Final = datetime.fromtimestamp(midnight_ns(WINTER.end, _PARIS) // 1_000_000_000, UTC)

AGREED: Final = f"h_{0:016x}"
WITHDRAWN: Final = f"h_{1:016x}"

Curves = Mapping[str, Mapping[str, float]]

_PROGRAMME: Final = Subject("programme", "familles", "Familles à énergie positive")
_F: Final = Text("f", "f")
_DAYS: Final = [(WINTER.start + timedelta(days=offset)).isoformat() for offset in range(WINTER.days)]
_CURVE: Final = {
    "period_kwh_per_home": dict.fromkeys(_DAYS, 24.0),
    "reference_kwh_per_home": dict.fromkeys(_DAYS, 26.0),
}
_HOURS: Final = {"07": 3.0, "08": 120.0, "09": 4.0, "17": 95.0}
"""Vehicles of a junction by hour of the day; three and four are too few, and together they are not."""


def _energy(subject: Subject, value: float, population: int, curves: Curves) -> Iterator[Result]:
    for variant in ("raw", "degree_days"):
        result = _result("energy_saving", variant, subject, value, "%", population)
        target = Target(8.0, Text("challenge", "défi"))
        yield replace(result, target=target, series=curves if variant == "raw" else {})


def _result(kpi: str, variant: str, subject: Subject, value: float, unit: str, population: int) -> Result:  # noqa: PLR0917 - of a result
    return Result(
        kpi=kpi,
        variant=variant,
        subject=subject,
        value=value,
        unit=unit,
        period=WINTER,
        coverage=0.97,
        population=population,
        quality=Quality.MEASURED,
        formula=_F,
        factor_set="none",
        fingerprint="0" * 16,
        method_version="1",
        interval=Interval(value - 1, value + 1, 0.95, "t"),
    )


def outcomes() -> Iterator[Outcome]:
    """What is computed, before the gate: groups that are large enough, and groups that are not."""
    yield from _energy(_PROGRAMME, 8.4, 22, _CURVE)
    for team, value, homes in (("castors", 11.0, 12), ("loutres", 3.5, 6), ("herons", 77.0, 4)):
        yield from _energy(Subject("team", team, team), value, homes, {})
    for application, members in (("velo", 12), ("tri", 9)):
        subject = Subject("application", application, application)
        for variant, value in (
            ("sus", 72.0),
            ("task_success", 85.0),
            ("csat", 70.0),
            ("time_on_task", 40.0),
            ("nps", 20.0),
        ):
            yield _result("app_evaluation", variant, subject, value + members / 100, "1", members)
    speeds = dict.fromkeys(_HOURS, 27.0)
    for junction, vehicles, series in (
        ("33:1", 222, {"vehicles_by_hour": _HOURS, "speed_kmh_by_hour": speeds}),
        ("33:2", 4, {"vehicles_by_hour": {"08": 4.0}, "speed_kmh_by_hour": {"08": 36.0}}),
    ):
        subject = Subject("junction", junction, junction)
        result = _result("vehicles_per_junction", "seen", subject, float(vehicles), "vehicles", vehicles)
        yield replace(result, series=series)
    silent = Subject("junction", "33:3", "33:3")
    yield NotAssessed("vehicles_per_junction", "seen", silent, WINTER, "no_data", _F)


def indicators() -> list[Point]:
    """What `garonne kpi` stores of them."""
    known = discover()
    answers = [Answer(known[outcome.kpi], publishable(outcome)) for outcome in outcomes()]
    points = kpi_points(answers, WINTER, midnight_ns(WINTER.end, _PARIS))
    return [*points, *curve_points(answers, WINTER, _PARIS), *_own_pages()]


def _own_pages() -> Iterator[Point]:
    """A family that agreed, 24 kWh each day; and one whose consent has ended: its days are overwritten."""
    for household, kwh, shared in ((AGREED, 24.0, True), (WITHDRAWN, 0.0, False)):
        for offset in range(10):
            at_ns = midnight_ns(date(2026, 1, 1) + timedelta(days=offset), _PARIS)
            yield Point("family_day", (("household", household),), (("energy_kwh", kwh), ("shared", shared)), at_ns)


_PASSED: Final[dict[str, FieldValue]] = {"delay_s": 12.5, "delay_known": 1, "stops": 1, "arrival_green": 1}
_BURNT: Final[dict[str, FieldValue]] = {"violations": 0, "co2_estimated_g": 80.0, "estimated": 1}
_SIGNAL: Final[dict[str, FieldValue]] = {"changes": 4, "foretold": 4, "error_s": 6.0, "messages": 60}
_ASKED: Final[dict[str, FieldValue]] = {"requests": 6, "granted": 4, "rejected": 1, "unanswered": 1, "answered": 5}


def passages() -> list[Point]:
    """An hour of junctions: six vehicles at `33:1`, two at `33:2`; signals at both, requests for priority at `33:1`."""
    return [
        _hour("passage", "33:1", "5", {"passages": 6, "heard": 6, **_PASSED, **_BURNT}),
        _hour("passage", "33:2", "5", {"passages": 9, "heard": 2, **_PASSED, **_BURNT}),
        *(_hour("signal", zone, "all", _SIGNAL) for zone in ("33:1", "33:2")),
        _hour("priority", "33:1", "1", {"heard": 6, **_ASKED}, "1d"),
        _hour("priority", "33:2", "1", {"heard": 1, **_ASKED}, "1d"),
    ]


def _hour(kind: str, zone: str, group: str, fields: dict[str, FieldValue], window: str = "1h") -> Point:
    """As `mobility.hours` makes it; a name of a column that it does not know ends the test."""
    unknown = fields.keys() - {column.name for column in COLUMNS[kind]} - {"heard"}
    assert not unknown, f"{kind} has no column {unknown}"
    tags = (("advice", "none"), ("group", group), ("kind", kind), ("window", window), ("zone", zone))
    return Point(
        "mobility",
        tags,
        tuple(sorted(fields.items())),
        (milliseconds(START) + (8 * HOUR_MS if window == "1h" else 0)) * 1_000_000,
    )
