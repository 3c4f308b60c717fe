"""Reading announcements into the memory, and the topics that they announce by it."""

from typing import Any, Final, TypeVar

from pydantic_core import from_json

from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.clock import receive_time
from services.ingest.codecs import trusted
from services.ingest.declarative.leaves import number_of, scaler
from services.ingest.profiles import Context, Ignored, Message, Unparseable
from services.ingest.profiles.homeassistant_discovery.announcement import Announced, Liveness, read_announcement

__all__ = ["announced_topics", "claims", "parse"]

FAMILY: Final = "homeassistant_discovery"
MOST_TOPICS: Final = 50_000
"""Topics that are subscribed to because they were announced; a broker of a city has fewer."""
_SOURCES: Final = "announced-by"
_STATES: Final = "states-of"
_LIVES: Final = "liveness-of"
_TOPICS: Final = (FAMILY, "topics")
T = TypeVar("T", Announced, Liveness)


def parse(message: Message, context: Context) -> tuple[AnyRecord, ...] | Ignored:
    """Remember an announcement, or read a state or an availability that was announced.

    Raises:
        Unparseable: an announcement or a state of a metered sensor cannot be read.
    """
    if message.topic.endswith("/config"):
        return _announce(message, context)
    states: dict[str, list[Announced]] | None = context.memory.recall((FAMILY, _STATES, message.topic))
    lives: dict[str, list[Liveness]] | None = context.memory.recall((FAMILY, _LIVES, message.topic))
    if states is None and lives is None:
        return Ignored("not-announced")
    if not message.payload:
        return Ignored("empty-payload")
    root = _decoded(message.payload)
    records: list[AnyRecord] = [_status(each, root, message, context) for each in _distinct(lives)]
    for announced in _distinct(states):
        reading = _reading(announced, root, message, context)
        if reading is not None:
            records.append(reading)
    return tuple(records) or Ignored("no-value")


def claims(message: Message, context: Context) -> bool:
    """Whether the topic was announced."""
    memory = context.memory
    return any(memory.recall((FAMILY, kind, message.topic)) is not None for kind in (_STATES, _LIVES))


def announced_topics(context: Context) -> frozenset[str]:
    """All topics that announcements named so far."""
    return frozenset(context.memory.recall(_TOPICS) or ())


def _announce(message: Message, context: Context) -> Ignored:
    """An announcement replaces what the same topic announced before; an empty one takes it back."""
    memory, source = context.memory, message.topic
    announced: list[Announced] = []
    lives: list[Liveness] = []
    if message.payload:
        announced, lives = read_announcement(source, message.payload, context)
    for kind, topic in memory.recall((FAMILY, _SOURCES, source)) or ():
        known = {key: value for key, value in (memory.recall((FAMILY, kind, topic)) or {}).items() if key != source}
        _keep(context, (FAMILY, kind, topic), known)
    places = [*_remember(context, _STATES, source, announced), *_remember(context, _LIVES, source, lives)]
    if not places:
        memory.forget((FAMILY, _SOURCES, source))
        return Ignored("announcement-of-nothing-metered")
    memory.remember((FAMILY, _SOURCES, source), tuple(places))
    topics = announced_topics(context)
    if len(topics) < MOST_TOPICS and not topics.issuperset(topic for _, topic in places):
        topics |= {topic for _, topic in places}
        memory.remember(_TOPICS, topics, weight=len(topics))
    return Ignored("announcement")


def _remember(context: Context, kind: str, source: str, found: list[T]) -> list[tuple[str, str]]:
    by_topic: dict[str, list[T]] = {}
    for each in found:
        by_topic.setdefault(each.topic, []).append(each)
    for topic, entries in by_topic.items():
        known = context.memory.recall((FAMILY, kind, topic)) or {}
        _keep(context, (FAMILY, kind, topic), {**known, source: entries})
    return [(kind, topic) for topic in by_topic]


def _keep(context: Context, key: tuple[str, ...], entries: dict[str, list[T]]) -> None:
    if entries:
        context.memory.remember(key, entries, weight=sum(map(len, entries.values())))
    else:
        context.memory.forget(key)


def _distinct(entries: dict[str, list[T]] | None) -> list[T]:
    """In the order of the announcing topics, so that the order in which they came does not matter."""
    return list(dict.fromkeys(each for source in sorted(entries or {}) for each in (entries or {})[source]))


def _decoded(payload: bytes) -> Any:
    try:
        return from_json(payload, allow_inf_nan=False)
    except ValueError:
        return payload.decode("utf-8", "replace").strip()


def _at(root: Any, path: tuple[str, ...] | None) -> Any:
    value = root
    for step in path or ():
        if type(value) is dict:
            value = value.get(step)
        elif type(value) is list and step.isascii() and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _status(live: Liveness, root: Any, message: Message, context: Context) -> DeviceStatus:
    value = root if live.path is None else _at(root, live.path)
    word = value if isinstance(value, str) else message.payload.decode("utf-8", "replace").strip()
    return DeviceStatus(
        device=context.names.device(f"{FAMILY}:{live.device}"),
        observed_at=message.received_at,
        received_at=message.received_at,
        clock="none",
        retained=message.retained,
        availability="online" if word == live.online else "offline" if word == live.offline else "unknown",
    )


def _reading(announced: Announced, root: Any, message: Message, context: Context) -> AnyRecord | None:
    """A reading of one sensor; each sensor is a meter of its own, for nothing says which belong together."""
    if announced.path is not None and type(root) not in (dict, list):
        raise Unparseable("wrong_shape", "payload: must be JSON, as announced")
    value = _at(root, announced.path)
    number = None if value is None else number_of(value, "state")
    if number is None:
        return None
    target = announced.target
    part: Any = target.make(scaler(target.factor, "state")(number))
    return trusted.meter_reading(
        household=context.names.household(f"{FAMILY}:{announced.household}"),
        meter=context.names.meter(f"{FAMILY}:{announced.device}"),
        at=receive_time(message.received_at),
        received_at=message.received_at,
        retained=message.retained,
        registers=(part,) if target.is_register else (),
        gauges=() if target.is_register else (part,),
        carrier=target.carrier,
    )
