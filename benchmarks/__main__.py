"""`make bench`: a backlog from Mosquitto to Kafka, and from Kafka to InfluxDB, on this machine, in one run.

The backlog waits in the broker's persistent session (then in the topic), so that neither publisher nor network count.
Processor time is the kernel's for the whole service process, without its start. Absolute figures are this machine's;
compare within one run.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.load import messages, publish
from services.ingest.adapters.mqtt import MqttSource
from services.runtime.settings import MqttSettings
from tests.servers.running import Influx, Kafka, Mosquitto, free_port

_POLL_S = 0.02
_PATIENCE_S = 900.0


class Run(NamedTuple):
    """One service draining a backlog."""

    name: str
    messages: int
    seconds: float
    cpu_seconds: float
    peak_mib: float

    def __str__(self) -> str:
        rate, cpu = self.messages / self.seconds, self.cpu_seconds / self.messages * 1e6
        return f"{self.name:<24}{self.messages:>10,}{rate:>14,.0f}{cpu:>16.1f}{self.peak_mib:>14.0f}"


def main() -> None:
    """Measure, print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000, help="size of the backlog")
    parser.add_argument("--runs", type=int, default=1, help="how often; medians are for you to take")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    runs: list[Run] = []
    sys.stdout.write(f"{'':<24}{'messages':>10}{'messages/s':>14}{'CPU µs/message':>16}{'peak MiB':>14}\n")
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory(prefix="garonne-bench-") as name:
            for run in _measure(Path(name), options.messages):
                runs.append(run)
                sys.stdout.write(f"{run}\n")
                sys.stdout.flush()
    if options.json:
        options.json.write_text(json.dumps([run._asdict() for run in runs], indent=2) + "\n", "utf-8")


def _measure(folder: Path, number: int) -> Iterator[Run]:
    with ExitStack() as exits:
        mosquitto = exits.enter_context(Mosquitto(folder / "mosquitto", max_inflight_messages=4096))
        kafka = exits.enter_context(Kafka(folder / "kafka"))
        influx = exits.enter_context(Influx(folder / "influx"))
        configuration = _configure(folder, mosquitto, kafka, influx)
        asyncio.run(_open_session(mosquitto.port))
        spent_s = publish(mosquitto.port, number)
        size = sum(len(payload) for _, payload in messages(1000)) // 1000
        sys.stderr.write(f"published {number:,} messages of {size} bytes in {spent_s:.1f} s\n")
        yield _drain("MQTT → Kafka", "ingest", configuration, "garonne_ingest_acknowledged_total", number)
        yield _drain("Kafka → InfluxDB", "aggregate", configuration, "garonne_aggregator_points_total", number)


async def _open_session(port: int) -> None:
    """Make the session and its subscriptions, so that the broker keeps what is published meanwhile."""
    connected = asyncio.Event()

    class _Events:
        def connection_made(self, *, resumed: bool) -> None:
            del resumed
            connected.set()

        def __getattr__(self, name: str) -> object:
            return lambda *_: None

    settings = MqttSettings(port=port)
    async with MqttSource(settings, ["tele/+/SENSOR"], _Events()):  # type: ignore[arg-type]
        await asyncio.wait_for(connected.wait(), 30)


def _configure(folder: Path, mosquitto: Mosquitto, kafka: Kafka, influx: Influx) -> Path:
    key = folder / "key"
    key.write_bytes(b"a key for benchmarks, which is no secret at all")
    key.chmod(0o600)
    text = f"""
key_file = "key"
[mqtt]
port = {mosquitto.port}
[kafka]
bootstrap = "{kafka.bootstrap}"
[influxdb]
url = "{influx.url}"
token_file = "{influx.token_file}"
[ingest]
metrics_port = {free_port()}
[aggregator]
metrics_port = {free_port()}
[profiles.tasmota]
topics = ["tele/+/SENSOR"]
"""
    path = folder / "garonne.toml"
    path.write_text(text, "utf-8")
    return path


def _drain(name: str, command: str, configuration: Path, metric: str, number: int) -> Run:
    """Start the service, wait until the metric says that everything went through, stop it."""
    section = {"ingest": "[ingest]", "aggregate": "[aggregator]"}[command]
    port = int(configuration.read_text("utf-8").split(section)[1].split("=")[1].split()[0])
    with _service(command, configuration) as process:
        idle_cpu_s = 0.0
        started_s: float | None = None
        deadline_s = time.monotonic() + _PATIENCE_S
        while (done := _metric(port, metric)) < number:
            if process.poll() is not None or time.monotonic() > deadline_s:
                log = configuration.with_name(f"{command}.log").read_text("utf-8", "replace")
                raise SystemExit(
                    f"{name}: stopped at {done:,.0f} of {number:,} (exit code {process.poll()})\n{log[-2000:]}"
                )
            if done == 0:
                started_s, idle_cpu_s = time.monotonic(), _cpu_s(process)
            time.sleep(_POLL_S)
        ended_s, cpu_s = time.monotonic(), _cpu_s(process)
        return Run(name, number, ended_s - (started_s or ended_s), cpu_s - idle_cpu_s, _peak_mib(process.pid))


@contextmanager
def _service(command: str, configuration: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = configuration.with_name(f"{command}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("garonne"), command, "--config", configuration],
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def _metric(port: int, name: str) -> float:
    """The sum of a metric over its labels; 0 while the service does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    wanted = [line for line in lines if line.startswith((name + " ", name + '{measurement="meter"'))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in wanted)


def _cpu_s(process: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def _peak_mib(pid: int) -> float:
    """The largest resident size, from the kernel."""
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(text.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
