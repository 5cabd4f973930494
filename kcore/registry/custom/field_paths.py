"""Paths from a schema to a field below it, as rules and selectable fields name them: `.a.b`, `['a.b']`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcore.api.apiextensions_v1 import JSONSchemaProps

__all__ = ["FieldPathError", "field_path"]

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


class FieldPathError(ValueError):
    """A path that leads nowhere; the message is upstream's."""


def field_path(text: str, s: JSONSchemaProps, *, brackets: bool = True) -> tuple[str, JSONSchemaProps]:
    """The path as errors write it, and the schema that it leads to. Raises FieldPathError."""
    out = ""
    for name in _names(text, brackets):
        below: JSONSchemaProps | bool | None
        if s.properties:
            below = s.properties.get(name)
            out = f"{out}.{name}" if out else name
        else:
            below = s.additional_properties
            out = f"{out}[{name}]"
        if not isinstance(below, JSONSchemaProps):
            raise FieldPathError("does not refer to a valid field")
        s = below
    return out, s


def _names(text: str, brackets: bool) -> Iterator[str]:
    tokens = iter(_TOKEN.findall(text))
    for token in tokens:
        if token == ".":
            yield _next(tokens)
        elif token != "[":
            raise FieldPathError(f"expected [ or . but got: {token}")
        elif not brackets:
            raise FieldPathError("array notation is not allowed")
        else:
            yield _quoted(_next(tokens))
            closing = _next(tokens)
            if closing != "]":
                raise FieldPathError(f"expected ] but got {closing}")


def _next(tokens: Iterator[str]) -> str:
    try:
        return next(tokens)
    except StopIteration:
        raise FieldPathError("unexpected end of JSON path") from None


def _quoted(token: str) -> str:
    if len(token) < 2 or token[0] != "'" or token[-1] != "'":
        raise FieldPathError(f"expected single quoted string but got {token}")
    return re.sub(r"\\(.)", _unescaped, token[1:-1], flags=re.DOTALL)


def _unescaped(match: re.Match[str]) -> str:
    if match[1] not in _ESCAPES:
        raise FieldPathError(f"invalid string literal: invalid escape char {match[0]}")
    return _ESCAPES[match[1]]
