"""The shipped servers, each started once, with secrets of their own."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.conftest import ROOT
from tests.deploy.shipped import ShippedInflux, ShippedKafka, ShippedMosquitto
from tests.security.clients import Broker, Log
from tests.security.on_influxdb import Series
from tests.security.on_mqtt import CAR, GONE, METER, OTHER, UNIT


@pytest.fixture(scope="session")
def attacked_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployment with a meter, a plug, a car, a roadside unit, and one whose certificate was revoked."""
    copy = tmp_path_factory.mktemp("attacked")
    shutil.copytree(ROOT / "deploy", copy / "deploy", ignore=shutil.ignore_patterns("secrets"))
    devices = [word for name in (METER, OTHER, CAR) for word in ("--device", name)]
    stations = ["--station", UNIT, "--station", GONE]
    _make_secrets(copy, *devices, *stations)
    (copy / "stolen").mkdir()
    for kind in ("key", "crt"):
        shutil.copy(copy / f"deploy/secrets/devices/{GONE}.{kind}", copy / "stolen")
    _make_secrets(copy, "--revoke", GONE)
    return copy


def _make_secrets(site: Path, *arguments: str) -> None:
    done = subprocess.run([site / "deploy/make-secrets", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def mosquitto(attacked_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker."""
    with ShippedMosquitto(tmp_path_factory.mktemp("attacked-mosquitto"), attacked_site) as server:
        yield Broker(server, attacked_site)


@pytest.fixture(scope="session")
def kafka(attacked_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """The event log, set up."""
    with ShippedKafka(tmp_path_factory.mktemp("attacked-kafka"), attacked_site) as server:
        server.set_up()
        yield Log(server, attacked_site)


@pytest.fixture(scope="session")
def influxdb(attacked_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Series]:
    """The time series, set up."""
    with ShippedInflux(tmp_path_factory.mktemp("attacked-influx"), attacked_site) as server:
        server.set_up(attacked_site)
        yield Series(server, attacked_site)
