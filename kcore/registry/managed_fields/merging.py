"""Trees merged and pruned by schema: what an applied configuration does to the standing object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kcore.registry.managed_fields.comparison import element_of, fitting
from kcore.registry.managed_fields.field_sets import (
    LEAF,
    SELF,
    FieldSet,
    Node,
    is_member,
)
from kcore.registry.managed_fields.schemas import ABSENT, UNTYPED, Schema, Sort

__all__ = ["merge", "remove", "with_named_fields"]


def merge(schema: Schema, live: Any, config: Any) -> Any:
    """`live` with everything that `config` says; trees are shared, never changed."""
    if config is ABSENT:
        return live
    if live is ABSENT:
        return config
    at = fitting(schema, config)
    if config is None and not at.leaf:
        # A null says nothing of a part that is owned in pieces. (Of an empty one, it says that it is null.)
        return live if live else None
    if at.leaf or fitting(schema, live).leaf or (not live and not config):
        return config
    if at.sort is Sort.LIST:
        return _merge_lists(at, live or [], config)
    merged = dict(live or {})
    for wire, value in config.items():
        merged[wire] = merge(at.child(wire) or UNTYPED, merged.get(wire, ABSENT), value)
    return merged


def _merge_lists(schema: Schema, live: Sequence[Any], config: Sequence[Any]) -> list[Any]:
    """The items of both, each once. Shared items stand in the order of `config`.

    Items of `live` alone keep their place relative to the shared ones that stood before them: the walk takes from
    `live` until it meets an item that `config` has, then from `config` until the two agree again.
    """
    assert schema.element is not None
    ours, theirs = [element_of(schema, i) for i in live], [element_of(schema, i) for i in config]
    standing: dict[str, Any] = {}
    for element, item in zip(ours, live, strict=True):
        standing[element] = ABSENT if element in standing else item  # duplicates are not merged
    applied = dict(zip(theirs, config, strict=True))
    shared = iter([element for element in theirs if element in standing])
    wanted = next(shared, None)
    done: set[str] = set()
    out: list[Any] = []

    def take(element: str) -> None:
        done.add(element)
        out.append(merge(schema.element or UNTYPED, standing.get(element, ABSENT), applied[element]))

    at = to = 0
    while at < len(ours) or to < len(theirs):
        if at < len(ours) and to < len(theirs):
            if ours[at] == theirs[to]:
                take(ours[at])
                at, to, wanted = at + 1, to + 1, next(shared, None)
                continue
            if ours[at] in applied and wanted is not None and wanted != ours[at]:
                at += 1
                continue
        if at < len(ours):
            if ours[at] not in applied:
                out.append(live[at])
                at += 1
                continue
            if ours[at] in done:
                at += 1
        if to < len(theirs):
            take(theirs[to])
            if theirs[to] == wanted:
                wanted = next(shared, None)
            to += 1
    return out


def remove(schema: Schema, value: Any, gone: FieldSet) -> Any:
    """`value` without the paths of a set. What loses all its parts becomes null."""
    schema = fitting(schema, value)
    if gone is None or not value or schema.leaf:
        return value
    if schema.sort is Sort.LIST:
        return _remove_items(schema, value, gone)
    kept = {}
    for wire, held in value.items():
        node = gone.get(f"f:{wire}")
        if node is None:
            kept[wire] = held
        elif not is_member(node):
            kept[wire] = remove(schema.child(wire) or UNTYPED, held, node)
    return kept or None


def _remove_items(schema: Schema, items: Sequence[Any], gone: Node) -> list[Any] | None:
    assert schema.element is not None
    kept = []
    for item in items:
        node = gone.get(element_of(schema, item))
        if node is None:
            kept.append(item)
        elif not is_member(node):
            kept.append(remove(schema.element, item, node))
    return kept or None


def with_named_fields(schema: Schema, node: FieldSet) -> FieldSet:
    """The set, and in it every declared field above a path of it: taking all of a struct away takes the struct."""
    if not node:
        return node
    out: dict[str, Node] = {}
    for element, child in node.items():
        if element == SELF:
            out[SELF] = LEAF
            continue
        below = schema.child(element[2:]) if element[0] == "f" else schema.element
        full = with_named_fields(below or UNTYPED, child) or LEAF
        named = element[0] == "f" and element[2:] in schema.fields
        out[element] = {SELF: LEAF, **full} if named and full else full
    return out
