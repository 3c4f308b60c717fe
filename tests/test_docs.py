"""What the documentation says is so: every command of the README runs, every link leads somewhere."""

import os
import re
import shlex
import subprocess
import tomllib
from itertools import takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/**/README.md"))
    if ".venv" not in path.parts
)
README = ROOT / "README.md"
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")


def _blocks(language: str) -> list[tuple[str, str]]:
    """Code blocks of the README: the words after the language, and the text."""
    return [(words.strip(), text) for kind, words, text in FENCE.findall(README.read_text("utf-8")) if kind == language]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_inside_the_project_leads_somewhere(path: Path) -> None:
    """Relative links name files that exist."""
    links = [
        link for link in LINK.findall(path.read_text("utf-8")) if "://" not in link and not link.startswith("mailto:")
    ]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_dependency_has_its_reason() -> None:
    """ADR 0012 and pyproject.toml name the same packages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = set()
    for lines in (project["dependencies"], *project["optional-dependencies"].values()):
        wanted |= {re.split(r"[\[<>=; ]", line)[0].lower() for line in lines} - {"garonne"}
    table = re.findall(
        r"^\| ([A-Za-z0-9_-]+) \|", (ROOT / "docs/adr/0012-dependencies.md").read_text("utf-8"), re.MULTILINE
    )
    assert {name.lower() for name in table} - {"package"} == wanted


def test_every_decision_is_listed() -> None:
    """The index of decision records is complete."""
    index = (ROOT / "docs/adr/README.md").read_text("utf-8")
    assert [path.name for path in ROOT.glob("docs/adr/0*.md") if path.name not in index] == []


@pytest.mark.parametrize("block", _blocks("sh"), ids=lambda block: block[1].splitlines()[0])
def test_a_command_of_the_readme_runs(block: tuple[str, str], tmp_path: Path) -> None:
    """Blocks are run in the project; `make` targets that CI itself runs, and commands that serve, are only resolved.

    A block says so after its language: `run`, `make` (the target exists), or `serve` (the command knows its options).
    """
    kind, text = block
    environment = {**os.environ, "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}", "DEMO": str(tmp_path)}
    environment.pop("GARONNE_CONFIG", None)
    if kind == "make":
        for line in text.splitlines():
            target = line.split("#")[0].split()[1]
            done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        return
    if kind == "serve":
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            named = list(takewhile(lambda word: not word.startswith("--"), words))
            done = subprocess.run([*named, "--help"], capture_output=True, text=True, check=False, env=environment)
            options = [word for word in words if word.startswith("--")]
            assert done.returncode == 0, done.stderr
            assert [word for word in options if word.split("=")[0] not in done.stdout] == []
        return
    assert kind == "run", f"say after ```sh how this block is tested: run, make or serve ({kind!r})"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
