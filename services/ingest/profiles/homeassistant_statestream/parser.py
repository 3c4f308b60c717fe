"""Reading statestream topics: the state is a number, what it means is on topics of its own, remembered."""

import re
from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.clock import receive_time
from services.ingest.codecs import trusted
from services.ingest.codecs.homeassistant import METERING, Sensor, target_for
from services.ingest.declarative.leaves import number_of, scaler
from services.ingest.mapping import Target, compile_mapping
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["ATTRIBUTES", "parse"]

FAMILY: Final = "homeassistant_statestream"
ATTRIBUTES: Final = ("state", "unit_of_measurement", "device_class", "state_class")
TOPIC: Final = re.compile(r"(.+)/([^/]+)/([^/]+)/([^/]+)")
ATTRIBUTE: Final = Ignored("attribute")
LONGEST: Final = 64


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one topic of an entity.

    Raises:
        Unparseable: the state of a sensor that is known to be metered is neither a number nor a word for none.
    """
    found = TOPIC.fullmatch(message.topic)
    if found is None or found[2] != "sensor":
        return Ignored("no-sensor")
    base, _, entity, attribute = found.groups()
    if attribute == "state":
        return _state(message, context, base, entity)
    if attribute in ATTRIBUTES:
        context.memory.remember((FAMILY, f"{base}/{entity}", attribute), _text(message.payload))
    return ATTRIBUTE


def _text(payload: bytes) -> str:
    """Attributes are JSON, so texts are in quotes; states are bare."""
    return payload.decode("utf-8", "replace").strip().strip('"').strip()[:LONGEST]


def _state(message: Message, context: Context, base: str, entity: str) -> tuple[AnyRecord, ...] | Ignored:
    target = _site_target(context, base, entity) or _announced(context, base, entity)
    if isinstance(target, Ignored):
        return target
    try:
        text = message.payload.decode("ascii").strip().strip('"')
    except UnicodeDecodeError:
        raise Unparseable("not_text", "state: must be a number as text") from None
    number = number_of(text, "state")
    if number is None:
        return Ignored("no-value")
    part: Any = target.make(scaler(target.factor, "state")(number))
    device = f"{FAMILY}:{base}/{entity}"
    return (
        trusted.meter_reading(
            household=context.names.household(f"{FAMILY}:{base}"),
            meter=context.names.meter(device),
            at=receive_time(message.received_at),
            received_at=message.received_at,
            retained=message.retained,
            registers=(part,) if target.is_register else (),
            gauges=() if target.is_register else (part,),
            carrier=target.carrier,
        ),
    )


def _site_target(context: Context, base: str, entity: str) -> Target | None:
    """The site's own words for this entity come before all others."""
    if not context.mapping:
        return None
    compiled = compile_mapping(context.mapping)
    return compiled.get(base, {}).get(entity) or compiled.get("", {}).get(entity)


def _announced(context: Context, base: str, entity: str) -> Target | Ignored:
    unit, device_class, state_class = (
        context.memory.recall((FAMILY, f"{base}/{entity}", attribute)) or "" for attribute in ATTRIBUTES[1:]
    )
    if device_class and device_class not in METERING:
        return Ignored("not-metering")
    if not unit:
        return Ignored("unit-not-known")
    target = target_for(Sensor(device_class, unit, entity, state_class))
    return Ignored("not-metering") if target is None else target
