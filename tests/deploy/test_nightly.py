"""The report of each night: at the hour on the wall, again after a failure, and with the rights of its token."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from scripts.dashboards import DASHBOARDS
from tests.deploy.conftest import ROOT
from tests.deploy.shipped import ShippedInflux

SCRIPT = ROOT / "deploy/report/nightly.py"


@pytest.fixture(scope="module")
def nightly() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("nightly", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-01-10T01:00:00", "2026-01-10T02:30:00"),  # winter: UTC+1
        ("2026-01-10T02:30:00", "2026-01-11T02:30:00"),
        ("2026-07-10T23:00:00", "2026-07-11T01:30:00"),  # summer: UTC+2
        ("2026-03-28T12:00:00", "2026-03-29T01:30:00"),  # the night that loses an hour
        ("2026-10-24T12:00:00", "2026-10-25T02:30:00"),  # the night that has one twice
    ],
)
def test_the_report_is_made_at_the_hour_on_the_wall(nightly: ModuleType, now: str, expected: str) -> None:
    """Half past three in Paris, on short and long days too."""
    instant = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert nightly.next_run(instant, time(3, 30)).isoformat() == f"{expected}+00:00"


def test_an_old_success_is_not_healthy(nightly: ModuleType, tmp_path: Path) -> None:
    """A report that has failed for more than a day turns the container red."""
    mark = tmp_path / "mark"
    now = datetime(2026, 1, 10, tzinfo=UTC)
    assert not nightly.is_healthy(mark, now)
    mark.touch()
    for hours, healthy in ((25, True), (27, False)):
        then = (now - timedelta(hours=hours)).timestamp()
        os.utime(mark, (then, then))
        assert nightly.is_healthy(mark, now) is healthy


@pytest.mark.parametrize(("code", "again"), [(0, "03:30"), (3, None)])
def test_it_says_how_a_run_ended_and_stops_when_told(tmp_path: Path, code: int, again: str | None) -> None:
    """With the exit code of the command and when the next one comes; SIGTERM ends it in good order."""
    command = [sys.executable, "-c", f"raise SystemExit({code})"]
    started = [sys.executable, str(SCRIPT), "--now", "--mark", str(tmp_path / "mark"), *command]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert f"ended with {code}" in line
    assert again is None or again in line


def test_one_command_comes_after_the_other_and_none_after_a_failure(nightly: ModuleType, tmp_path: Path) -> None:
    """`kpi then report`: a report is not made of indicators that failed; its page is put where Grafana links to."""
    write = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"
    first, second = tmp_path / "1.html", tmp_path / "2.html"
    words = [sys.executable, "-c", write, str(first), "a", "then", sys.executable, "-c", write, str(second), "b"]
    assert nightly.run_all(nightly.commands_of(words)) == 0
    os.utime(first, (1, 1))
    page = tmp_path / "published" / "rapport.html"
    page.parent.mkdir()
    nightly.publish(tmp_path, page)
    assert page.read_text("utf-8") == "b"
    assert [each.name for each in page.parent.iterdir()] == ["rapport.html"]
    second.unlink()
    assert nightly.run_all(nightly.commands_of([sys.executable, "-c", "raise SystemExit(3)", *words[5:]])) == 3
    assert not second.exists()
    nightly.publish(tmp_path / "nothing", page)
    assert page.read_text("utf-8") == "b"


def test_the_night_tells_indicators_and_then_makes_the_report() -> None:
    """As docker-compose.yml has it; what it publishes is what the boards link to."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    garonne = "/opt/garonne/bin/garonne"
    assert services["report"]["command"] == [garonne, "kpi", "then", garonne, "report", "--output", "/reports"]
    entrypoint = services["report"]["entrypoint"]
    published = entrypoint[entrypoint.index("--publish") + 1]
    assert entrypoint[entrypoint.index("--from") + 1] == "/reports"
    assert "published:/published" in services["report"]["volumes"]
    mounted = next(v for v in services["grafana"]["volumes"] if isinstance(v, dict) and v["source"] == "published")
    assert mounted["read_only"]
    shown = mounted["target"].removeprefix("/usr/share/grafana") + published.removeprefix("/published")
    links = [link["url"] for board in DASHBOARDS for link in board.as_json()["links"] if link["title"] == "Rapport"]
    assert links == [shown] * len(DASHBOARDS)


@pytest.fixture(scope="module")
def influx(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedInflux]:
    """As the container has it, set up."""
    for token in (site / "deploy/secrets").glob("*.token"):
        if token.stem in {"aggregator", "report", "grafana"}:
            os.truncate(token, 0)
    with ShippedInflux(tmp_path_factory.mktemp("report-influx"), site) as server:
        server.set_up(site)
        yield server


@pytest.mark.servers
def test_the_reports_token_is_enough_for_a_report(site: Path, influx: ShippedInflux, tmp_path: Path) -> None:
    """The command of docker-compose.yml, with its configuration and its token, writes its files and says so."""
    environment = {
        **os.environ,
        "GARONNE_CONFIG": str(site / "deploy/garonne.toml"),
        "GARONNE_INFLUXDB__URL": influx.url,
        "GARONNE_INFLUXDB__TOKEN_FILE": str(site / "deploy/secrets/report.token"),
    }
    garonne = str(Path(sys.executable).parent / "garonne")
    told = subprocess.run([garonne, "kpi", "--json"], env=environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert [json.loads(line)["span"] for line in told.stdout.splitlines()] == ["month", "winter"]
    command = [garonne, "report", "--output", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = [Path(line) for line in done.stdout.split()]
    assert {path.suffix for path in made} == {".html", ".json"}
    for path in made:
        if path.suffix == ".json":
            json.loads(path.read_text("utf-8"))
