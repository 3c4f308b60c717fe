"""What the guides, the runbook and the privacy pages say is so: alerts, attacks, commands, times are the code's."""

import ast
import re
import shlex
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from schemas.envelope import TOPICS
from scripts.dashboards.alerts import ALERTS
from services.cli import app
from services.runtime.settings import KafkaSettings
from tests.security.catalogue import MODULES, attacks_of

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SAID = ("Means", "How bad", "Look at", "Do", "Over")
ABOUT_ATTACKS = ("security/threat-model.md", "privacy/dpia.md", "privacy/dpia.fr.md", "privacy/register.md")
WITH_COMMANDS = ("runbook.md", "operations/guide.md", "development/guide.md", "accounting.md")
ATTACK = re.compile(
    r"`((?:mqtt|kafka|influxdb|influxql|delete|metrics|bomb|forged|flood|export|sealed|pseudonym|tiny|one|few|no"
    r"|withdrawn|erased|replayed|open|line|log|path)-[a-z0-9-]+)`"
)


def _text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def _sections() -> dict[str, str]:
    """The runbook's sections by heading."""
    parts = re.split(r"^## (.+)$", _text("runbook.md"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_alert_has_its_section_in_the_runbook_and_no_section_is_without() -> None:
    """A link of an alert leads to what to do; a rule that is gone takes its section along."""
    assert list(_sections()) == [each.name for each in ALERTS]
    assert {each.runbook for each in ALERTS} == {f"docs/runbook.md#{name.lower()}" for name in _sections()}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda each: each.name)
def test_a_section_says_what_how_bad_what_to_look_at_what_to_do_and_when_it_is_over(alert: Any) -> None:
    """Whoever is woken finds the same five answers at the same place, and how bad it is agrees with the rule."""
    section = _sections()[alert.name]
    assert re.findall(r"^- \*\*(.+?)\*\*:", section, re.MULTILINE) == list(SAID)
    assert re.search(r"\*\*How bad\*\*: (critical|warning)", section) is not None
    assert f"**How bad**: {alert.severity}" in section


@pytest.mark.parametrize("name", ABOUT_ATTACKS)
def test_an_attack_that_a_page_rests_on_is_tried(name: str) -> None:
    """What the threat model and the assessments name as proof is on the attacker's list."""
    named = set(ATTACK.findall(_text(name)))
    assert named
    assert named - {each.name for module in MODULES for each in attacks_of(module)} == set()


def _commands(name: str) -> list[list[str]]:
    """Command lines of `garonne` in a page, in fences and in text, without what stands before the first word."""
    text = _text(name)
    fenced = chain.from_iterable(
        block.splitlines() for block in re.findall(r"^```sh[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    )
    lines = [
        *fenced,
        *(
            each.replace("\n", " ")
            for each in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        ),
    ]
    found = []
    for part in chain.from_iterable(line.split("|") for line in lines):
        match = re.search(r"(?:\bgaronne|run --rm (?:-v \S+ )?tools) ((?!\.)[a-z].*)", part)
        if match and not re.match(r"(ingest|aggregator)/", match[1]):
            found.append(shlex.split(match[1].replace("…", "X"), comments=True))
    return found


@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_a_command_of_a_guide_is_one(name: str) -> None:
    """Every `garonne …` of the guides names a command that exists, with options that it takes."""
    commands = _commands(name)
    assert commands
    wrong = [words for words in commands if not _is_known(words)]
    assert wrong == []


def _is_known(words: list[str]) -> bool:
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest:
        if rest[0] not in command.commands:
            if "list" not in command.commands:
                return False
            rest.insert(0, "list")  # `garonne devices` means `garonne devices list`
        command = command.commands[rest.pop(0)]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
    return {word.split("=")[0] for word in rest if word.startswith("-") and word != "-"} <= known


def _assigned(path: Path, name: str) -> Any:
    """A constant of a script that is no module of ours, such as the set-up of InfluxDB."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert node.value is not None
            return eval(compile(ast.Expression(node.value), str(path), "eval"), {"DAY_S": 86_400})  # noqa: S307
    raise AssertionError(f"{path} assigns no {name}")


@pytest.mark.parametrize(
    ("page", "days", "ever"),
    [("privacy/register.md", "{:,} days", "no end"), ("privacy/register.fr.md", "{} jours", "sans limite")],
)
def test_the_register_tells_the_retention_that_is_set(page: str, days: str, ever: str) -> None:
    """How long topics and buckets keep what, as the register of processing says it, is what the set-up sets."""
    text, kafka = _text(page), KafkaSettings()

    def told(number: int) -> str:
        return days.format(number) if "," in days else days.format(f"{number:,}".replace(",", " "))

    energy = re.search(r"## 1\..*?(?=\n## )", text, re.DOTALL)
    vehicles = re.search(r"## 2\..*?(?=\n## )", text, re.DOTALL)
    assert energy is not None
    assert vehicles is not None
    assert told(kafka.retention_days) in energy[0]
    assert f"{kafka.vehicle_retention_h} h" in vehicles[0]
    assert {"garonne.energy", "garonne.mobility"} <= set(TOPICS.values())
    for bucket, kept_s in _assigned(ROOT / "deploy/influxdb/set_up.py", "BUCKETS").items():
        row = re.search(rf"\(?`{bucket}`\)?[^.]*?: ?([^.;\[]+)", energy[0].replace(" :", ":"))
        assert row is not None, bucket
        assert (told(kept_s // 86_400) if kept_s else ever) in row[1], bucket


def test_the_limits_of_memory_are_those_that_the_guide_adds_up() -> None:
    """The sum that an operator plans a machine by is that of the compose file, without what ends by itself."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    lasting = [each["mem_limit"] for name, each in services.items() if not name.endswith("-setup") and name != "tools"]
    total_gb = sum(float(each[:-1]) * {"g": 1, "m": 1 / 1024}[each[-1]] for each in lasting)
    assert f"add up to {total_gb:g} GB" in _text("operations/guide.md")
