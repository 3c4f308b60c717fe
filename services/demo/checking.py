"""The demonstration's own check: what the time series holds against what the simulated city consumed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.embedded.series import SqliteStore
from services.ingest.pseudonyms import read_keys
from services.runtime.settings import Settings
from services.simulator import Bordeaux, Winter

__all__ = ["TOLERANCE_KWH", "Comparison", "compare", "stored_by_day_kwh"]

_REGISTERS: Final = ("total", "base")
"""What the simulated meters show: EAST and ENERGY.Total, or BASE."""

TOLERANCE_KWH: Final = 0.1
"""Of a home's winter: gateways read up to 50 s after midnight, when a home may take 5 kW."""


class Comparison(NamedTuple):
    """Homes compared, the largest difference of a home's winter between truth and store, and vehicles by minute."""

    homes: int
    largest_winter_kwh: float
    vehicles_true: int
    vehicles_stored: int

    @property
    def holds(self) -> bool:
        """Whether what is stored is what was simulated."""
        return self.largest_winter_kwh <= TOLERANCE_KWH and self.vehicles_stored == self.vehicles_true


async def stored_by_day_kwh(settings: Settings, winter: Winter) -> dict[str, dict[str, float]]:
    """Energy of each local day (ISO date), by pseudonym of the household, as the aggregator stored it."""
    zone = ZoneInfo(settings.timezone)
    start = datetime.combine(winter.first, datetime.min.time(), zone).astimezone(UTC)
    end = datetime.combine(winter.after, datetime.min.time(), zone).astimezone(UTC)
    found: dict[str, dict[str, float]] = {}
    store = SqliteStore(settings.embedded.folder / "series.sqlite")
    try:
        for register in _REGISTERS:
            tags = {"window": "1d", "quantity": "import_energy", "register": register}
            for row in await store.select("energy", fields=("energy_kwh",), tags=tags, start=start, end=end):
                instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row.time_ns // 1000)
                day = instant.astimezone(zone).date().isoformat()
                days = found.setdefault(row.tags["household"], {})
                days[day] = days.get(day, 0.0) + float(row.fields["energy_kwh"])
    finally:
        await store.close()
    return found


async def compare(settings: Settings, city: Bordeaux) -> Comparison:
    """Compare each home's winters, without what no reader could know, and the number of vehicle messages."""
    if settings.key_file is None:
        raise ValueError("a demonstration has a key file")
    keys = read_keys(settings.key_file)
    differences: list[float] = []
    for winter in city.winters:
        stored = await stored_by_day_kwh(settings, winter)
        for (name, of), truth in city.truth.homes.items():
            if of == winter.name:
                found = sum(stored.get(keys.pseudonym("household", name), {}).values())
                differences.append(abs(found - truth.visible_kwh))
    return Comparison(
        homes=len(differences) // 2,
        largest_winter_kwh=max(differences, default=0.0),
        vehicles_true=sum(len(cars) for cars in city.truth.vehicles.values()),
        vehicles_stored=await _vehicles(settings.embedded.folder, city.truth.vehicles),
    )


async def _vehicles(folder: Path, minutes: Mapping[tuple[str, int], set[int]]) -> int:
    """Vehicles summed over the minutes of all junctions."""
    if not minutes:
        return 0
    store = SqliteStore(folder / "series.sqlite")
    try:
        rows = await store.select("traffic", fields=("vehicles",), tags={"window": "1m"})
    finally:
        await store.close()
    return sum(int(row.fields["vehicles"]) for row in rows)
