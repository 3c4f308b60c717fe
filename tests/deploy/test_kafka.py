"""The shipped Kafka properties and start script on a real Kafka: only paths and ports are changed."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.aggregator.adapters.kafka import KafkaLog
from services.ingest.adapters.kafka import KafkaSink
from services.ingest.ports import Outgoing, Unavailable
from services.runtime.settings import KafkaSettings, read_settings
from tests.servers.provision import KAFKA_LIBS, folder
from tests.servers.running import Kafka, free_port

pytestmark = [pytest.mark.servers, pytest.mark.slow]

_TOOLS = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}


class Shipped(Kafka):
    """Kafka as the container starts it: by its script, which formats the storage the first time."""

    def __init__(self, data: Path, site: Path) -> None:
        super().__init__(data)
        secrets, tools = site / "deploy/secrets", data / "bin"
        tools.mkdir()
        for name, entry in _TOOLS.items():
            java = f"exec java -Xmx512m -cp '{folder() / KAFKA_LIBS / 'libs'}/*' {entry}"
            (tools / name).write_text(f'#!/bin/sh\n{java} "$@"\n', "utf-8")
            (tools / name).chmod(0o755)
        controller = free_port()
        text = (site / "deploy/kafka/server.properties").read_text("utf-8")
        for shipped, here in (
            ("CLIENT://:9092", f"CLIENT://127.0.0.1:{self.port}"),
            ("CLIENT://kafka:9092", f"CLIENT://127.0.0.1:{self.port}"),
            ("127.0.0.1:9093", f"127.0.0.1:{controller}"),
            ("/var/lib/kafka/data", f"{data}/log"),
            ("/run/secrets", str(secrets)),
        ):
            assert shipped in text
            text = text.replace(shipped, here)
        properties = data / "shipped.properties"
        properties.write_text(text, "utf-8")
        environment = ["env", f"PATH={tools}:{os.environ['PATH']}", f"LOG_DIR={data}/scratch"]
        script = ["sh", str(site / "deploy/kafka/start"), str(properties), str(secrets), f"{data}/log"]
        self._command = [*environment, *script]
        (data / "log").mkdir()
        (data / "log" / "meta.properties").touch()  # the script formats, not the class above
        self._fresh = True

    def command(self) -> list[str]:
        """The command line."""
        if self._fresh:
            (self.data / "log" / "meta.properties").unlink()
            self._fresh = False
        return self._command


@pytest.fixture(scope="module")
def kafka(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    """A broker that is shared."""
    with Shipped(tmp_path_factory.mktemp("shipped-kafka"), site) as server:
        yield server


def _settings(site: Path, kafka: Kafka, user: str, **others: object) -> KafkaSettings:
    shipped = read_settings(site / "deploy/garonne.toml").kafka
    password = site / f"deploy/secrets/kafka_{user}.password"
    here = {"bootstrap": kafka.bootstrap, "username": user, "password_file": password}
    return shipped.model_copy(update={**here, "delivery_timeout_s": 10.0, **others})


async def test_ingest_writes_what_the_aggregator_reads(site: Path, kafka: Shipped) -> None:
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
    site: Path, kafka: Shipped, tmp_path: Path, others: dict[str, object]
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


def test_no_password_stands_in_kafkas_log_or_command(site: Path, kafka: Shipped) -> None:
    """Kafka prints its configuration when it starts: with the passwords hidden."""
    text = kafka.log.read_text("utf-8", "replace")
    for path in (site / "deploy/secrets").glob("kafka_*.password"):
        assert path.read_text("utf-8") not in text + " ".join(kafka.command())
    assert not (kafka.data / "scratch/format").exists()
    assert (kafka.data / "scratch/client.properties").stat().st_mode & 0o077 == 0
