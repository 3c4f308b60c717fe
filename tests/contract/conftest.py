"""Servers that the tests of a module share."""

from collections.abc import Iterator

import pytest

from tests.servers.running import Kafka, Mosquitto


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker with the defaults of Mosquitto: 20 messages in flight."""
    with Mosquitto(tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """One Kafka broker."""
    with Kafka(tmp_path_factory.mktemp("kafka")) as server:
        yield server
