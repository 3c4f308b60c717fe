"""The servers as their containers have them: the shipped configuration, with only paths, ports and the user changed."""

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.deploy.conftest import ROOT
from tests.servers.provision import KAFKA_LIBS, folder
from tests.servers.running import Influx, Kafka, Mosquitto, Server, free_port

__all__ = ["ShippedInflux", "ShippedKafka", "ShippedMosquitto"]


def _adapted(path: Path, changes: Iterable[tuple[str, str]]) -> str:
    text = path.read_text("utf-8")
    for shipped, here in changes:
        assert shipped in text, f"{path.name} says nothing of {shipped}"
        text = text.replace(shipped, here)
    return text


class ShippedMosquitto(Mosquitto):
    """The broker, with TLS, passwords, certificates and ACL; `own_port` is Garonne's, `stations_port` that of units."""

    def __init__(self, data: Path, site: Path) -> None:
        super().__init__(data)
        self.stations_port, self.own_port = free_port(), free_port()
        changes = (
            ("listener 8883\n", f"listener {self.port} 127.0.0.1\n"),
            ("listener 8884\n", f"listener {self.stations_port} 127.0.0.1\n"),
            ("listener 8885\n", f"listener {self.own_port} 127.0.0.1\n"),
            ("/run/mosquitto/", f"{site}/deploy/secrets/mosquitto/"),
            ("/mosquitto/data/", f"{data}/"),
        )
        text = _adapted(site / "deploy/mosquitto/mosquitto.conf", changes)
        self.configuration.write_text(text + ("user root\n" if os.geteuid() == 0 else ""), "utf-8")

    def is_ready(self) -> bool:
        """Whether all three ports accept."""
        return all(self._accepts(port) for port in (self.port, self.stations_port, self.own_port))

    def reload(self) -> None:
        """Read passwords, ACL and the list of revoked certificates again."""
        self._signal(signal.SIGHUP)


_TOOLS = {"kafka-storage.sh": "kafka.tools.StorageTool", "kafka-server-start.sh": "kafka.Kafka"}


class ShippedKafka(Kafka):
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
        changes = (
            ("CLIENT://:9092", f"CLIENT://127.0.0.1:{self.port}"),
            ("CLIENT://kafka:9092", f"CLIENT://127.0.0.1:{self.port}"),
            ("127.0.0.1:9093", f"127.0.0.1:{controller}"),
            ("/var/lib/kafka/data", f"{data}/log"),
            ("/run/secrets", str(secrets)),
        )
        text = _adapted(site / "deploy/kafka/server.properties", changes)
        properties = data / "shipped.properties"
        properties.write_text(text, "utf-8")
        environment = ["env", f"PATH={tools}:{os.environ['PATH']}", f"LOG_DIR={data}/scratch"]
        script = ["sh", str(site / "deploy/kafka/start"), str(properties), str(secrets), f"{data}/log"]
        self._command = [*environment, *script]
        (data / "log").mkdir()
        (data / "log" / "meta.properties").touch()  # the script formats, not the class above
        self._fresh = True
        self._site = site

    def set_up(self) -> str:
        """Run the set-up of docker-compose.yml, as the broker's own user; gives what it said."""
        secrets = self._site / "deploy/secrets"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "GARONNE_CONFIG": str(self._site / "deploy/garonne.toml"),
            "GARONNE_KAFKA__BOOTSTRAP": self.bootstrap,
            "GARONNE_KAFKA__USERNAME": "broker",
            "GARONNE_KAFKA__PASSWORD_FILE": str(secrets / "kafka_broker.password"),
        }
        command = [sys.executable, str(self._site / "deploy/kafka/set_up.py")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def command(self) -> list[str]:
        """The command line."""
        if self._fresh:
            (self.data / "log" / "meta.properties").unlink()
            self._fresh = False
        return self._command


class ShippedInflux(Influx):
    """InfluxDB as the container starts it; nothing is set up."""

    def __init__(self, data: Path, site: Path) -> None:
        super().__init__(data)
        self.url = f"https://{self.host}:{self.port}"
        self.trusted = ssl.create_default_context(cafile=site / "deploy/secrets/ca.crt")
        changes = (
            ("/var/lib/influxdb2", str(data)),
            ('":8086"', f'"127.0.0.1:{self.port}"'),
            ("/run/secrets", str(site / "deploy/secrets")),
        )
        text = _adapted(site / "deploy/influxdb/config.yml", changes)
        (data / "config").mkdir()
        (data / "config" / "config.yml").write_text(text, "utf-8")

    def command(self) -> list[str]:
        """The command line of docker-compose.yml."""
        return ["env", f"INFLUXD_CONFIG_PATH={self.data}/config", str(self._program), "run"]

    def start(self) -> "ShippedInflux":
        """Start, and nothing more."""
        Server.start(self)
        return self

    def set_up(self, site: Path) -> str:
        """Run the set-up of docker-compose.yml; gives what it said."""
        script = [sys.executable, str(site / "deploy/influxdb/set_up.py"), "--url", self.url]
        command = [*script, "--secrets", str(site / "deploy/secrets")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def as_holder(self, site: Path, name: str) -> "ShippedInflux":
        """From now on `request` and `query` use this token."""
        self.token = (site / "deploy/secrets" / name).read_text("utf-8")
        return self
