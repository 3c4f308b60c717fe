"""JSON pointers (RFC 6901) as closures."""

from collections.abc import Callable
from typing import Any

__all__ = ["Getter", "getter", "steps"]

Getter = Callable[[Any], Any]


def steps(pointer: str) -> list[str]:
    """The reference tokens of a pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def getter(pointer: str) -> Getter:
    """What stands at the pointer, or `None`."""
    path = steps(pointer)
    if len(path) == 1:
        only = path[0]
        return lambda root: root.get(only) if type(root) is dict else None

    def get(root: Any) -> Any:
        value = root
        for step in path:
            if type(value) is dict:
                value = value.get(step)
            elif type(value) is list:
                value = value[int(step)] if step.isascii() and step.isdecimal() and int(step) < len(value) else None
            else:
                return None
        return value

    return get
