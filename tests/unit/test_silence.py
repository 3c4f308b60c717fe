"""`garonne devices --silent`: who was not heard, when last, and what its last will said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.aggregator.ports import FieldValue, Point
from services.cli import app
from services.ingest.pseudonyms import Pseudonyms
from services.runtime.registry import Household, Registry
from services.silence import duration_of, silent_devices
from tests.cases import KEYS
from tests.fakes_aggregator import MemoryStore

NOW = datetime(2026, 4, 10, 12, tzinfo=UTC)
REGISTRY = Registry(
    households=(
        Household(id="un", devices=("tasmota:cave", "zigbee2mqtt_plug:prise")),
        Household(id="deux", devices=("homeassistant_discovery:maison",)),
        Household(id="trois", devices=("esphome:eau",)),
    )
)
NAMES = Pseudonyms(KEYS, REGISTRY.household_of)


def _row(measurement: str, tags: dict[str, str], ago: timedelta, **fields: FieldValue) -> Point:
    return Point(
        measurement, tuple(sorted(tags.items())), tuple(sorted(fields.items())), int((NOW - ago).timestamp()) * 10**9
    )


def _reading(device: str, meter: str, ago: timedelta, **fields: FieldValue) -> Point:
    tags = {"household": NAMES.household(device), "meter": NAMES.meter(meter), "carrier": "electricity"}
    return _row("meter", tags, ago, voltage_l1_v=230.0, **fields)


async def _silent(*points: Point) -> dict[str, tuple[timedelta | None, str | None]]:
    store = MemoryStore()
    await store.write(points)
    found = await silent_devices(store, NAMES, REGISTRY, timedelta(hours=2), NOW)
    return {each.device: (None if each.last is None else NOW - each.last, each.availability) for each in found}


ALL_HEARD = (
    _reading("tasmota:cave", "tasmota:cave", timedelta(minutes=5)),
    _reading("zigbee2mqtt_plug:prise", "zigbee2mqtt_plug:prise", timedelta(minutes=119)),
    _reading("homeassistant_discovery:maison", "homeassistant_discovery:sensor_1", timedelta(minutes=1)),
    _reading("esphome:eau", "esphome:eau/water", timedelta(minutes=1)),
)


async def test_nobody_is_silent_when_all_are_heard() -> None:
    """A meter of another carrier beside the device counts, and so do the sensors that a device announces."""
    assert await _silent(*ALL_HEARD) == {}


async def test_a_silent_device_has_its_last_time_and_its_last_will() -> None:
    """The other device of the home does not speak for it."""
    device = "zigbee2mqtt_plug:prise"
    status = _row("device", {"device": NAMES.device(device)}, timedelta(hours=30), availability="offline")
    found = await _silent(ALL_HEARD[0], *ALL_HEARD[2:], _reading(device, device, timedelta(days=3)), status)
    assert found == {device: (timedelta(days=3), "offline")}


async def test_a_device_that_was_never_heard_is_listed() -> None:
    """Without a time."""
    assert await _silent(*ALL_HEARD[:3]) == {"esphome:eau": (None, None)}


async def test_what_the_broker_kept_is_no_sign_of_life() -> None:
    """A retained message comes again at each start."""
    retained = _reading("esphome:eau", "esphome:eau/water", timedelta(minutes=1), undated=True)
    assert "esphome:eau" in await _silent(*ALL_HEARD[:3], retained)


@pytest.mark.parametrize(("text", "duration"), [("90min", 5400), ("2h", 7200), ("3d", 259_200)])
def test_a_duration_is_read(text: str, duration: int) -> None:
    """Minutes, hours, days."""
    assert duration_of(text).total_seconds() == duration


@pytest.mark.parametrize("text", ["", "2", "2 h", "0h", "-1h", "2w", "99999d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """The error shows what would be right."""
    with pytest.raises(ValueError, match="write 90min, 2h or 3d"):
        duration_of(text)


def test_the_command_asks_the_store_of_the_site(tmp_path: Path) -> None:
    """Embedded: an empty store, a registry, a key; and without a registry it says what is missing."""
    (tmp_path / "key").write_bytes(bytes(32) + b"silence")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "homes.toml").write_text("[[households]]\nid = 'un'\ndevices = ['tasmota:cave']\n", "utf-8")
    path = tmp_path / "garonne.toml"
    path.write_text(
        "storage = 'embedded'\nkey_file = 'key'\nhouseholds_file = 'homes.toml'\n[embedded]\nfolder = 'var'\n", "utf-8"
    )
    listed = CliRunner().invoke(app, ["devices", "--config", str(path), "--silent", "2h"])
    assert listed.exit_code == 0
    assert "tasmota:cave" in listed.stdout
    assert "not heard in 32 days" in listed.stdout
    path.write_text("storage = 'embedded'\nkey_file = 'key'\n", "utf-8")
    refused = CliRunner().invoke(app, ["devices", "--config", str(path), "--silent", "2h"])
    assert refused.exit_code == 1
    assert "households_file is not set" in refused.output
