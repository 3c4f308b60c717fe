"""Secrets are made once, for one owner and one group, and the shipped configuration works with them."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services.checking import check_configuration
from services.runtime.settings import read_settings
from tests.deploy.conftest import ROOT


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_making_secrets_again_changes_none(site: Path, make_secrets: Callable[..., str]) -> None:
    """An operator may run it at any time, for example to enrol one more device."""
    before = _contents(site / "deploy/secrets")
    assert make_secrets(site) == ""
    assert before == _contents(site / "deploy/secrets")


def test_a_device_is_enrolled_without_touching_the_others(site: Path, make_secrets: Callable[..., str]) -> None:
    """Its line is added to the broker's password file; all other lines stay."""
    passwords = site / "deploy/secrets/mosquitto/passwords"
    before = passwords.read_text("utf-8").splitlines()
    make_secrets(site, "--device", "newcomer")
    after = passwords.read_text("utf-8").splitlines()
    assert set(before) < set(after)
    assert [line.split(":")[0] for line in after if line not in before] == ["newcomer"]


@pytest.mark.parametrize("name", ["a/b", "+", "#", "", "garonne-ingest", "a b", "x:y\n"])
def test_a_device_cannot_take_a_name_that_means_something_else(site: Path, name: str) -> None:
    """A wildcard or the service's own name would open other topics."""
    done = subprocess.run(
        [site / "deploy/make-secrets", f"--device={name}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "cannot name a device" in done.stderr


def test_no_secret_is_open_to_everybody(site: Path) -> None:
    """The folder is its owner's alone; a file's group may read, others nothing, and only tokens can be written."""
    folder = site / "deploy/secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.rglob("*"):
        mode = path.stat().st_mode & 0o777
        allowed = 0o750 if path.is_dir() else 0o660 if path.suffix == ".token" else 0o440
        assert mode & ~allowed == 0, path.name


def test_every_secret_is_of_its_own(site: Path) -> None:
    """No two passwords are equal, and none is short."""
    passwords = [path.read_text("utf-8") for path in (site / "deploy/secrets").rglob("*.password")]
    assert len(passwords) == len(set(passwords)) > 8
    assert min(map(len, passwords)) >= 48


@pytest.mark.parametrize("user", ["ingest", "aggregator"])
def test_the_shipped_configuration_is_right(site: Path, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`garonne check` finds nothing to say, also with what compose tells the aggregator by its environment."""
    if user == "aggregator":
        password = site / "deploy/secrets/kafka_aggregator.password"
        monkeypatch.setenv("GARONNE_KAFKA__USERNAME", "aggregator")
        monkeypatch.setenv("GARONNE_KAFKA__PASSWORD_FILE", str(password))
    settings = read_settings(site / "deploy/garonne.toml")
    assert list(check_configuration(settings)) == []
    assert settings.kafka.username == user
    assert settings.kafka.security_protocol == "SASL_SSL"


def test_the_configuration_names_each_secret_that_is_missing(site: Path, tmp_path: Path) -> None:
    """Without make-secrets, `garonne check` says so for each file."""
    shutil.copy(site / "deploy/garonne.toml", tmp_path)
    found = "\n".join(check_configuration(read_settings(tmp_path / "garonne.toml")))
    for key in ("key_file", "mqtt.ca_file", "mqtt.password_file", "kafka.password_file", "influxdb.token_file"):
        assert f"{key}: " in found


def test_no_secret_is_tracked() -> None:
    """Git ignores the folder of secrets and compose's .env."""
    for name in ("deploy/secrets/garonne.key", ".env"):
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False).returncode == 0
