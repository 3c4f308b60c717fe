"""Topic filters route as MQTT 5 clause 4.7 says."""

import pytest

from services.ingest.topics import TopicTree


def _tree(*filters: str) -> TopicTree[str]:
    tree: TopicTree[str] = TopicTree()
    for each in filters:
        tree.add(each, each)
    return tree


@pytest.mark.parametrize(
    ("topic_filter", "topic", "takes"),
    [
        ("tele/+/SENSOR", "tele/cave/SENSOR", True),
        ("tele/+/SENSOR", "tele/cave/STATE", False),
        ("tele/+/SENSOR", "tele/a/b/SENSOR", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "x/y", True),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("+", "", True),
        ("a/+", "a/", True),
        ("a", "A", False),
    ],
)
def test_a_filter_takes_what_the_standard_says(topic_filter: str, topic: str, *, takes: bool) -> None:
    """Wildcards stand for whole levels and do not reach `$` topics from above."""
    assert (_tree(topic_filter).match(topic) != []) is takes


def test_the_most_exact_filter_comes_first() -> None:
    """A literal level wins over `+`, which wins over `#`."""
    assert _tree("#", "a/+", "a/b").match("a/b") == ["a/b", "a/+", "#"]


@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "a#", "a/b+", "a/+b/c"])
def test_a_wrong_filter_is_refused(topic_filter: str) -> None:
    """The error names the filter and the rule."""
    with pytest.raises(ValueError, match="whole levels"):
        _tree(topic_filter)
