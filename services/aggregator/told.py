"""What earlier reports told, read out of the store: for the direction over the years."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.kpis.results import Period
from services.aggregator.kpis.seasons import years_before
from services.aggregator.kpis.trends import Told
from services.aggregator.ports import Row, Store

__all__ = ["read_told"]

_YEARS: Final = 9
_AROUND: Final = timedelta(days=8)
_NS: Final = 1_000_000_000


async def read_told(store: Store, zone: ZoneInfo, period: Period, *, public: bool) -> list[Told]:
    """Values about the same days of earlier years, in the order of time.

    Args:
        store: where `kpi` is.
        zone: of the days.
        period: of the new report.
        public: whether the reader is everybody: then a value that only members could see is left out.

    Raises:
        Unavailable: the store does not answer now.
    """
    found: list[Told] = []
    for years in range(_YEARS, 0, -1):
        end = years_before(period, years).end
        at = datetime(end.year, end.month, end.day, tzinfo=zone).astimezone(UTC)
        rows = await store.select("kpi", start=at - _AROUND, end=at + _AROUND)
        found += [told for row in rows if (told := _told(row, zone, public=public)) is not None]
    return found


def _told(row: Row, zone: ZoneInfo, *, public: bool) -> Told | None:
    fields, tags = row.fields, row.tags
    value, start = fields.get("value"), fields.get("period_start")
    if not fields.get("assessed") or not isinstance(value, (int, float)) or not isinstance(start, str):
        return None
    if public and not fields.get("public"):
        return None
    end = datetime.fromtimestamp(row.time_ns // _NS, UTC).astimezone(zone).date()
    unit, method = str(fields.get("unit", "")), str(fields.get("method_version", ""))
    period = Period(date.fromisoformat(start), end)
    return Told(tags.get("kpi", ""), tags.get("subject", ""), period, float(value), unit, method)
