"""The images: one target per service, nothing unpinned, nobody root, and all that a service imports is in it."""

import ast
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from scripts.lock_subset import closure, locked, subset
from tests.deploy.conftest import ROOT

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines()
    if line.strip() and not line.startswith("#")
]
EXTRAS = {
    "ingest": ("ingest",),
    "aggregator": ("ingest", "aggregator"),
    "report": ("ingest", "aggregator", "report"),
}
ENTRIES = {
    "ingest": ("services.cli", "services.running", "services.checking", "services.offline", "services.ingest"),
    "aggregator": ("services.cli", "services.running", "services.aggregator", "services.ingest.assembly"),
    "report": ("services.cli", "services.reporting", "services.running", "services.aggregator", "services.ingest"),
}
NOT_HERE = {"ingest": (), "aggregator": ("services.aggregator.kpis", "services.aggregator.report"), "report": ()}
"""Parts of a service that another image runs."""


def _stages() -> dict[str, list[tuple[str, ...]]]:
    stages: dict[str, list[tuple[str, ...]]] = {}
    for instruction in INSTRUCTIONS:
        if instruction[0] == "FROM":
            stages[instruction[1].split()[-1]] = here = []
        here.append(instruction)
    return stages


@pytest.mark.parametrize("target", ["ingest", "aggregator", "report"])
def test_an_image_runs_as_nobody_special(target: str) -> None:
    """A target of its own, USER by number after the last change of files, and garonne as entry point."""
    stages = _stages()
    assert ("USER", "10001:10001") in stages[target]
    assert stages[target][0] == ("FROM", f"base AS {target}")
    assert ("ENTRYPOINT", '["/opt/garonne/bin/garonne"]') in stages["base"]
    assert not [each for each in stages[target] if each[0] == "RUN"]


def test_bases_are_pinned() -> None:
    """Every image that is not built here has its version to the last figure."""
    stages = _stages()
    bases = {instructions[0][1].split()[0] for instructions in stages.values()} - stages.keys()
    assert bases
    for base in bases:
        assert re.fullmatch(r"[a-z]+:[0-9]+\.[0-9]+\.[0-9]+(-[a-z-]+)?(@sha256:[0-9a-f]{64})?", base), base


def test_nothing_comes_from_an_address_and_nothing_secret_goes_in() -> None:
    """No ADD, no download, no whole context, no secret as argument or variable."""
    assert {each[0] for each in INSTRUCTIONS} <= {
        "FROM", "ENV", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD", "EXPOSE", "USER",
    }  # fmt: skip
    assert not re.search(r"https?://(?!docs)|curl|wget|apt-get|COPY \. ", "\n".join(" ".join(e) for e in INSTRUCTIONS))


def test_everything_installed_has_a_known_hash() -> None:
    """Each pip install takes hashes from the lock, or our own wheel and nothing from outside."""
    installs = re.findall(r"pip install ([^&\n]*)", re.sub(r"\\\n", " ", DOCKERFILE))
    assert len(installs) >= 4
    for each in installs:
        assert "--require-hashes --no-deps -r" in each or "--no-deps --no-index /wheels" in each


def test_the_build_sees_only_what_it_needs() -> None:
    """.dockerignore lets in by name: no secrets, no git history, no tests."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule.removeprefix("!").rstrip("/") for rule in rules if rule.startswith("!")}
    copied = {
        name for each in INSTRUCTIONS if each[0] == "COPY" and "--from" not in each[1] for name in each[1].split()[:-1]
    }
    assert allowed == copied


@pytest.mark.parametrize("service", sorted(EXTRAS))
def test_an_image_holds_what_its_service_needs_and_no_more(service: str) -> None:
    """The part of the lock is closed and hashed, and without development tools."""
    text = subset((ROOT / "requirements.lock").read_text("utf-8"), EXTRAS[service])
    entries = locked(text)
    assert set(entries) == closure(EXTRAS[service])
    assert all("--hash=sha256:" in entry for entry in entries.values())
    assert {"aiokafka", "pydantic", "typer"} <= entries.keys()
    assert not {"pytest", "mypy", "ruff", "iotcore", "paho-mqtt", "uv"} & entries.keys()
    assert ("influxdb-client" in entries) is (service != "ingest")
    assert ("matplotlib" in entries) is (service == "report")


def _modules(service: str) -> Iterator[Path]:
    for path in sorted((ROOT / "services").rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if any(name == each or name.startswith(f"{each}.") for each in ENTRIES[service]) and not name.startswith(
            NOT_HERE[service]
        ):
            yield path
    yield from sorted((ROOT / "services/runtime").rglob("*.py"))
    yield from sorted((ROOT / "schemas").rglob("*.py"))


@pytest.mark.parametrize("service", sorted(EXTRAS))
def test_an_image_can_import_all_that_its_service_imports(service: str) -> None:
    """No module rests on a package that is here by chance, such as one that a development tool brings."""
    owners = packages_distributions()
    installed = closure(EXTRAS[service])
    missing = set()
    for path in _modules(service):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.append(node.module)
            for top in {name.split(".")[0] for name in names} & owners.keys() - {"services", "schemas"}:
                if not {canonicalize_name(each) for each in owners[top]} & installed:
                    missing.add(f"{path.relative_to(ROOT)}: {top}")
    assert missing == set()
