"""Topics and envelopes of Tasmota firmware, whatever its user set as FullTopic.

`%prefix%/%topic%/` gives `tele/<device>/SENSOR`, `%topic%/%prefix%/` gives `<device>/tele/SENSOR`; the device may
have several levels. Source: Tasmota documentation, MQTT (FullTopic, Status 8 and 10); meters.md 1 row 4.
"""

from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas.status import DeviceStatus
from services.ingest.codecs.jsontext import read_object
from services.ingest.profiles import Context, Message, Unparseable

__all__ = ["LAST_WILL", "SENSOR_TOPICS", "TOPICS", "Place", "last_will", "place_of", "read_sensors"]

TOPICS: Final = tuple(
    topic
    for prefix in ("tele", "stat")
    for topic in (f"{prefix}/+/+", f"{prefix}/+/+/+", f"+/{prefix}/+", f"+/+/{prefix}/+", f"+/+/+/{prefix}/+")
)
LAST_WILL: Final = "LWT"
SENSOR_TOPICS: Final = frozenset(("SENSOR", "STATUS", "STATUS0", "STATUS8", "STATUS10"))
"""Last levels of topics that can hold measurements; STATUS, STATUS0, STATUS8, STATUS10 nest them in StatusSNS."""


class Place(NamedTuple):
    """Device part (all levels but the prefix and the last) and last level (SENSOR, STATE, LWT) of a topic."""

    device: str
    kind: str


@lru_cache(maxsize=262_144)
def place_of(topic: str) -> Place:
    """Device and last level; the prefix is the first level called `tele` or `stat`."""
    *levels, last = topic.split("/")
    prefix = next((n for n, level in enumerate(levels) if level in ("tele", "stat")), None)
    if prefix is not None:
        del levels[prefix]
    return Place("/".join(levels), last)


def read_sensors(payload: bytes) -> dict[str, Any]:
    """The object that holds `Time` and the sections.

    Raises:
        Unparseable: not JSON, or StatusSNS is no object.
    """
    value = read_object(payload)
    if "StatusSNS" in value:
        value = value["StatusSNS"]
        if type(value) is not dict:
            raise Unparseable("wrong_shape", "StatusSNS: must be a JSON object")
    return value


def last_will(message: Message, context: Context, device: str) -> DeviceStatus:
    """`Online` or `Offline`, plain text and retained; anything else is unknown."""
    word = message.payload.strip().lower()
    return DeviceStatus(
        device=context.names.device(device),
        observed_at=message.received_at,
        received_at=message.received_at,
        clock="none",
        retained=message.retained,
        availability="online" if word == b"online" else "offline" if word == b"offline" else "unknown",
    )
