"""A whole site for a test: the real servers, a configuration file, and the services as child processes."""

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError

from prometheus_client.parser import text_string_to_metric_families

from tests.servers.running import Influx, Kafka, Mosquitto, Server, free_port

__all__ = ["GARONNE", "Service", "Site", "wait_until"]

GARONNE = Path(sys.executable).with_name("garonne")
_LOOK_S = 0.1


def wait_until(holds: Callable[[], bool], what: str, patience_s: float = 90.0) -> None:
    """For what has no event to wait for; `what` says what did not happen.

    Raises:
        TimeoutError: it does not hold after `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {patience_s:.0f} s still not: {what}")
        time.sleep(_LOOK_S)


class Service(Server):
    """`garonne ingest` or `garonne aggregate` in a process of its own."""

    def __init__(self, folder: Path, command: str, configuration: Path, metrics_port: int) -> None:
        super().__init__(folder)
        self._command = command
        self._configuration = configuration
        self._port = metrics_port
        self.kills = 0

    def command(self) -> list[str]:
        """The command line."""
        return [str(GARONNE), self._command, "-c", str(self._configuration)]

    def is_ready(self) -> bool:
        """Whether it serves its health, whatever that says."""
        return self._accepts(self._port)

    def kill(self) -> None:
        """End it as kill -9 does."""
        super().kill()
        self.kills += 1

    def terminate(self, patience_s: float = 40.0) -> int:
        """SIGTERM; gives the exit code."""
        process = self._process
        assert process is not None
        process.terminate()
        code = process.wait(patience_s)
        self._process = None
        return code

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of an answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def checks(self, path: str = "/readyz") -> tuple[int, dict[str, str]]:
        """Status and the checks by name."""
        status, body = self.get(path)
        return status, json.loads(body)["checks"]

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels; 0 if nobody answers or it is not there yet."""
        try:
            _, text = self.get("/metrics")
        except OSError:
            return 0.0
        families = text_string_to_metric_families(text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Log lines of this event."""
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]


class Site:
    """Mosquitto, Kafka and InfluxDB with nothing in them, and what the services are told of them."""

    def __init__(self, folder: Path, *, influx: bool = True, **mosquitto: Any) -> None:
        self.folder = folder
        self.mosquitto = Mosquitto(folder / "mosquitto", **mosquitto)
        self.kafka = Kafka(folder / "kafka")
        self.influx = Influx(folder / "influx")
        self._with_influx = influx
        self._key = folder / "garonne.key"
        self._key.write_bytes(os.urandom(32))
        self._key.chmod(0o600)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.mosquitto)
            stack.enter_context(self.kafka)
            if self._with_influx:
                stack.enter_context(self.influx)
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def configure(self, name: str, **changes: Mapping[str, Any]) -> Path:
        """Write a configuration file; `changes` by section."""
        sections: dict[str, dict[str, Any]] = {
            "mqtt": {
                "port": self.mosquitto.port,
                "client_id": name,
                "reconnect_least_s": 0.1,
                "reconnect_most_s": 0.5,
            },
            "kafka": {"bootstrap": self.kafka.bootstrap, "delivery_timeout_s": 5.0, "session_timeout_s": 6.0},
            "influxdb": {"url": self.influx.url, "token_file": str(self.influx.token_file), "timeout_s": 5.0},
            "ingest": {"metrics_port": free_port()},
            "aggregator": {"metrics_port": free_port()},
        }
        for section, values in changes.items():
            sections[section] = {**sections.get(section, {}), **values}
        lines = [f"key_file = {json.dumps(str(self._key))}"]
        for section, values in sections.items():
            lines += ["", f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        path = self.folder / f"{name}.toml"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return path

    def service(self, command: str, name: str | None = None, **changes: Mapping[str, Any]) -> Service:
        """A service of this site, started; it ends with the site at the latest."""
        name = name or command
        section = {"ingest": "ingest", "aggregate": "aggregator"}[command]
        port = free_port()
        changes[section] = {**changes.get(section, {}), "metrics_port": port}
        service = Service(self.folder / name, command, self.configure(name, **changes), port)
        return self._running.enter_context(service)
