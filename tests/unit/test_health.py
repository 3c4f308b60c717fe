"""`garonne devices --health`: the rhythm of a device, and what is missing of it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.silence import Gap, health_of_devices, health_of_times
from tests.fakes_aggregator import MemoryStore
from tests.unit.test_silence import ALL_HEARD, NAMES, NOW, REGISTRY, _reading, _row

START = datetime(2026, 1, 5, tzinfo=UTC)


@given(
    step_s=st.integers(1, 86_400),
    number=st.integers(20, 200),
    missing=st.sets(st.integers(5, 14)),
)
def test_what_is_missing_is_counted(step_s: int, number: int, missing: set[int]) -> None:
    """Of a device that speaks regularly, exactly the messages that were taken out, wherever two or more are."""
    step = timedelta(seconds=step_s)
    times = [START + step * n for n in range(number) if n not in missing]
    cadence, gaps = health_of_times(times, times[-1] + step)
    assert cadence == step
    runs: list[list[int]] = []
    for each in sorted(missing):
        if runs and runs[-1][-1] == each - 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    long = [Gap(START + step * (run[0] - 1), START + step * (run[-1] + 1), len(run)) for run in runs if len(run) > 1]
    assert gaps == tuple(long)


def test_the_silence_since_the_last_message_is_a_gap() -> None:
    """A device that fell silent is not well because it was regular before."""
    times = [START + timedelta(minutes=n) for n in range(10)]
    _, gaps = health_of_times(times, times[-1] + timedelta(minutes=7))
    assert gaps == (Gap(times[-1], times[-1] + timedelta(minutes=7), 7),)


def test_one_message_has_no_rhythm() -> None:
    """And nothing is said to be missing."""
    assert health_of_times([START], NOW) == (None, ())


async def test_each_device_has_its_rhythm_its_last_time_and_its_last_will() -> None:
    """Also one that was heard before the period, and one that never was."""
    device = "tasmota:cave"
    store = MemoryStore()
    minutes = [n for n in range(60) if n not in {20, 21, 22}]
    old = _reading("zigbee2mqtt_plug:prise", "zigbee2mqtt_plug:prise", timedelta(days=3))
    status = _row("device", {"device": NAMES.device(device)}, timedelta(hours=30), availability="online")
    readings = [_reading(device, device, timedelta(minutes=n)) for n in minutes]
    await store.write([*readings, old, status, ALL_HEARD[3]])
    health = {each.device: each for each in await health_of_devices(store, NAMES, REGISTRY, timedelta(hours=2), NOW)}
    well = health[device]
    assert (well.messages, well.cadence, well.last, well.availability) == (57, timedelta(minutes=1), NOW, "online")
    assert [(NOW - gap.start, gap.missing) for gap in well.gaps] == [(timedelta(minutes=23), 3)]
    assert health["zigbee2mqtt_plug:prise"].silence == timedelta(days=3)
    assert (health["zigbee2mqtt_plug:prise"].messages, health["zigbee2mqtt_plug:prise"].cadence) == (0, None)
    assert health["homeassistant_discovery:maison"].last is None
    assert health["esphome:eau"].messages == 1
    assert "3 missing in 1 gaps" in well.as_text()
    assert "every 60 s" in well.as_text()
