"""What lies beyond plain schemas: resources embedded in an object, and lists that are sets or maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from kcore.api.decoding import DecodeError, decode_tree
from kcore.api.field import FieldError, Path, duplicate, required
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.custom.schema import Schema

__all__ = ["EmbeddedMetadataError", "coerce_embedded", "special_errors"]


class EmbeddedMetadataError(ValueError):
    """Metadata of an embedded resource that is none."""


def coerce_embedded(tree: Any, schema: Schema, pruned: list[str], path: str = "") -> None:
    """Bring the metadata of embedded resources into shape, in place. Raises EmbeddedMetadataError."""
    if not schema.has_embedded:
        return
    for step, child, below in _children(tree, schema):
        at = f"{path}{step}" if path or step.startswith("[") else step[1:]
        if below.embedded and isinstance(child, dict) and "metadata" in child:
            child["metadata"] = _metadata(child["metadata"], pruned, f"{at}.metadata")
        coerce_embedded(child, below, pruned, at)


def _metadata(tree: Any, pruned: list[str], path: str) -> Any:
    try:
        metadata, findings = decode_tree(ObjectMeta, tree)
    except DecodeError as e:
        shown = msgspec.json.encode(tree).decode()
        raise EmbeddedMetadataError(f"{path}: Invalid value: {shown}: {e}") from None
    pruned += [f"{path}.{finding.partition(' field ')[2][1:-1]}" for finding in findings]
    assert isinstance(metadata, ObjectMeta)
    clean = msgspec.json.decode(msgspec.json.encode(metadata))
    return {key: clean[key] for key in tree if key in clean} if isinstance(tree, dict) else clean


def special_errors(tree: Any, schema: Schema, path: str = "") -> Iterator[FieldError]:
    """Broken rules of embedded resources first, then those of sets and maps, as upstream tells them."""
    yield from _embedded_errors(tree, schema, path)
    if _has_duplicates(tree, schema):
        yield from _list_errors(tree, schema, path)


def _embedded_errors(tree: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    if not schema.has_embedded:
        return
    for step, child, below in _children(tree, schema):
        at = f"{path}{step}" if path or step.startswith("[") else step[1:]
        if below.embedded and isinstance(child, dict):
            for wire in ("apiVersion", "kind"):
                if not child.get(wire):
                    yield required(Path(at) / wire)
        yield from _embedded_errors(child, below, at)


def _has_duplicates(tree: Any, schema: Schema) -> bool:
    """Whether there is anything to be told of sets and maps: the quick question, for the many where there is not."""
    if not schema.has_unique:
        return False
    if isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, dict | list):
                child = schema.properties.get(key, schema.below)
                if child is not None and _has_duplicates(value, child):
                    return True
        return False
    if schema.list_type in ("set", "map") and len(tree) > 1:
        identities = [_identity(item, schema) for item in tree]
        if len(set(identities)) < len(identities):
            return True
    items = schema.items
    return (
        items is not None and items.has_unique and any(_has_duplicates(x, items) for x in tree if x.__class__ in _TREES)
    )


_TREES = (dict, list)


def _identity(item: Any, schema: Schema) -> Any:
    """What makes an element the same as another."""
    if schema.list_type == "map":
        if not isinstance(item, dict):
            return object()  # told elsewhere
        item = {key: item[key] for key in schema.list_keys if key in item}
    return item if isinstance(item, str) else msgspec.json.encode(item, order="deterministic")


def _list_errors(tree: Any, schema: Schema, path: str) -> Iterator[FieldError]:
    if not schema.has_unique:
        return
    if isinstance(tree, list) and schema.list_type in ("set", "map"):
        yield from _duplicates(tree, schema, Path(path))
    for step, child, below in _children(tree, schema):
        yield from _list_errors(child, below, f"{path}{step}" if path or step.startswith("[") else step[1:])


def _duplicates(items: list[Any], schema: Schema, path: Path) -> Iterator[FieldError]:
    seen: set[Any] = set()
    for i, item in enumerate(items):
        identity = _identity(item, schema)
        if identity in seen:
            keyed = schema.list_type == "map"
            yield duplicate(path @ i, {key: item[key] for key in schema.list_keys if key in item} if keyed else item)
        seen.add(identity)


def _children(tree: Any, schema: Schema) -> Iterator[tuple[str, Any, Schema]]:
    """What is below a value and has a schema: (the step of the path, the child, its schema)."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            child = schema.properties.get(key, schema.below)
            if child is not None:
                yield f".{key}", value, child
    elif isinstance(tree, list) and schema.items is not None:
        for i, item in enumerate(tree):
            yield f"[{i}]", item, schema.items
