"""One row of an imported file as a message: a line of column names and a line of values.

`services.ingest.historyfiles` makes these messages out of files; what stood above the rows has become columns. The last
level of the topic says whose row it is: `-` for the identifier in the row, else a device as the registry writes it,
percent-encoded.
"""

import csv
import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from services.ingest.clock import Reading, believe, wall_clock_text
from services.ingest.profiles import Context, Message, Unparseable

__all__ = ["SEPARATOR", "at", "believed", "column_name", "device_of", "needed", "number", "read_row"]

SEPARATOR: Final = ";"
_LINES: Final = 2
_MOST_BYTES: Final = 16_384
_NUMBER: Final = re.compile(r"[+-]?\d{1,12}(?:[.,]\d{1,9})?")


@lru_cache(maxsize=1024)
def column_name(text: str) -> str:
    """A column's name without accents, capitals and outer blanks, so that `Unité` is `unite`."""
    plain = unicodedata.normalize("NFKD", text.replace("\ufeff", "").replace("°", ""))
    return " ".join("".join(each for each in plain if not unicodedata.combining(each)).casefold().split())


def read_row(message: Message) -> dict[str, str]:
    """Values by name of their column; empty ones are left out.

    Raises:
        Unparseable: no text, not two lines, or not as many values as names.
    """
    if len(message.payload) > _MOST_BYTES:
        raise Unparseable("too_large", f"payload: a row has at most {_MOST_BYTES} bytes")
    try:
        lines = message.payload.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise Unparseable("not_text", "payload: not UTF-8") from None
    if len(lines) != _LINES:
        raise Unparseable("wrong_shape", "payload: must be a line of column names and a line of values")
    try:
        names, values = csv.reader(lines, delimiter=SEPARATOR, strict=True)
    except (csv.Error, ValueError):
        raise Unparseable("wrong_shape", "payload: quotation marks do not close, or a field is too long") from None
    while values[len(names) :] and not values[-1]:
        values.pop()  # some exports end each row with separators
    if len(values) != len(names):
        raise Unparseable("wrong_shape", f"row: has {len(values)} values, the header names {len(names)} columns")
    columns = [column_name(name) for name in names]
    return {name: value.strip() for name, value in zip(columns, values, strict=True) if name and value.strip()}


def device_of(message: Message, family: str, identifier: str | None) -> str:
    """The device that a row belongs to, as the registry writes it.

    Raises:
        Unparseable: neither the topic nor the row says it.
    """
    said = unquote(message.topic.rpartition("/")[2])
    if ":" in said:
        return said
    if identifier is None:
        raise Unparseable("missing_field", "device: neither the row nor the topic says whose it is")
    return f"{family}:{identifier}"


def needed(row: Mapping[str, str], *names: str) -> str:
    """The value of the first of these columns that has one.

    Raises:
        Unparseable: none has.
    """
    for name in names:
        if name in row:
            return row[name]
    raise Unparseable("missing_field", f"{names[0]}: has no value")


def number(text: str, column: str) -> float:
    """A decimal number with a point or a comma.

    Raises:
        Unparseable: anything else.
    """
    plain = text.replace("\u202f", "").replace("\xa0", "").replace(" ", "")
    if not _NUMBER.fullmatch(plain):
        raise Unparseable("bad_value", f"{column}: must be a number, such as 12.5")
    return float(plain.replace(",", ".")) + 0.0


def at(text: str, column: str, message: Message, context: Context) -> Reading:
    """An ISO time with its offset, or local; never the receive time in its place.

    Raises:
        Unparseable: no time, one that does not exist, or one that is not believed (ADR 0006).
    """
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise Unparseable("bad_value", f"{column}: must be a time such as 2026-01-12T07:30:00+01:00") from None
    return believed(wall_clock_text(text, message.received_at, context), column, message, context)


def believed(reading: Reading, column: str, message: Message, context: Context) -> Reading:
    """The same reading, if it can be believed: history that lies at a wrong time is worse than none.

    Raises:
        Unparseable: it cannot.
    """
    known = believe(reading, message.received_at, context)
    if {"clock", "clock_missing_hour"} & {*known.flags, *reading.flags}:
        raise Unparseable("implausible_time", f"{column}: lies ahead, too far back, or in an hour that does not exist")
    # History is late by its nature: that says nothing of its quality.
    return known._replace(flags=tuple(flag for flag in reading.flags if flag != "late"))
