"""The envelope of its-client: `{"message_type", "version", "source_uuid", "timestamp", "message"}`.

Version 1 calls the type `type`. The source and the topic name a sender and are never kept. Two layouts of a signal
message carry the same version: their keys tell them apart (c-its.md 2.3).
"""

import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.codecs.its_hazard import road_hazard
from services.ingest.codecs.its_map import intersection_geometries
from services.ingest.codecs.its_pdu import not_kept, read_pdu
from services.ingest.codecs.its_priority import priority_requests, priority_statuses
from services.ingest.codecs.its_signals import signal_states
from services.ingest.codecs.its_tree import Arrival, Tree, fold
from services.ingest.codecs.jsontext import read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.its_client_json.cam import parse_cam
from services.ingest.profiles.its_client_json.platform import platform_signals
from services.ingest.sender import check_sender

__all__ = ["parse"]

NOT_KEPT: Final = frozenset(
    (
        "bootstrap",
        "cpm",
        "info",
        "information",
        "ivim",
        "mcm",
        "neighbourhood",
        "poi",
        "poim",
        "region",
        "rtcmem",
        "status",
        "vam",
    )
)
Reader = Callable[[Tree, Arrival], tuple[AnyRecord, ...] | Ignored]
_READERS: Final[Mapping[str, Reader]] = {
    "denm": road_hazard,
    "mapem": intersection_geometries,
    "map": intersection_geometries,
    "srem": priority_requests,
    "ssem": priority_statuses,
    "spat": signal_states,
    "spatem": signal_states,
}
_SIGNALS: Final = frozenset(("spat", "spatem"))


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message.

    Raises:
        Unparseable: not JSON, no envelope of its-client, or a message against its schema.
    """
    envelope = read_object(message.payload)
    _check_source(envelope, message.topic)
    kind = envelope.get("message_type") or envelope.get("type") or _kind_of(message.topic)
    body = envelope.get("message")
    if type(kind) is not str:
        raise Unparseable("wrong_shape", "message_type: must be a text")
    if kind in NOT_KEPT:
        return not_kept(kind)
    if type(body) is not dict:
        raise Unparseable("wrong_shape" if "message" in envelope else "missing_field", "message: must be an object")
    arrival = Arrival(message, context, _timestamp(envelope))
    if envelope.get("message_format") == "asn1/uper":
        return read_pdu(_binary(body), arrival)
    if kind == "cam":
        return parse_cam(body, arrival)
    if kind in _SIGNALS and "states" in body and "intersections" not in body:
        return platform_signals(fold(body), arrival)
    reader = _READERS.get(kind)
    if reader is None:
        raise Unparseable("wrong_shape", "message_type: none that its-client sends")
    return reader(fold(body), arrival)


def _check_source(envelope: dict[str, Any], topic: str) -> None:
    """The level after the type is the source; the broker holds it to the name that logged in."""
    levels = topic.split("/")
    if "v2x" in levels[:-2]:
        check_sender(envelope.get("source_uuid"), levels[levels.index("v2x") + 2], "source_uuid")


def _kind_of(topic: str) -> str | None:
    """The type of a message that does not say it: the level after `v2x`, or `info`."""
    levels = topic.split("/")
    if "v2x" in levels[:-1]:
        return levels[levels.index("v2x") + 1]
    return "info" if "info" in levels else None


def _timestamp(envelope: dict[str, Any]) -> int | None:
    """The envelope's Unix time in ms. The schema's maximum is the year 2028 and is not enforced."""
    timestamp = envelope.get("timestamp")
    if timestamp is None or (type(timestamp) is int and abs(timestamp) < 1 << 62):
        return timestamp
    raise Unparseable("bad_value", "timestamp: must be an integer, milliseconds since 1970")


def _binary(body: dict[str, Any]) -> bytes:
    payload = body.get("payload")
    if type(payload) is not str:
        raise Unparseable("missing_field", "message.payload: must be a text in base64")
    try:
        return binascii.a2b_base64(payload.encode("ascii"), strict_mode=True)
    except (ValueError, UnicodeError):
        raise Unparseable("not_binary", "message.payload: must be base64") from None
