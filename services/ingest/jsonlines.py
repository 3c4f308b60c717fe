"""Recorded messages as JSON lines: `topic`, `payload` or `payload_b64`, `received_at`, `retained`."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Any

from services.ingest.profiles import Message

__all__ = ["BadLine", "read_line", "write_line"]

_KEYS = {"topic", "payload", "payload_b64", "received_at", "retained"}


class BadLine(ValueError):
    """The line is not a recorded message; the text says what is wrong with which key."""


def read_line(line: str, *, now: datetime | None = None) -> Message:
    """Read one line. A missing `received_at` is `now`.

    Raises:
        BadLine: not JSON, a key missing, unknown or of the wrong type.
    """
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadLine('not a JSON object such as {"topic": "…", "payload": "…"}')
    unknown = sorted(set(value) - _KEYS)
    if unknown:
        raise BadLine(f"there is no key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    topic = value.get("topic")
    if not isinstance(topic, str) or not topic:
        raise BadLine("topic: must be a text that is not empty")
    retained = value.get("retained", False)
    if not isinstance(retained, bool):
        raise BadLine("retained: must be true or false")
    return Message(topic, _payload(value), _received_at(value.get("received_at"), now), retained)


def _payload(value: dict[str, Any]) -> bytes:
    if ("payload" in value) == ("payload_b64" in value):
        raise BadLine("give either payload (text) or payload_b64 (binary)")
    text = value.get("payload", value.get("payload_b64"))
    if not isinstance(text, str):
        raise BadLine("payload: must be a text")
    if "payload" in value:
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadLine(f"payload_b64: {error}") from error


def _received_at(text: Any, now: datetime | None) -> datetime:
    if text is None:
        return now or datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise BadLine("received_at: must be an instant such as 2026-01-12T07:15:44Z") from error
    if instant.tzinfo is None:
        raise BadLine("received_at: has no zone; write 2026-01-12T07:15:44Z")
    return instant.astimezone(UTC)


def write_line(message: Message) -> str:
    """The line that `read_line` reads back as the same message; without line end."""
    value: dict[str, Any] = {"topic": message.topic}
    try:
        value["payload"] = message.payload.decode()
    except UnicodeDecodeError:
        value["payload_b64"] = base64.b64encode(message.payload).decode()
    value["received_at"] = message.received_at.isoformat().replace("+00:00", "Z")
    if message.retained:
        value["retained"] = True
    return json.dumps(value, ensure_ascii=False)
