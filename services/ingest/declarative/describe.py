"""A table in words: the field table of a profile's README, from the file that the engine reads."""

from collections.abc import Iterator
from typing import Final

from services.ingest.declarative.table import NOTHING, Clock, Field_, Row, Table

__all__ = ["BEGIN", "END", "field_table", "with_table"]

BEGIN: Final = "<!-- fields: begin, written by scripts/generate -->\n"
END: Final = "<!-- fields: end -->\n"
BAR: Final = "\\|"


def with_table(page: str, table: Table) -> str:
    """The page with the table between its markers; unchanged if it has none."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    return f"{head}{BEGIN}{field_table(table)}{END}{tail}" if begin and end else page


def field_table(table: Table) -> str:
    """Topics with what becomes of them, then the fields of each."""
    lines = ["| topic | becomes |", "|---|---|"]
    lines += [f"| {_topics(row)} | {_kind(row)} |" for row in table.message]
    lines.append(f"| all others | ignored: `{table.otherwise}` |")
    for row in table.message:
        rows = list(_fields(row))
        if rows:
            lines += ["", f"{_topics(row)}{_clocks(row.clock)}:", "", "| field | becomes | remarks |", "|---|---|---|"]
            lines += rows
    return "\n" + "\n".join(lines) + "\n\n"


def _topics(row: Row) -> str:
    return ", ".join(f"`{each}`" for each in row.topic).replace("|", BAR)


def _kind(row: Row) -> str:
    if row.ignore is not None:
        return f"ignored: `{row.ignore}`"
    if row.availability is not None:
        words = f"{', '.join(row.availability.online)} / {', '.join(row.availability.offline)}"
        return f"device status, online / offline: {words}"
    if row.expand is not None:
        return f"the members of `{row.expand.at}`, each as if on `{row.expand.to}`{_clocks(row.clock)}"
    return "meter reading" + (", and the names of the site's mapping" if row.mapping else "")


def _clocks(clocks: tuple[Clock, ...]) -> str:
    return "".join(f"; clock `{each.field}` ({each.policy})" for each in clocks)


def _fields(row: Row) -> Iterator[str]:
    yield from (_line(place, each, "") for place, each in row.fields.items())
    for part in row.part:
        beside = f"a meter of its own{f' (`{part.meter}`)' if part.meter else ''}{_clocks(part.clock)}"
        yield from (_line(place, each, beside) for place, each in part.fields.items())
    for variant in row.variant:
        when = "if " + " and ".join(f"`{place}` is like `{text}`" for place, text in variant.when.items())
        yield from (_line(place, each, when) for place, each in variant.fields.items())


def _line(place: str, row: Field_, remark: str) -> str:
    what = "is not read" if row.to == NOTHING else f"`{row.to}`"
    remarks = [remark, *_remarks(row)]
    text = "; ".join(each for each in remarks if each)
    return f"| `{place}` | {what} | {text.replace('|', BAR)} |"


def _remarks(row: Field_) -> Iterator[str]:
    if row.absent:
        yield f"not available: {', '.join(map(_plain, row.absent))}"
    if row.range is not None:
        yield f"believed from {_plain(row.range[0])} to {_plain(row.range[1])}"
    if row.needs is not None:
        yield f"only if `{row.needs}` is not 0"
    if row.unless is not None:
        yield f"unless there is `{row.unless}`"
    if row.exponent is not None:
        yield f"times ten to the power of `{row.exponent}`"
    if row.since_midnight:
        yield "since midnight: never used for energy"
    if row.modulus is not None:
        yield f"rolls over at {_plain(row.modulus)}"
    if row.at is not None:
        yield f"instant of its own: `{row.at.field}` ({row.at.policy})"
    if row.words:
        yield ", ".join(f"{word} = {meaning}" for word, meaning in row.words.items())


def _plain(value: float | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(int(value)) if value == int(value) else str(value)
