"""All that `docker compose up` starts, but the screens: servers and services with the shipped configuration."""

import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from zoneinfo import ZoneInfo

import paho.mqtt.publish as publishing
import yaml
from pydantic_core import to_json

from tests.deploy.shipped import ShippedInflux, ShippedKafka, ShippedMosquitto
from tests.servers.running import Server, free_port

__all__ = ["DEVICE", "PATIENCE_S", "Deployment", "Service", "deployed"]

DEVICE = "compteur-cave"
PATIENCE_S = 90.0


class Service(Server):
    """`garonne ingest` or `garonne aggregate` with the shipped configuration; addresses come by environment."""

    def __init__(self, data: Path, site: Path, name: str, command: str, addresses: Mapping[str, str]) -> None:
        super().__init__(data)
        compose = yaml.safe_load((site / "docker-compose.yml").read_text("utf-8"))["services"][name]
        self._test = compose["healthcheck"]["test"]
        self.port = free_port()
        self._secrets = site / "deploy/secrets"
        shipped = {**compose.get("environment", {}), "GARONNE_CONFIG": str(site / "deploy/garonne.toml")}
        here = {key: value.replace("/etc/garonne", f"{site}/deploy") for key, value in shipped.items() if key != "<<"}
        here |= {f"GARONNE_{name.upper()}__METRICS_HOST": "127.0.0.1"}
        here |= {f"GARONNE_{name.upper()}__METRICS_PORT": str(self.port), **addresses}
        program = str(Path(sys.executable).parent / "garonne")
        self._command = ["env", *(f"{key}={value}" for key, value in here.items()), program, command]

    def command(self) -> list[str]:
        """The command line."""
        return self._command

    def is_ready(self) -> bool:
        """What the health check of docker-compose.yml says, with this port."""
        kind, _python, flag, program = self._test
        assert (kind, flag) == ("CMD", "-c")
        shipped = {"ingest": "9101", "aggregator": "9102"}
        program = program.replace("/etc/garonne/secrets", str(self._secrets))
        for port in shipped.values():
            program = program.replace(f":{port}/", f":{self.port}/")
        return subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0

    def says(self) -> str:
        """What /readyz answers."""
        trusted = ssl.create_default_context(cafile=self._secrets / "ca.crt")
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{self.port}/readyz", timeout=5, context=trusted) as answer:
                return str(answer.read().decode())
        except HTTPError as error:
            return str(error.read().decode())
        except URLError as error:
            return str(error.reason)


@dataclass
class Deployment:
    """Everything that `docker compose up` starts, but the screens."""

    site: Path
    mosquitto: ShippedMosquitto
    kafka: ShippedKafka
    influx: ShippedInflux
    ingest: Service
    aggregator: Service
    addresses: Mapping[str, str]

    def publish(self, at: datetime, total_kwh: float) -> None:
        """A reading of the device, over TLS with its password, at QoS 1."""
        local = at.astimezone(ZoneInfo("Europe/Paris"))
        started = f"{local - timedelta(days=400):%Y-%m-%dT%H:%M:%S}"
        energy = {"TotalStartTime": started, "Total": total_kwh, "Power": 500}
        password = (self.site / f"deploy/secrets/devices/{DEVICE}.password").read_text("utf-8")
        publishing.single(
            f"tele/{DEVICE}/SENSOR",
            to_json({"Time": f"{local:%Y-%m-%dT%H:%M:%S}", "ENERGY": energy}),
            qos=1,
            hostname="127.0.0.1",
            port=self.mosquitto.port,
            auth={"username": DEVICE, "password": password},
            tls={"ca_certs": str(self.site / "deploy/secrets/ca.crt"), "tls_version": ssl.PROTOCOL_TLS_CLIENT},
        )

    def on_the_screen(self) -> list[dict[str, Any]]:
        """Hours of energy, by Grafana's token."""
        self.influx.as_holder(self.site, "grafana.token")
        text = "SELECT energy_kwh FROM energy WHERE \"window\" = '1h' AND \"register\" = 'total'"
        return self.influx.query(text, "garonne_rollup")


@contextmanager
def deployed(site: Path, data: Path) -> Iterator[Deployment]:
    """In the order of docker-compose.yml: servers, set-up, services."""
    secrets = site / "deploy/secrets"
    for token in ("aggregator", "report", "grafana"):
        os.truncate(secrets / f"{token}.token", 0)
    with ExitStack() as stack:
        mosquitto = stack.enter_context(ShippedMosquitto(data / "mosquitto", site))
        kafka = stack.enter_context(ShippedKafka(data / "kafka", site))
        influx = stack.enter_context(ShippedInflux(data / "influx", site))
        influx.set_up(site)
        kafka.set_up()
        addresses = {
            "GARONNE_MQTT__HOST": "127.0.0.1",
            "GARONNE_MQTT__PORT": str(mosquitto.own_port),
            "GARONNE_KAFKA__BOOTSTRAP": kafka.bootstrap,
            "GARONNE_INFLUXDB__URL": influx.url,
        }
        ingest = stack.enter_context(Service(data / "ingest", site, "ingest", "ingest", addresses))
        aggregator = stack.enter_context(Service(data / "aggregator", site, "aggregator", "aggregate", addresses))
        yield Deployment(site, mosquitto, kafka, influx, ingest, aggregator, addresses)
