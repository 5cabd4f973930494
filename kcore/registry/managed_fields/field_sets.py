"""Sets of field paths, in the very shape that FieldsV1 gives them in JSON.

A set is a tree of dicts. The keys are path elements as they are written: `f:NAME` for a field or map key,
`k:{...}` for the element of a list with these keys, `v:VALUE` for an element of a set, `i:INDEX`. A node without
children is a path of the set; one with children is a path of the set only if it has the key `.`:

    {"f:spec": {"f:ports": {".": {}, 'k:{"port":80}': {}}}}  =  spec.ports, spec.ports[port=80]

So JSON becomes a set, and a set JSON, by a single call into C. Sets are shared and never changed in place. The empty
set is None: an empty dict would be a set that owns its own root.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from kcore.api.json_syntax import too_deep

__all__ = [
    "LEAF",
    "FieldSet",
    "Node",
    "canonical",
    "difference",
    "encode",
    "field_node",
    "intersection",
    "is_member",
    "key_element",
    "parse_element",
    "path_text",
    "paths",
    "recursive_difference",
    "select",
    "union",
    "value_element",
]

Node: TypeAlias = Mapping[str, Any]
FieldSet: TypeAlias = Node | None

LEAF: Node = {}
SELF = "."

_dumps = msgspec.json.Encoder().encode


def is_member(node: Node) -> bool:
    """Whether the path that leads here is in the set."""
    return not node or SELF in node


def union(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of either; `a` itself where `b` has no others."""
    if a is None or b is None or a is b:
        return b if a is None else a
    return _union(a, b)


def _union(a: Node, b: Node) -> Node:
    if not b:
        return a if not a or is_member(a) else {SELF: LEAF, **a}
    if not a:
        return b if is_member(b) else {SELF: LEAF, **b}
    more: dict[str, Node] = {}
    for key, child in b.items():
        standing = a.get(key)
        found = child if standing is None else _union(standing, child)
        if found is not standing:
            more[key] = found
    return {**a, **more} if more else a


def difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """The paths of `a` that are not in `b`; `a` itself where that is all of them."""
    if a is None or b is None:
        return a
    stays = is_member(a) and not is_member(b)
    rest: dict[str, Node] = {}
    same = stays or not is_member(a)
    for key, child in a.items():
        if key == SELF:
            continue
        other = b.get(key)
        left = child if other is None else difference(child, other)
        if left is not None:
            rest[key] = left
        same = same and left is child
    if same:
        return a
    if stays and rest:
        rest[SELF] = LEAF
    return rest if rest else LEAF if stays else None


def intersection(a: FieldSet, b: FieldSet) -> FieldSet:
    if a is None or b is None:
        return None
    both: dict[str, Node] = {}
    for key, child in a.items():
        if key != SELF and (other := b.get(key)) is not None:
            shared = intersection(child, other)
            if shared is not None:
                both[key] = shared
    if is_member(a) and is_member(b):
        return {SELF: LEAF, **both} if both else LEAF
    return both or None


def recursive_difference(a: FieldSet, b: FieldSet) -> FieldSet:
    """`a` without the paths of `b` and all that lies below them."""
    if a is None or b is None:
        return a
    rest: dict[str, Node] = {}
    for key, child in a.items():
        other = b.get(key)
        if other is None:
            rest[key] = child
        elif not is_member(other):
            left = recursive_difference(child, other) if child else child
            if left is not None:
                rest[key] = left
    return rest or None


def select(a: FieldSet, pattern: Node) -> FieldSet:
    """What of `a` lies at or below the paths of a pattern, in which `*` stands for any path element."""
    if a is None or not pattern:
        return a
    kept: dict[str, Node] = {}
    for key, child in a.items():
        wanted = pattern.get(key, pattern.get("*"))
        if key != SELF and wanted is not None:
            found = select(child, wanted) if child or not wanted else None
            if found is not None:
                kept[key] = found
    return kept or None


def leaves(a: FieldSet) -> FieldSet:
    """The paths of a set that have no longer path below them in it."""
    if a is None or not a:
        return a
    return {key: leaves(child) for key, child in a.items() if key != SELF}


def paths(node: FieldSet, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path of a set, in order."""
    if node is None:
        return
    if above and is_member(node):
        yield above
    for key in _ordered(node):
        if key != SELF:
            yield from paths(node[key], (*above, key))


# --- path elements ---


def key_element(keys: Mapping[str, Any]) -> str:
    """The element of a list that has these keys; `keys` in the order of their names."""
    return f"k:{_dumps(keys).decode()}"


def field_node(names: Sequence[str]) -> Node:
    """The set of one path: a chain of fields."""
    node: Node = LEAF
    for name in reversed(names):
        node = {f"f:{name}": node}
    return node


def value_element(value: Any) -> str:
    return f"v:{_dumps(value).decode()}"


def parse_element(element: str) -> tuple[str, Any]:
    """The kind of a path element (`f`, `k`, `v`, `i`) and what it holds. Raises ValueError."""
    kind, _, text = element.partition(":")
    if kind == "f":
        return kind, text
    if kind not in ("k", "v", "i"):
        raise ValueError(f"unknown path element {element!r}")
    if too_deep(text.encode()):
        raise ValueError(f"path element nested too deep: {element[:20]}")
    value = msgspec.json.decode(text)
    if (kind == "k" and not isinstance(value, dict)) or (kind == "i" and not isinstance(value, int)):
        raise ValueError(f"malformed path element {element!r}")
    return kind, value


@lru_cache(4096)
def _canonical_element(element: str) -> str | None:
    """The one spelling of an element; None for kinds that are not known, which a later version may have written."""
    if element.startswith("f:"):
        return element
    kind, found, _ = element.partition(":")
    if not found:
        raise ValueError(f"missing colon in path element {element!r}")
    if kind not in ("k", "v", "i"):
        return None
    value = parse_element(element)[1]
    if kind == "k":
        return key_element(dict(sorted(value.items())))
    return value_element(value) if kind == "v" else f"i:{value}"


def canonical(tree: Any) -> FieldSet:
    """A set out of a client's FieldsV1. Raises ValueError where it is none."""
    node = _canonical(tree)
    return node or None


def _canonical(tree: Any) -> dict[str, Node]:
    if not isinstance(tree, dict):
        raise ValueError("a field set must be an object")
    node: dict[str, Node] = {}
    for element, child in tree.items():
        if element == SELF:
            node[SELF] = LEAF
        elif (spelled := _canonical_element(element)) is not None:
            node[spelled] = _canonical(child)
    if len(node) == 1 and SELF in node:
        return {}
    return node


def path_text(path: Sequence[str]) -> str:
    """A path as messages show it: `.spec.ports[port=80,protocol="TCP"].name`."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    kind, value = parse_element(element)
    if kind == "f":
        return f".{value}"
    if kind == "k":
        return f"[{','.join(f'{k}={_scalar_text(v)}' for k, v in value.items())}]"
    return f"[={_scalar_text(value)}]" if kind == "v" else f"[{value}]"


def _scalar_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# --- order ---


def _ordered(node: Node) -> list[str]:
    """The elements of a node as upstream orders them: fields, keys, values, indexes, each by value."""
    if len(node) < 2:
        return list(node)
    in_order = sorted(node)
    # "." sorts before all else, and so do fields among themselves; only the rest must be looked into.
    last = in_order[-1]
    return in_order if last[0] in ".f" else sorted(node, key=_rank)


_KINDS = {".": 0, "f": 1, "k": 2, "v": 3, "i": 4}


@lru_cache(8192)
def _rank(element: str) -> tuple[int, Any]:
    kind = _KINDS[element[0]]
    if kind < 2:
        return kind, element
    value = parse_element(element)[1]
    if kind == 2:
        return kind, [(name, _value_rank(v)) for name, v in value.items()]
    return kind, _value_rank(value)


def _value_rank(value: Any) -> tuple[int, Any]:
    """Numbers, then text, then booleans, then null; then anything else, by its text."""
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, int | float):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return (3, "") if value is None else (4, _dumps(value))


def _sorted(node: Node) -> Node:
    return {key: _sorted(node[key]) if node[key] else LEAF for key in _ordered(node)}


_dumps_sorted = msgspec.json.Encoder(order="sorted").encode
_number_in_key = re.compile(rb'\\":[-0-9]').search


def encode(node: FieldSet) -> bytes:
    """FieldsV1: equal sets have equal bytes. Elements are ordered by their text, unless they hold numbers."""
    if node is None:
        return b"{}"
    data = _dumps_sorted(node)
    if b'"v:' in data or b'"i:' in data or _number_in_key(data):
        return _dumps(_sorted(node))
    return data
