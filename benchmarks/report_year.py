"""How long `garonne report` takes over a year of 100 homes and 12 junctions (docs/adr/0031).

    python -m benchmarks.report_year                      # embedded, as JSON and as a page
    python -m benchmarks.report_year --minutes            # with the minutes of the year: 6.3 million rows more
    python -m benchmarks.report_year --servers            # in a real InfluxDB

With `--minutes` the rows of minutes are read and summed too, as reports did before there were hours. All is invented.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import psutil

from services.aggregator.hourly import sum_of
from services.aggregator.points import hour_point, traffic_point
from services.aggregator.ports import Point, Store
from services.aggregator.traffic import MinuteFigures
from services.ingest.pseudonyms import read_keys
from services.reporting import make_report
from services.running import open_store
from services.runtime.settings import EmbeddedSettings, InfluxSettings, Settings
from tests.servers.running import Influx

_HOMES: Final = 100
_TEAMS: Final = 8
_JUNCTIONS: Final = 12
_REGISTERS: Final = (("electricity", "total"), ("electricity", "HC"), ("electricity", "HP"), ("gas", "total"))
_PARIS: Final = ZoneInfo("Europe/Paris")
_START, _END = date(2024, 11, 1), date(2026, 11, 1)
_BATCH: Final = 20_000


def _days() -> Iterator[datetime]:
    day = _START
    while day < _END:
        yield datetime(day.year, day.month, day.day, tzinfo=_PARIS)
        day += timedelta(days=1)


def _homes(pseudonyms: list[str]) -> Iterator[Point]:
    chance = random.Random(33)  # noqa: S311 - the same year each time
    for number, home in enumerate(pseudonyms):
        for carrier, register in _REGISTERS:
            named = {"carrier": carrier, "household": home, "meter": f"m_{number:016x}", "quantity": "import_energy"}
            tags = tuple(sorted({**named, "register": register, "window": "1d"}.items()))
            for midnight in _days():
                kwh = 10 + 5 * chance.random()
                fields = (("coverage", 1.0), ("energy_kwh", kwh), ("estimated", False), ("flags", ""), ("revision", 48))
                yield Point("energy", tags, fields, int(midnight.timestamp()) * 1_000_000_000)


def _weather() -> Iterator[Point]:
    for midnight in _days():
        for hour in range(24):
            at = int((midnight + timedelta(hours=hour)).timestamp()) * 1_000_000_000
            cold = 10 - 8 * (midnight.month in {11, 12, 1, 2, 3}) + hour / 6
            yield Point("weather", (("station", "s_1"),), (("temperature_degc", cold),), at)


def _traffic(*, minutes: bool) -> Iterator[Point]:
    chance = random.Random(33)  # noqa: S311 - the same year each time
    first_ms = int(datetime(2025, 11, 1, tzinfo=_PARIS).timestamp()) * 1000
    for number in range(_JUNCTIONS):
        zone = f"bx-{number}"
        for hour in range(365 * 24):
            start_ms = first_ms + hour * 3_600_000
            figures = [
                MinuteFigures(zone, start_ms + minute * 60_000, chance.randint(1, 9), 90, 14 * chance.random())
                for minute in range(60 if minutes else 1)
            ]
            yield hour_point(sum_of((zone, start_ms), figures))
            if minutes:
                yield from map(traffic_point, figures)


def _settings(folder: Path) -> tuple[Settings, list[str]]:
    key = folder / "garonne.key"
    key.write_bytes(b"a key of a benchmark, known to everybody")
    key.chmod(0o600)
    homes = [f"home-{number}" for number in range(_HOMES)]
    lines = [f'[[teams]]\nid = "t{number}"\nname = "Team {number}"\n' for number in range(_TEAMS)]
    lines += [
        f'[[households]]\nid = "{home}"\nteam = "t{number % _TEAMS}"\ndevices = ["tasmota:{home}"]\n'
        for number, home in enumerate(homes)
    ]
    (folder / "households.toml").write_text("\n".join(lines), "utf-8")
    features = [
        {
            "type": "Feature",
            "properties": {"id": f"bx-{number}", "name": f"bx-{number}", "radius_m": 80},
            "geometry": {"type": "Point", "coordinates": [-0.57, 44.83 + number / 100]},
        }
        for number in range(_JUNCTIONS)
    ]
    (folder / "junctions.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    settings = Settings(
        storage="embedded",
        key_file=key,
        households_file=folder / "households.toml",
        junctions_file=folder / "junctions.geojson",
        embedded=EmbeddedSettings(folder=folder),
    )
    keys = read_keys(key)
    return settings, [keys.pseudonym("household", home) for home in homes]


async def _fill(store: Store, points: Iterator[Point]) -> int:
    written, batch = 0, []
    for point in points:
        batch.append(point)
        if len(batch) == _BATCH:
            assert not await store.write(batch)
            written, batch = written + len(batch), []
    assert not await store.write(batch)
    return written + len(batch)


async def _read_minutes(store: Store) -> int:
    """All minutes of the year, a fortnight at once."""
    start, rows = datetime(2025, 11, 1, tzinfo=UTC), 0
    for _ in range(27):
        end = start + timedelta(days=14)
        fields = ("vehicles", "mean_speed_mps")
        rows += len(await store.select("traffic", fields=fields, tags={"window": "1m"}, start=start, end=end))
        start = end
    return rows


class _Watch:
    """Seconds on the clock, and of processor: this process, and InfluxDB's where there is one."""

    def __init__(self, server: Influx | None) -> None:
        self._server = None if server is None or server.pid is None else psutil.Process(server.pid)
        self._begun = self._now()

    def _now(self) -> tuple[float, float, float]:
        times = None if self._server is None else self._server.cpu_times()
        return time.monotonic(), time.process_time(), 0.0 if times is None else times.user + times.system

    def __str__(self) -> str:
        seconds, own, server = (now - then for now, then in zip(self._now(), self._begun, strict=True))
        return f"{seconds:.1f} s; processor {own:.1f} s here, {server:.1f} s in InfluxDB"


async def _run(settings: Settings, homes: list[str], folder: Path, server: Influx | None, *, minutes: bool) -> None:
    async with open_store(settings) as store:
        number = 0
        for points in (_homes(homes), _weather(), _traffic(minutes=minutes)):
            number += await _fill(store, points)
        print(f"{settings.storage}: {number:,} points")
        if minutes:
            watch = _Watch(server)
            print(f"  reading {await _read_minutes(store):,} minutes alone: {watch}")
    for formats in (("json",), ("html", "json", "csv")):
        watch = _Watch(server)
        await make_report(
            settings,
            start=date(2025, 11, 1),
            end=_END,
            baseline_start=_START,
            baseline_end=date(2025, 11, 1),
            language="fr",
            formats=formats,
            folder=folder / "report",
        )
        print(f"  report of a year as {', '.join(formats)}: {watch}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="benchmarks.report_year", description=__doc__)
    parser.add_argument("--minutes", action="store_true", help="the rows of minutes too, and read them")
    parser.add_argument("--servers", action="store_true", help="in a real InfluxDB")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings, homes = _settings(folder)
        server = None
        if arguments.servers:
            server = stack.enter_context(Influx(folder / "influx"))
            influx = InfluxSettings(url=server.url, org=server.org, token_file=server.token_file, timeout_s=300)
            settings = settings.model_copy(update={"storage": "servers", "influxdb": influx})
        asyncio.run(_run(settings, homes, folder, server, minutes=arguments.minutes))


if __name__ == "__main__":
    main()
