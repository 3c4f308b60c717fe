"""Reading jpo-ode: `{"metadata": {"recordType", "odeReceivedAt", …}, "payload": {"data": …}}`.

Positions, speeds and headings are in SI; they are put back to the raw integers of J2735, so that there is one
reading of them. Lists are wrapped twice and states written in capitals, which the common reading takes as it is.
"""

import re
from datetime import datetime
from typing import Any, Final

from schemas.envelope import AnyRecord
from services.ingest.codecs import its_time
from services.ingest.codecs.its_bsm import Core, read_core
from services.ingest.codecs.its_map import intersection_geometries
from services.ingest.codecs.its_pdu import not_kept
from services.ingest.codecs.its_priority import priority_requests, priority_statuses
from services.ingest.codecs.its_signals import signal_states
from services.ingest.codecs.its_tree import Arrival, Enumeration, Tree, child, first, fold, integer, part
from services.ingest.codecs.its_units import in_steps
from services.ingest.codecs.jsontext import read_object
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

_KIND: Final = re.compile(r"(bsm|spat|map|srm|ssm|tim|psm|sdsm|rsm|dn)")
_TOPIC: Final = re.compile(r"ode(bsm|spat|map|srm|ssm|tim|psm|sdsm|rsm)json")
_STEPS: Final = {
    "latitude": 10_000_000,
    "longitude": 10_000_000,
    "lat": 10_000_000,
    "long": 10_000_000,
    "lon": 10_000_000,
    "elevation": 10,
}
_VECTOR_STEPS: Final = {"speed": 50, "heading": 80}
_TRANSMISSION: Final = Enumeration(
    "transmission",
    "neutral",
    "park",
    "forwardGears",
    "reverseGears",
    "reserved1",
    "reserved2",
    "reserved3",
    "unavailable",
)
_NO_SECOND: Final = 65_535


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message.

    Raises:
        Unparseable: not JSON, not of this shape, or against the standard.
    """
    tree = fold(read_object(message.payload))
    metadata = child(tree, "metadata")
    kind = _kind(metadata, message.topic)
    if kind in ("tim", "psm", "sdsm", "rsm", "dn"):
        return not_kept(kind)
    data = child(child(tree, "payload"), "data")
    arrival = Arrival(message, context, _received_ms(metadata))
    match kind:
        case "bsm":
            return read_core(_core(child(data, "coreData")), arrival)
        case "spat":
            return signal_states(data, arrival)
        case "map":
            return intersection_geometries(_raw(data, speeds_in="speedlimits"), arrival)
        case "srm":
            return priority_requests(_raw(data, speeds_in="requestor"), arrival)
        case _:
            return priority_statuses(data, arrival)


def _kind(metadata: Tree, topic: str) -> str:
    """The message by its record type (`spatTx`), else by its topic (`topic.OdeSpatJson`)."""
    said = first(metadata, "recordType")
    found = _KIND.match(said.lower()) if type(said) is str else None
    found = found or _TOPIC.search(topic.lower())
    if found is None:
        raise Unparseable("wrong_shape", "metadata.recordType: no message that jpo-ode sends")
    return found[1]


def _received_ms(metadata: Tree) -> int | None:
    """odeReceivedAt, ISO 8601 in UTC; older versions write the zone again behind it."""
    text = first(metadata, "odeReceivedAt")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.removesuffix("[UTC]"))
        return its_time.milliseconds(at)
    except (TypeError, ValueError, AttributeError):
        raise Unparseable("bad_value", "metadata.odeReceivedAt: must be a time with its zone") from None


def _steps(value: Any, steps: int, name: str) -> int | None:
    """A number in SI as the integer of the ASN.1."""
    return None if value is None else in_steps(value, steps, name)


def _raw(value: Any, *, speeds_in: str, name: str = "", inside: bool = False) -> Any:
    """A folded value with raw integers; speed and heading only inside of the element `speeds_in`."""
    inside = inside or name == speeds_in
    if type(value) is dict:
        return {key: _raw(each, speeds_in=speeds_in, name=key, inside=inside) for key, each in value.items()}
    if type(value) is list:
        return [_raw(each, speeds_in=speeds_in, name=name, inside=inside) for each in value]
    steps = _STEPS.get(name) or (_VECTOR_STEPS.get(name) if inside else None)
    return value if steps is None or type(value) not in (int, float) else _steps(value, steps, name)


def _core(core: Tree) -> Core:
    place = child(core, "position")
    size = part(core, "size") or {}
    brakes = part(part(core, "brakes") or {}, "wheelBrakes")
    identifier = first(core, "id")
    if type(identifier) is not str or not re.fullmatch("[0-9A-Fa-f]{8}", identifier):
        raise Unparseable("bad_value", "coreData.id: must be four bytes in hexadecimal")
    return Core(
        temporary_id=int(identifier, 16),
        second_ms=integer(core, "secMark", 0, _NO_SECOND, default=_NO_SECOND),
        latitude=_steps(first(place, "latitude"), 10_000_000, "latitude"),
        longitude=_steps(first(place, "longitude"), 10_000_000, "longitude"),
        elevation=_steps(first(place, "elevation"), 10, "elevation"),
        transmission=_TRANSMISSION(first(core, "transmission")),
        speed=_steps(first(core, "speed"), 50, "speed"),
        heading=_steps(first(core, "heading"), 80, "heading"),
        acceleration=_steps(first(part(core, "accelSet") or {}, "accelLong"), 100, "accelLong"),
        is_braking=None
        if brakes is None or first(brakes, "unavailable") is True
        else any(each is True for each in brakes.values()),
        width=_steps(first(size, "width"), 1, "size.width"),
        length=_steps(first(size, "length"), 1, "size.length"),
    )
