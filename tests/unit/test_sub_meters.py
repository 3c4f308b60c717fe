"""What a sub-meter counts, its main meter has counted: it is no energy of its own."""

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.aggregator.kpis.results import Period
from services.aggregator.ports import Point
from services.aggregator.series import Family, read_homes
from services.embedded.series import SqliteStore

_PARIS = ZoneInfo("Europe/Paris")


def _day(meter: str, energy_kwh: float) -> Point:
    tags = {
        "carrier": "electricity",
        "household": "h_1",
        "meter": meter,
        "quantity": "energy_active_import",
        "register": "total",
        "window": "1d",
    }
    midnight = datetime(2025, 12, 1, tzinfo=_PARIS).astimezone(UTC)
    fields = (("coverage", 1.0), ("energy_kwh", energy_kwh))
    return Point("energy", tuple(sorted(tags.items())), fields, int(midnight.timestamp()) * 1_000_000_000)


@pytest.mark.parametrize(
    ("behind", "counted_kwh"), [((), 15.0), (("m_plug",), 12.0), (("m_plug", "m_of_somebody_else"), 12.0)]
)
async def test_a_plug_behind_the_main_meter_is_added_only_if_nobody_says_so(
    tmp_path: Path, behind: tuple[str, ...], counted_kwh: float
) -> None:
    """12 kWh at the main meter, 3 of them at a plug."""
    async with SqliteStore(tmp_path / "series.sqlite") as store:
        await store.write([_day("m_main", 12.0), _day("m_plug", 3.0)])
        period = Period(date(2025, 12, 1), date(2025, 12, 2))
        (home,) = await read_homes(store, _PARIS, [period], {"h_1": Family(None, None, frozenset(behind))})
    assert sum(value.value for register in home.registers for value in register.days.values()) == counted_kwh
