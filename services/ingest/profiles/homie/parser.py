"""Reading Homie: a value a topic, whose unit came on a topic of its own and is remembered."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from schemas.energy import Register
from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.clock import receive_time
from services.ingest.codecs import trusted
from services.ingest.codecs.plainwords import meaning
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "homie"
UNIT: Final = "$unit"
STATE: Final = "$state"
LONGEST_UNIT: Final = 16
STATES: Final[Mapping[str, Literal["online", "offline"]]] = {
    "ready": "online",
    "alert": "online",
    "disconnected": "offline",
    "lost": "offline",
}
"""Words of `$state`; `init` and `sleeping` say neither (Homie 4, device lifecycle)."""

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?([eE][-+]?[0-9]{1,2})?")


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one value or attribute.

    Raises:
        Unparseable: a value with a unit, or in the mapping, that is no number.
    """
    _, device, *rest = message.topic.split("/")
    text = message.payload.decode("utf-8", "replace").strip()
    if rest == [STATE]:
        return (_status(message, context, device, text),)
    if len(rest) == 3 and rest[2] == UNIT:
        key = (FAMILY, device, rest[0], rest[1])
        if text:
            context.memory.remember(key, text[:LONGEST_UNIT])
        else:
            context.memory.forget(key)
        return Ignored("unit-of-the-values")
    if len(rest) != 2 or any(level.startswith("$") for level in rest):
        return Ignored("attribute")
    return _value(message, context, device, rest[0], rest[1], text)


def _status(message: Message, context: Context, device: str, word: str) -> DeviceStatus:
    return DeviceStatus(
        device=context.names.device(f"{FAMILY}:{device}"),
        observed_at=message.received_at,
        received_at=message.received_at,
        clock="none",
        retained=message.retained,
        availability=STATES.get(word, "unknown"),
    )


def _value(  # noqa: PLR0913, PLR0917 - the levels of the topic
    message: Message, context: Context, device: str, node: str, name: str, text: str
) -> tuple[AnyRecord, ...] | Ignored:
    unit: str | None = context.memory.recall((FAMILY, device, node, name))
    what = meaning(f"{node}/{name}", unit, context.mapping)
    if what is None:
        return Ignored("no-unit-was-said" if unit is None else "no-metering-property")
    if not text:
        return Ignored("no-value")
    if _NUMBER.fullmatch(text) is None:
        raise Unparseable("bad_value", "property with a unit: must be a number")
    part = what(float(text), "property")
    own = f"{device}/{node}" if what.carrier == "electricity" else f"{device}/{node}/{what.carrier}"
    return (
        trusted.meter_reading(
            household=context.names.household(f"{FAMILY}:{device}"),
            meter=context.names.meter(f"{FAMILY}:{own}"),
            at=receive_time(message.received_at),
            received_at=message.received_at,
            retained=message.retained,
            registers=(part,) if isinstance(part, Register) else (),
            gauges=() if isinstance(part, Register) else (part,),
            carrier=what.carrier,
        ),
    )
