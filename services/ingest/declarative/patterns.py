"""Topic patterns with named levels: `shellies/{device}/emeter/{n:[0-2]}/{key}`.

`{name}` takes one level or a part of one, `{name+}` one or more levels, `{name:regex}` what the expression takes
within a level; `+` and a final `#` stand for what they stand for in MQTT and give no name.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Pattern", "compile_pattern", "fill", "placeholders"]

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_]*)(\+[0-9]+)?\}")


class Pattern(NamedTuple):
    """A compiled pattern and the names that it gives."""

    text: str
    expression: re.Pattern[str]
    names: frozenset[str]

    def match(self, topic: str) -> dict[str, str] | None:
        """The named parts of a topic, or `None` if it is not of this pattern."""
        found = self.expression.fullmatch(topic)
        return None if found is None else found.groupdict()


def compile_pattern(text: str) -> Pattern:
    """Compile one pattern.

    Raises:
        ValueError: a brace is not closed, a name is not lower case, an expression is wrong or a name comes twice.
    """
    if not text:
        raise ValueError("a topic pattern must not be empty")
    names: list[str] = []
    pieces = []
    for is_name, piece in _split(text):
        if not is_name:
            pieces.append(_literal(piece))
            continue
        name, expression = _named(text, piece)
        if name in names:
            raise ValueError(f"{text!r}: the name {name!r} comes twice")
        names.append(name)
        pieces.append(f"(?P<{name}>{expression})")
    try:
        compiled = re.compile("".join(pieces))
    except re.error as error:
        raise ValueError(f"{text!r}: the expression cannot be read: {error}") from None
    return Pattern(text, compiled, frozenset(names))


def _named(text: str, piece: str) -> tuple[str, str]:
    name, colon, expression = piece.partition(":")
    several = name.endswith("+")
    name = name.removesuffix("+")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{text!r}: {{{piece}}} must begin with a lower-case name, as in {{device}}")
    if not colon:
        return name, ".+?" if several else "[^/]+"
    if not expression or several:
        raise ValueError(f"{text!r}: {{{piece}}} must be {{name}}, {{name+}} or {{name:expression}}")
    return name, expression


def _split(text: str) -> Iterator[tuple[bool, str]]:
    """Literals and the insides of braces, in order; braces nest, because expressions hold some."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        if character == "{":
            if depth == 0:
                yield False, text[start:place]
                start = place + 1
            depth += 1
        elif character == "}" and depth:
            depth -= 1
            if depth == 0:
                yield True, text[start:place]
                start = place + 1
    if depth:
        raise ValueError(f"{text!r}: a brace is not closed")
    yield False, text[start:]


def _literal(piece: str) -> str:
    """Escaped, with the wildcards of MQTT where they stand for whole levels."""
    levels = piece.split("/")
    last = len(levels) - 1
    return "/".join(
        "[^/]+" if level == "+" else ".*" if level == "#" and place == last else re.escape(level)
        for place, level in enumerate(levels)
    )


def placeholders(text: str) -> frozenset[str]:
    """The names that a template such as `channel_{n+1}` uses."""
    return frozenset(match[1] for match in _PLACEHOLDER.finditer(text))


def fill(text: str, parts: dict[str, str]) -> str:
    """The template with the named parts; `{n+1}` adds to a whole number.

    Raises:
        ValueError: there is no such name, or the part is no whole number.
    """

    def part(match: re.Match[str]) -> str:
        value = parts.get(match[1])
        if value is None:
            raise ValueError(f"{text!r}: the topic gives no {{{match[1]}}}")
        if match[2] is None:
            return value
        if not (value.isascii() and value.isdecimal() and len(value) <= 9):
            raise ValueError(f"{text!r}: {{{match[1]}}} is no whole number")
        return str(int(value) + int(match[2]))

    return _PLACEHOLDER.sub(part, text)
