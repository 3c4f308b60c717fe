"""What indicators of junctions compute from, read out of the store: days of junctions, and hazards that were announced.

The days of a year of twelve junctions are some ten thousand rows; the millions of passages behind them are not read.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from services.aggregator.kpis.inputs import ExposedDay, HazardDay, JunctionDays, Warned
from services.aggregator.kpis.results import Period
from services.aggregator.mobility.hours import COLUMNS
from services.aggregator.ports import Row, Store

__all__ = ["read_exposed", "read_hazards", "read_junction_days", "read_warned"]

Kind = Literal["passage", "priority", "signal"]
EXPOSED: Final = tuple(
    f"{who}_{what}" for who in ("aware", "unaware") for what in ("vehicles", "far", "near", "far_mps", "near_mps")
)
HAZARDS: Final = ("hazards", "duration_s", "duration_squares", "dissemination_s", "dissemination_squares")
_ALWAYS: Final = ("at_once", "heard", "minutes_heard")
_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

Key = tuple[str, Kind, str, Literal["received", "none"]]


async def read_junction_days(store: Store, zone: ZoneInfo, periods: Sequence[Period]) -> tuple[JunctionDays, ...]:
    """Sums of every junction, kind and group by local day.

    Raises:
        Unavailable: the store does not answer now.
    """
    days: dict[Key, dict[date, dict[str, float]]] = defaultdict(dict)
    for start, end in _spans(periods, zone):
        for kind in _KINDS:
            fields = (*(column.name for column in COLUMNS[kind]), *_ALWAYS)
            tags = {"kind": kind, "window": "1d"}
            for row in await store.select("mobility", fields=fields, tags=tags, start=start, end=end):
                key: Key = (
                    row.tags["zone"],
                    kind,
                    row.tags["group"],
                    "received" if row.tags["advice"] == "received" else "none",
                )
                days[key][_day(row, zone)] = {name: float(value) for name, value in row.fields.items()}
    return tuple(JunctionDays(*key, its) for key, its in sorted(days.items()))


async def read_warned(store: Store, zone: ZoneInfo, periods: Sequence[Period]) -> tuple[Warned, ...]:
    """Hazards by detection; of one that was told with several causes the last told counts.

    Raises:
        Unavailable: the store does not answer now.
    """
    fields = ("hazards", "duration_s", "dissemination_s")
    found = []
    for start, end in _spans(periods, zone):
        for row in await store.select("hazard", fields=fields, start=start, end=end):
            if row.fields.get("hazards") == 1:
                lasts_s, spread_s = (float(row.fields.get(name, 0.0)) for name in fields[1:])
                found.append(Warned(row.tags.get("cause", "none"), _day(row, zone), lasts_s, spread_s))
    return tuple(found)


async def read_exposed(store: Store, zone: ZoneInfo, periods: Sequence[Period]) -> tuple[ExposedDay, ...]:
    """Who passed hazards, by junction and local day: the sums of the minutes in which there was a hazard.

    Raises:
        Unavailable: the store does not answer now.
    """
    days: dict[tuple[str, date], dict[str, float]] = defaultdict(lambda: dict.fromkeys(EXPOSED, 0.0))
    for start, end in _spans(periods, zone):
        for row in await store.select("hazard_exposure", fields=EXPOSED, start=start, end=end):
            sums = days[row.tags["zone"], _day(row, zone)]
            for name in EXPOSED:
                sums[name] += float(row.fields.get(name, 0.0))
    return tuple(ExposedDay(junction, day, its) for (junction, day), its in sorted(days.items()))


async def read_hazards(store: Store, zone: ZoneInfo, periods: Sequence[Period]) -> tuple[HazardDay, ...]:
    """Hazards in reach of each junction, by the local day of detection.

    Raises:
        Unavailable: the store does not answer now.
    """
    fields = ("hazards", "duration_s", "dissemination_s")
    days: dict[tuple[str, date], dict[str, float]] = defaultdict(lambda: dict.fromkeys(HAZARDS, 0.0))
    for start, end in _spans(periods, zone):
        for row in await store.select("junction_hazard", fields=fields, start=start, end=end):
            if row.fields.get("hazards") == 1:
                sums = days[row.tags["zone"], _day(row, zone)]
                sums["hazards"] += 1
                for name in ("duration", "dissemination"):
                    lasts_s = float(row.fields.get(f"{name}_s", 0.0))
                    sums[f"{name}_s"] += lasts_s
                    sums[f"{name}_squares"] += lasts_s**2
    return tuple(HazardDay(junction, day, its) for (junction, day), its in sorted(days.items()))


def _day(row: Row, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(row.time_ns // 1_000_000_000, zone).date()


def _spans(periods: Sequence[Period], zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The periods as instants, those that meet or overlap as one: nothing is read twice."""
    joined: list[Period] = []
    for period in sorted(periods):
        if joined and period.start <= joined[-1].end:
            joined[-1] = Period(joined[-1].start, max(joined[-1].end, period.end))
        else:
            joined.append(period)
    for start, end in joined:
        yield _midnight(start, zone), _midnight(end, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
