"""Settings of a broker of Garonne's own: contradictions are refused before anything is opened."""

from pathlib import Path

import pytest

from services.embedded.broker import INFLIGHT
from services.runtime.settings import ConfigurationProblem, Settings, read_settings


def _read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "garonne.toml"
    path.write_text(text)
    return read_settings(path)


def test_what_the_help_shows_is_accepted(tmp_path: Path) -> None:
    """The window is the broker's, and a batch fits into it."""
    settings = _read(
        tmp_path,
        f"[mqtt]\nport = 1884\nbroker_inflight = {INFLIGHT}\n[ingest]\nbatch = 50\n[embedded]\nbroker = true\n",
    )
    assert settings.mqtt.window == INFLIGHT
    assert settings.embedded.devices_port == 1883


@pytest.mark.parametrize("inflight", ["", f"broker_inflight = {INFLIGHT + 1}\n"], ids=["not set", "too many"])
def test_more_in_flight_than_the_broker_has_is_refused(tmp_path: Path, inflight: str) -> None:
    """A larger window would never fill; the text says what to set."""
    text = f"[mqtt]\nport = 1884\n{inflight}[ingest]\nbatch = 50\n[embedded]\nbroker = true\n"
    with pytest.raises(ConfigurationProblem, match=f"set mqtt.broker_inflight = {INFLIGHT}"):
        _read(tmp_path, text)


def test_one_port_for_both_listeners_is_refused(tmp_path: Path) -> None:
    """Each version of MQTT has its own."""
    text = f"[mqtt]\nbroker_inflight = {INFLIGHT}\n[ingest]\nbatch = 50\n[embedded]\nbroker = true\n"
    with pytest.raises(ConfigurationProblem, match=r"mqtt.port and embedded.devices_port are both 1883"):
        _read(tmp_path, text)
