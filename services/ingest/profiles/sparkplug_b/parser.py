"""Reading Sparkplug B: births are remembered, since DATA may carry nothing but aliases."""

from datetime import datetime
from typing import Final, Literal, NamedTuple

from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.clock import Reading, believe, epoch, receive_time
from services.ingest.codecs import sparkplug, trusted
from services.ingest.codecs.plainwords import Parts, meaning
from services.ingest.codecs.sparkplugsession import Named, Session, birth_sequence
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["parse"]

FAMILY: Final = "sparkplug_b"
BIRTHS: Final = ("NBIRTH", "DBIRTH")
DATA: Final = ("NDATA", "DDATA")
DEATHS: Final = ("NDEATH", "DDEATH")
COMMANDS: Final = ("NCMD", "DCMD")


class _Place(NamedTuple):
    """Message type, `<group>/<node>`, and the device (`""`: the node itself)."""

    kind: str
    node: str
    device: str

    @property
    def name(self) -> str:
        """Whose the metrics are."""
        return f"{self.node}/{self.device}" if self.device else self.node


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Read one message of a node or a device.

    Raises:
        Unparseable: a topic or payload that is not Sparkplug B, or an alias that no birth named.
    """
    levels = message.topic.split("/")
    if len(levels) > 1 and levels[1] == "STATE":
        return Ignored("state-of-a-host")
    if not 4 <= len(levels) <= 5:
        raise Unparseable("wrong_shape", "topic: must be spBv1.0/<group>/<type>/<node>[/<device>]")
    place = _Place(levels[2], f"{levels[1]}/{levels[3]}", levels[4] if len(levels) == 5 else "")
    if place.kind in COMMANDS:
        return Ignored("command")
    if place.kind not in (*BIRTHS, *DATA, *DEATHS):
        raise Unparseable("wrong_shape", "topic: not a message type of Sparkplug B")
    payload = sparkplug.decode(message.payload)
    if place.kind in DEATHS:
        return _death(message, context, place, payload)
    return _metrics(message, context, place, payload)


def _death(
    message: Message, context: Context, place: _Place, payload: sparkplug.Payload
) -> tuple[AnyRecord, ...] | Ignored:
    key = (FAMILY, place.node)
    session: Session = context.memory.recall(key) or Session()
    if place.device:
        session.count(payload, message.received_at)
        session.death(place.device)
        return (_status(message, context, place.name, "offline"),)
    died, born = birth_sequence(payload), session.birth_sequence
    if died is not None and born is not None and died != born:
        return Ignored("death-of-an-earlier-session")
    context.memory.forget(key)
    names = (place.node, *(f"{place.node}/{device}" for device in session.devices))
    return tuple(_status(message, context, name, "offline") for name in names)


def _metrics(
    message: Message, context: Context, place: _Place, payload: sparkplug.Payload
) -> tuple[AnyRecord, ...] | Ignored:
    key = (FAMILY, place.node)
    known: Session | None = None if place.kind == "NBIRTH" else context.memory.recall(key)
    session = known or Session()
    missing_from = session.count(payload, message.received_at)
    is_birth = place.kind in BIRTHS
    named = session.birth(place.device, payload) if is_birth else session.resolve(place.device, payload)
    context.memory.remember(key, session, session.weight)
    records: list[AnyRecord] = []
    if is_birth:
        # By its own instant: the birth that several processes read is one event.
        records.append(_status(message, context, place.name, "online", at=_at(payload.timestamp_ms, message, context)))
    if missing_from is not None:
        records.append(_status(message, context, place.node, "online", missing_from=missing_from))
    records += _readings(named, message, context, place.name, in_doubt=session.gap and not is_birth)
    return tuple(records) or Ignored("no-metering-metric")


def _readings(
    named: list[Named], message: Message, context: Context, device: str, *, in_doubt: bool
) -> list[AnyRecord]:
    groups: dict[int | None, Parts] = {}
    for each in named:
        what = meaning(each.name, each.unit, context.mapping)
        if what is not None and each.value is not None:
            groups.setdefault(each.timestamp_ms, Parts()).add(what.carrier, what(each.value, "metrics.value"))
    return [
        trusted.meter_reading(
            household=context.names.household(f"{FAMILY}:{device}"),
            meter=context.names.meter(f"{FAMILY}:{device if carrier == 'electricity' else f'{device}/{carrier}'}"),
            at=_at(timestamp_ms, message, context, in_doubt=in_doubt),
            received_at=message.received_at,
            retained=message.retained,
            registers=tuple(registers),
            gauges=tuple(gauges),
            carrier=carrier,
        )
        for timestamp_ms, parts in groups.items()
        for carrier, (registers, gauges) in parts.items()
    ]


def _at(timestamp_ms: int | None, message: Message, context: Context, *, in_doubt: bool = False) -> Reading:
    reading = None if timestamp_ms is None else epoch(timestamp_ms, "epoch_ms")
    at = receive_time(message.received_at) if reading is None else believe(reading, message.received_at, context)
    return at._replace(flags=(*at.flags, "stale")) if in_doubt else at


def _status(  # noqa: PLR0913 - the fields of a status
    message: Message,
    context: Context,
    device: str,
    availability: Literal["online", "offline"],
    missing_from: datetime | None = None,
    *,
    at: Reading | None = None,
) -> DeviceStatus:
    """A status; the instant in a death is that of the connection it ends, so the receive time stands for it."""
    at = at or receive_time(message.received_at)
    return DeviceStatus(
        device=context.names.device(f"{FAMILY}:{device}"),
        observed_at=at.at,
        received_at=message.received_at,
        clock=at.clock,
        flags=at.flags,
        retained=message.retained,
        availability=availability,
        missing_from=missing_from,
        missing_until=None if missing_from is None else message.received_at,
    )
