"""A copy of the deployment with secrets of its own."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.deploy.whole import Deployment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def make_secrets() -> Callable[..., str]:
    """Runs `deploy/make-secrets` of a deployment with these arguments; gives what it said."""

    def run(site: Path, *arguments: str) -> str:
        done = subprocess.run([site / "deploy/make-secrets", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def _copied(copy: Path, make_secrets: Callable[..., str]) -> Path:
    shutil.copy(ROOT / "docker-compose.yml", copy)
    shutil.copytree(ROOT / "deploy", copy / "deploy", ignore=shutil.ignore_patterns("secrets"))
    make_secrets(copy, "--name", "mqtt.example.org", "--device", "041876000103", "--device", "compteur-cave")
    return copy


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, make_secrets: Callable[..., str]) -> Path:
    """What an operator has after the first command: docker-compose.yml, deploy/ with secrets, two devices."""
    return _copied(tmp_path_factory.mktemp("site"), make_secrets)


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory, make_secrets: Callable[..., str]) -> "Iterator[Deployment]":
    """All that compose starts, but the screens; what a test stops, it starts again.

    On a site of its own: setting up another InfluxDB writes other tokens into the files.
    """
    from tests.deploy.whole import deployed  # noqa: PLC0415 - it needs this module

    with deployed(_copied(tmp_path_factory.mktemp("whole"), make_secrets), tmp_path_factory.mktemp("deployment")) as it:
        yield it
