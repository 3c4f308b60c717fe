"""The short form of the fault matrix: whatever fails under load, nothing is lost and nothing is double."""

from pathlib import Path

import pytest

from tests.chaos.account import Row
from tests.chaos.cells import CELLS
from tests.chaos.table import line
from tests.chaos.world import World, environment_seed

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def _played(world: World, groups: set[str], capsys: pytest.CaptureFixture[str]) -> list[Row]:
    rows = []
    for group, cell in CELLS:
        if group in groups and cell.short:
            rows.append(world.play(group, cell, cell.short))
            with capsys.disabled():
                print("\n" + line(rows[-1].as_dict()), end="")  # noqa: T201
    return rows


def _check(rows: list[Row]) -> None:
    for row in rows:
        account = row.account
        assert (row.fault, account.lost, account.double) == (row.fault, 0, 0)
        assert row.sent == account.stored + account.rejected + row.copies, row.fault


def test_hand_overs_broker_and_time_series_fail_and_every_message_is_accounted_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Kills at hand-overs, a broker that forgets, a dead connection, no event log, half-stored answers: lost = 0."""
    with World(tmp_path, seed=environment_seed()) as world:
        rows = _played(world, {"ingest", "aggregator"}, capsys)
    _check(rows)
    assert sum(row.kills for row in rows) >= 4
    assert [row.connections for row in rows if row.fault == "Kafka stopped"] == [0], "keepalive lives"


def test_brokers_of_a_cluster_are_killed_and_leaders_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of three is killed under load; the two others go on, and it comes back."""
    with World(tmp_path, cluster=True, seed=environment_seed()) as world:
        rows = _played(world, {"cluster"}, capsys)
    _check(rows)
    assert sum(row.kills for row in rows) == 1
