"""Sorting the external meters of version 2 by their type, so that the table's pointers reach them."""

from typing import Any, Final

from services.ingest.declarative.engine import Hook

__all__ = ["HOOKS", "by_type"]


COMPACT: Final = len("YYMMDDhhmmss")


def by_type(root: dict[str, Any]) -> dict[str, Any]:
    """`external: [{type, value, unit, timestamp}]` becomes `by_type: {type: {unit: value, timestamp}}`.

    Of two meters of one type the first counts: a second gas meter would be the same register.
    """
    external = root.get("external")
    if type(external) is not list:
        return root
    sorted_out: dict[str, Any] = {}
    for each in external:
        if type(each) is dict and type(each.get("type")) is str and type(each.get("unit")) is str:
            found = {each["unit"]: each.get("value"), "timestamp": _iso(each.get("timestamp"))}
            sorted_out.setdefault(each["type"], found)
    return {**root, "by_type": sorted_out}


def _iso(timestamp: Any) -> Any:
    """Version 1 writes 260120120000, version 2 an ISO text."""
    text = str(timestamp)
    if type(timestamp) is not int or len(text) != COMPACT:
        return timestamp
    year, month, day, hour, minute, second = (text[place : place + 2] for place in range(0, COMPACT, 2))
    return f"20{year}-{month}-{day}T{hour}:{minute}:{second}"


HOOKS: Final[dict[str, Hook]] = {"by_type": by_type}
