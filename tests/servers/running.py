"""Run the real servers for a test: own ports, own folder, start, stop, kill, pause; no other process is touched."""

import base64
import ctypes
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from tests.servers.provision import INFLUXD, KAFKA_LIBS, folder, mosquitto_path

__all__ = ["Influx", "Kafka", "KafkaCluster", "Mosquitto", "Server", "ServerFailed", "ServerMissing", "free_port"]

_POLL_S = 0.05
_LIBC = ctypes.CDLL(None)


class ServerMissing(Exception):
    """The server is not on this machine; the text says how to bring it."""


class ServerFailed(Exception):
    """The server did not start or stop; the text has the end of its log."""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    _LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Server:
    """A process with a folder; subclasses say how it is started and when it is ready."""

    start_timeout_s = 60.0

    def __init__(self, data: Path) -> None:
        self.data = data
        self.data.mkdir(parents=True, exist_ok=True)
        self.host = "127.0.0.1"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """The command line."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the server answers."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.data / "server.log"

    @property
    def pid(self) -> int | None:
        """Of the process; `None` if it does not live."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start and wait until it answers.

        Raises:
            ServerFailed: it ended or did not answer in time.
        """
        self._launch()
        self._until(self.is_ready, "start")
        return self

    def _launch(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.data,
                stdout=output,
                stderr=output,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no Python object of a thread
            )

    def stop(self) -> None:
        """End in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze; connections stay open and nothing answers from now on."""
        self._signal(signal.SIGSTOP)
        self._until(self._is_frozen, "freeze")

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop in good order and start again."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            self.resume()
            self.kill()

    def _is_frozen(self) -> bool:
        """Whether every thread has stopped: one that still runs could answer a last time."""
        assert self._process is not None
        threads = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return all(thread.read_text("utf-8").rpartition(")")[2].split()[0] == "T" for thread in threads)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(number)
        try:
            self._process.wait(self.start_timeout_s)
        except subprocess.TimeoutExpired as error:
            raise self._failed("end") from error
        self._process = None

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.start_timeout_s
        while not condition():
            if not self.running or time.monotonic() > deadline:
                raise self._failed(what)
            time.sleep(_POLL_S)

    def _failed(self, what: str) -> ServerFailed:
        tail = "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-25:])
        return ServerFailed(f"{type(self).__name__} did not {what}; the end of its log:\n{tail}")

    def _accepts(self, port: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((self.host, port)) == 0


class Mosquitto(Server):
    """The MQTT broker, 3.1.1 and 5 on one port; keeps sessions in its store unless told otherwise."""

    def __init__(
        self, data: Path, *, max_inflight_messages: int | None = None, extra: Sequence[str] = (), anonymous: bool = True
    ) -> None:
        super().__init__(data)
        found = mosquitto_path()
        if found is None:
            raise ServerMissing("Mosquitto is not on this machine; run: make servers")
        self._program = found
        self.port = free_port()
        self.store = data / "mosquitto.db"
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "persistence true",
            f"persistence_location {data}/",
            "autosave_interval 1",
            "max_queued_messages 0",
            "set_tcp_nodelay true",
            *([f"max_inflight_messages {max_inflight_messages}"] if max_inflight_messages is not None else []),
            *(["user root"] if os.geteuid() == 0 else []),
            *extra,
        ]
        self.configuration = data / "mosquitto.conf"
        self.configuration.write_text("\n".join(lines) + "\n", "utf-8")

    def command(self) -> list[str]:
        """The command line."""
        return [str(self._program), "-c", str(self.configuration)]

    def is_ready(self) -> bool:
        """Whether the port accepts."""
        return self._accepts(self.port)

    def forget(self) -> None:
        """Throw the stored sessions away; only while stopped."""
        self.store.unlink(missing_ok=True)


class Kafka(Server):
    """A broker in KRaft mode: alone, or a node of a cluster whose controllers listen on the ports `controllers`."""

    def __init__(
        self, data: Path, *, partitions: int = 4, node: int = 1, controllers: Sequence[int] = (), identity: str = ""
    ) -> None:
        super().__init__(data)
        libs = folder() / KAFKA_LIBS / "libs"
        if not libs.is_dir():
            raise ServerMissing("Kafka is not on this machine; run: make servers")
        self._java = ["java", "-Xmx512m" if not controllers else "-Xmx320m", "-cp", f"{libs}/*"]
        self.port = free_port()
        self.bootstrap = f"{self.host}:{self.port}"
        self._identity = identity or _cluster_identity()
        self._alone = not controllers
        ports = tuple(controllers) or (free_port(),)
        copies = str(len(ports))
        quorum = (
            {"controller.quorum.bootstrap.servers": f"{self.host}:{ports[0]}"}
            if self._alone
            else {"controller.quorum.voters": ",".join(f"{n}@{self.host}:{port}" for n, port in enumerate(ports, 1))}
        )
        self._properties = data / "server.properties"
        lines = {
            "process.roles": "broker,controller",
            "node.id": str(node),
            **quorum,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{self.host}:{ports[node - 1]}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "default.replication.factor": copies,
            "min.insync.replicas": "1" if self._alone else "2",
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "num.partitions": str(partitions),
            "log.dirs": str(data / "log"),
        }
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in lines.items()), "utf-8")

    def start(self) -> Self:
        """Format the storage the first time, then start."""
        self.launch()
        return self.until_ready()

    def launch(self) -> None:
        """Format the storage the first time, and start without waiting: a cluster needs its other nodes."""
        if not (self.data / "log" / "meta.properties").exists():
            alone = ["--standalone"] if self._alone else []
            tool = [*self._java, "kafka.tools.StorageTool", "format", *alone, "-t", self._identity]
            done = subprocess.run([*tool, "-c", str(self._properties)], cwd=self.data, capture_output=True, check=False)
            if done.returncode:
                raise ServerFailed(f"Kafka's storage cannot be formatted:\n{done.stderr.decode(errors='replace')}")
        self._launch()

    def until_ready(self) -> Self:
        """Wait until it answers.

        Raises:
            ServerFailed: it ended or did not answer in time.
        """
        self._until(self.is_ready, "start")
        return self

    def command(self) -> list[str]:
        """The command line."""
        return [*self._java, "kafka.Kafka", str(self._properties)]

    def is_ready(self) -> bool:
        """Whether a client gets an answer: an ApiVersions request, version 0."""
        request = b"\x00\x12\x00\x00\x00\x00\x00\x01\x00\x04test"
        try:
            with socket.create_connection((self.host, self.port), 1.0) as connection:
                connection.sendall(len(request).to_bytes(4, "big") + request)
                return len(connection.recv(8)) > 4
        except OSError:
            return False


def _cluster_identity() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")


class KafkaCluster:
    """Three brokers, each topic on all three, written when two have it; a client needs one of them."""

    def __init__(self, data: Path, *, partitions: int = 4) -> None:
        controllers, identity = [free_port() for _ in range(3)], _cluster_identity()
        self.nodes = [
            Kafka(data / str(n), partitions=partitions, node=n, controllers=controllers, identity=identity)
            for n in (1, 2, 3)
        ]
        self.bootstrap = ",".join(each.bootstrap for each in self.nodes)

    def __enter__(self) -> Self:
        for each in self.nodes:
            each.launch()
        for each in self.nodes:
            each.until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self.nodes:
            each.__exit__(kind, error, trace)


class Influx(Server):
    """InfluxDB 2.7 with an organisation, a token for everything and the three buckets."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._program = folder() / INFLUXD / "influxd"
        if not self._program.is_file():
            raise ServerMissing("InfluxDB is not on this machine; run: make servers")
        self.port = free_port()
        self.url = f"http://{self.host}:{self.port}"
        self.trusted: ssl.SSLContext | None = None
        self.org = "garonne"
        self.token = secrets.token_hex(16)
        self.token_file = data / "token"
        self._set_up = False

    def command(self) -> list[str]:
        """The command line."""
        engine, bolt = self.data / "engine", self.data / "influxd.bolt"
        address = f"{self.host}:{self.port}"
        options = ["--engine-path", str(engine), "--bolt-path", str(bolt), "--http-bind-address", address]
        return [str(self._program), "run", *options, "--reporting-disabled", "--log-level", "warn"]

    def is_ready(self) -> bool:
        """Whether /health passes."""
        try:
            return bool(self.request("GET", "/health")["status"] == "pass")
        except (OSError, ValueError):
            return False

    def start(self) -> Self:
        """Start; set up the first time."""
        super().start()
        if not self._set_up:
            body = {"username": "garonne", "password": secrets.token_hex(16), "org": self.org, "token": self.token}
            answer = self.request("POST", "/api/v2/setup", {**body, "bucket": "garonne_raw"})
            self._org_id = answer["org"]["id"]
            for bucket in ("garonne_rollup", "garonne_kpi"):
                self.create_bucket(bucket)
            self.token_file.write_text(self.token, "utf-8")
            self.token_file.chmod(0o600)
            self._set_up = True
        return self

    def create_bucket(self, name: str) -> None:
        """Another bucket, kept for ever."""
        self.request("POST", "/api/v2/buckets", {"orgID": self._org_id, "name": name, "retentionRules": []})

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the HTTP API with the operator token; the answer's JSON."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json", "Authorization": f"Token {self.token}"}
        call = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(call, timeout=10, context=self.trusted) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except HTTPError as error:
            raise ServerFailed(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from error
        except URLError as error:
            raise ConnectionError(str(error.reason)) from error

    def write(self, lines: str, bucket: str = "garonne_raw") -> None:
        """Line protocol, times in ns."""
        query = urlencode({"org": self.org, "bucket": bucket, "precision": "ns"})
        headers = {"Authorization": f"Token {self.token}"}
        call = urllib.request.Request(f"{self.url}/api/v2/write?{query}", lines.encode(), headers, method="POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(call, timeout=10, context=self.trusted):  # noqa: S310
            pass

    def query(self, influxql: str, bucket: str = "garonne_raw") -> list[dict[str, Any]]:
        """Rows of an InfluxQL query, each a dictionary with `time` in ns, tags and values."""
        answer = self.request("GET", "/query?" + urlencode({"db": bucket, "q": influxql, "epoch": "ns"}))
        return [
            {**series.get("tags", {}), **dict(zip(series["columns"], values, strict=True))}
            for result in answer["results"]
            for series in result.get("series", ())
            for values in series["values"]
        ]
