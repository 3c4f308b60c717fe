"""The AsyncAPI 3 document: which Kafka topic carries which events, with which key."""

from typing import Any

from schemas.envelope import KEYS, RECORDS, TOPICS, type_of

__all__ = ["asyncapi_document"]


def _message(kind: str) -> dict[str, Any]:
    return {
        "name": type_of(kind),
        "title": kind.replace("_", " ").capitalize(),
        "summary": (RECORDS[kind].__doc__ or "").strip().splitlines()[0],
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "required": ["specversion", "id", "source", "type", "data"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "description": "From what the device said: a redelivery has the same."},
                "source": {"type": "string", "format": "uri-reference"},
                "type": {"const": type_of(kind)},
                "subject": {"type": "string", "description": f"The record's `{KEYS[kind]}`, as is the Kafka key."},
                "time": {"type": "string", "format": "date-time", "description": "`observed_at` of the record."},
                "datacontenttype": {"const": "application/json"},
                "dataschema": {"const": f"{kind}.json"},
                "data": {"$ref": f"./json/{kind}.json"},
            },
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": KEYS[kind]}}},
    }


def asyncapi_document() -> dict[str, Any]:
    """The whole document as plain data."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for topic in dict.fromkeys(TOPICS.values()):
        kinds = [kind for kind in TOPICS if TOPICS[kind] == topic]
        name = topic.removeprefix("garonne.")
        channels[name] = {
            "address": topic,
            "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in kinds},
        }
        operations[f"produce_{name}"] = {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
        if name not in {"rejected", "ledger"}:
            operations[f"consume_{name}"] = {"action": "receive", "channel": {"$ref": f"#/channels/{name}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Garonne",
            "version": "1",
            "description": "Events between ingest and aggregator: CloudEvents 1.0, structured mode, JSON.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": {kind: _message(kind) for kind in RECORDS}},
    }
