"""Filled, copied, wiped, restored: the same records and points, and the aggregator goes on without a double."""

import asyncio
import subprocess
from collections import Counter
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from schemas.envelope import TOPICS
from services.aggregator.adapters.kafka_copy import Copied, take_out
from services.aggregator.adapters.kafka_scan import KafkaScan
from services.runtime.settings import read_settings
from tests.e2e.ledger import stored_in, until_committed
from tests.e2e.load import energy
from tests.e2e.publisher import Publisher
from tests.e2e.site import GARONNE, Site, wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

_MEASUREMENTS = ("meter", "energy", "checkpoint")


def _run(command: str, folder: Path, configuration: Path) -> tuple[int, str]:
    done = subprocess.run(
        [GARONNE, command, folder, "-c", configuration], capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


async def _log(configuration: Path) -> Counter[tuple[str, Copied]]:
    """Every record, but for its offset."""
    settings = read_settings(configuration).kafka
    topics = sorted(set(TOPICS.values()))
    ends = await KafkaScan(settings).ends(topics)
    found: Counter[tuple[str, Copied]] = Counter()
    for topic in topics:
        async for part in take_out(settings, topic, ends):
            found.update((topic, each._replace(offset=0, headers=tuple(each.headers))) for each in part)
    return found


def test_a_wiped_deployment_is_as_it_was_after_a_restore(tmp_path: Path) -> None:
    """Same keys, values, times, partitions and points; a damaged copy and full topics are refused."""
    copy, readings = tmp_path / "copy", energy(Random(5))  # noqa: S311
    with Site(tmp_path / "before") as site:
        ingest = site.service("ingest")
        aggregator = site.service("aggregate")
        wait_until(lambda: ingest.metric("garonne_ingest_connected") == 1, "ingest has subscribed")
        with Publisher(site.mosquitto.port, "before") as publisher:
            publisher.publish(islice(readings, 300))
            wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == 300, "all acknowledged")
            until_committed(site)
            assert aggregator.terminate() == 0
            publisher.publish(islice(readings, 100))  # what the aggregator has still to do goes into the copy too
            wait_until(lambda: ingest.metric("garonne_ingest_acknowledged_total") == 400, "all acknowledged")
        assert ingest.terminate() == 0
        path = tmp_path / "before/aggregate.toml"
        code, said = _run("backup", copy, path)
        assert code == 0, said
        assert _run("backup", copy, path)[0] == 1  # never into a folder that holds something
        code, said = _run("restore", copy, path)
        assert (code, "there are records already" in said) == (1, True), said
        log, stored = asyncio.run(_log(path)), stored_in(site, _MEASUREMENTS)
        site.service("aggregate", "last")
        until_committed(site)
        complete = stored_in(site, _MEASUREMENTS)
        key = (tmp_path / "before/garonne.key").read_bytes()
    assert stored != complete

    with Site(tmp_path / "after") as site:
        (tmp_path / "after/garonne.key").write_bytes(key)
        path = site.configure("aggregate")
        damaged = copy / "garonne.energy.jsonl.gz"
        content = damaged.read_bytes()
        damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        code, said = _run("restore", copy, path)
        assert (code, "is not what was written" in said) == (1, True), said
        damaged.write_bytes(content)
        code, said = _run("restore", copy, path)
        assert code == 0, said
        assert asyncio.run(_log(path)) == log
        assert stored_in(site, _MEASUREMENTS) == stored
        aggregator = site.service("aggregate")
        until_committed(site)
        assert stored_in(site, _MEASUREMENTS) == complete
        assert aggregator.metric("garonne_aggregator_events_total") < 300  # it did not begin anew
