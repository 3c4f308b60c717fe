"""From a row and a topic to a reader: everything that the topic decides is decided once per topic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from re import Pattern as Expression
from re import compile as compile_expression
from typing import Any, Final, NamedTuple

from schemas.energy import Carrier
from schemas.envelope import AnyRecord
from schemas.status import DeviceStatus
from services.ingest.codecs import trusted
from services.ingest.declarative.clocks import ReadClock, compile_clocks
from services.ingest.declarative.leaves import Found, Leaf, Take, Whole, compile_leaf, mapped_leaf
from services.ingest.declarative.patterns import fill, placeholders
from services.ingest.declarative.pointers import Getter, getter, steps
from services.ingest.declarative.table import NOTHING, Availability, Field_, Row
from services.ingest.mapping import Compiled
from services.ingest.profiles import Context, Message, Unparseable

__all__ = ["Group", "Metering", "Reader", "Tree", "availability_of", "compile_metering"]

Tree = dict[str, "Take | Tree"]
"""Closures by key, nested as the payload is."""
MOST_READERS: Final = 4096
"""Readers that are remembered; more come only of somebody who makes channels up."""
ITSELF: Final = "\x00"
"""The key of the closure for a value that one version of a format sends in the place of an object."""


@dataclass(frozen=True, slots=True)
class Group:
    """One meter of a message: its carrier, how it is called beside the main one, its clock."""

    carrier: Carrier
    meter: str
    clock: ReadClock


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads the payloads of a row; shared by all topics whose named parts do not change it."""

    groups: tuple[Group, ...]
    trees: dict[int, Tree]
    """By the variants that hold, as bits; made when first needed."""
    conditions: tuple[tuple[tuple[Getter, Expression[str]], ...], ...]
    make_tree: Callable[[int], Tree]
    everywhere: Mapping[str, Take]
    """Names of the site that count at the top and one level below."""

    def collect(self, root: Mapping[str, Any], message: Message, context: Context) -> list[Found]:
        """What stands in an object, by group.

        Raises:
            Unparseable: a known key holds something else than it must.
        """
        finds = [Found([], [], []) for _ in self.groups]
        whole = Whole(root, message, context)
        holding = 0
        for place, conditions in enumerate(self.conditions):
            for get, expression in conditions:
                if not _holds(get(root), expression):
                    break
            else:
                holding |= 1 << place
        tree = self.trees.get(holding)
        if tree is None:
            tree = self.trees[holding] = self.make_tree(holding)
        _walk(root, tree, finds, whole)
        if self.everywhere:
            self._mapped(root, finds, whole)
        return finds

    def _mapped(self, root: Mapping[str, Any], finds: list[Found], whole: Whole) -> None:
        for name, value in root.items():
            if type(value) is dict:
                for inner, part in value.items():
                    take = self.everywhere.get(f"{name}.{inner}") or self.everywhere.get(inner)
                    if take is not None and part is not None:
                        take(part, finds, whole)
            elif (take := self.everywhere.get(name)) is not None and value is not None:
                take(value, finds, whole)


class Metering(NamedTuple):
    """The reader of one topic: whose the values are, and how they are read."""

    device: str
    household: str
    reader: Reader

    def readings(
        self, finds: list[Found], root: Any, message: Message, context: Context, clock: ReadClock | None = None
    ) -> tuple[AnyRecord, ...]:
        """A reading for each group that holds something; `clock` stands for that of the groups."""
        made = []
        for group, found in zip(self.reader.groups, finds, strict=True):
            if not (found.registers or found.gauges or found.states):
                continue
            made.append(
                trusted.meter_reading(
                    household=context.names.household(self.household),
                    meter=context.names.meter(f"{self.device}/{group.meter}" if group.meter else self.device),
                    at=(clock or group.clock)(root, message, context),
                    received_at=message.received_at,
                    retained=message.retained,
                    registers=tuple(found.registers),
                    gauges=tuple(found.gauges),
                    states=tuple(found.states),
                    carrier=group.carrier,
                )
            )
        return tuple(made)


def _holds(value: Any, expression: Expression[str]) -> bool:
    return value is not None and expression.search(value if type(value) is str else str(value)) is not None


def _walk(here: Mapping[str, Any], tree: Tree, finds: list[Found], whole: Whole) -> None:
    for key, value in here.items():
        target = tree.get(key)
        if target is None or value is None:
            continue
        if type(target) is not dict:
            target(value, finds, whole)  # type: ignore[operator]
        elif type(value) is dict:
            _walk(value, target, finds, whole)
        elif type(value) is list:
            _walk({str(n): each for n, each in enumerate(value)}, target, finds, whole)
        elif (itself := target.get(ITSELF)) is not None:
            itself(value, finds, whole)  # type: ignore[operator]
        else:
            raise Unparseable("wrong_shape", f"/{key}: must be an object or a list")


class _Groups:
    """The groups of a row, in the order in which they are first needed; the first is the main meter."""

    def __init__(self) -> None:
        self.found: dict[tuple[Carrier, str, int], Group] = {}

    def index(self, carrier: Carrier, meter: str, clock: ReadClock) -> int:
        key = (carrier, meter, id(clock))
        self.found.setdefault(key, Group(carrier, meter, clock))
        return list(self.found).index(key)


class _Builder:
    """Compiles the fields of one row for one topic."""

    def __init__(self, row: Row, parts: dict[str, str]) -> None:
        self._row = row
        self._parts = parts
        self._clock = compile_clocks(row.clock)
        self._parts_of_row = [(each, compile_clocks(each.clock) if each.clock else self._clock) for each in row.part]
        self._leaves: dict[tuple[str, int], Take] = {}
        self.groups = _Groups()
        self.main: Carrier = "electricity"

    def leaf(self, place: str, row: Field_, meter: str = "", clock: ReadClock | None = None) -> Take:
        """Fields that variants share are made once."""
        key = (place, id(row))
        if key not in self._leaves:
            self._leaves[key] = self.placed(compile_leaf(place, row, self._parts, self._row.absent), meter, clock)
        return self._leaves[key]

    def placed(self, leaf: Leaf, meter: str = "", clock: ReadClock | None = None) -> Take:
        """A carrier that is not the main one is a meter of its own on the same device."""
        carrier = leaf.carrier or self.main
        beside = meter or ("" if carrier == self.main else carrier)
        return leaf.take(self.groups.index(carrier, beside, clock or self._clock))

    def tree(self, fields: Mapping[str, Field_]) -> Tree:
        tree: Tree = {}
        for place, row in fields.items():
            if row.to != NOTHING:
                _plant(tree, place, self.leaf(place, row))
        for part, clock in self._parts_of_row:
            for place, row in part.fields.items():
                _plant(tree, place, self.leaf(place, row, part.meter, clock))
        return tree


def _plant(tree: Tree, place: str, take: Take) -> None:
    """Put a closure at its place; scalars and columns have plain names, JSON has pointers."""
    *path, last = steps(place) if place.startswith("/") else [place]
    node = tree
    for step in path:
        below = node.setdefault(step, {})
        if type(below) is not dict:
            below = node[step] = {ITSELF: below}
        node = below
    already = node.get(last)
    if type(already) is dict:
        already[ITSELF] = take
    else:
        node[last] = take


def _uproot(tree: Tree, name: str) -> None:
    """Take out what the site reads by a name of its own: a key, or `section.key`."""
    section, dot, key = name.partition(".")
    below = tree.get(section)
    if dot and type(below) is dict:
        below.pop(key, None)
    else:
        tree.pop(name, None)


def compile_metering(
    row: Row, parts: dict[str, str], family: str, mapping: Compiled, shared: dict[Any, Reader]
) -> Metering:
    """The reader for a topic whose named parts are known.

    Args:
        row: takes the topic.
        parts: the named parts of the topic.
        family: name of the profile.
        mapping: of the site.
        shared: readers made before, by what they depend on.

    Raises:
        ValueError: the parts do not fit the templates of the row; the row then does not take the topic.
    """
    named = {name: _renamed(row, name, part) for name, part in parts.items()}
    device = f"{family}:{fill(row.device, parts)}"
    household = device if row.household is None else f"{family}:{fill(row.household, parts)}"
    section = parts.get("device", "") if row.mapping else ""
    key = (id(row), section if section in mapping else "", *(named[name] for name in sorted(_used(row) & named.keys())))
    reader = shared.get(key)
    if reader is None:
        if len(shared) >= MOST_READERS:
            shared.clear()
        reader = shared[key] = _reader(row, named, mapping, section)
    return Metering(device, household, reader)


def _used(row: Row) -> frozenset[str]:
    """The parts of the topic that change what a field becomes."""
    groups = [row.fields, *(v.fields for v in row.variant), *(p.fields for p in row.part)]
    return frozenset(name for group in groups for each in group.values() for name in placeholders(each.to))


def _reader(row: Row, named: dict[str, str], mapping: Compiled, section: str) -> Reader:
    builder = _Builder(row, named)
    builder.main = _main_carrier(row, named)
    everywhere = {} if not row.mapping else _site_names(builder, mapping, section)

    def make_tree(holding: int) -> Tree:
        fields = dict(row.fields)
        for place, variant in enumerate(row.variant):
            if holding >> place & 1:
                fields |= variant.fields
        tree = builder.tree(fields)
        for name in everywhere:
            _uproot(tree, name)
        return tree

    # Every variant once, so that all groups are known.
    trees = {holding: make_tree(holding) for holding in (0, *(1 << place for place in range(len(row.variant))))}
    conditions = tuple(
        tuple((getter(place), compile_expression(text)) for place, text in each.when.items()) for each in row.variant
    )
    return Reader(tuple(builder.groups.found.values()), trees, conditions, make_tree, everywhere)


def _main_carrier(row: Row, parts: dict[str, str]) -> Carrier:
    """Electricity if the row has any of it, else the carrier of its first field."""
    carriers = [
        compile_leaf(place, each, parts, ()).carrier for place, each in row.fields.items() if each.to != NOTHING
    ]
    metered = [carrier for carrier in carriers if carrier is not None]
    return metered[0] if metered and "electricity" not in metered else "electricity"


def _renamed(row: Row, name: str, part: str) -> str:
    if name not in row.names:
        return part
    if part not in row.names[name]:
        raise ValueError(f"{{{name}}} has no such value in names")
    return row.names[name][part]


def _site_names(builder: _Builder, mapping: Compiled, device: str) -> dict[str, Take]:
    """`E1` everywhere, `emontx.E1` for that device alone, `section.key` inside a section of the payload."""
    found: dict[str, Take] = {}
    for section, targets in mapping.items():
        for key, target in targets.items():
            name = key if section in ("", device) else f"{section}.{key}"
            if section == "" and name in found:
                continue
            found[name] = builder.placed(mapped_leaf(f"mapping {key!r}", target))
    return found


def availability_of(row: Availability, device: str) -> Callable[[Message, Context, Any], DeviceStatus]:
    """A reader of last wills and availability topics; `decoded` is the JSON object, if the payload is one."""
    get = getter(row.field) if row.field is not None else None
    words = {
        **{word.lower(): "online" for word in row.online},
        **{word.lower(): "offline" for word in row.offline},
    }

    def read(message: Message, context: Context, decoded: Any) -> DeviceStatus:
        value = get(decoded) if get is not None and type(decoded) is dict else None
        text = value if type(value) is str else message.payload.decode("utf-8", "replace")
        return DeviceStatus.model_validate(
            {
                "device": context.names.device(device),
                "observed_at": message.received_at,
                "received_at": message.received_at,
                "clock": "none",
                "retained": message.retained,
                "availability": words.get(text.strip().strip('"').lower(), "unknown"),
            }
        )

    return read
