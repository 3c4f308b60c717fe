"""The curves of results as points, so that a screen shows what the gate for small groups has let out, nothing else.

A curve is by day or by hour of the day. Each place of it has a point: where nothing may be told, `assessed = false`,
so that a value which was told earlier, and may not be any more, is not shown. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from services.aggregator.kpis.disclosure import PUBLIC, publishable
from services.aggregator.kpis.results import Period, Result
from services.aggregator.kpis.seasons import may_tell_amounts, span_of
from services.aggregator.points import TAGS, milliseconds
from services.aggregator.ports import FieldValue, Point
from services.aggregator.report.assessment import Answer

__all__ = ["CURVES", "curve_points", "midnight_ns"]

_DAY: Final = "day"

CURVES: Final[Mapping[str, tuple[Literal["day", "hour"], tuple[str, ...]]]] = {
    "energy_saving.raw": ("day", ("reference_kwh_per_home", "period_kwh_per_home")),
    "vehicles_per_junction.seen": ("hour", ("vehicles_by_hour", "speed_kmh_by_hour")),
}
"""Which curves are stored, by indicator and variant, and what they run over."""


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """Unix nanoseconds of the start of a local day."""
    return milliseconds(datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)) * 1_000_000


def curve_points(answers: Sequence[Answer], asked: Period, zone: ZoneInfo) -> list[Point]:
    """Points of measurement `kpi_series`: days at their start, hours of the day at the end of the period.

    A team has no curve (`disclosure`), so none of it is written, not even that it is withheld.

    Args:
        answers: after the gate.
        asked: the period of the question.
        zone: of local days.
    """
    return [point for answer in answers for point in _of(answer, asked, zone)]


def _of(answer: Answer, asked: Period, zone: ZoneInfo) -> Iterator[Point]:
    kpi, outcome = answer
    name, span = f"{kpi.name}.{outcome.variant}", span_of(asked)
    over, curves = CURVES.get(name, (_DAY, ()))
    if outcome.subject.kind == "team" or not may_tell_amounts(outcome.subject, span):
        return
    told = publishable(outcome, PUBLIC)
    for curve in curves:
        values = told.series.get(curve, {}) if isinstance(told, Result) else {}
        for place, at, time_ns in _places(over, asked, zone):
            value = values.get(place)
            fields: dict[str, FieldValue] = {"assessed": value is not None}
            if value is not None:
                fields["value"] = float(value)
            tags = {"at": at, "kpi": name, "programme": kpi.programme, "series": curve, "span": span}
            tags["subject"] = outcome.subject.id
            named = tuple((tag, tags[tag]) for tag in TAGS["kpi_series"])
            yield Point("kpi_series", named, tuple(sorted(fields.items())), time_ns)


def _places(over: Literal["day", "hour"], asked: Period, zone: ZoneInfo) -> Iterator[tuple[str, str, int]]:
    """Every place of a curve: its key in the result, its tag, its time."""
    if over == "hour":
        end_ns = midnight_ns(asked.end, zone)
        yield from ((f"{hour:02d}", f"{hour:02d}", end_ns) for hour in range(24))
        return
    for offset in range(asked.days):
        day = asked.start + timedelta(days=offset)
        yield day.isoformat(), _DAY, midnight_ns(day, zone)
