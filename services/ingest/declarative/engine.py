"""Running a table: topic to route, payload to values, values to records. Pure."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from re import compile as compile_expression
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.envelope import AnyRecord
from services.ingest.codecs.jsontext import read_object
from services.ingest.declarative.clocks import ReadClock, compile_clocks
from services.ingest.declarative.patterns import Pattern, compile_pattern, fill
from services.ingest.declarative.pointers import getter
from services.ingest.declarative.routes import Metering, Reader, availability_of, compile_metering
from services.ingest.declarative.table import Row, Table, Takes
from services.ingest.mapping import Compiled, compile_mapping
from services.ingest.profiles import Context, Ignored, Message, Unparseable

__all__ = ["Engine", "Hook", "compile_takes"]

Result: TypeAlias = tuple[AnyRecord, ...] | Ignored
Read = Callable[[Message, Context], Result]
Hook = Callable[[dict[str, Any]], dict[str, Any]]
"""Re-arranges a decoded payload, so that pointers reach everything; pure, and raises only `Unparseable`."""

NO_FIELD: Final = Ignored("no-metering-field")
NO_VALUE: Final = Ignored("no-value")
EMPTY: Final = Ignored("empty-payload")
"""What a broker sends on when somebody deletes a retained message."""
ROUTES: Final = 262_144
"""Topics whose route is remembered."""


class _Route(NamedTuple):
    read: Read
    metering: Metering | None


class _Site:
    """The routes of a table under one mapping of a site."""

    def __init__(self, engine: "Engine", mapping: Mapping[str, str]) -> None:
        self.mapping = mapping
        self.shared: dict[Any, Reader] = {}
        compiled = compile_mapping(mapping)
        self.route = lru_cache(maxsize=ROUTES)(lambda topic: engine.route(topic, compiled, self))


class Engine:
    """A family's table, ready to read."""

    def __init__(self, family: str, table: Table, hooks: Mapping[str, Hook] | None = None) -> None:
        """Compile what does not depend on the topic.

        Raises:
            ValueError: a row names a hook that is not there.
        """
        self._family = family
        self._otherwise = _Route(_ignore(table.otherwise), None)
        self._rows: list[tuple[Pattern, Row]] = [
            (compile_pattern(each), row) for row in table.message for each in row.topic
        ]
        self._hooks = hooks or {}
        for _, row in self._rows:
            if row.hook is not None and row.hook not in self._hooks:
                raise ValueError(f"hook {row.hook!r}: there is no such function in this profile's parser.py")
        self._site = _Site(self, {})

    def parse(self, message: Message, context: Context) -> Result:
        """Read one message.

        Raises:
            Unparseable: the payload is not what the table says it must be.
        """
        if not message.payload:
            return EMPTY
        site = self._site
        if context.mapping is not site.mapping:
            site = self._site = _Site(self, context.mapping)
        return site.route(message.topic).read(message, context)

    def route(self, topic: str, mapping: Compiled, site: _Site) -> _Route:
        """The first row that takes the topic."""
        for pattern, row in self._rows:
            parts = pattern.match(topic)
            if parts is None:
                continue
            try:
                return self._routed(row, parts, mapping, site)
            except ValueError:
                continue  # a channel that the row does not know
        return self._otherwise

    def _routed(self, row: Row, parts: dict[str, str], mapping: Compiled, site: _Site) -> _Route:
        if row.ignore is not None:
            return _Route(_ignore(row.ignore), None)
        hook = self._hooks[row.hook] if row.hook is not None else None
        if row.availability is not None:
            return _Route(_status(row, f"{self._family}:{fill(row.device, parts)}"), None)
        if row.expand is not None:
            to = fill(row.expand.to, {**parts, "key": "{key}"})
            return _Route(_expanding(compile_clocks(row.clock), row.expand.at, to, site), None)
        metering = compile_metering(row, parts, self._family, mapping, site.shared)
        if row.payload == "scalar":
            return _Route(_scalar(metering, parts["key"]), None)
        if row.payload == "csv":
            return _Route(_columns(metering), None)
        return _Route(_object(metering, hook, row.not_object), metering)


def _ignore(rule: str) -> Read:
    ignored = Ignored(rule)
    return lambda _message, _context: ignored


def _status(row: Row, device: str) -> Read:
    if row.availability is None:
        raise ValueError("availability is missing")
    read = availability_of(row.availability, device)

    def status(message: Message, context: Context) -> Result:
        decoded = read_object(message.payload) if message.payload.lstrip()[:1] == b"{" else None
        return (read(message, context, decoded),)

    return status


def _object(metering: Metering, hook: Hook | None, not_object: str | None) -> Read:
    other = None if not_object is None else Ignored(not_object)

    def read(message: Message, context: Context) -> Result:
        if other is not None and not message.payload.lstrip().startswith(b"{"):
            return other
        root = read_object(message.payload)
        if hook is not None:
            root = hook(root)
        finds = metering.reader.collect(root, message, context)
        return metering.readings(finds, root, message, context) or NO_FIELD

    return read


def _text(message: Message) -> str:
    try:
        return message.payload.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Unparseable("not_text", "payload: must be a number as text") from None


def _scalar(metering: Metering, key: str) -> Read:
    if key not in metering.reader.trees[0] and key not in metering.reader.everywhere:
        return _ignore("no-metering-topic")

    def read(message: Message, context: Context) -> Result:
        root = {key: _text(message).strip('"')}
        finds = metering.reader.collect(root, message, context)
        return metering.readings(finds, root, message, context) or NO_VALUE

    return read


def _columns(metering: Metering) -> Read:
    def read(message: Message, context: Context) -> Result:
        columns = _text(message).split(",")
        root = {f"#{place}": value for place, value in enumerate(columns)}
        finds = metering.reader.collect(root, message, context)
        return metering.readings(finds, root, message, context) or NO_FIELD

    return read


def _expanding(clock: ReadClock, at: str, to: str, site: _Site) -> Read:
    """Members of an object, each read as if published on its own topic, with the clock of the whole."""
    members = getter(at)

    def read(message: Message, context: Context) -> Result:
        root = read_object(message.payload)
        parts = members(root)
        if parts is None:
            return NO_FIELD
        if type(parts) is not dict:
            raise Unparseable("wrong_shape", f"{at}: must be an object")
        made: list[AnyRecord] = []
        for key, value in parts.items():
            if type(value) is not dict or len(key) > 60:
                continue
            metering = site.route(to.replace("{key}", key)).metering
            if metering is None:
                continue
            finds = metering.reader.collect(value, message, context)
            made.extend(metering.readings(finds, root, message, context, clock))
        return tuple(made) or NO_FIELD

    return read


def compile_takes(takes: Takes) -> Callable[[Message], bool]:
    """Whether a message is of this family, where another shares its topics."""
    payload, not_payload = (
        None if text is None else compile_expression(text.encode()) for text in (takes.payload, takes.not_payload)
    )
    topic, not_topic = (None if text is None else compile_expression(text) for text in (takes.topic, takes.not_topic))

    def taken(message: Message) -> bool:
        if not_topic is not None and not_topic.search(message.topic):
            return False
        if not_payload is not None and not_payload.search(message.payload):
            return False
        if payload is not None and payload.search(message.payload):
            return True
        if topic is not None and topic.search(message.topic):
            return True
        return payload is None and topic is None

    return taken
