"""Facts on Sparkplug metrics that Garonne decodes and does not keep: a temperature, the number of a birth."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from services.ingest.codecs.sparkplug import decode
from services.ingest.codecs.sparkplugsession import Named, Session, birth_sequence
from services.ingest.profiles import Message, Unparseable

__all__ = ["QUANTITIES", "check"]

QUANTITIES: Final = ("metric", "birth_sequence")


def check(fact: dict[str, Any], messages: Sequence[Message]) -> str | None:
    """What is wrong in view of the fact, when the messages are decoded one after the other."""
    session, resolved, sequences = Session(), list[list[Named]](), list[int | None]()
    for message in messages:
        _, _, kind, _, *device = message.topic.split("/")
        payload = decode(message.payload)
        sequences.append(birth_sequence(payload))
        read = session.birth if kind.endswith("BIRTH") else session.resolve
        try:
            resolved.append(read("".join(device), payload))
        except Unparseable:
            resolved.append([])
    event = fact.get("event", 0)
    if fact["quantity"] == "birth_sequence":
        return None if sequences[event] == fact["value"] else f"bdSeq is {sequences[event]}, not {fact['value']}"
    if fact["value"] is None:
        return f"a name was made up: {resolved[event][0].name}" if resolved[event] else None
    # Text and booleans are named, and their values left alone.
    is_number = type(fact["value"]) in (int, float)
    named = [each for each in resolved[event] if each.name == fact["register"]]
    found = [each for each in named if each.value == fact["value"] or not is_number]
    if not found or found[0].timestamp_ms is None:
        return f"no metric {fact['register']} of {fact['value']}"
    at = datetime.fromtimestamp(found[0].timestamp_ms / 1000, UTC)
    wanted = datetime.fromisoformat(fact.get("observed_at", at.isoformat()))
    return None if at == wanted else f"observed_at is {at}, not {wanted}"
