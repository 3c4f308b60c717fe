"""MQTT topic filters: which profiles a topic belongs to (MQTT 5, clause 4.7)."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["TopicTree"]

T = TypeVar("T")


@dataclass(slots=True)
class _Node(Generic[T]):
    children: dict[str, "_Node[T]"] = field(default_factory=dict)
    here: list[T] = field(default_factory=list)
    below: list[T] = field(default_factory=list)


class TopicTree(Generic[T]):
    """A trie of filters with `+` and `#`; matching costs one step per level of the topic."""

    def __init__(self) -> None:
        """Start empty."""
        self._root: _Node[T] = _Node()

    def add(self, topic_filter: str, value: T) -> None:
        """Register `value` for a filter; `#` also takes the level above it.

        Raises:
            ValueError: the filter is not well-formed.
        """
        levels = topic_filter.split("/")
        if not topic_filter or any(
            ("#" in level and (level != "#" or index != len(levels) - 1)) or ("+" in level and level != "+")
            for index, level in enumerate(levels)
        ):
            message = f"topic filter {topic_filter!r}: '+' and '#' stand for whole levels, '#' only at the end"
            raise ValueError(message)
        node = self._root
        for level in levels:
            if level == "#":
                node.below.append(value)
                return
            node = node.children.setdefault(level, _Node())
        node.here.append(value)

    def match(self, topic: str) -> list[T]:
        """Values whose filter takes the topic: exact levels before `+`, deep filters before shallow."""
        found: list[T] = []
        _collect(self._root, topic.split("/"), 0, found, wild=not topic.startswith("$"))
        return found


def _collect(node: _Node[T], levels: list[str], depth: int, found: list[T], *, wild: bool) -> None:
    if depth == len(levels):
        found.extend(node.here)
    else:
        exact = node.children.get(levels[depth])
        if exact is not None:
            _collect(exact, levels, depth + 1, found, wild=True)
        one = node.children.get("+")
        if one is not None and wild:
            _collect(one, levels, depth + 1, found, wild=True)
    if wild:
        found.extend(node.below)
