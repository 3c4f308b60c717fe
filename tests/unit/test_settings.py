"""The configuration is typed, closed and checked; each error names the key and says what would be right."""

from pathlib import Path

import pytest

from services.runtime.settings import ConfigurationProblem, read_settings


def _file(folder: Path, text: str) -> Path:
    path = folder / "garonne.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[mqtt]\nhots = 'x'", r"mqtt\.hots: there is no such key"),
        ("storage = 'oracle'", "storage: .*servers"),
        ("[mqtt]\nport = 99999", r"mqtt\.port: .*65535"),
        ("[mqtt]\nsession_expiry_s = 60", r"mqtt\.session_expiry_s: .*3600"),
        ("timezone = 'Europe/Bordeaux'", "timezone: no time zone is called 'Europe/Bordeaux'"),
        ("[mqtt]\nbroker_inflight = 20", r"ingest\.batch is 512, but only 20 .* set ingest\.batch to 10"),
        ("[mqtt]\ncertificate_file = 'c.pem'", "belong together"),
        ("[mqtt", "not TOML"),
    ],
)
def test_a_wrong_configuration_names_the_faulty_key(tmp_path: Path, text: str, says: str) -> None:
    """The error has the file, the key and the rule."""
    with pytest.raises(ConfigurationProblem, match=says):
        read_settings(_file(tmp_path, text))


def test_all_faults_are_named_at_once(tmp_path: Path) -> None:
    """One look at the output is enough to repair the file."""
    with pytest.raises(ConfigurationProblem) as caught:
        read_settings(_file(tmp_path, "[mqtt]\nport = 'x'\n[kafka]\ntopic = 'y'"))
    assert "mqtt.port" in str(caught.value)
    assert "kafka.topic" in str(caught.value)


def test_paths_are_relative_to_the_file_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration folder can be moved, and a container can set single keys."""
    monkeypatch.setenv("GARONNE_MQTT__HOST", "broker.example")
    settings = read_settings(_file(tmp_path, "key_file = 'secret/key'\n[mqtt]\nhost = 'other'"))
    assert settings.key_file == tmp_path / "secret" / "key"
    assert settings.mqtt.host == "broker.example"


def test_a_small_broker_window_with_a_small_batch_is_accepted(tmp_path: Path) -> None:
    """Mosquitto's default of 20 in flight works with a batch that fits it."""
    settings = read_settings(_file(tmp_path, "[mqtt]\nbroker_inflight = 20\n[ingest]\nbatch = 10"))
    assert settings.mqtt.window == 20
