"""A small parser of PromQL: enough to see that an expression is one, and what it asks for.

It knows selectors with matchers, ranges, functions, aggregations with `by`, arithmetic, comparisons, `and`, `or`,
`unless`. What it does not know it refuses, so an expression of ours that needs more makes it grow first.
"""

import re
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Asked", "PromqlProblem", "parse"]

_TOKEN: Final = re.compile(
    r'\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<range>\[(?:\d+[smhd]|\$__rate_interval)\])|(?P<number>\d+(?:\.\d+)?)'
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>=~|!~|!=|==|>=|<=|[-+*/(){},=<>]))"
)
_RANGED: Final = frozenset({"rate", "increase", "deriv"})
_FUNCTIONS: Final = _RANGED | {"histogram_quantile", "vector"}
_AGGREGATIONS: Final = frozenset({"sum", "min", "max", "count", "avg"})
_LEVELS: Final = (frozenset({"or"}), frozenset({"and", "unless"}), frozenset({"==", "!=", ">", "<", ">=", "<="}),
                  frozenset({"+", "-"}), frozenset({"*", "/"}))  # fmt: skip


class PromqlProblem(Exception):
    """It is no expression; the text says where."""


@dataclass
class Asked:
    """What an expression asks for: metrics, those with a range, labels of matchers by metric, labels of `by`."""

    metrics: set[str] = field(default_factory=set)
    ranged: set[str] = field(default_factory=set)
    matched: dict[str, set[str]] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)


def parse(text: str) -> Asked:
    """Read an expression.

    Raises:
        PromqlProblem: it is none, or needs more than this parser knows.
    """
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._asked = Asked()
        place = 0
        while place < len(text.rstrip()):
            found = _TOKEN.match(text, place)
            if found is None:
                raise PromqlProblem(f"at {place}: {text[place:]!r}")
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            place = found.end()

    def whole(self) -> Asked:
        self._level(0)
        if self._tokens:
            raise PromqlProblem(f"after the expression: {self._tokens[0][1]!r}")
        return self._asked

    def _next(self, *wanted: str) -> str | None:
        """Take the next token if it is one of these."""
        if self._tokens and self._tokens[0][1] in wanted:
            return self._tokens.pop(0)[1]
        return None

    def _must(self, kind: str, *wanted: str) -> str:
        if not self._tokens or self._tokens[0][0] != kind or (wanted and self._tokens[0][1] not in wanted):
            raise PromqlProblem(f"{wanted or kind} expected, found {self._tokens[:1]}")
        return self._tokens.pop(0)[1]

    def _level(self, number: int) -> None:
        if number == len(_LEVELS):
            self._atom()
            return
        self._level(number + 1)
        while self._next(*_LEVELS[number]):
            self._level(number + 1)

    def _atom(self) -> None:
        if self._next("("):
            self._level(0)
            self._must("sign", ")")
        elif self._tokens and self._tokens[0][0] == "number":
            self._tokens.pop(0)
        else:
            name = self._must("name")
            if name in _AGGREGATIONS:
                self._by()
                self._arguments(1)
                self._by()
            elif name in _FUNCTIONS:
                self._called(name)
            else:
                self._selector(name, ranged=False)

    def _called(self, name: str) -> None:
        if name in _RANGED:
            self._must("sign", "(")
            self._selector(self._must("name"), ranged=True)
            self._must("sign", ")")
        else:
            self._arguments(2 if name == "histogram_quantile" else 1)

    def _arguments(self, number: int) -> None:
        self._must("sign", "(")
        for left in range(number, 0, -1):
            self._level(0)
            self._must("sign", "," if left > 1 else ")")

    def _by(self) -> None:
        if self._next("by"):
            self._must("sign", "(")
            self._asked.grouped.add(self._must("name"))
            while self._next(","):
                self._asked.grouped.add(self._must("name"))
            self._must("sign", ")")

    def _selector(self, name: str, *, ranged: bool) -> None:
        self._asked.metrics.add(name)
        if self._next("{"):
            while not self._next("}"):
                self._asked.matched.setdefault(name, set()).add(self._must("name"))
                self._must("sign", "=", "=~", "!=", "!~")
                self._must("string")
                self._next(",")
        if ranged:
            self._must("range")
            self._asked.ranged.add(name)
