"""What indicators of junctions compute from, read out of the store: days of junctions, and hazards that were announced.

The days of a year of twelve junctions are some ten thousand rows; the millions of passages behind them are not read.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

from services.aggregator.kpis.inputs import JunctionDays, Warned
from services.aggregator.kpis.results import Period
from services.aggregator.mobility.hours import COLUMNS
from services.aggregator.ports import Row, Store

__all__ = ["read_junction_days", "read_warned"]

Kind = Literal["passage", "priority", "signal"]
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
    fields = ("hazards", "duration_s", "dissemination_s", "exposed", "speed_response_mps")
    found = []
    for start, end in _spans(periods, zone):
        for row in await store.select("hazard", fields=fields, start=start, end=end):
            if row.fields.get("hazards") == 1:
                exposed, response = row.fields.get("exposed"), row.fields.get("speed_response_mps")
                found.append(
                    Warned(
                        row.tags.get("cause", "none"),
                        _day(row, zone),
                        float(row.fields.get("duration_s", 0.0)),
                        float(row.fields.get("dissemination_s", 0.0)),
                        None if exposed is None else int(exposed),
                        None if response is None else float(response),
                    )
                )
    return tuple(found)


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
