"""Questions to JSON trees in the part of jq that Stages use.

    .metadata.annotations["example.com/x"]
    .status.conditions.[] | select( .type == "Ready" and .status != "True" ) | .reason
    .spec.containers[0].name // "none"

A question has any number of answers; null is none, and so is what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["ExpressionError", "Query", "compile_query"]

Query = Callable[[Any], list[Any]]

_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"(?:[^\"\\]|\\.)*\")|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_$][\w-]*)"
    r"|(?P<sign>//|==|!=|<=|>=|[.|()\[\],<>]))"
)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: _same_sort(a, b) and bool(a < b),
    "<=": lambda a, b: _same_sort(a, b) and bool(a <= b),
    ">": lambda a, b: _same_sort(a, b) and bool(a > b),
    ">=": lambda a, b: _same_sort(a, b) and bool(a >= b),
}
_LITERALS = {"true": True, "false": False, "null": None}


class ExpressionError(ValueError):
    """Text that is no question, or one that goes beyond this part of jq; the message says where."""


@lru_cache(maxsize=512)
def compile_query(text: str) -> Query:
    """Raises ExpressionError."""
    reader = _Reader(text)
    query = reader.alternatives()
    if reader.peek():
        raise ExpressionError(f"{text!r}: unexpected {reader.peek()!r}")
    return lambda tree: [value for value in query(tree) if value is not None]


def _same_sort(a: Any, b: Any) -> bool:
    return (isinstance(a, str) and isinstance(b, str)) or (isinstance(a, int | float) and isinstance(b, int | float))


class _Reader:
    """A descent over the tokens: alternatives > pipe > or > and > comparison > term."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def alternatives(self) -> Query:
        """`a // b`: b where a has no answer but null and false."""
        left = self.pipe()
        while self._take("//"):
            left = _otherwise(left, self.pipe())
        return left

    def pipe(self) -> Query:
        left = self._either()
        while self._take("|"):
            left = _then(left, self._either())
        return left

    def _either(self) -> Query:
        left = self._both()
        while self._take("or"):
            left = _joined(left, self._both(), any)
        return left

    def _both(self) -> Query:
        left = self._comparison()
        while self._take("and"):
            left = _joined(left, self._comparison(), all)
        return left

    def _comparison(self) -> Query:
        left = self._term()
        if self.peek() in _COMPARISONS:
            return _compared(left, self._next(), self._term())
        return left

    def _term(self) -> Query:
        token = self._next()
        if token == "(":
            inner = self.alternatives()
            self._expect(")")
            return inner
        if token == ".":
            return self._path()
        if token == "select":
            self._expect("(")
            condition = self.alternatives()
            self._expect(")")
            return lambda tree: [tree] if any(_true(value) for value in condition(tree)) else []
        if token == "not":
            return lambda tree: [not _true(tree)]
        if token == "length":
            return lambda tree: [len(tree) if isinstance(tree, list | dict | str) else 0]
        if token in _LITERALS:
            literal = _LITERALS[token]
            return lambda tree: [literal]
        if token[:1] == '"':
            text = _unquoted(token)
            return lambda tree: [text]
        if token[:1].isdigit() or token[:1] == "-":
            number = float(token) if "." in token else int(token)
            return lambda tree: [number]
        raise ExpressionError(f"{self._text!r}: unexpected {token or 'end'!r}")

    def _path(self) -> Query:
        """What follows a first dot: names, indexes and iterations, with or without dots between."""
        steps: list[Query] = []
        token = self.peek()
        if token[:1].isalpha() or token[:1] in ('"', "_"):
            steps.append(_field(_name(self._next())))
        while True:
            if self._take("["):
                steps.append(self._bracket())
            elif self.peek() == "." and self._follows_dot():
                self._next()
                if not self._take("["):
                    steps.append(_field(_name(self._next())))
                else:
                    steps.append(self._bracket())
            else:
                return _chained(steps)

    def _follows_dot(self) -> bool:
        after = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else ""
        return after == "[" or after[:1].isalpha() or after[:1] in ('"', "_")

    def _bracket(self) -> Query:
        if self._take("]"):
            return _each
        token = self._next()
        self._expect("]")
        if token[:1] == '"':
            return _field(_unquoted(token))
        try:
            return _index(int(token))
        except ValueError:
            raise ExpressionError(f"{self._text!r}: {token!r} is no index") from None

    def _next(self) -> str:
        token = self.peek()
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        if self.peek() == token:
            self._at += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise ExpressionError(f"{self._text!r}: expected {token!r}, found {self.peek() or 'end'!r}")


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"{text!r}: cannot read {text[at:].strip()!r}")
        yield found[found.lastgroup or 0]
        at = found.end()


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])


def _name(token: str) -> str:
    return _unquoted(token) if token[:1] == '"' else token


def _true(value: Any) -> bool:
    return value is not None and value is not False


def _field(name: str) -> Query:
    return lambda tree: [tree.get(name)] if isinstance(tree, dict) else []


def _index(number: int) -> Query:
    return lambda tree: [tree[number]] if isinstance(tree, list) and -len(tree) <= number < len(tree) else []


def _each(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return list(tree.values())
    return list(tree) if isinstance(tree, list) else []


def _chained(steps: Sequence[Query]) -> Query:
    def query(tree: Any) -> list[Any]:
        values = [tree]
        for step in steps:
            values = [found for value in values for found in step(value)]
        return values

    return query


def _then(first: Query, second: Query) -> Query:
    return lambda tree: [found for value in first(tree) for found in second(value)]


def _otherwise(first: Query, second: Query) -> Query:
    def query(tree: Any) -> list[Any]:
        good = [value for value in first(tree) if _true(value)]
        return good or second(tree)

    return query


def _joined(left: Query, right: Query, how: Callable[[Sequence[bool]], bool]) -> Query:
    return lambda tree: [how([_true(a), _true(b)]) for a in left(tree) or [None] for b in right(tree) or [None]]


def _compared(left: Query, operator: str, right: Query) -> Query:
    compare = _COMPARISONS[operator]
    return lambda tree: [compare(a, b) for a in left(tree) or [None] for b in right(tree) or [None]]
