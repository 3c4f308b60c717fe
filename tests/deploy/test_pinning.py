"""`deploy/pin-images`: every image that is not built here gets its digest, or nothing is written."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import ROOT

_DOCKER = """#!/bin/sh
# A registry that knows every image but one; the digest is made of the name.
[ "$1 $2 $3" = "buildx imagetools inspect" ] || exit 2
case "$4" in *{unknown}*) echo "$4: not found" >&2; exit 1;; esac
printf 'sha256:%s\\n' "$(printf %s "$4{salt}" | sha256sum | cut -d' ' -f1)"
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The two files, and the script beside them."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    for name in ("Dockerfile", "pin-images", "pin_images.py"):
        shutil.copy(ROOT / "deploy" / name, tmp_path / "deploy")
    return tmp_path


def _pin(copy: Path, *arguments: str, unknown: str = "nothing-of-this", salt: str = "") -> tuple[int, str]:
    programs = copy / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "docker").write_text(_DOCKER.format(unknown=unknown, salt=salt), "utf-8")
    (programs / "docker").chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}"}
    command = [str(copy / "deploy/pin-images"), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def _images(copy: Path) -> list[str]:
    lines = [
        line.strip()
        for path in (copy / "docker-compose.yml", copy / "deploy/Dockerfile")
        for line in path.read_text("utf-8").splitlines()
    ]
    return [line.split()[1] for line in lines if line.startswith(("image:", "FROM ")) and ":" in line.split()[1]]


def test_every_image_of_others_gets_its_digest(copy: Path) -> None:
    """Of compose and of the Dockerfile; our own are left; a second run changes nothing, `--renew` asks again."""
    before = _images(copy)
    code, said = _pin(copy)
    assert code == 0, said
    after = _images(copy)
    assert [each.partition("@")[0] for each in after] == [each.partition("@")[0] for each in before]
    own = {each for each in after if each.startswith("garonne/")}
    assert own
    assert all("@" not in each for each in own)
    assert all(len(each.partition("@sha256:")[2]) == 64 for each in set(after) - own)
    assert len(set(after) - own) >= 6
    _pin(copy, salt="newer")
    assert _images(copy) == after
    _pin(copy, "--renew", salt="newer")
    assert set(_images(copy)) & set(after) == own


def test_nothing_is_written_if_one_image_is_not_known(copy: Path) -> None:
    """And it is named."""
    before = _images(copy)
    code, said = _pin(copy, unknown="influxdb")
    assert (code, "nothing is written: influxdb:" in said) == (1, True)
    assert _images(copy) == before
