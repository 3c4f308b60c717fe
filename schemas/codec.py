"""Bytes to events and back: CloudEvents 1.0, structured mode, JSON. The only JSON on Kafka."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json

from schemas.envelope import AnyRecord, Event, key_of, type_of

__all__ = ["CloudEvent", "CodecError", "decode", "encode"]


class CodecError(ValueError):
    """The bytes are not an event of Garonne; the text says which field is wrong.

    `newer`: what is wrong is a kind, a field or a word that this version does not know, and a later one may.
    """

    def __init__(self, text: str, *, newer: bool = False) -> None:
        super().__init__(text)
        self.newer = newer


class CloudEvent(BaseModel):
    """The envelope as it stands on Kafka; attributes of later versions are let through."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str | None = None
    time: str | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = None
    data: AnyRecord


_SOURCE = "/garonne/"
_UNKNOWN = frozenset(("union_tag_invalid", "extra_forbidden", "literal_error"))
"""What pydantic calls a kind, a field and a word that the schemas do not have."""


def encode(event: Event) -> bytes:
    """Write an event. The same event always gives the same bytes."""
    record = event.record
    head: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": _SOURCE + event.profile,
        "type": type_of(record.kind),
        "subject": key_of(record),
        "time": record.observed_at,
        "datacontenttype": "application/json",
        "dataschema": f"{record.kind}.json",
    }
    # Defaults are left out: `kind` alone is one, and is what the reader needs first.
    data = record.__pydantic_serializer__.to_json(record, exclude_defaults=True)
    return b'%b,"data":{"kind":"%b",%b}' % (to_json(head)[:-1], record.kind.encode(), data[1:])


def decode(value: bytes) -> Event:
    """Read an event.

    Raises:
        CodecError: not JSON, not a CloudEvent, or a record that the schemas refuse.
    """
    try:
        cloud_event = CloudEvent.model_validate_json(value)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        first = problems[0]
        place = "/".join(str(part) for part in first["loc"])
        newer = all(each["type"] in _UNKNOWN and each["loc"][0] == "data" for each in problems)
        raise CodecError(f"{place or 'event'}: {first['msg']}", newer=newer) from error
    return Event(cloud_event.id, cloud_event.source.removeprefix(_SOURCE), cloud_event.data)
