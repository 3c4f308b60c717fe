"""The table of what is kept for how long says what the shipped configuration sets, for every bucket and topic."""

import re
import runpy
from pathlib import Path

import pytest

from schemas.envelope import TOPICS
from services.runtime.kafka import _limits
from services.runtime.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
DAY_S = 86_400
_PAGE = (ROOT / "docs/privacy/retention-and-erasure.md").read_text("utf-8")
TABLE = dict(re.findall(r"^\| ([^|]+?) \|.*\| ([^|]+?) \|$", _PAGE, re.MULTILINE))
BUCKETS: dict[str, int] = runpy.run_path(str(ROOT / "deploy/influxdb/set_up.py"))["BUCKETS"]


def _seconds(text: str) -> int:
    """What a cell says; 0 is no end."""
    if text.startswith("no end"):
        return 0
    found = re.search(r"(\d+) (days|hours)", text)
    assert found is not None, text
    return int(found[1]) * (DAY_S if found[2] == "days" else 3600)


@pytest.mark.parametrize("bucket", sorted(BUCKETS))
def test_the_table_says_how_long_a_bucket_keeps(bucket: str) -> None:
    """As `deploy/influxdb/set_up.py` sets it; a new bucket needs a line."""
    assert _seconds(TABLE[f"`{bucket}`"]) == BUCKETS[bucket]


@pytest.mark.parametrize("topic", sorted(set(TOPICS.values())))
def test_the_table_says_how_long_a_topic_keeps(topic: str) -> None:
    """As the shipped configuration makes topics; a new topic needs a line."""
    settings = read_settings(ROOT / "deploy/garonne.toml").kafka
    assert _seconds(TABLE[f"`{topic}`"]) * 1000 == int(_limits(settings, topic)["retention.ms"])


def test_no_line_of_the_table_is_of_something_that_is_gone() -> None:
    """A bucket or topic that stands there exists."""
    named = {place.strip("`") for place in TABLE if place.startswith("`garonne")}
    assert named == {*BUCKETS, *TOPICS.values()}


def test_broker_and_metrics_keep_as_long_as_the_table_says() -> None:
    """Sessions of Mosquitto, and Prometheus."""
    mosquitto = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text("utf-8")
    session = re.search(r"^persistent_client_expiration (\d+)d$", mosquitto, re.MULTILINE)
    metrics = re.search(r"retention\.time=(\d+)d", (ROOT / "docker-compose.yml").read_text("utf-8"))
    assert session is not None
    assert metrics is not None
    assert _seconds(TABLE["MQTT session (Mosquitto)"]) == int(session[1]) * DAY_S
    assert _seconds(TABLE["Prometheus"]) == int(metrics[1]) * DAY_S
