"""From a row's fields to closures: each takes a value and puts a register, a gauge or a state where it belongs."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, Final, NamedTuple

from schemas.energy import Carrier, Register
from services.ingest.codecs import trusted
from services.ingest.codecs.tic import state
from services.ingest.declarative.clocks import instant
from services.ingest.declarative.patterns import fill
from services.ingest.declarative.pointers import getter
from services.ingest.declarative.table import STATE, Field_
from services.ingest.mapping import Target, read_target
from services.ingest.profiles import Context, Message, Unparseable

__all__ = [
    "ABSENT_WORDS",
    "Found",
    "Leaf",
    "Take",
    "Whole",
    "compile_leaf",
    "mapped_leaf",
    "number_of",
    "scaler",
    "target_of",
]


class Found(NamedTuple):
    """What a message held of one meter."""

    registers: list[Any]
    gauges: list[Any]
    states: list[Any]


Finds = Sequence[Found]


class Whole(NamedTuple):
    """What a closure may need besides its value."""

    root: Any
    message: Message
    context: Context


Take = Callable[[Any, Finds, Whole], None]
"""A value, and where to put what it becomes."""
ABSENT_WORDS: Final = frozenset(("", "nan", "null", "none", "unknown", "unavailable", "undefined"))
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_LARGEST_EXPONENT: Final = 10
_LONGEST_STATE: Final = 60


class Leaf(NamedTuple):
    """A compiled field and the carrier that it is of (`None`: a state)."""

    take: Callable[[int], Take]
    carrier: Carrier | None


def number_of(value: Any, place: str) -> float | None:
    """A JSON number, or a text that is one; `None` for words that mean that there is no value.

    Raises:
        Unparseable: anything else.
    """
    kind = type(value)
    if kind is float:
        if isfinite(value):
            return float(value) + 0.0  # -0.0 becomes 0.0
    elif kind is int:
        try:
            return float(value)
        except OverflowError:
            pass
    elif kind is str:
        text = value.strip()
        if text.lower() in ABSENT_WORDS:
            return None
        if _NUMBER.fullmatch(text) and isfinite(number := float(text)):
            return number + 0.0
    raise Unparseable("bad_value", f"{place}: must be a number")


@lru_cache(maxsize=4096)
def scaler(factor: float, place: str) -> Callable[[float], float]:
    """Multiplication that keeps decimal figures: by 0.001 is division by 1000."""
    if factor == 1:
        return lambda number: number
    inverse = 1 / factor if factor else 0
    divides = abs(factor) < 1 and abs(inverse - round(inverse)) < 1e-9 * abs(inverse)
    divisor = round(inverse)

    def scale(number: float) -> float:
        scaled = number / divisor if divides else number * factor
        if isfinite(scaled):
            return scaled + 0.0
        raise Unparseable("bad_value", f"{place}: too large for a number")

    return scale


@lru_cache(maxsize=65_536)
def target_of(text: str, modulus: float | None, *, since_midnight: bool) -> Target:
    """The target with what its words do not say.

    Raises:
        MappingProblem: see `read_target`.
    """
    target = read_target(text)
    sample = target.make(0.0)
    if isinstance(sample, Register) and (since_midnight or modulus is not None):
        make = trusted.register(
            sample.quantity, sample.name, sample.unit, since_midnight=since_midnight, modulus=modulus
        )
        return target._replace(make=make)
    return target


def compile_leaf(place: str, row: Field_, parts: dict[str, str], absent: Sequence[float | str]) -> Leaf:
    """The closure of one field.

    Args:
        place: the key, for errors.
        row: what becomes of the value.
        parts: the named parts of the topic.
        absent: values that mean "not available" in the whole message.

    Raises:
        ValueError: the names of the topic do not give a valid target.
    """
    text = fill(row.to, parts)
    if text.startswith(STATE):
        return Leaf(lambda group: _state_leaf(group, text.removeprefix(STATE), row), None)
    target = target_of(text, row.modulus, since_midnight=row.since_midnight)
    missing = frozenset((*absent, *row.absent))
    if missing or row.range or row.needs or row.unless or row.exponent or row.at:
        return Leaf(lambda group: _careful_leaf(group, place, target, row, missing), target.carrier)
    return mapped_leaf(place, target)


def mapped_leaf(place: str, target: Target) -> Leaf:
    """A number without any condition."""
    kind = 0 if target.is_register else 1
    make, scale, plain = target.make, scaler(target.factor, place), target.factor == 1

    def at_group(group: int) -> Take:
        def take(value: Any, finds: Finds, _whole: Whole) -> None:
            number = number_of(value, place)
            if number is not None:
                finds[group][kind].append(make(number if plain else scale(number)))

        return take

    return Leaf(at_group, target.carrier)


def _careful_leaf(group: int, place: str, target: Target, row: Field_, missing: frozenset[float | str]) -> Take:
    kind = 0 if target.is_register else 1
    scale = scaler(target.factor, place)
    low, high = row.range or (None, None)
    needs = getter(row.needs) if row.needs else None
    better = getter(row.unless) if row.unless else None
    exponent = getter(row.exponent) if row.exponent else None
    at = instant(row.at) if row.at else None

    def take(value: Any, finds: Finds, whole: Whole) -> None:
        if type(value) is str and value in missing:
            return
        number = number_of(value, place)
        if number is None or number in missing or (needs is not None and not needs(whole.root)):
            return
        if better is not None and better(whole.root) is not None:
            return
        if exponent is not None:
            power = exponent(whole.root) or 0
            if type(power) is not int or abs(power) > _LARGEST_EXPONENT:
                return  # SunSpec: -32768 = not implemented
            number = number * 10**power if power >= 0 else number / 10**-power
        if low is not None and high is not None and not low <= number <= high:
            return
        made = target.make(scale(number))
        when = at(*whole) if at is not None else None
        finds[group][kind].append(made if when is None else trusted.dated(made, when))  # type: ignore[arg-type]

    return take


def _state_leaf(group: int, name: str, row: Field_) -> Take:
    words = row.words
    better = getter(row.unless) if row.unless else None

    def take(value: Any, finds: Finds, whole: Whole) -> None:
        if better is not None and better(whole.root):
            return
        text = " ".join(value.split()) if type(value) is str else str(value) if type(value) is int else ""
        text = words.get(text, "") if words else text[:_LONGEST_STATE]
        if text:
            finds[group].states.append(state(name, text))

    return take
