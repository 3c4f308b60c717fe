"""`garonne devices enrol` and `revoke` write what the broker reads, and `garonne devices` still lists."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.ingest.profiles import discover

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shipped deployment, with secrets."""
    copy = tmp_path_factory.mktemp("made") / "deploy"
    shutil.copytree(ROOT / "deploy", copy, ignore=shutil.ignore_patterns("secrets"))
    subprocess.run([copy / "make-secrets"], capture_output=True, check=True)
    return copy


@pytest.fixture
def deployment(made: Path, tmp_path: Path) -> Path:
    """One for each test."""
    return Path(shutil.copytree(made, tmp_path / "deploy"))


def _run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["devices", *arguments])
    return done.exit_code, done.output


def test_enrolling_a_gateway_gives_it_the_topics_of_its_family(deployment: Path) -> None:
    """A line in the password file, and after the shipped ACL the family's filters under its name."""
    code, text = _run("enrol", "passerelle-7", "--family", "zigbee2mqtt_plug", "--deployment", str(deployment))
    assert code == 0, text
    secrets = deployment / "secrets/mosquitto"
    users = [line.split(":")[0] for line in (secrets / "passwords").read_text("utf-8").splitlines()]
    assert "passerelle-7" in users
    acl = (secrets / "acl").read_text("utf-8")
    assert acl.startswith((deployment / "mosquitto/acl").read_text("utf-8"))
    own = acl.split("user passerelle-7\n")[1].splitlines()
    assert own == [f"topic write {each}" for each in discover()["zigbee2mqtt_plug"].topics]


def test_a_revoked_device_has_no_line_left_and_is_denied(deployment: Path) -> None:
    """Password and topics go; whoever is still connected under its name may nothing any more."""
    where = ("--deployment", str(deployment))
    assert _run("enrol", "vole-1", "--topic", "tic/vole-1/#", *where)[0] == 0
    assert _run("revoke", "vole-1", *where)[0] == 0
    secrets = deployment / "secrets"
    assert "vole-1" not in (secrets / "mosquitto/passwords").read_text("utf-8")
    assert (secrets / "mosquitto/acl").read_text("utf-8").endswith("\nuser vole-1\ntopic deny #\n")
    assert not list((secrets / "devices").glob("vole-1.password"))
    assert _run("revoke", "vole-1", *where)[0] == 1


def test_a_revoked_certificate_is_on_the_list(deployment: Path) -> None:
    """Its serial number, as openssl itself reads the list; another unit's is not."""
    where = ("--deployment", str(deployment))
    numbers = {}
    for name in ("rsu-1", "rsu-2"):
        assert _run("enrol", name, "--station", *where)[0] == 0
        asked = ["openssl", "x509", "-noout", "-serial", "-in", str(deployment / f"secrets/devices/{name}.crt")]
        numbers[name] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip().split("=")[1]
    assert _run("revoke", "rsu-1", *where)[0] == 0
    asked = ["openssl", "crl", "-noout", "-text", "-in", str(deployment / "secrets/mosquitto/devices.crl")]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert numbers["rsu-1"] in text
    assert numbers["rsu-2"] not in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("enrol", "tele"), "word of topics"),
        (("enrol", "garonne-ingest-1"), "cannot name a device"),
        (("enrol", "a/b"), "cannot name a device"),
        (("enrol", "a", "--topic", "#"), "cannot be given"),
        (("enrol", "a", "--topic", "$SYS/#"), "cannot be given"),
        (("enrol", "a", "--topic", "+/+/#"), "cannot be given"),
        (("enrol", "a", "--topic", "import/enedis_csv/x"), "cannot be given"),
        (("enrol", "a", "--topic", "x\nuser b\ntopic write #"), "cannot be given"),
        (("enrol", "a", "--family", "nothing"), "no profile 'nothing'"),
        (("revoke", "nobody"), "no device 'nobody'"),
    ],
)
def test_what_would_open_too_much_is_refused(deployment: Path, arguments: tuple[str, ...], says: str) -> None:
    """Wildcards alone, $SYS, history files, line breaks, names that are words of topics: with the reason."""
    code, text = _run(*arguments, "--deployment", str(deployment))
    assert code == 1
    assert says in text


def test_without_a_subcommand_it_lists_as_ever(tmp_path: Path) -> None:
    """`garonne devices FILE`, with options before or after."""
    recording = tmp_path / "recording.jsonl"
    recording.write_text('{"topic": "tele/a/SENSOR", "payload": "{", "received_at": "2026-01-12T07:00:00Z"}\n', "utf-8")
    for arguments in ((str(recording), "--json"), ("--json", str(recording)), ("list", str(recording), "--json")):
        code, text = _run(*arguments)
        assert code == 0, text
        assert '"state": "refused"' in text


def test_every_word_of_a_topic_is_no_name_of_a_device() -> None:
    """Words that the ACL or a profile has in a topic cannot be names: such a device would own those of others."""
    filters = [each for profile in discover().values() for each in profile.topics]
    filters += re.findall(r"^pattern \w+ (\S+)$", (ROOT / "deploy/mosquitto/acl").read_text("utf-8"), re.MULTILINE)
    words = {level for each in filters for level in each.split("/") if level.isalnum()}
    spec = importlib.util.spec_from_file_location("make_secrets", ROOT / "deploy/make_secrets.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert len(words) > 50
    assert sorted(words - script.TOPIC_WORDS) == []
