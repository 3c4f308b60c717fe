"""`garonne import` into a real Kafka: every row is there once its batch was counted, and an outage loses none."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from schemas.codec import decode
from schemas.energy import IntervalEnergy
from services.cli import app
from tests.contract.test_kafka_sink import _stored
from tests.servers.running import Kafka

pytestmark = pytest.mark.servers

_ROWS = 500


def _site(folder: Path, kafka: Kafka) -> tuple[Path, Path]:
    key = folder / "garonne.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    site = folder / "garonne.toml"
    site.write_text(
        f'key_file = "garonne.key"\n[kafka]\nbootstrap = "{kafka.bootstrap}"\ndelivery_timeout_s = 5\n'
        "[mqtt]\nbroker_inflight = 100\n[ingest]\nbatch = 50\n"
    )
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=400)
    rows = [f"{(start + timedelta(minutes=30 * n)).isoformat()};{100 + n}" for n in range(_ROWS)]
    file = folder / "curve.csv"
    file.write_text("Identifiant PRM;Unite\n01234567890123;W\nHorodate;Valeur\n" + "\n".join(rows) + "\nno time;1\n")
    return site, file


async def test_every_row_is_in_kafka_once_however_often_it_is_imported(tmp_path: Path) -> None:
    """Two imports, the server gone when the second begins: the same ids, and the bad row with its bytes."""
    with Kafka(tmp_path / "kafka") as kafka:
        site, file = _site(tmp_path, kafka)
        arguments = ["import", str(file), "--config", str(site)]
        first = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert f"{_ROWS + 1} rows read, {_ROWS} normalised" in " ".join(first.output.split())
        assert first.exit_code == 1  # one row is bad
        events = [decode(each.value) for each in await _stored(kafka)]
        assert {type(each.record) for each in events} == {IntervalEnergy}
        kafka.stop()
        second = asyncio.create_task(asyncio.to_thread(CliRunner().invoke, app, arguments))
        await asyncio.to_thread(kafka.start)
        assert (await second).exit_code == 1
        again = [decode(each.value) for each in await _stored(kafka)]
        assert len({each.id for each in events}) == _ROWS
        assert {each.id for each in again} == {each.id for each in events}
        assert len(again) >= 2 * _ROWS
        assert await _stored(kafka, "garonne.rejected")
