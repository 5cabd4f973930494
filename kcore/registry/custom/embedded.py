"""What lies beyond plain schemas: resources embedded in an object, and lists that are sets or maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from kcore.api.decoding import DecodeError, decode_tree
from kcore.api.field import FieldError, Path, duplicate, invalid, required
from kcore.api.meta_v1 import ObjectMeta
from kcore.api.names import dns1035_label, path_segment_name
from kcore.registry.custom.schema import Schema
from kcore.registry.metadata import metadata_errors

__all__ = ["EmbeddedMetadataError", "coerce_embedded", "embedded_errors", "list_errors"]


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


def embedded_errors(tree: Any, schema: Schema, path: str = "") -> Iterator[FieldError]:
    """Broken rules of embedded resources: of what every resource says of itself."""
    if not schema.has_embedded:
        return
    if schema.embedded and isinstance(tree, dict):
        yield from _resource_errors(tree, Path(path))
    for step, child, below in _children(tree, schema):
        yield from embedded_errors(child, below, f"{path}{step}" if path or step.startswith("[") else step[1:])


def _resource_errors(tree: dict[str, Any], path: Path) -> Iterator[FieldError]:
    for wire in ("apiVersion", "kind"):
        if wire not in tree:
            yield required(path / wire)
    for wire, value in tree.items():
        if wire == "metadata":
            yield from _metadata_errors(value, path)
        elif wire in ("apiVersion", "kind"):
            yield from _type_errors(wire, value, path / wire)


def _type_errors(wire: str, value: Any, path: Path) -> Iterator[FieldError]:
    if not isinstance(value, str):
        yield invalid(path, value, "must be a string")
    elif not value:
        yield invalid(path, value, "must not be empty")
    elif wire == "apiVersion":
        if value.count("/") > 1:
            yield invalid(path, value, f"unexpected GroupVersion string: {value}")
    elif words := dns1035_label(value.lower()):
        yield invalid(path, value, f"may have mixed case, but should otherwise match: {','.join(words)}")


def _metadata_errors(tree: Any, path: Path) -> Iterator[FieldError]:
    try:
        metadata, _ = decode_tree(ObjectMeta, tree)
    except DecodeError as e:
        yield invalid(path / "metadata", tree, str(e))
        return
    assert isinstance(metadata, ObjectMeta)
    named = metadata if metadata.name else msgspec.structs.replace(metadata, name="unnamed")
    for error in metadata_errors(named, bool(metadata.namespace), path_segment_name):
        yield error._replace(field=(path / error.field).text)


def list_errors(tree: Any, schema: Schema) -> Iterator[FieldError]:
    """Elements of sets and maps that stand there twice."""
    if _has_duplicates(tree, schema):
        yield from _list_errors(tree, schema, "")


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
    """Each identity is told once, at its second element."""
    keyed = schema.list_type == "map"
    times: dict[Any, int] = {}
    for i, item in enumerate(items):
        identity = _identity(item, schema)
        times[identity] = times.get(identity, 0) + 1
        if times[identity] == 2:
            yield duplicate(path @ i, {key: item[key] for key in schema.list_keys if key in item} if keyed else item)


def _children(tree: Any, schema: Schema) -> Iterator[tuple[str, Any, Schema]]:
    """What is below a value and has a schema: (the step of the path, the child, its schema)."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            child = schema.properties.get(key, schema.below)
            if child is not None:
                yield f".{key}" if key in schema.properties else f"[{key}]", value, child
    elif isinstance(tree, list) and schema.items is not None:
        for i, item in enumerate(tree):
            yield f"[{i}]", item, schema.items
