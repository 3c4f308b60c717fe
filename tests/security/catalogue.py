"""All attacks, in the order of the page."""

from tests.security import on_influxdb, on_kafka, on_messages, on_mqtt, on_privacy, on_services
from tests.security.registry import ATTACKS, Attack

__all__ = ["MODULES", "attacks_of"]

MODULES = (on_mqtt, on_kafka, on_influxdb, on_services, on_messages, on_privacy)


def attacks_of(module: object) -> list[Attack]:
    """The attacks that a module lists."""
    name = getattr(module, "__name__", "")
    return [each for each in ATTACKS.values() if each.run.__module__ == name]
