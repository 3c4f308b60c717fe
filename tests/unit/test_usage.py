"""What a process says of its own use of the machine."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schemas.codec import decode
from schemas.envelope import Event
from schemas.status import DeviceStatus
from services.aggregator.kpis.inputs import ProcessUse, UsedHour
from services.aggregator.kpis.results import Period
from services.aggregator.points import raw_point
from services.aggregator.usage import read_usage
from services.embedded.series import SqliteStore
from services.ingest.pipeline import outgoing
from services.runtime.usage import CPU_S, ENERGY_J, EVENTS, Meter, Rapl, Span, statement, tell_usage

DEVICE = "d_0123456789abcdef"


def package(folder: Path, name: str, energy_uj: int) -> Path:
    """A counter as the kernel shows it."""
    path = folder / name
    path.mkdir(parents=True, exist_ok=True)
    (path / "energy_uj").write_text(f"{energy_uj}\n")
    (path / "max_energy_range_uj").write_text("1000000000\n")
    return path


def busy(path: Path, ticks: int) -> Path:
    """A /proc/stat whose processors were busy so long; idle and waiting for disks count for nothing."""
    path.write_text(f"cpu  {ticks} 0 0 77777 99 0 0 0 0 0\ncpu0 1 1 1 1\n")
    return path


def gauges(status: DeviceStatus) -> dict[str, float]:
    """By name."""
    return {each.name: each.value for each in status.gauges}


def spend(cpu_s: float) -> None:
    """Use the processor so long."""
    import time  # noqa: PLC0415

    until = time.process_time() + cpu_s
    while time.process_time() < until:
        pass


def test_the_counter_of_energy_is_read_where_there_is_one(tmp_path: Path) -> None:
    """Joules of all packages since the last look, over the counter's end; a part of a package is not added to it."""
    package(tmp_path, "intel-rapl:0", 999_000_000)
    package(tmp_path, "intel-rapl:1", 5_000_000)
    package(tmp_path, "intel-rapl:0:0", 1)
    rapl = Rapl(tmp_path)
    package(tmp_path, "intel-rapl:0", 2_000_000)  # went round after 1 J: 3 J
    package(tmp_path, "intel-rapl:1", 9_000_000)  # 4 J
    package(tmp_path, "intel-rapl:0:0", 500_000_000)
    assert rapl.joules() == pytest.approx(7.0)
    assert Rapl(tmp_path / "nothing").joules() is None


def test_a_process_is_charged_by_its_share_of_the_busy_time(tmp_path: Path) -> None:
    """Of 100 J in 10 busy seconds of the machine, those of its own seconds of CPU."""
    package(tmp_path / "rapl", "intel-rapl:0", 0)
    stat = busy(tmp_path / "stat", 1_000)
    meter = Meter(lambda: 0, Rapl(tmp_path / "rapl"), stat)
    spend(0.05)
    busy(stat, 2_000)
    package(tmp_path / "rapl", "intel-rapl:0", 100_000_000)
    span = meter.span()
    assert span.cpu_s >= 0.05
    assert span.energy_j == pytest.approx(100 * span.cpu_s / 10)


def test_without_a_counter_the_energy_is_left_open(tmp_path: Path) -> None:
    """No joule is invented: the power model of the report takes its place, and says so."""
    meter = Meter(lambda: 0, Rapl(tmp_path), busy(tmp_path / "stat", 1))
    assert meter.span().energy_j is None


def test_what_could_not_be_told_is_part_of_the_next_statement() -> None:
    """The log was away once: seconds and events are told once each, in the end."""
    made = iter([0, 4, 9, 11])
    meter = Meter(lambda: next(made))
    first = meter.span()
    spend(0.02)
    second = meter.span()
    assert (first.events, second.events) == (4, 9)
    assert second.cpu_s >= first.cpu_s + 0.02
    meter.told()
    assert meter.span().events == 2


async def test_a_process_tells_its_use_until_it_ends() -> None:
    """Statements come by themselves, under its pseudonym, without energy that nobody measured; the end is the last."""
    stop, said = asyncio.Event(), list[DeviceStatus]()

    async def tell(status: DeviceStatus) -> bool:
        said.append(status)
        if len(said) == 3:
            stop.set()
        return True

    count = iter(range(0, 1_000, 10))
    meter = Meter(lambda: next(count), Rapl(Path("/nonexistent")))
    await asyncio.wait_for(tell_usage(meter, DEVICE, tell, stop, every_s=0.01), 30)
    assert [gauges(each)[EVENTS] for each in said] == [10, 10, 10]
    for each in said:
        assert each.device == DEVICE
        assert gauges(each)[CPU_S] >= 0
        assert ENERGY_J not in gauges(each)


PARIS = ZoneInfo("Europe/Paris")
DAY = date(2026, 3, 2)


async def read_back(folder: Path, said: list[tuple[str, Span, datetime]]) -> tuple[ProcessUse, ...]:
    """Statements on their way: to the log, out of it, to the store, and into the report of a day."""
    points = []
    for number, (device, span, at) in enumerate(said):
        record = outgoing(Event(f"{number:032x}", "garonne", statement(device, span, at)))
        assert record.topic == "garonne.status"
        point = raw_point(decode(record.value))
        assert point is not None
        points.append(point)
    async with SqliteStore(folder / "series.sqlite") as store:
        assert await store.write(points) == []
        return await read_usage(store, PARIS, Period(DAY, DAY + timedelta(days=1)))


async def test_a_statement_reaches_the_report_through_the_log(tmp_path: Path) -> None:
    """In the local hour of the middle of its span; the last hour of the day is told after midnight."""
    first = datetime(2026, 3, 2, 1, 10, tzinfo=PARIS).astimezone(UTC)
    last = datetime(2026, 3, 3, 0, 10, tzinfo=PARIS).astimezone(UTC)
    other_day = datetime(2026, 3, 2, 0, 20, tzinfo=PARIS).astimezone(UTC)
    span = Span(12.5, 3600.0, 40, None)
    (process,) = await read_back(tmp_path, [(DEVICE, span, first), (DEVICE, span, last), (DEVICE, span, other_day)])
    assert process.id == DEVICE
    assert process.hours == {
        (DAY, 0): UsedHour(12.5, 3600.0, 40.0, None),
        (DAY, 23): UsedHour(12.5, 3600.0, 40.0, None),
    }


async def test_statements_around_a_restart_are_added_up(tmp_path: Path) -> None:
    """Their energy is known if each counted it, and open if one did not; processes stay apart."""
    at = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
    counted, open_ = Span(1.0, 900.0, 1, 5.0), Span(2.0, 900.0, 2, None)
    later = at + timedelta(minutes=20)
    other = "d_fedcba9876543210"
    one, two = await read_back(
        tmp_path,
        [(DEVICE, counted, at), (DEVICE, counted, later), (other, counted, at), (other, open_, later)],
    )
    assert list(one.hours.values()) == [UsedHour(2.0, 1800.0, 2.0, 10.0)]
    assert list(two.hours.values()) == [UsedHour(3.0, 1800.0, 3.0, None)]
