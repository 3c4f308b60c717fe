"""Sorting the external meters of version 2 by their type, so that the table's pointers reach them."""

from typing import Any, Final

from services.ingest.declarative.engine import Hook

__all__ = ["HOOKS", "by_type"]


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
            found = {each["unit"]: each.get("value"), "timestamp": each.get("timestamp")}
            sorted_out.setdefault(each["type"], found)
    return {**root, "by_type": sorted_out}


HOOKS: Final[dict[str, Hook]] = {"by_type": by_type}
