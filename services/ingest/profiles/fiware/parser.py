"""Reading measures of a FIWARE IoT Agent: attributes whose meaning only the site's mapping knows."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from schemas.envelope import AnyRecord
from services.ingest.clock import wall_clock_text
from services.ingest.codecs import trusted
from services.ingest.codecs.jsontext import finite, read_array, read_object
from services.ingest.codecs.plainwords import Parts, meaning
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "fiware"
ATTRIBUTES: Final = "attrs"
PROTOCOLS: Final = ("ul", "json")
TIME: Final = "TimeInstant"
NO_VALUE: Final = frozenset(("", "null", "None", "none"))
MAX_GROUPS: Final = 1000

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?([eE][-+]?[0-9]{1,2})?")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T.*")


class _Place(NamedTuple):
    """`<apikey>/<device>`, and the attribute where the topic names one."""

    device: str
    attribute: str | None


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message: a measure, several, or one attribute.

    Raises:
        Unparseable: neither UltraLight nor JSON, or a mapped attribute that is no number.
    """
    place = _place(message.topic)
    text = message.payload.lstrip()
    if place.attribute is not None and not text.startswith((b"{", b"[")):
        measures = [{place.attribute: _text(message.payload)}]
    elif text.startswith(b"{"):
        measures = [read_object(message.payload)]
    elif text.startswith(b"["):
        measures = read_array(message.payload)
    else:
        measures = list(_ultralight(_text(message.payload)))
    if len(measures) > MAX_GROUPS:
        raise Unparseable("too_large", f"payload: more than {MAX_GROUPS} measures")
    records = tuple(record for measure in measures for record in _records(measure, place, message, context))
    return records or Ignored("no-mapped-attribute")


def _place(topic: str) -> _Place:
    levels = topic.strip("/").split("/")
    if levels[0] in PROTOCOLS and len(levels) > 3:
        levels = levels[1:]
    if not 3 <= len(levels) <= 4 or levels[2] != ATTRIBUTES:
        raise Unparseable("wrong_shape", "topic: must be /<apikey>/<device>/attrs[/<attribute>]")
    return _Place(f"{levels[0]}/{levels[1]}", levels[3] if len(levels) == 4 else None)


def _text(payload: bytes) -> str:
    try:
        return payload.decode().strip()
    except UnicodeDecodeError:
        raise Unparseable("not_text", "payload: neither JSON nor UltraLight") from None


def _ultralight(text: str) -> Iterator[dict[str, Any]]:
    """`[time|]key|value|key|value`, several of them parted by `#`."""
    for group in text.split("#"):
        tokens = group.split("|")
        measure: dict[str, Any] = {}
        if len(tokens) % 2 and _TIME.fullmatch(tokens[0]):
            measure[TIME] = tokens.pop(0)
        if not tokens or len(tokens) % 2:
            raise Unparseable("wrong_shape", "payload: UltraLight is key|value pairs, several parted by #")
        # Of two equal keys the first counts.
        for key, value in zip(tokens[::2], tokens[1::2], strict=True):
            measure.setdefault(key, value)
        yield measure


def _records(measure: Any, place: _Place, message: Message, context: Context) -> Iterator[AnyRecord]:
    if not isinstance(measure, dict):
        raise Unparseable("wrong_shape", "payload: a measure must be a JSON object")
    parts = _parts(measure, context.mapping)
    at = wall_clock_text(measure.get(TIME), message.received_at, context)
    for carrier, (registers, gauges) in parts.items():
        own = place.device if carrier == "electricity" else f"{place.device}/{carrier}"
        yield trusted.meter_reading(
            household=context.names.household(f"{FAMILY}:{place.device}"),
            meter=context.names.meter(f"{FAMILY}:{own}"),
            at=at,
            received_at=message.received_at,
            retained=message.retained,
            registers=tuple(registers),
            gauges=tuple(gauges),
            carrier=carrier,
        )


def _parts(measure: Mapping[str, Any], mapping: Mapping[str, str]) -> Parts:
    parts = Parts()
    for key, value in measure.items():
        what = meaning(key, None, mapping)
        if what is None or value is None or (isinstance(value, str) and value in NO_VALUE):
            continue
        if isinstance(value, str):
            if _NUMBER.fullmatch(value) is None:
                raise Unparseable("bad_value", "attribute of the mapping: must be a number, or a number as text")
            value = float(value)  # noqa: PLW2901 - the same value, read
        parts.add(what.carrier, what(finite(value, "attribute"), "attribute"))
    return parts
