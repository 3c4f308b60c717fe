"""A small town hall: `garonne run` with a broker of its own is all there is; `record` and `replay` work on it."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest

from services.embedded.broker import INFLIGHT, EmbeddedBroker
from services.embedded.eventlog import SqliteLog
from services.embedded.series import SqliteStore
from services.ingest.profiles import Message
from services.recorder import Replay, record
from services.runtime.settings import Settings, read_settings
from services.simulator import Publisher
from services.simulator.formats import Publication, linky_standard
from tests.servers.running import free_port

_PATIENCE_S = 60.0
_NOTICES_S = 3.0
"""An interrupted process has ended by then."""


def _until(true: Callable[[], bool], what: str) -> None:
    patience_ends = time.monotonic() + _PATIENCE_S
    while not true():
        assert time.monotonic() < patience_ends, what
        time.sleep(0.02)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """What the help of `garonne run` shows, on free ports."""
    key = tmp_path / "garonne.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    path = tmp_path / "garonne.toml"
    path.write_text(
        f"""
storage = "embedded"
key_file = "garonne.key"
[mqtt]
port = {free_port()}
broker_inflight = {INFLIGHT}
[ingest]
batch = 50
metrics_port = {free_port()}
[aggregator]
metrics_port = {free_port()}
[embedded]
folder = "."
broker = true
devices_port = {free_port()}
"""
    )
    return path


@contextmanager
def _running(configuration: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`garonne run`, connected to its broker; in a process group of its own, as a terminal gives it."""
    ready = f"http://127.0.0.1:{read_settings(configuration).ingest.metrics_port}/metrics"

    def connected() -> bool:
        assert process.poll() is None, "garonne run ended by itself"
        try:
            with urlopen(ready, timeout=5) as answer:
                return "garonne_ingest_connected 1.0" in answer.read().decode()
        except (URLError, ConnectionError):
            return False

    command = [sys.executable, "-m", "services", "run", "--config", str(configuration)]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            _until(connected, "garonne run does not connect to its broker")
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _frames(number: int) -> list[Publication]:
    """A Linky, minute by minute, up to now."""
    now_s = int(time.time())
    return [linky_standard("041234567890", now_s - 60 * (number - n), 1_000_000 + n, 500) for n in range(number)]


async def _waiting(settings: Settings) -> int:
    log = SqliteLog(settings.embedded.folder / "events.sqlite", settings.kafka.group)
    try:
        return sum((await log.lag()).values())
    finally:
        await log.close()


async def test_what_was_taken_is_stored_over_an_interrupt(configuration: Path) -> None:
    """Ctrl-C ends it in order; what was not stored yet is stored after the next start."""
    settings = read_settings(configuration)
    with _running(configuration) as process:
        with Publisher(settings.mqtt.host, settings.embedded.devices_port) as publisher:
            for message in _frames(100):
                publisher.publish(message)
            publisher.wait()
        _until(lambda: _acknowledged(settings) == 100, "not everything is received")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(_PATIENCE_S) == 0
    with _running(configuration) as process:
        patience_ends = time.monotonic() + _PATIENCE_S
        while await _waiting(settings):
            assert time.monotonic() < patience_ends, "not everything is stored"
            await asyncio.sleep(0.02)
        process.terminate()
        assert process.wait(_PATIENCE_S) == 0
    async with SqliteStore(settings.embedded.folder / "series.sqlite") as store:
        assert len(await store.select("meter")) == 100


def test_the_broker_outlives_an_interrupt() -> None:
    """Ctrl-C goes to every process of the terminal, and ingest still has to acknowledge what it took."""
    before = {each.pid for each in psutil.Process().children()}
    with EmbeddedBroker() as broker:
        (child,) = (each for each in psutil.Process().children() if each.pid not in before)
        child.send_signal(signal.SIGINT)
        with pytest.raises(psutil.TimeoutExpired):
            child.wait(_NOTICES_S)
        with Publisher(broker.host, broker.port_v3) as publisher:
            for message in _frames(3):
                publisher.publish(message)
            publisher.wait()
            assert publisher.acknowledged == 3
    assert not child.is_running()


def _acknowledged(settings: Settings) -> float:
    with urlopen(f"http://127.0.0.1:{settings.ingest.metrics_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(each.rsplit(" ", 1)[1]) for each in lines if each.startswith("garonne_ingest_acknowledged_total"))


def test_record_and_replay_work_on_its_broker(configuration: Path) -> None:
    """What `replay` publishes, `record` hears, message for message and in order."""
    settings = read_settings(configuration)
    sent = _frames(20)
    heard: list[Publication] = []
    enough = threading.Event()

    def listen() -> None:
        for message in record(settings.mqtt, ("teleinfo/#",), seconds=_PATIENCE_S):
            heard.append(Publication(message.topic, message.payload))
            if heard.count(sent[-1]):
                break
        enough.set()

    probe = Publication("teleinfo/status", b"up")
    with _running(configuration), Publisher(settings.mqtt.host, settings.embedded.devices_port) as publisher:
        threading.Thread(target=listen, daemon=True).start()
        while probe not in heard:
            publisher.publish(probe)
            publisher.wait()
            assert not enough.is_set(), "nothing is heard"
        messages = [Message(topic, payload, datetime.now(UTC), retained=False) for topic, payload in sent]
        replay = Replay(settings.mqtt)
        assert list(replay.run(iter(messages)))[-1] == replay.acknowledged == len(sent)
        assert enough.wait(_PATIENCE_S)
    assert [each for each in heard if each != probe] == sent
