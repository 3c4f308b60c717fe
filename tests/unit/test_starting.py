"""A service that cannot work says why before it begins, all of it at once."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from services.running import StartProblem, serve
from services.runtime.settings import EmbeddedSettings, InfluxSettings, KafkaSettings, MqttSettings, Settings
from services.runtime.starting import problems_at_start


def _settings(folder: Path, **changes: Any) -> Settings:
    plain: dict[str, Any] = {"storage": "embedded", "embedded": EmbeddedSettings(folder=folder / "var")}
    return Settings(**plain | changes)


def test_files_that_are_missing_are_named_for_the_service_that_needs_them(tmp_path: Path) -> None:
    """Ingest needs no token of InfluxDB, the aggregator no password of the broker; both need Kafka's."""
    gone = tmp_path / "gone"
    settings = _settings(
        tmp_path,
        storage="servers",
        mqtt=MqttSettings(password_file=gone),
        kafka=KafkaSettings(password_file=gone),
        influxdb=InfluxSettings(token_file=gone),
    )
    ingest = list(problems_at_start(settings, ingest=True, aggregate=False))
    assert [each.partition(":")[0] for each in ingest] == ["mqtt.password_file", "kafka.password_file"]
    aggregate = list(problems_at_start(settings, ingest=False, aggregate=True))
    assert [each.partition(":")[0] for each in aggregate] == ["kafka.password_file", "influxdb.token_file"]
    assert all(f"there is no file {gone}" in each for each in [*ingest, *aggregate])


def test_a_folder_that_cannot_be_made_stops_the_start_in_plain_words(tmp_path: Path) -> None:
    """A file stands where the folder should: no traceback, no endless trying."""
    (tmp_path / "var").touch()
    with pytest.raises(StartProblem, match=r"embedded\.folder: .* cannot be made: .*; name another folder"):
        serve(_settings(tmp_path), ingest=True, aggregate=True)


def test_a_full_disk_is_told_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is left, and that nothing is lost: the broker keeps what it has."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=3 << 20))
    (problem,) = problems_at_start(_settings(tmp_path), ingest=True, aggregate=True)
    assert "3 MiB are left" in problem


def test_a_site_that_is_right_has_no_problem(tmp_path: Path) -> None:
    """The check can pass."""
    password = tmp_path / "password"
    password.write_text("x", "utf-8")
    settings = _settings(tmp_path, mqtt=MqttSettings(password_file=password))
    assert list(problems_at_start(settings, ingest=True, aggregate=True)) == []
