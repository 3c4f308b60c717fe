"""Topics of Tasmota firmware, whatever the FullTopic."""

import pytest

from services.ingest.codecs.fulltopic import TOPICS, place_of
from services.ingest.topics import TopicTree


@pytest.mark.parametrize(
    ("topic", "device", "kind"),
    [
        ("tele/cave/SENSOR", "cave", "SENSOR"),
        ("cave/tele/SENSOR", "cave", "SENSOR"),
        ("maison/linky/tele/SENSOR", "maison/linky", "SENSOR"),
        ("stat/cave/STATUS10", "cave", "STATUS10"),
        ("tele/maison/cave/LWT", "maison/cave", "LWT"),
        ("tele/tele/SENSOR", "tele", "SENSOR"),
    ],
)
def test_all_topics_of_a_device_name_the_same_device(topic: str, device: str, kind: str) -> None:
    """The prefix and the last level are not part of it, and the default filters take them all."""
    assert place_of(topic) == (device, kind)
    tree: TopicTree[bool] = TopicTree()
    for topic_filter in TOPICS:
        tree.add(topic_filter, value=True)
    assert tree.match(topic)
