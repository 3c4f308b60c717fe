"""`garonne doctor` on the shipped deployment: what is well is told, and what is not by its name and its hop."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from services.runtime.kafka import connection_options
from services.runtime.settings import KafkaSettings, read_settings
from tests.deploy.whole import Deployment, Service
from tests.servers.running import free_port

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def _examine(deployment: Deployment, *arguments: str, **changes: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """What the command of the `tools` container says: exit code, the worst finding of each matter, all of its words."""
    secrets = deployment.site / "deploy/secrets"
    environment = {
        "PATH": os.environ["PATH"],
        "GARONNE_CONFIG": str(deployment.site / "deploy/garonne.toml"),
        "GARONNE_MQTT__USERNAME": "garonne-doctor",
        "GARONNE_MQTT__PASSWORD_FILE": str(secrets / "mqtt_doctor.password"),
        "GARONNE_KAFKA__USERNAME": "operator",
        "GARONNE_KAFKA__PASSWORD_FILE": str(secrets / "kafka_operator.password"),
        "GARONNE_INFLUXDB__TOKEN_FILE": str(secrets / "operator.token"),
        **deployment.addresses,
        **changes,
    }
    program = Path(sys.executable).with_name("garonne")
    done = subprocess.run(
        [str(program), "doctor", "--json", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)["findings"]
    order = ["good", "not seen", "warning", "bad"]
    worst: dict[str, dict[str, Any]] = {}
    for each in findings:
        if each["about"] not in worst or order.index(each["verdict"]) > order.index(worst[each["about"]]["verdict"]):
            worst[each["about"]] = each
    return done.returncode, worst, done.stdout


def _verdicts(worst: Mapping[str, Mapping[str, Any]], verdict: str) -> set[str]:
    return {about for about, each in worst.items() if each["verdict"] == verdict}


def test_a_deployment_that_works_is_well_and_each_hop_has_its_time(deployment: Deployment) -> None:
    """Files, TLS, certificates, rights, topics, buckets, clock and the probe's three hops: all good, exit 0."""
    code, worst, said = _examine(deployment)
    assert code == 0, said
    assert {each["verdict"] for each in worst.values()} == {"good"}, said
    assert {"configuration", "key_file", "MQTT", "Kafka", "InfluxDB", "clock", "aggregator"} <= worst.keys()
    hops = [worst[f"probe to {where}"] for where in ("MQTT", "the event log", "the time series")]
    assert all(each["seconds"] >= 0 for each in hops)
    assert "days" in said


def test_a_wrong_password_is_told_with_its_key(deployment: Deployment, tmp_path: Path) -> None:
    """Of the broker and of Kafka, each by the key of the configuration that names the file; nothing else is blamed."""
    wrong = tmp_path / "wrong.password"
    wrong.write_text("not this one", "utf-8")
    wrong.chmod(0o600)
    code, worst, said = _examine(deployment, GARONNE_MQTT__PASSWORD_FILE=str(wrong))
    assert (code, _verdicts(worst, "bad")) == (1, {"probe to MQTT"}), said
    assert "mqtt.password_file" in worst["probe to MQTT"]["text"]
    code, worst, said = _examine(deployment, "--no-probe", GARONNE_KAFKA__PASSWORD_FILE=str(wrong))
    assert (code, _verdicts(worst, "bad")) == (1, {"Kafka"}), said
    assert "kafka.password_file" in worst["Kafka"]["advice"]
    code, worst, said = _examine(deployment, "--no-probe", GARONNE_INFLUXDB__TOKEN_FILE=str(wrong))
    assert (code, _verdicts(worst, "bad")) == (1, {"InfluxDB"}), said
    assert "influxdb.token_file" in worst["InfluxDB"]["advice"]


def test_who_may_not_publish_a_probe_is_told_so(deployment: Deployment) -> None:
    """Ingest's own user reads only."""
    secrets = deployment.site / "deploy/secrets"
    code, worst, said = _examine(
        deployment,
        GARONNE_MQTT__USERNAME="garonne-ingest",
        GARONNE_MQTT__PASSWORD_FILE=str(secrets / "mqtt_ingest.password"),
    )
    assert (code, _verdicts(worst, "bad")) == (1, {"probe to MQTT"}), said
    assert "may not write garonne/probe" in worst["probe to MQTT"]["text"]


def test_a_server_that_is_away_is_told_and_the_probe_is_not_sent(deployment: Deployment) -> None:
    """A closed port, a name that nobody has."""
    addresses = {
        "GARONNE_INFLUXDB__URL": f"https://127.0.0.1:{free_port()}",
        "GARONNE_KAFKA__BOOTSTRAP": "kafka.invalid:9092",
    }
    code, worst, said = _examine(deployment, **addresses)
    assert (code, _verdicts(worst, "bad")) == (1, {"InfluxDB", "Kafka"}), said
    assert "cannot be reached" in worst["InfluxDB"]["text"]
    assert "no machine is called kafka.invalid" in worst["Kafka"]["text"]
    assert worst["probe"]["verdict"] == "not seen"


@pytest.mark.parametrize(("name", "hop"), [("ingest", "the event log"), ("aggregator", "the time series")])
def test_the_hop_where_the_probe_stopped_is_named(deployment: Deployment, name: str, hop: str) -> None:
    """A service that does not run: the hops before it are good, and it is named; when it is back all is well."""
    service: Service = getattr(deployment, name)
    service.stop()
    try:
        code, worst, said = _examine(deployment, "--patience", "3")
    finally:
        service.start()
    assert code == 1, said
    stopped = worst[f"probe to {hop}"]
    assert stopped["verdict"] == "bad", said
    assert "stopped" in stopped["text"]
    assert (
        f"garonne {name.removesuffix('gator') + 'gate' if name == 'aggregator' else name} running" in stopped["advice"]
    )
    assert worst["probe to MQTT"]["verdict"] == "good"
    assert (worst["aggregator"]["verdict"] == "bad") is (name == "aggregator")


async def test_a_missing_topic_is_told(deployment: Deployment) -> None:
    """By its name, and what makes it again."""
    shipped = read_settings(deployment.site / "deploy/garonne.toml").kafka
    here = {"bootstrap": deployment.kafka.bootstrap, "username": "broker"}
    here["password_file"] = str(deployment.site / "deploy/secrets/kafka_broker.password")
    admin = AIOKafkaAdminClient(**connection_options(KafkaSettings.model_validate({**shipped.model_dump(), **here})))
    await admin.start()
    try:
        await admin.delete_topics(["garonne.citizen"])
    finally:
        await admin.close()
    code, worst, said = _examine(deployment, "--no-probe")
    deployment.kafka.set_up()
    assert (code, worst["Kafka"]["verdict"]) == (1, "bad"), said
    assert "garonne.citizen" in worst["Kafka"]["text"]
    assert "set-up" in worst["Kafka"]["advice"]
