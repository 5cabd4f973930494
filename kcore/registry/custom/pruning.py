"""What a schema does not specify is dropped, and what is null without being nullable too."""

from __future__ import annotations

from typing import Any

from kcore.registry.custom.schema import Schema

__all__ = ["drop_nulls", "prune"]

_TREES = (dict, list)
_ROOT = frozenset(("apiVersion", "kind", "metadata"))


def prune(tree: Any, schema: Schema | None, pruned: list[str], path: str = "", *, root: bool = False) -> None:
    """Drop in place; `pruned` gets the paths. `root`: an object with apiVersion, kind and metadata, which stay."""
    if schema is not None and _is_specified(tree, schema):
        return
    if isinstance(tree, dict):
        _prune_object(tree, schema, pruned, path, root)
    elif isinstance(tree, list):
        items = schema.items if schema is not None else None
        if items is None and schema is not None and schema.preserve:
            return
        for i, item in enumerate(tree):
            if isinstance(item, dict | list):
                prune(item, items, pruned, f"{path}[{i}]", root=items is not None and items.embedded)


def _is_specified(tree: Any, schema: Schema) -> bool:
    """Whether there is nothing to drop for certain: the quick question, for the many objects where there is not."""
    if isinstance(tree, dict):
        properties, below = schema.properties, schema.below
        for key, value in tree.items():
            child = properties.get(key, below)
            if child is None or (value.__class__ in _TREES and not _is_specified(value, child)):
                return False
        return True
    items = schema.items
    return items is not None and all(_is_specified(item, items) for item in tree if item.__class__ in _TREES)


def _prune_object(tree: dict[str, Any], schema: Schema | None, pruned: list[str], path: str, root: bool) -> None:
    properties = schema.properties if schema is not None else {}
    additional = schema.additional if schema is not None else None
    unknown = []
    for key, value in tree.items():
        child = properties.get(key)
        if root and key in _ROOT:
            continue
        if child is None:
            if not additional:
                unknown.append(key)
                continue
            child = additional if isinstance(additional, Schema) else None
        if isinstance(value, dict | list):
            prune(value, child, pruned, f"{path}.{key}" if path else key, root=child is not None and child.embedded)
    if schema is not None and schema.preserve:
        return
    for key in unknown:
        del tree[key]
        pruned.append(f"{path}.{key}" if path else key)


def drop_nulls(tree: Any, schema: Schema) -> None:
    """Drop in place the nulls that the schema does not allow and defaulting has not replaced."""
    if isinstance(tree, dict):
        below = schema.below
        for key in [key for key, value in tree.items() if value is None]:
            child = schema.properties.get(key, below)
            if child is not None and not child.nullable:
                del tree[key]
        for key, value in tree.items():
            if isinstance(value, dict | list) and (child := schema.properties.get(key, below)) is not None:
                drop_nulls(value, child)
    elif isinstance(tree, list) and schema.items is not None:
        for item in tree:
            if isinstance(item, dict | list):
                drop_nulls(item, schema.items)
