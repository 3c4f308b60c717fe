"""What the processes of this service said of their own use, read out of the store by local hour."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.aggregator.kpis.inputs import ProcessUse, UsedHour
from services.aggregator.kpis.results import Period
from services.aggregator.ports import Row, Store
from services.runtime.usage import CPU_S, ELAPSED_S, ENERGY_J, EVENTS

__all__ = ["read_usage"]

_FIELDS: Final = tuple(f"count_{name}_1" for name in (CPU_S, ELAPSED_S, EVENTS, ENERGY_J))
_NS: Final = 1_000_000_000


async def read_usage(store: Store, zone: ZoneInfo, period: Period) -> tuple[ProcessUse, ...]:
    """Statements of a period; each belongs to the local hour that the middle of its span lies in.

    Raises:
        Unavailable: the store does not answer now.
    """
    start, end = (
        datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in (period.start, period.end)
    )
    # A statement comes at the end of its span: the last one of the period may come some hours after it.
    rows = await store.select("device", fields=_FIELDS, start=start, end=end + timedelta(hours=12))
    processes: dict[str, dict[tuple[date, int], list[UsedHour]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        said = _said(row)
        if said is not None:
            middle = datetime.fromtimestamp(row.time_ns / _NS - said.elapsed_s / 2, UTC).astimezone(zone)
            if period.start <= middle.date() < period.end:
                processes[row.tags.get("device", "")][middle.date(), middle.hour].append(said)
    return tuple(
        ProcessUse(name, {hour: _together(its) for hour, its in sorted(hours.items())})
        for name, hours in sorted(processes.items())
    )


def _said(row: Row) -> UsedHour | None:
    cpu_s, elapsed_s, events, energy_j = (row.fields.get(name) for name in _FIELDS)
    if not isinstance(cpu_s, (int, float)) or not isinstance(elapsed_s, (int, float)):
        return None
    return UsedHour(
        float(cpu_s),
        float(elapsed_s),
        float(events) if isinstance(events, (int, float)) else 0.0,
        float(energy_j) if isinstance(energy_j, (int, float)) else None,
    )


def _together(said: Sequence[UsedHour]) -> UsedHour:
    """Statements of one hour, such as those before and after a restart; their energy is known if each counted it."""
    joules = [each.energy_j for each in said if each.energy_j is not None]
    return UsedHour(
        sum(each.cpu_s for each in said),
        sum(each.elapsed_s for each in said),
        sum(each.events for each in said),
        sum(joules) if len(joules) == len(said) else None,
    )
