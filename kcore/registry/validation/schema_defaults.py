"""That the defaults of a schema fit it. Those beneath names that the schema does not know are not looked at."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.field import FieldError, Path, invalid
from kcore.registry.custom.embedded import embedded_errors
from kcore.registry.custom.pruning import prune
from kcore.registry.custom.schema import Schema, compile_schema
from kcore.registry.custom.validation import ABSENT, validate

__all__ = ["default_errors"]

_META = ("metadata", "kind", "apiVersion")


def default_errors(schema: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    yield from _errors(schema, path, root=True, metadata=False)


def _errors(s: JSONSchemaProps, path: Path, *, root: bool, metadata: bool) -> Iterator[FieldError]:
    """`root`: of a resource. `metadata`: within what every resource has."""
    if s.default is not None:
        yield from _one_default(s, path / "default", metadata=metadata and not root)
    if isinstance(s.items, JSONSchemaProps):
        embedded = s.items.x_kubernetes_embedded_resource
        yield from _errors(s.items, path / "items", root=embedded, metadata=metadata)
    for name in sorted(s.properties):
        prop, at = s.properties[name], (path / "properties").key(name)
        within = (metadata and not root) or (root and name in _META)
        yield from _errors(prop, at, root=prop.x_kubernetes_embedded_resource, metadata=within)


def _one_default(s: JSONSchemaProps, path: Path, *, metadata: bool) -> Iterator[FieldError]:
    schema = compile_schema(s)
    value: Any = msgspec.to_builtins(s.default)
    if not metadata:
        if _has_unknown(value, schema):
            yield invalid(path, s.default, "must not have unknown fields")
        errors = [*embedded_errors(value, schema, path.text)]
        yield from errors
        if errors:
            return
    errors = validate(value, schema, base=path.text)
    yield from errors
    if not errors and schema.has_rules:
        from kcore.registry.custom.rules import rule_tree  # CEL takes a while, and many have no rules

        tree = rule_tree(s)
        yield from tree.check(value, ABSENT, [], path) if tree is not None else ()


def _has_unknown(value: Any, schema: Schema) -> bool:
    pruned: list[str] = []
    prune(copy.deepcopy(value), schema, pruned, root=schema.embedded)
    return bool(pruned)
