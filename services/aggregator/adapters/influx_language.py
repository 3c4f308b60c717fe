"""What InfluxDB's queries and their answers are made of."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import aiohttp
from pydantic_core import from_json

from services.aggregator.ports import FieldValue, Row

__all__ = ["identifier", "json_lines", "literal", "quoted", "rows_of"]


def rows_of(part: Mapping[str, Any], types: Mapping[str, str]) -> list[Row]:
    """The rows of a part of a series, numbers in the types that the fields have."""
    tags = {name: value for name, value in part.get("tags", {}).items() if value}
    columns = [(name, _TYPES.get(types.get(name, ""), _as_is)) for name in part["columns"][1:]]
    rows = []
    for time_ns, *values in part["values"]:
        fields = {name: typed(value) for (name, typed), value in zip(columns, values, strict=True) if value is not None}
        rows.append(Row(time_ns, tags, fields))
    return rows


def _as_is(value: FieldValue) -> FieldValue:
    return value


_TYPES: Final[Mapping[str, Callable[[Any], FieldValue]]] = {"float": float, "integer": int}


def quoted(value: str) -> str:
    """A value in a predicate of a deletion."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def identifier(name: str) -> str:
    """A name in InfluxQL."""
    return '"' + _escaped(name).replace('"', '\\"') + '"'


def literal(value: str) -> str:
    """A text in InfluxQL."""
    return "'" + _escaped(value).replace("'", "\\'") + "'"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


async def json_lines(content: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """The JSON objects of an answer in chunks, one a line."""
    rest = b""
    async for piece in content.iter_any():
        rest += piece
        if b"\n" in piece:
            *whole, rest = rest.split(b"\n")
            for text in whole:
                if text.strip():
                    yield from_json(text)
    if rest.strip():
        yield from_json(rest)
