"""YAML text to the JSON tree that sigs.k8s.io/yaml (go-yaml v2) makes of it.

PyYAML's C parser gives the events; what they mean is decided here, because Go's rules differ from PyYAML's in every
scalar that is neither text nor number, in keys, and in that keys may not come twice. Events are used instead of the
composer for another reason too: it recurses in C, and a document nested deeply enough would crash the process.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from math import isinf
from typing import Any, NamedTuple

import yaml

from kcore.api.json_syntax import DEPTH_MAX, TOO_DEEP

__all__ = ["ParsedYAML", "YAMLSyntaxError", "parse_yaml"]

_NODES_MAX = 1_000_000
"""With aliases expanded: what a document may grow to."""


class YAMLSyntaxError(ValueError):
    """Text that is no YAML, or no YAML that JSON can say; the message is go-yaml's."""


class ParsedYAML(NamedTuple):
    """`repeated` says, in go-yaml's words, which keys came twice; the last value counts."""

    tree: Any
    repeated: tuple[str, ...]


def parse_yaml(body: bytes) -> ParsedYAML:
    """The first document of a stream; None if there is none. Raises YAMLSyntaxError."""
    reader = _Reader(yaml.parse(body, Loader=yaml.CSafeLoader))
    try:
        tree = reader.document()
    except yaml.MarkedYAMLError as e:
        raise YAMLSyntaxError(_explain(e)) from None
    except RecursionError:
        raise YAMLSyntaxError(f"yaml: {TOO_DEEP}") from None
    except (yaml.YAMLError, ValueError) as e:
        raise YAMLSyntaxError(f"yaml: {e}") from None
    return ParsedYAML(tree, tuple(reader.repeated))


def _explain(error: yaml.MarkedYAMLError) -> str:
    """go-yaml names the line of the context if that is not the first, else of the problem; never line 0."""
    line = 0
    for mark in (error.context_mark, error.problem_mark):
        if mark is not None and mark.line:
            line = mark.line + isinstance(error, yaml.scanner.ScannerError)
            break
    return f"yaml: {f'line {line}: ' if line else ''}{error.problem or 'unknown problem parsing YAML content'}"


class _Reader:
    """Builds one tree from events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._anchors: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        self._nodes = 0
        self._heights: dict[str, int] = {}
        self._depth = 0
        self._deepest = 0
        self.repeated: list[str] = []

    def document(self) -> Any:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                tree = self._node(next(self._events))
                for _ in self._rest_of_document():
                    pass
                return tree
        return None

    def _rest_of_document(self) -> Iterator[Any]:
        """What follows must still be YAML, up to the end of the first document."""
        for event in self._events:
            if isinstance(event, yaml.DocumentEndEvent):
                return
            yield event

    def _node(self, event: Any) -> Any:
        self._count(1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor)
        before = self._nodes
        deepest, self._deepest = self._deepest, self._depth
        if isinstance(event, yaml.ScalarEvent):
            value: Any = _scalar(event)
        else:
            self._depth += 1
            self._reach(self._depth)
            value = self._sequence() if isinstance(event, yaml.SequenceStartEvent) else self._mapping()
            self._depth -= 1
        if event.anchor is not None:
            self._anchors[event.anchor] = value
            self._sizes[event.anchor] = self._nodes - before
            self._heights[event.anchor] = self._deepest - self._depth
        self._deepest = max(self._deepest, deepest)
        return value

    def _reach(self, depth: int) -> None:
        self._deepest = max(self._deepest, depth)
        if depth > DEPTH_MAX:
            raise ValueError(TOO_DEEP)

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > _NODES_MAX:
            raise ValueError("document contains excessive aliasing")

    def _alias(self, anchor: str | None) -> Any:
        if anchor is None or anchor not in self._anchors:
            raise ValueError(f"unknown anchor '{anchor}' referenced")
        self._count(self._sizes[anchor])
        self._reach(self._depth + self._heights[anchor])
        return self._anchors[anchor]

    def _sequence(self) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event))  # the walrus reads the events that _node reads too
        return items

    def _mapping(self) -> dict[str, Any]:
        items: dict[str, Any] = {}
        merged: list[Any] = []
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            merges = isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]
            key = _key(self._node(event))
            value = self._node(next(self._events))
            if merges:
                merged += value if isinstance(value, list) else [value]
                continue
            if key in items:
                self.repeated.append(f'line {line}: key "{key}" already set in map')
            items[key] = value
        for other in merged:
            if not isinstance(other, dict):
                raise ValueError("map merge requires map or sequence of maps as the value")
            items = {**other, **items}
        return items


def _key(key: Any) -> str:
    """JSON keys are text: other scalars are written as Go writes them."""
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise ValueError("unsupported map key: neither text, number nor boolean")


_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NOT_JSON = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)").fullmatch
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?").fullmatch
_INTEGERS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"[-+]?0[bB][01]+"), 2),
    (re.compile(r"[-+]?0[oO][0-7]+"), 8),
    (re.compile(r"[-+]?0[0-7]+"), 8),
    (re.compile(r"[-+]?0[xX][0-9a-fA-F]+"), 16),
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), 10),
)
_TAG = "tag:yaml.org,2002:"


def _scalar(event: Any) -> Any:
    tag, text = event.tag, event.value
    if tag is None or tag == "!":
        return _resolve(text) if event.implicit[0] and tag is None else text
    match tag.removeprefix(_TAG):
        case "binary":
            return base64.b64decode(text).decode("utf-8", "replace")
        case "null" | "bool" | "int":
            return _resolve(text)
        case "float":
            value = _resolve(text)
            return float(value) if isinstance(value, int) else value
    return text


def _resolve(text: str) -> Any:
    """What a plain scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    for pattern, base in _INTEGERS:
        if pattern.fullmatch(digits) and len(digits) < 100:
            number = int(digits, base)
            return number if -(2**63) <= number < 2**64 else _whole(float(number))
    if _FLOAT(digits) and not isinf(whole := float(digits)):  # what is too large is a text, to go-yaml
        return _whole(whole)
    if _NOT_JSON(text):
        raise ValueError(f"json: unsupported value: {text.lstrip('+').replace('.', '')}")
    return text


def _whole(number: float) -> int | float:
    """Go writes a float without a fraction as an integer."""
    return int(number) if number.is_integer() and abs(number) < 1e21 else number
