"""The line-protocol writer: what it writes is read back by an independent reader, what it cannot say it refuses."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from influxdb_client.client.write.point import Point as TheirPoint

from services.aggregator.lineprotocol import line, nanoseconds, series
from services.aggregator.ports import FieldValue, Point


def _split(text: str, separator: str, *, quotes: bool = False) -> list[str]:
    """Cut at unescaped separators; outside of quoted strings if `quotes`."""
    parts, current, quoted, i = [], "", False, 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text):
            current += text[i : i + 2]
            i += 2
            continue
        if quotes and text[i] == '"':
            quoted = not quoted
        if text[i] == separator and not quoted:
            parts.append(current)
            current = ""
        else:
            current += text[i]
        i += 1
    return [*parts, current]


def _plain(text: str) -> str:
    for character in ",= ":
        text = text.replace("\\" + character, character)
    return text


def _value(text: str) -> FieldValue:
    if text.startswith('"'):
        out, i = "", 1
        while i < len(text) - 1:
            i += text[i] == "\\"
            out += text[i]
            i += 1
        return out
    if text in {"true", "false"}:
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


def read(data: bytes) -> Point:
    """An independent reader, written from the syntax page alone."""
    head = _split(data.decode(), " ")[0]
    fields, time_ns = _split(data.decode()[len(head) + 1 :], " ", quotes=True)
    measurement, *tags = _split(head, ",")
    pairs = [tuple(_split(tag, "=")) for tag in tags]
    values = [_split(field, "=", quotes=True) for field in _split(fields, ",", quotes=True)]
    return Point(
        _plain(measurement),
        tuple((_plain(name), _plain(value)) for name, value in pairs),
        tuple((_plain(name), _value(value)) for name, value in values),
        int(time_ns),
    )


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0\\"), min_size=1, max_size=12)
_names = _text.filter(lambda name: name not in {"time", "_field", "_measurement"})
_values: st.SearchStrategy[FieldValue] = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
_points = st.builds(
    Point,
    _text.filter(lambda name: not name.startswith("#")),
    st.dictionaries(_names, _text, max_size=4).map(lambda tags: tuple(sorted(tags.items()))),
    st.dictionaries(_names.filter(lambda name: '"' not in name), _values, min_size=1, max_size=5).map(
        lambda fields: tuple(sorted(fields.items()))
    ),
    st.integers(-(2**62), 2**62),
)


@given(_points)
def test_what_is_written_is_read_back(point: Point) -> None:
    """Names, tags, values with their types, and time survive; quotes, backslashes and line breaks of strings too."""
    again = read(line(point))
    assert again == point
    assert [type(value) for _, value in again.fields] == [type(value) for _, value in point.fields]


@given(_points)
def test_the_client_writes_the_same_series_and_values(point: Point) -> None:
    """`influxdb_client.Point` reads back alike; it spells floats and empty strings its own way."""
    theirs = TheirPoint(point.measurement)  # type: ignore[no-untyped-call]
    for name, tag in point.tags:
        theirs.tag(name, tag)  # type: ignore[no-untyped-call]
    for name, value in point.fields:
        theirs.field(name, value)  # type: ignore[no-untyped-call]
    text = theirs.time(point.time_ns).to_line_protocol()  # type: ignore[no-untyped-call]
    # Their client spells a tab as two characters, and so makes another name of it.
    if "\t" not in "".join((point.measurement, *(part for tag in point.tags for part in tag), *dict(point.fields))):
        assert dict(read(text.encode()).fields) == dict(point.fields)


def test_a_whole_float_stays_a_float() -> None:
    """5.0 and then 5.1 are the same field type; 5 is another."""
    assert line(Point("meter", (), (("a", 5.0), ("b", 5)), 1)) == b"meter a=5.0,b=5i 1"


def test_a_backslash_inside_a_tag_is_kept() -> None:
    """It needs no escape where nothing that follows could be taken for escaped."""
    assert series("meter", (("a", r"b\c"),)) == r"meter,a=b\c"


@pytest.mark.parametrize(
    "point",
    [
        Point("", (), (("a", 1),), 0),
        Point("#meter", (), (("a", 1),), 0),
        Point("me\nter", (), (("a", 1),), 0),
        Point("meter\\", (), (("a", 1),), 0),
        Point("meter", (("tag", ""),), (("a", 1),), 0),
        Point("meter", (("", "x"),), (("a", 1),), 0),
        Point("meter", (("tag", "x\\"),), (("a", 1),), 0),
        Point("meter", (("tag", "x\\,y"),), (("a", 1),), 0),
        Point("meter", (("tag", "x\ny"),), (("a", 1),), 0),
        Point("meter", (("time", "x"),), (("a", 1),), 0),
        Point("meter", (), (), 0),
        Point("meter", (), (("", 1),), 0),
        Point("meter", (), (("time", 1),), 0),
        Point("meter", (), (("a", math.nan),), 0),
        Point("meter", (), (("a", -math.inf),), 0),
        Point("meter", (), (("a", 2**63),), 0),
        Point("meter", (), (("a", "\ud800"),), 0),
        Point("meter", (), (("a", None),), 0),  # type: ignore[arg-type]
        Point("meter", (), (("a", 1),), 2**63 - 1),
    ],
)
def test_what_line_protocol_cannot_say_is_refused(point: Point) -> None:
    """Never written changed, never dropped in silence."""
    with pytest.raises(ValueError, match=r"."):
        line(point)


def test_nanoseconds_are_exact() -> None:
    """No float on the way: a microsecond of today does not fit into one."""
    assert nanoseconds(datetime(2025, 1, 2, 3, 4, 5, 678901, UTC)) == 1735787045678901000
