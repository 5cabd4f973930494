"""Paths into a document: the simple ones of subresources and selectable fields, and kubectl's JSONPath for columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

__all__ = ["Find", "JSONPathError", "column_path", "lookup", "simple_path"]

Find: TypeAlias = Callable[[Any], Sequence[Any]]
"""All values that a path leads to in a document."""

_STEP = re.compile(
    r"""\.\.(?P<deep>[\w-]+|\*)|\.(?P<name>(?:[\w-]|\\.)+)|\.?(?P<star>\*)|\[(?P<all>\*)\]|\[(?P<index>-?\d+)\]
    |\[(?P<start>-?\d*):(?P<end>-?\d*)\]|\[\s*['"](?P<quoted>[^'"]*)['"]\s*\]|\[\?\((?P<filter>[^)]*)\)\]""",
    re.VERBOSE,
)
_FILTER = re.compile(
    r"""\s*@(?P<path>[^\s=!<>]+)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>"[^"]*"|'[^']*'|[^\s]+)\s*)?"""
)


class JSONPathError(ValueError):
    """A path that cannot be read."""


def simple_path(path: str) -> Sequence[str]:
    """The names of a simple path."""
    return tuple(path[1:].split("."))


def lookup(tree: Any, names: Sequence[str]) -> Any:
    """What stands at a simple path; None where nothing does."""
    for name in names:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree


def column_path(path: str) -> Find:
    """Compile a JSONPath. Raises JSONPathError."""
    steps: list[Find] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None or match.end() == at:
            raise JSONPathError(f"unrecognized character in action: {path[at]!r}")
        steps.append(_step(match))
        at = match.end()

    def find(tree: Any) -> Sequence[Any]:
        found: Sequence[Any] = (tree,)
        for step in steps:
            found = [value for each in found for value in step(each)]
        return found

    return find


def _step(match: re.Match[str]) -> Find:
    groups = match.groupdict()
    if groups["deep"] is not None:
        name = groups["deep"]
        return lambda tree: list(_descend(tree, name))
    if groups["index"] is not None:
        index = int(groups["index"])
        return lambda tree: tree[index : index + 1 or None] if isinstance(tree, list) else ()
    if groups["start"] is not None:
        part = slice(*(int(groups[g]) if groups[g] else None for g in ("start", "end")))
        return lambda tree: tree[part] if isinstance(tree, list) else ()
    if groups["filter"] is not None:
        return _filter(groups["filter"])
    if groups["star"] is not None or groups["all"] is not None:
        return _elements
    name = groups["name"] if groups["quoted"] is None else groups["quoted"]
    key = re.sub(r"\\(.)", r"\1", name)
    return lambda tree: (tree[key],) if isinstance(tree, dict) and key in tree else ()


def _elements(tree: Any) -> Sequence[Any]:
    if isinstance(tree, dict):
        return list(tree.values())
    return tree if isinstance(tree, list) else ()


def _descend(tree: Any, name: str) -> Sequence[Any]:
    found = list(_elements(tree)) if name == "*" else [tree[name]] if isinstance(tree, dict) and name in tree else []
    return [*found, *(value for each in _elements(tree) for value in _descend(each, name))]


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _filter(text: str) -> Find:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise JSONPathError(f"unrecognized filter: {text}")
    find = column_path(match["path"])
    if match["op"] is None:
        return lambda tree: [each for each in _elements(tree) if find(each)]
    compare, wanted = _COMPARE[match["op"]], _literal(match["value"])

    def keep(each: Any) -> bool:
        for value in find(each)[:1]:
            comparable = type(value) is type(wanted) or all(isinstance(v, int | float) for v in (value, wanted))
            return comparable and compare(value, wanted)
        return False

    return lambda tree: [each for each in _elements(tree) if keep(each)]


def _literal(text: str) -> Any:
    if text[0] in "\"'":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise JSONPathError(f"unrecognized literal: {text}") from None
