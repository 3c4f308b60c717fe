"""What indicators compute from, read out of the store: daily windows and few queries. Local days of one time zone."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.aggregator.kpis.inputs import DayValue, Evaluation, Home, JunctionTraffic, RegisterDays, TrafficHour
from services.aggregator.kpis.results import Period
from services.aggregator.kpis.seasons import degree_days
from services.aggregator.ports import Row, Store

__all__ = ["Family", "Weather", "read_evaluations", "read_homes", "read_traffic", "read_weather"]

_QUARTER_NS = 900 * 1_000_000_000
_UNITS: tuple[tuple[str, Literal["kWh", "m3"]], ...] = (("energy_kwh", "kWh"), ("volume_m3", "m3"))


class Family(NamedTuple):
    """What the registry says of a household, under its pseudonym; `sub_meters` are pseudonyms too."""

    team: str | None
    heat_share: float | None
    sub_meters: frozenset[str] = frozenset()


class Weather(NamedTuple):
    """Degree days of the station that knows most of them."""

    station: str | None
    degree_days: Mapping[date, float]


class _Clock:
    """Local day and hour of an instant; every offset in use is a multiple of a quarter of an hour."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._known: dict[int, tuple[date, int]] = {}

    def __call__(self, time_ns: int) -> tuple[date, int]:
        quarter = time_ns // _QUARTER_NS
        known = self._known.get(quarter)
        if known is None:
            local = datetime.fromtimestamp(quarter * 900, UTC).astimezone(self.zone)
            known = self._known[quarter] = (local.date(), local.hour)
        return known

    def bounds(self, day: date) -> tuple[datetime, datetime]:
        """Start and end of a local day."""
        following = day + timedelta(days=1)
        start, end = (datetime(each.year, each.month, each.day, tzinfo=self.zone) for each in (day, following))
        return start.astimezone(UTC), end.astimezone(UTC)


async def _rows(
    store: Store, clock: _Clock, periods: Sequence[Period], measurement: str, fields: Sequence[str], **tags: str
) -> list[Row]:
    rows: list[Row] = []
    for period in periods:
        start, end = clock.bounds(period.start)[0], clock.bounds(period.last)[1]
        rows.extend(await store.select(measurement, fields=fields, tags=tags, start=start, end=end))
    return rows


async def read_homes(
    store: Store, zone: ZoneInfo, periods: Sequence[Period], families: Mapping[str, Family]
) -> tuple[Home, ...]:
    """Daily energy of every register of the families, by their pseudonyms; a family without any is there too.

    Raises:
        Unavailable: the store does not answer now.
    """
    clock = _Clock(zone)
    rows = await _rows(store, clock, periods, "energy", ("coverage", "energy_kwh", "volume_m3"), window="1d")
    registers = _registers(rows, clock, families)
    return tuple(
        Home(home, family.team, tuple(registers.get(home, ())), family.heat_share)
        for home, family in sorted(families.items())
    )


def _registers(rows: Iterable[Row], clock: _Clock, known: Mapping[str, Family]) -> dict[str, list[RegisterDays]]:
    days: dict[tuple[str, str, str, str, str, Literal["kWh", "m3"]], dict[date, DayValue]] = defaultdict(dict)
    for row in rows:
        tags = row.tags
        family = known.get(tags.get("household", ""))
        if family is None or tags.get("meter") in family.sub_meters:
            continue  # What a sub-meter counts, its main meter has counted.
        for field, unit in _UNITS:
            value = row.fields.get(field)
            if isinstance(value, (int, float)):
                key = (tags["household"], tags["meter"], tags["carrier"], tags["quantity"], tags["register"], unit)
                days[key][clock(row.time_ns)[0]] = DayValue(float(value), float(row.fields.get("coverage", 0.0)))
    found: dict[str, list[RegisterDays]] = defaultdict(list)
    for (household, *names, unit), its in sorted(days.items()):
        meter, carrier, quantity, register = names
        found[household].append(RegisterDays(meter, carrier, quantity, register, unit, its))
    return found


async def read_weather(store: Store, zone: ZoneInfo, periods: Sequence[Period]) -> Weather:
    """Degree days from outdoor temperatures.

    Raises:
        Unavailable: the store does not answer now.
    """
    clock = _Clock(zone)
    said: dict[str, dict[date, list[tuple[datetime, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in await _rows(store, clock, periods, "weather", ("temperature_degc",)):
        value = row.fields.get("temperature_degc")
        if isinstance(value, (int, float)):
            at = datetime.fromtimestamp(row.time_ns / 1e9, UTC)
            said[row.tags.get("station", "")][clock(row.time_ns)[0]].append((at, float(value)))
    stations = {
        station: degree_days(days, {day: clock.bounds(day) for day in days}) for station, days in sorted(said.items())
    }
    if not stations:
        return Weather(None, {})
    best = max(stations, key=lambda station: len(stations[station]))
    return Weather(best, stations[best])


async def read_traffic(store: Store, zone: ZoneInfo, periods: Sequence[Period]) -> tuple[JunctionTraffic, ...]:
    """Every junction by local hour.

    Raises:
        Unavailable: the store does not answer now.
    """
    clock = _Clock(zone)
    hours: dict[str, dict[tuple[date, int], list[float]]] = defaultdict(dict)
    vehicles, timed, speed, at_least = names = ("vehicles", "speed_vehicles", "speed_sum_mps", "vehicles_at_least")
    for row in await _rows(store, clock, periods, "traffic_hour", names):
        fields = row.fields
        # The hour that the clocks show twice is one of 120 minutes.
        sums = hours[row.tags["zone"]].setdefault(clock(row.time_ns), [0, 0, 0.0, 0])
        sums[0] += float(fields.get(vehicles, 0))
        sums[1] += float(fields.get(timed, 0))
        sums[2] += float(fields.get(speed, 0))
        sums[3] = max(sums[3], float(fields.get(at_least, 0)))
    return tuple(
        JunctionTraffic(
            zone_id, {hour: TrafficHour(int(v), int(n), s, int(least)) for hour, (v, n, s, least) in its.items()}
        )
        for zone_id, its in sorted(hours.items())
    )


async def read_evaluations(store: Store, zone: ZoneInfo, periods: Sequence[Period]) -> tuple[Evaluation, ...]:
    """What the panel said, in the order of time.

    Raises:
        Unavailable: the store does not answer now.
    """
    clock = _Clock(zone)
    rows = await _rows(store, clock, periods, "evaluation", ())
    return tuple(_evaluation(row, clock(row.time_ns)[0]) for row in sorted(rows, key=lambda row: row.time_ns))


def _evaluation(row: Row, day: date) -> Evaluation:
    answers, success = row.fields.get("sus_answers"), row.fields.get("task_success")
    time_s, rating, recommendation = (row.fields.get(n) for n in ("time_on_task_s", "rating", "recommendation"))
    return Evaluation(
        member=str(row.fields.get("member", "")),
        application=row.tags.get("application", ""),
        day=day,
        sus_answers=tuple(map(int, answers)) if isinstance(answers, str) else None,
        task_success=success if isinstance(success, bool) else None,
        time_on_task_s=float(time_s) if isinstance(time_s, (int, float)) else None,
        rating=int(rating) if isinstance(rating, int) else None,
        recommendation=int(recommendation) if isinstance(recommendation, int) else None,
        version=row.tags.get("version", "unknown"),
    )
