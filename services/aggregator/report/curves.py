"""The curves of results as points, so that screens show what the gate for small groups has let out and nothing else.

A curve is by day or by hour of the day. Each place of it has a point: where nothing may be told, `assessed = false`,
so that a value which was told earlier and may not be any more is not shown. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.kpis.disclosure import may_tell_amounts
from services.aggregator.kpis.results import NotAssessed, Period
from services.aggregator.kpis.seasons import span_of
from services.aggregator.points import TAGS, milliseconds
from services.aggregator.ports import FieldValue, Point
from services.aggregator.report.assessment import Answer

__all__ = ["SERIES", "curve_points", "midnight_ns"]

SERIES: Final[Mapping[str, bool]] = {
    "period_kwh": True,
    "baseline_kwh": True,
    "vehicles_by_hour": False,
    "speed_kmh_by_hour": False,
}
"""The curves that are stored, and whether they are by day; the others are by hour of the day."""

_DAY: Final = "day"


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """Unix nanoseconds of the start of a local day."""
    return milliseconds(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) * 1_000_000


def curve_points(answers: Sequence[Answer], asked: Period, zone: ZoneInfo) -> list[Point]:
    """Points of measurement `kpi_series`: days at their start, hours of the day at the end of the period.

    Args:
        answers: after the gate.
        asked: the period of the question.
        zone: of local days.
    """
    return [point for answer in answers for point in _of(answer, asked, zone)]
