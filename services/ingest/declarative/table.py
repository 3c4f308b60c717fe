"""The table as it stands in the TOML file: closed models, and errors that name the line and the key."""

import re
import tomllib
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.ingest.codecs.tic import state
from services.ingest.declarative.patterns import compile_pattern, fill, placeholders
from services.ingest.mapping import read_target
from services.ingest.topics import TopicTree

__all__ = [
    "NOTHING",
    "STATE",
    "Availability",
    "Clock",
    "Field_",
    "Part",
    "Policy",
    "Row",
    "Table",
    "TableProblem",
    "read_table",
]

Policy = Literal["auto", "iso", "epoch_s", "epoch_ms", "local_naive", "local_compact", "tic_horodate", "fake_utc_local"]
STATE: Final = "state "
NOTHING: Final = "nothing"
"""A target for what must not be read, where a variant takes a field back."""
_FIELD: Final = re.compile(r"fields '([^']+)':")
_RULE: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class TableProblem(ValueError):
    """A table is wrong; the text names the file, the line, the key and what would be right."""


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"the expression cannot be read: {error}") from None
    return text


def _pointer(text: str) -> str:
    if text and not text.startswith("/"):
        raise ValueError(f"{text!r} must be a JSON pointer such as /energy/total")
    return text


Expression = Annotated[str, AfterValidator(_expression)]
Pointer = Annotated[str, AfterValidator(_pointer)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Clock(_Model):
    """Where the source's own time stands and how it is to be read (meters.md 4.3)."""

    policy: Policy
    field: Pointer


class Field_(_Model):  # noqa: N801 - `Field` is pydantic's
    """What a value becomes; a text alone is `to`."""

    to: str = Field(description="'<quantity> <name> <unit> [<carrier>]', or 'state <name>'.")
    absent: tuple[float | str, ...] = Field(default=(), description="Values that mean 'not available'.")
    range: tuple[float, float] | None = Field(default=None, description="Outside of it, the value is noise.")
    needs: Pointer | None = Field(default=None, description="Only believed if this other value is there and not 0.")
    unless: Pointer | None = Field(default=None, description="Only used if this other, better value is not there.")
    exponent: Pointer | None = Field(
        default=None,
        description="Power of ten that scales it, if it is there; beyond ±10 (SunSpec: -32768) the value is not.",
    )
    since_midnight: bool = False
    modulus: float | None = Field(default=None, gt=0, description="Where the register rolls over, in its final unit.")
    at: Clock | None = Field(default=None, description="The instant of its own that a gauge has.")
    words: dict[str, str] = Field(default_factory=dict, description="States: translations; other words are left out.")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"to": value} if isinstance(value, str) else value


Fields = dict[str, Field_]


class Variant(_Model):
    """Fields that replace those of the row when all conditions hold; several variants can hold at once."""

    when: dict[Pointer, Expression] = Field(min_length=1)
    fields: Fields


class Part(_Model):
    """A meter beside the main one in the same message, with its own clock."""

    meter: Annotated[str, Field(pattern=r"^[a-z0-9_]*$")] = ""
    clock: tuple[Clock, ...] = ()
    fields: Fields

    _clocks = field_validator("clock", mode="before")(lambda value: [value] if isinstance(value, dict) else value)


class Availability(_Model):
    """Words of a last will or of an availability topic; the text itself, or a key of a JSON object."""

    field: Pointer | None = None
    online: tuple[str, ...]
    offline: tuple[str, ...]


class Expand(_Model):
    """An object whose members are read as if each were published on a topic of its own."""

    at: Pointer
    to: str = Field(description="The topic, with {key} for the member's name.")


class Row(_Model):
    """One kind of message: its topics and what stands in it."""

    topic: tuple[str, ...] = Field(min_length=1)
    payload: Literal["json", "scalar", "csv"] = "json"
    device: str = "{device}"
    household: str | None = Field(default=None, description="Where it is not the device: what the registry lists.")
    names: dict[str, dict[str, str]] = Field(default_factory=dict)
    clock: tuple[Clock, ...] = ()
    absent: tuple[float | str, ...] = ()
    fields: Fields = Field(default_factory=dict)
    variant: tuple[Variant, ...] = ()
    part: tuple[Part, ...] = ()
    mapping: bool = Field(default=False, description="The site's own names count here.")
    expand: Expand | None = None
    hook: str | None = None
    not_object: Annotated[str, Field(pattern=_RULE)] | None = Field(
        default=None, description="Rule that ignores payloads that are no JSON object."
    )
    availability: Availability | None = None
    ignore: Annotated[str, Field(pattern=_RULE)] | None = None

    _topics = field_validator("topic", mode="before")(lambda value: [value] if isinstance(value, str) else value)
    _clocks = field_validator("clock", mode="before")(lambda value: [value] if isinstance(value, dict) else value)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        kinds = [self.ignore is not None, self.availability is not None, self.expand is not None]
        if sum(kinds) + bool(self.fields or self.part or self.mapping) != 1:
            raise ValueError("a message needs exactly one of: fields (or mapping), availability, expand, ignore")
        for each in self.topic:
            known = compile_pattern(each).names
            if self.ignore is None:
                self._check_names(known)
        return self

    def _check_names(self, known: frozenset[str]) -> None:
        used = placeholders(self.device) | placeholders(self.household or "") | self.names.keys()
        if missing := sorted(used - known):
            raise ValueError(f"the topic gives no {{{missing[0]}}}")
        if self.payload == "scalar" and self.availability is None and "key" not in known:
            raise ValueError("payload = 'scalar' needs {key} in the topic: it says which of the fields the value is")
        sample = {name: next(iter(self.names.get(name, {}).values()), "1") for name in known}
        for place, row in self._all_fields():
            _check_target(place, row, sample)

    def _all_fields(self) -> list[tuple[str, Field_]]:
        groups = [self.fields, *(v.fields for v in self.variant), *(p.fields for p in self.part)]
        return [item for group in groups for item in group.items()]


def _check_target(place: str, row: Field_, sample: dict[str, str]) -> None:
    try:
        text = fill(row.to, sample)
        if text == NOTHING:
            return
        if text.startswith(STATE):
            state(text.removeprefix(STATE), "x")
        else:
            read_target(text)
    except ValidationError:
        raise ValueError(f"fields {place!r}: {row.to!r}: there is no such state") from None
    except ValueError as error:
        raise ValueError(f"fields {place!r}: {error}") from None


class Takes(_Model):
    """When another profile shares the topics: which messages are of this one."""

    payload: Expression | None = None
    topic: Expression | None = None
    not_payload: Expression | None = None
    not_topic: Expression | None = None


class Table(_Model):
    """A family."""

    summary: str
    stability: Literal["development", "alpha", "stable"] = "development"
    topics: tuple[str, ...] = Field(min_length=1)
    otherwise: Annotated[str, Field(pattern=_RULE)] = "no-metering-topic"
    takes: Takes = Takes()
    message: tuple[Row, ...] = Field(min_length=1)

    @field_validator("topics")
    @classmethod
    def _filters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            TopicTree[str]().add(each, "")
        return value


def read_table(text: str, source: str) -> Table:
    """Read a table.

    Args:
        text: the TOML.
        source: the name of the file, for errors.

    Raises:
        TableProblem: with one line for each fault: file, line, key, what is wrong.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TableProblem(f"{source}: not TOML: {error}") from None
    try:
        return Table.model_validate(values)
    except ValidationError as error:
        faults = [
            f"{source}{_line(text, each['loc'], each['msg'])}: {_key(each['loc'])}: {_plain(each['msg'])}"
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise TableProblem("\n".join(faults)) from None


def _plain(text: str) -> str:
    return "there is no such key" if text.startswith("Extra inputs") else text.removeprefix("Value error, ")


def _key(place: tuple[int | str, ...]) -> str:
    """`message 3 fields "/energy"`: rows are counted from one."""
    words = [str(part + 1) if isinstance(part, int) else f'"{part}"' if "/" in part else part for part in place]
    return " ".join(words) or "table"


def _line(text: str, place: tuple[int | str, ...], fault: str) -> str:
    """The line where the key stands, as near as can be told from the text."""
    if (named := _FIELD.search(fault)) is not None:
        place = (*place, named[1])
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if line.strip().startswith("[[message]]")]
    begin, end = 0, len(lines)
    match place:
        case ("message", int(row), *_) if row < len(heads):
            begin, end = heads[row], next((head for head in heads[row + 1 :]), len(lines))
    for part in reversed(place):
        if isinstance(part, str) and part != "message":
            for number in range(begin, end):
                if part in lines[number]:
                    return f" line {number + 1}"
    return f" line {begin + 1}" if begin else ""
