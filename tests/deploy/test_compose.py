"""docker-compose.yml, read by Compose's own library: closed by default, and whole."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.runtime.settings import read_settings
from tests.deploy.conftest import ROOT
from tests.servers.provision import COMPOSE, folder

pytestmark = pytest.mark.servers

SERVICES = [
    "aggregator",
    "grafana",
    "grafana-setup",
    "influxdb",
    "influxdb-setup",
    "ingest",
    "kafka",
    "kafka-setup",
    "mosquitto",
    "prometheus",
    "report",
    "tools",
]
ONCE = {"grafana-setup", "influxdb-setup", "kafka-setup"}
"""Ends when it is done: it has no health to check."""
COMMANDS = {"tools"}
"""Is run by hand: `up` starts none of it."""


def _config(where: Path) -> subprocess.CompletedProcess[str]:
    program = folder() / COMPOSE / "compose"
    assert program.is_file(), "run: make servers"
    command = [program, where / "docker-compose.yml"]
    return subprocess.run(command, cwd=where, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(site: Path) -> dict[str, Any]:
    """The project as Compose understands it."""
    done = _config(site)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest, project: dict[str, Any]) -> dict[str, Any]:
    """Each service in turn."""
    return {"name": request.param, **project["services"][request.param]}


def test_every_service_is_looked_at(project: Mapping[str, Any]) -> None:
    """A new service must come into this list, and so under these rules."""
    assert sorted(project["services"]) == SERVICES


def test_compose_refuses_to_start_without_secrets(tmp_path: Path) -> None:
    """Before `deploy/make-secrets` the file cannot even be read, and the message names the command."""
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    done = _config(tmp_path)
    assert done.returncode != 0
    assert "run deploy/make-secrets first" in done.stderr


def test_a_mistake_in_the_file_is_seen(site: Path, tmp_path: Path) -> None:
    """This check can fail: a misspelt key and a service that is not there are refused."""
    text = (site / "docker-compose.yml").read_text("utf-8")
    shutil.copy(site / ".env", tmp_path)
    for right, wrong in (("mem_limit: 2g", "memory_limit: 2g"), ("kafka: {condition", "kafca: {condition")):
        assert right in text
        (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong, 1), "utf-8")
        assert _config(tmp_path).returncode != 0


def test_no_service_is_root(service: Mapping[str, Any]) -> None:
    """A number, because an engine cannot check a name."""
    assert re.fullmatch(r"[1-9][0-9]*:[0-9]+", service["user"])


def test_no_service_can_change_its_own_files(service: Mapping[str, Any]) -> None:
    """The root file system is read-only, privileges are dropped and cannot come back."""
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")


def test_every_service_is_bounded(service: Mapping[str, Any]) -> None:
    """Memory, processors, processes and logs have limits; a service that ends is started again."""
    assert int(service["mem_limit"]) <= 4 * 2**30
    assert service["cpus"] <= 2
    assert service["pids_limit"] <= 512
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    by_name = dict.fromkeys(ONCE, "on-failure:5") | dict.fromkeys(COMMANDS, "no")
    assert service["restart"] == by_name.get(service["name"], "unless-stopped")
    assert service.get("scale", 1) == (0 if service["name"] in COMMANDS else 1)


def test_every_service_says_whether_it_works(service: Mapping[str, Any]) -> None:
    """A health check that asks the service something, with a time limit."""
    check = service["healthcheck"]
    if service["name"] in ONCE | COMMANDS:
        assert check == {"disable": True}
        return
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "start_period"} <= check.keys()


def test_images_are_pinned(service: Mapping[str, Any]) -> None:
    """A version to the last figure, never `latest` or a line of versions."""
    assert re.fullmatch(r"[a-z/-]+:v?[0-9]+\.[0-9]+\.[0-9]+(@sha256:[0-9a-f]{64})?", service["image"])


def test_only_devices_reach_in_from_outside(project: Mapping[str, Any]) -> None:
    """The public ports are MQTT over TLS; what else is published is for this machine alone."""
    ports = [(name, port) for name, each in project["services"].items() for port in each.get("ports", ())]
    public = [(name, port["target"]) for name, port in ports if port.get("host_ip") != "127.0.0.1"]
    assert public == [("mosquitto", 8883), ("mosquitto", 8884)]
    inner = {name for name, each in project["networks"].items() if each.get("internal")}
    assert inner == {"messages", "series", "figures"}


def test_data_has_names_and_configuration_cannot_be_changed(project: Mapping[str, Any]) -> None:
    """Volumes are declared; bind mounts are read-only, must exist, and are the deployment's own."""
    for name, each in project["services"].items():
        for volume in each.get("volumes", ()):
            if volume["type"] == "volume":
                assert volume["source"] in project["volumes"]
                continue
            assert volume["type"] == "bind"
            assert not volume["bind"].get("create_host_path")
            assert Path(volume["source"]).exists(), volume["source"]
            # `forget` withdraws consent first, in the city's own file.
            written = (name in ONCE and volume["source"].endswith(".token")) or (
                name in COMMANDS and volume["source"].endswith("deploy/site")
            )
            assert volume.get("read_only", False) is not written


def test_the_aggregator_sees_the_roads_and_no_households(project: Mapping[str, Any]) -> None:
    """What it must know of the city is a folder of its own beside the registry of people's devices."""
    mounts = {
        each["source"] for each in project["services"]["aggregator"]["volumes"] if "deploy/site" in each["source"]
    }
    assert [each.rpartition("deploy/")[2] for each in mounts] == ["site/roads"]


def test_secrets_are_files_that_make_secrets_makes(project: Mapping[str, Any]) -> None:
    """Each is there, each is used, and no service has one by environment or command line."""
    files = {name: Path(each["file"]) for name, each in project["secrets"].items()}
    assert all(path.is_file() for path in files.values())
    used = {each["source"] for service in project["services"].values() for each in service.get("secrets", ())}
    assert set(files) == used
    values = [path.read_bytes().strip() for path in (files["ca.crt"].parent).rglob("*.password")]
    text = json.dumps(project)
    assert not [value for value in values if value.decode() in text]
    for service in project["services"].values():
        for key, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|TOKEN|KEY", key) or value.startswith(("/run/", "/etc/")), key


def test_each_service_has_only_the_secrets_it_needs(project: Mapping[str, Any]) -> None:
    """Least privilege: ingest cannot reach InfluxDB, the aggregator not the broker, Grafana only its token."""
    held = {
        name: {each["source"] for each in service.get("secrets", ())} for name, service in project["services"].items()
    }
    served = {name: {f"{name}.crt", f"{name}.key", "ca.crt"} for name in held}
    figures = {"metrics.token"}
    ingest = {"garonne.key", "mqtt_ingest.password", "kafka_ingest.password"}
    assert held["ingest"] == ingest | served["ingest"] | figures
    aggregator = {"garonne.key", "kafka_aggregator.password", "aggregator.token"}
    assert held["aggregator"] == aggregator | served["aggregator"] | figures
    assert held["report"] == {"garonne.key", "ca.crt", "report.token"}
    client = {"grafana-client.crt", "grafana-client.key"}
    assert held["grafana"] == {"grafana_admin.password", "grafana.token"} | client | served["grafana"]
    assert held["grafana-setup"] == {"grafana_admin.password", "ca.crt"}
    assert held["prometheus"] == served["prometheus"] | figures
    assert held["influxdb"] == served["influxdb"]
    assert held["mosquitto"] == set()
    assert held["tools"] == {
        "garonne.key", "ca.crt", "mqtt_doctor.password", "kafka_operator.password", "operator.token", "metrics.token",
        "ingest.crt", "aggregator.crt",
    }  # fmt: skip
    assert held["kafka-setup"] == {"ca.crt", "kafka_broker.password"}


def test_every_server_speaks_tls_and_asks_who_comes(site: Path) -> None:
    """MQTT, Kafka and its controller, InfluxDB, both services, Prometheus, Grafana: none has a plain listener."""
    deploy = site / "deploy"
    mosquitto = (deploy / "mosquitto/mosquitto.conf").read_text("utf-8")
    listeners = re.split(r"^listener ", mosquitto, flags=re.MULTILINE)[1:]
    assert len(listeners) == 3
    assert all("certfile" in each and "tls_version tlsv1.2" in each for each in listeners)
    assert "allow_anonymous false" in mosquitto
    kafka = dict(re.findall(r"^([a-z.]+)=(.*)$", (deploy / "kafka/server.properties").read_text("utf-8"), re.MULTILINE))
    assert kafka["listener.security.protocol.map"] == "CONTROLLER:SSL,CLIENT:SASL_SSL"
    assert kafka["authorizer.class.name"].endswith("StandardAuthorizer")
    assert kafka["allow.everyone.if.no.acl.found"] == "false"
    influxdb = yaml.safe_load((deploy / "influxdb/config.yml").read_text("utf-8"))
    assert influxdb["tls-cert"]
    assert influxdb["tls-key"]
    settings = read_settings(deploy / "garonne.toml")
    assert settings.mqtt.tls
    assert settings.kafka.security_protocol == "SASL_SSL"
    assert settings.influxdb.url.startswith("https://")
    for served in (settings.ingest, settings.aggregator):
        assert served.metrics_certificate_file is not None
        assert served.metrics_token_file is not None
    web = yaml.safe_load((deploy / "prometheus/web.yml").read_text("utf-8"))["tls_server_config"]
    assert web["client_auth_type"] == "RequireAndVerifyClientCert"
    jobs = yaml.safe_load((deploy / "prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    assert {job["scheme"] for job in jobs} == {"https"}
    compose = yaml.safe_load((site / "docker-compose.yml").read_text("utf-8"))["services"]
    assert compose["grafana"]["environment"]["GF_SERVER_PROTOCOL"] == "https"
    assert "--web.config.file=/etc/prometheus/web.yml" in compose["prometheus"]["command"]
    sources = yaml.safe_load((deploy / "grafana/provisioning/datasources/garonne.yaml").read_text("utf-8"))
    assert all(each["url"].startswith("https://") for each in sources["datasources"])
    # Nobody is told to look away.
    shipped = [path.read_text("utf-8") for path in deploy.rglob("*") if path.suffix in {".yml", ".yaml", ".toml"}]
    assert not re.search("skip.?verify|insecure", "".join(shipped), re.IGNORECASE)


def test_addresses_in_the_configuration_are_services(site: Path, project: Mapping[str, Any]) -> None:
    """garonne.toml, Prometheus and Grafana name servers that compose starts, on a network they share."""
    settings = read_settings(site / "deploy/garonne.toml")
    networks = {name: set(each["networks"]) for name, each in project["services"].items()}
    assert networks["ingest"] & networks[settings.mqtt.host]
    assert networks["ingest"] & networks["aggregator"] & networks[settings.kafka.bootstrap.split(":")[0]]
    assert settings.influxdb.url == "https://influxdb:8086"
    assert networks["aggregator"] & networks["influxdb"]
    scraped = yaml.safe_load((site / "deploy/prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    targets = {target for job in scraped for each in job["static_configs"] for target in each["targets"]}
    own = {f"ingest:{settings.ingest.metrics_port}", f"aggregator:{settings.aggregator.metrics_port}"}
    assert own < targets
    assert networks["prometheus"] & networks["ingest"] & networks["aggregator"]
    assert settings.ingest.metrics_host == settings.aggregator.metrics_host == "0.0.0.0"  # noqa: S104
    for port, name in ((settings.ingest.metrics_port, "ingest"), (settings.aggregator.metrics_port, "aggregator")):
        assert f"127.0.0.1:{port}/readyz" in " ".join(project["services"][name]["healthcheck"]["test"])


def test_the_window_of_the_broker_fits_the_batch(site: Path) -> None:
    """max_inflight_messages is what garonne.toml says of it: a smaller one would stall every batch."""
    settings = read_settings(site / "deploy/garonne.toml")
    text = (site / "deploy/mosquitto/mosquitto.conf").read_text("utf-8")
    window = re.search(r"^max_inflight_messages (\d+)$", text, re.MULTILINE)
    assert window is not None
    assert int(window[1]) == settings.mqtt.broker_inflight == settings.mqtt.receive_maximum >= 2 * settings.ingest.batch
