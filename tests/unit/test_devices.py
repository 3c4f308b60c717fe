"""`garonne devices`: every message is in one line, what is read and what is not and why."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.devices import survey
from services.ingest.jsonlines import write_line
from services.ingest.profiles import Message
from services.runtime.settings import Settings
from tests.cases import find_cases

AT = datetime(2026, 4, 10, 6, 5, tzinfo=UTC)


def _message(topic: str, payload: str) -> Message:
    return Message(topic, payload.encode(), AT)


MESSAGES = [
    _message("cave/state", '{"e": 1500}'),
    _message("zigbee2mqtt/prise", '{"energy": 1.5, "power": 3}'),
    _message("zigbee2mqtt/prise", '{"energy": 1.6, "power": 4}'),
    _message("zigbee2mqtt/lampe", '{"brightness": 3}'),
    _message("zigbee2mqtt/prise 2", '{"energy": "beaucoup"}'),
    _message("inconnu/truc", "12"),
    _message(
        "homeassistant/sensor/cave/config",
        '{"unique_id": "c", "state_topic": "cave/state", "device_class": "energy", "unit_of_measurement": "Wh", '
        '"value_template": "{{ value_json.e }}"}',
    ),
]


def test_each_line_says_what_is_read_or_why_not() -> None:
    """One line for a device, a rule, a refusal; an announcement counts for what came before it, too."""
    lines = {(line.state, line.profile): line for line in survey(MESSAGES, Settings())}
    assert list(lines["read", "zigbee2mqtt_plug"].shows) == ["import_energy total", "active_power net"]
    assert lines["read", "zigbee2mqtt_plug"].messages == 2
    assert list(lines["read", "homeassistant_discovery"].topics) == ["cave/state"]
    assert "no-metering-field" in lines["ignored", "zigbee2mqtt_plug"].what
    assert "/energy: must be a number" in lines["refused", "zigbee2mqtt_plug"].what
    assert "table_file" in lines["refused", "-"].advice


def test_no_message_is_left_out() -> None:
    """All golden cases of all profiles: each topic is in some line."""
    messages = [case.message for case in find_cases()]
    seen = {topic for line in survey(messages, Settings()) for topic in line.topics}
    assert seen == {message.topic for message in messages}


@pytest.mark.parametrize("as_json", [True, False])
def test_a_recording_is_listed(tmp_path: Path, as_json: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """As text for people, as JSON for programs."""
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(write_line(message) + "\n" for message in MESSAGES), "utf-8")
    result = CliRunner().invoke(app, ["devices", str(path), *(["--json"] if as_json else [])])
    assert result.exit_code == 0
    if as_json:
        assert {json.loads(line)["state"] for line in result.stdout.splitlines()} == {"read", "ignored", "refused"}
    else:
        assert "on inconnu/truc" in result.stdout


def test_a_broken_recording_is_named(tmp_path: Path) -> None:
    """One line, no traceback."""
    path = tmp_path / "recorded.jsonl"
    path.write_text("{\n", "utf-8")
    result = CliRunner().invoke(app, ["devices", str(path)])
    assert result.exit_code == 1
    assert "line 1" in result.output
