"""Bring Mosquitto, Apache Kafka, InfluxDB, Eclipse SUMO and the reader of compose files here from the registries; once.

`python tests/servers/provision.py` needs the standard library alone. Mosquitto and Chromium come from Debian,
Kafka's jars by Maven, InfluxDB is built from its Go module, SUMO is a wheel on PyPI. What was built is kept in
`GARONNE_SERVERS`, by default the user's cache folder, and is used again by every checkout.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = [
    "COMPOSE",
    "INFLUXD",
    "KAFKA_LIBS",
    "MOSQUITTO",
    "SUMO",
    "ProvisionFailed",
    "chromium_path",
    "folder",
    "mosquitto_path",
    "provision",
]

HERE: Final = Path(__file__).resolve().parent
KAFKA_LIBS: Final = "kafka-4.1.0"
INFLUXD: Final = "influxdb-2.7.12"
MOSQUITTO: Final = "mosquitto"
SUMO: Final = "sumo-1.28.0"
"""A traffic simulator of 150 MB: its programs are run and nothing is imported, so it is not in `requirements.lock`."""
COMPOSE: Final = "compose-go-2.16.2"
"""The library by which `docker compose` reads its files; it needs no engine and builds in seconds."""
_PKG_CONFIG_MODULE: Final = "github.com/influxdata/pkg-config@v0.2.14"


class ProvisionFailed(Exception):
    """A server could not be had; the text says which step failed and shows the end of its output."""


def folder() -> Path:
    """Where the servers are kept."""
    configured = os.environ.get("GARONNE_SERVERS")
    if configured:
        return Path(configured).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "garonne" / "servers"


def mosquitto_path() -> Path | None:
    """The broker's program, also where it is not on the PATH of users."""
    found = shutil.which("mosquitto", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/usr/local/sbin")
    return Path(found) if found else None


def chromium_path() -> Path | None:
    """The browser in which the report is opened."""
    found = shutil.which("chromium")
    return Path(found) if found else None


def _say(text: str) -> None:
    sys.stderr.write(f"servers: {text}\n")


def _run(step: str, command: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a step with its output in a log file.

    Raises:
        ProvisionFailed: the command is missing or ended with an error.
    """
    _say(step)
    log = folder() / "logs" / f"{step.split(maxsplit=1)[0].lower()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                command,
                cwd=cwd,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise ProvisionFailed(f"{step}: there is no program {command[0]!r} here; install it first") from error
    if done.returncode:
        tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-25:])
        what = f"{' '.join(command)} ended with {done.returncode}"
        raise ProvisionFailed(f"{step}: {what}; the end of {log}:\n{tail}")


def _apt(step: str, packages: Sequence[str]) -> None:
    """Install Debian packages without starting the services that they bring."""
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    _run(f"{step} (package lists)", ["apt-get", "update", "-qq"], cwd=HERE, environment=quiet)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    _run(f"{step} (packages)", install, cwd=HERE, environment=quiet)


def _mosquitto() -> None:
    if mosquitto_path() is None:
        _apt("Mosquitto from Debian", ["mosquitto", "mosquitto-clients"])


def _chromium() -> None:
    if chromium_path() is None:
        _apt("Chromium from Debian", ["chromium", "fonts-dejavu-core"])


def _kept(name: str, build: Callable[[Path], None]) -> None:
    """Build into a folder beside the final one and move it there when it is whole."""
    final = folder() / name
    if final.exists():
        return
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder(), prefix=f".{name}-") as scratch:
        result = Path(scratch) / "result"
        result.mkdir()
        build(result)
        try:
            result.rename(final)
        except OSError:
            if not final.exists():
                raise


def _kafka(result: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(HERE / "kafka" / "pom.xml", scratch)
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={result / 'libs'}"]
        _run("Kafka's jars by Maven", command, cwd=Path(scratch))


def _rustc_wrapper(path: Path) -> None:
    """The Flux library denies warnings that newer compilers raise: allow them for its crates."""
    path.write_text(
        '#!/bin/sh\nfor word in "$@"; do [ "$word" = --crate-name ] && exec "$@" --cap-lints warn; done\nexec "$@"\n',
        "utf-8",
    )
    path.chmod(0o755)


def _influxdb(result: Path) -> None:
    if any(shutil.which(each) is None for each in ("clang", "protoc", "pkg-config")):
        _apt("InfluxDB's build tools", ["pkg-config", "clang", "protobuf-compiler"])
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for each in ("go.mod", "go.sum", "tools.go"):
            shutil.copy(HERE / "influxdb" / each, scratch)
        _rustc_wrapper(scratch / "rustc-wrapper")
        go = {"GOBIN": str(scratch / "bin"), "GOFLAGS": "-mod=mod", "GOSUMDB": "off"}
        _run("InfluxDB's pkg-config", ["go", "install", _PKG_CONFIG_MODULE], cwd=scratch, environment=go)
        build = {
            "PKG_CONFIG": str(scratch / "bin" / "pkg-config"),
            "RUSTUP_TOOLCHAIN": os.environ.get("RUSTUP_TOOLCHAIN", "stable"),
            "RUSTC_WRAPPER": str(scratch / "rustc-wrapper"),
            "GOFLAGS": "-mod=readonly",
        }
        command = ["go", "build", "-tags", "sqlite_foreign_keys,sqlite_json", "-o", str(result / "influxd")]
        package = "github.com/influxdata/influxdb/v2/cmd/influxd"
        _run("InfluxDB 2.7.12 from its Go module (some minutes)", [*command, package], cwd=scratch, environment=build)


def _compose(result: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for each in ("go.mod", "go.sum", "main.go"):
            shutil.copy(HERE / "compose" / each, scratch)
        command = ["go", "build", "-o", str(result / "compose"), "."]
        _run("Compose's reader from its Go module", command, cwd=scratch, environment={"GOFLAGS": "-mod=readonly"})


def _sumo(result: Path) -> None:
    """Into a folder of its own, by the pip of the project where there is one: a system's Python may have none."""
    own = HERE.parents[1] / ".venv" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--require-hashes"]
    wanted = ["--only-binary=:all:", "-r", str(HERE / "sumo" / "requirements.lock"), "--target", str(result)]
    _run("SUMO's wheel by pip", [*pip, *wanted], cwd=HERE)


def provision() -> None:
    """Bring what is missing; under a second if nothing is.

    Raises:
        ProvisionFailed: says which step failed and what its output was.
    """
    _mosquitto()
    _chromium()
    _kept(KAFKA_LIBS, _kafka)
    _kept(INFLUXD, _influxdb)
    _kept(COMPOSE, _compose)
    _kept(SUMO, _sumo)
    _say(f"ready in {folder()}")


if __name__ == "__main__":
    try:
        provision()
    except ProvisionFailed as problem:
        sys.exit(f"servers: {problem}")
