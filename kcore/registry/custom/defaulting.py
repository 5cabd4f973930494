"""What a client left out, or set to a null that is not allowed, gets the default that the schema names."""

from __future__ import annotations

import copy
from typing import Any

from kcore.registry.custom.schema import NO_DEFAULT, Schema

__all__ = ["apply_defaults"]


def apply_defaults(tree: Any, schema: Schema) -> None:
    """Fill in place. A default is filled in its turn, so that defaults below it count as well."""
    if not schema.has_defaults:
        return
    if isinstance(tree, dict):
        for name, child in schema.properties.items():
            if child.default is not NO_DEFAULT and _wants_default(tree, name, child):
                tree[name] = copy.deepcopy(child.default)
        below = schema.below
        for key, value in tree.items():
            child_or_none = schema.properties.get(key)
            if child_or_none is None:
                if below is None:
                    continue
                if value is None and not below.nullable and below.default is not NO_DEFAULT:
                    value = tree[key] = copy.deepcopy(below.default)
                child_or_none = below
            if isinstance(value, dict | list):
                apply_defaults(value, child_or_none)
    elif isinstance(tree, list) and (items := schema.items) is not None:
        for i, item in enumerate(tree):
            if item is None and not items.nullable and items.default is not NO_DEFAULT:
                item = tree[i] = copy.deepcopy(items.default)
            if isinstance(item, dict | list):
                apply_defaults(item, items)


def _wants_default(tree: dict[str, Any], name: str, child: Schema) -> bool:
    return name not in tree or (tree[name] is None and not child.nullable)
