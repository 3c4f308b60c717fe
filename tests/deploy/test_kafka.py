"""The shipped Kafka properties and start script on a real Kafka: only paths and ports are changed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.aggregator.adapters.kafka import KafkaLog
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.ports import Outgoing, Unavailable
from services.runtime.settings import KafkaSettings, read_settings
from tests.deploy.shipped import ShippedKafka
from tests.servers.running import Kafka

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture(scope="module")
def kafka(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedKafka]:
    """A broker that is shared."""
    with ShippedKafka(tmp_path_factory.mktemp("shipped-kafka"), site) as server:
        server.set_up()
        yield server


def _settings(site: Path, kafka: Kafka, user: str, **others: object) -> KafkaSettings:
    shipped = read_settings(site / "deploy/garonne.toml").kafka
    password = site / f"deploy/secrets/kafka_{user}.password"
    here = {"bootstrap": kafka.bootstrap, "username": user, "password_file": password}
    return shipped.model_copy(update={**here, "delivery_timeout_s": 10.0, **others})


async def test_ingest_writes_what_the_aggregator_reads(site: Path, kafka: ShippedKafka) -> None:
    """Each with its own name and password, over TLS, also after the broker was started again."""
    sink = KafkaSink(_settings(site, kafka, "ingest"))
    await sink.send([Outgoing("garonne.energy", b"h", b"first", 1)])
    await asyncio.to_thread(kafka.restart)
    await sink.close()
    sink = KafkaSink(_settings(site, kafka, "ingest"))
    large = b"x" * 1_200_000
    await sink.send([Outgoing("garonne.energy", b"h", b"second", 2), Outgoing("garonne.rejected", b"d", large, 3)])
    await sink.close()
    async with asyncio.timeout(60), KafkaLog(_settings(site, kafka, "aggregator"), topics=("garonne.energy",)) as log:
        found: list[bytes] = []
        while len(found) < 2:
            found += [each.value for each in await log.poll(10, 1.0)]
        assert found == [b"first", b"second"]


@pytest.mark.parametrize(
    "others",
    [
        {"password_file": "wrong"},
        {"username": "nobody"},
        {"security_protocol": "SSL"},
        {"security_protocol": "PLAINTEXT"},
    ],
    ids=["wrong-password", "unknown-user", "no-login", "no-tls"],
)
async def test_nobody_writes_without_a_password(
    site: Path, kafka: ShippedKafka, tmp_path: Path, others: dict[str, object]
) -> None:
    """A wrong password, an unknown user, TLS without a log-in, no TLS: nothing is taken."""
    if "password_file" in others:
        wrong = tmp_path / "password"
        wrong.write_text("wrong", "utf-8")
        others = {"password_file": wrong}
    sink = KafkaSink(_settings(site, kafka, "ingest", **{"delivery_timeout_s": 4.0, **others}))
    with pytest.raises(Unavailable):
        await sink.send([Outgoing("garonne.energy", b"h", b"forged", 1)])
    await sink.close()


def test_no_password_stands_in_kafkas_log_or_command(site: Path, kafka: ShippedKafka) -> None:
    """Kafka prints its configuration when it starts: with the passwords hidden."""
    text = kafka.log.read_text("utf-8", "replace")
    for path in (site / "deploy/secrets").glob("kafka_*.password"):
        assert path.read_text("utf-8") not in text + " ".join(kafka.command())
    assert not (kafka.data / "scratch/format").exists()
    assert (kafka.data / "scratch/client.properties").stat().st_mode & 0o077 == 0
