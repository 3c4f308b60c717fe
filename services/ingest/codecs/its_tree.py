"""One reading of C-ITS messages for all their spellings.

`signal_group`, `signalGroup` and `signal-group` are the same element of ISO/TS 19091; a CHOICE is a pair in one
decoder and an object with one key in JSON; an enumeration is a number, a name or a NAME_IN_CAPITALS. `fold` makes
one shape of them, and the functions here read it by the ASN.1 names. CAM has its own, faster way.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from services.ingest.codecs.its_time import milliseconds
from services.ingest.codecs.its_units import whole
from services.ingest.profiles import Context, Message, Unparseable

__all__ = ["Arrival", "Enumeration", "Tree", "child", "first", "flags_set", "fold", "integer", "items", "part"]

Tree = Mapping[str, Any]
_DEEPEST: Final = 40


class Arrival(NamedTuple):
    """What is known beside the message itself; `envelope_ms` is the Unix time that its envelope says."""

    message: Message
    context: Context
    envelope_ms: int | None = None

    @property
    def reference_ms(self) -> int:
        """The best guess of when it was sent, for times that need one: the envelope, else reception."""
        received_ms = milliseconds(self.message.received_at)
        if self.envelope_ms is None:
            return received_ms
        context = self.context
        age_s = (received_ms - self.envelope_ms) / 1000
        believed = -context.newest.total_seconds() <= age_s <= context.oldest.total_seconds()
        return self.envelope_ms if believed else received_ms


@lru_cache(maxsize=4096)
def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def fold(value: Any, depth: int = 0) -> Any:
    """The same value with folded keys; a decoder's `(alternative, value)` becomes an object.

    Raises:
        Unparseable: nested deeper than any message of these standards.
    """
    if depth > _DEEPEST:
        raise Unparseable("too_deep", "message: nested deeper than any C-ITS message")
    kind = type(value)
    if kind is dict:
        return {_folded(key): fold(each, depth + 1) for key, each in value.items()}
    if kind is list:
        return [fold(each, depth + 1) for each in value]
    if kind is tuple and len(value) == 2 and type(value[0]) is str:
        return {_folded(value[0]): fold(value[1], depth + 1)}
    return value


def first(tree: Tree, *names: str) -> Any:
    """The element under the first of its names that is there; `None` if none is."""
    for name in names:
        value = tree.get(_folded(name))
        if value is not None:
            return value
    return None


def part(tree: Tree, *names: str) -> Tree | None:
    """A container that need not be there.

    Raises:
        Unparseable: there, but no object.
    """
    value = first(tree, *names)
    if value is not None and type(value) is not dict:
        raise Unparseable("wrong_shape", f"{names[0]}: must be an object")
    return value


def child(tree: Tree, *names: str) -> Tree:
    """A container that must be there.

    Raises:
        Unparseable: missing, or no object.
    """
    value = part(tree, *names)
    if value is None:
        raise Unparseable("missing_field", f"{names[0]}: is missing")
    return value


def items(tree: Tree, *names: str) -> Sequence[Tree]:
    """A list of objects, perhaps inside an object of its own; absent is empty.

    Raises:
        Unparseable: no list, or a list of something else.
    """
    value = first(tree, *names)
    while type(value) is dict and len(value) == 1:
        (value,) = value.values()
    if value is None:
        return ()
    if type(value) is not list or any(type(each) is not dict for each in value):
        raise Unparseable("wrong_shape", f"{names[0]}: must be a list of objects")
    return value


def integer(tree: Tree, name: str, low: int, high: int, *others: str, default: int | None = None) -> int:
    """An integer element; `others` are further names of it.

    Raises:
        Unparseable: missing without a default, no integer, or out of its range.
    """
    value = first(tree, name, *others)
    if value is None:
        if default is None:
            raise Unparseable("missing_field", f"{name}: is missing")
        return default
    return whole(value, name, low, high)


def _name_of(value: Any) -> Any:
    """A lone name inside an object, as some converters write an enumeration: `{"granted": true}`."""
    if type(value) is dict and len(value) == 1:
        ((name, marker),) = value.items()
        return name if marker in (True, None, 0) else value
    return value


class Enumeration:
    """An ENUMERATED: its names in the order of their numbers."""

    def __init__(self, name: str, *names: str) -> None:
        """`name` is the element's, for error texts."""
        self._name = name
        self._numbers = {_folded(each): number for number, each in enumerate(names)}
        self._highest = max(len(names) - 1, 0)

    def __call__(self, value: Any, highest: int | None = None) -> int | None:
        """Its number; `None` if absent.

        Raises:
            Unparseable: a name or a number that the enumeration does not have.
        """
        value = _name_of(value)
        if value is None:
            return None
        if type(value) is str:
            number = self._numbers.get(_folded(value))
            if number is None:
                raise Unparseable("bad_value", f"{self._name}: no such name in this enumeration")
            return number
        return whole(value, self._name, 0, self._highest if highest is None else highest)


def flags_set(value: Any, names: Sequence[str], element: str) -> tuple[str, ...]:
    """The names of the bits that are set, in the order of the standard.

    A BIT STRING comes as a list of names, an object of booleans, `"0100…"` with bit 0 first, or a number with its
    length. Names that the standard does not have are left out.

    Raises:
        Unparseable: none of these.
    """
    if value is None:
        return ()
    if type(value) is list and all(type(each) is str for each in value):
        said = {_folded(each) for each in value}
    elif type(value) is dict:
        said = {key for key, each in value.items() if each is True}
    elif type(value) is str and set(value) <= {"0", "1"}:
        said = {_folded(name) for name, bit in zip(names, value, strict=False) if bit == "1"}
    elif type(value) is tuple and len(value) == 2:
        number, length = value
        said = {_folded(name) for place, name in enumerate(names[:length]) if number >> (length - 1 - place) & 1}
    else:
        raise Unparseable("wrong_shape", f"{element}: must be a bit string")
    return tuple(name for name in names if _folded(name) in said)
