"""What a process says of its own use of the machine."""

import asyncio
from pathlib import Path

import pytest

from schemas.status import DeviceStatus
from services.runtime.usage import CPU_S, ENERGY_J, EVENTS, Meter, Rapl, tell_usage

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
