"""Schemas of custom kinds, as their definitions give them, in OpenAPI."""

from __future__ import annotations

from typing import Any

import msgspec

from kcore.api.kind import Kind
from kcore.registry.custom.strategy import version_of
from kcore.server.openapi.descriptions import describe_field

__all__ = ["custom_schema", "without_v3"]

# What version 2 of OpenAPI has no word for, or what kubectl of old took amiss: upstream leaves it out there, too.
_ONLY_V3 = frozenset(
    ("nullable", "oneOf", "anyOf", "not", "default", "x-kubernetes-validations", "x-kubernetes-selectable-fields")
)


def custom_schema(kind: Kind, metadata: str) -> dict[str, Any]:
    """The schema of a kind with what every object has; `metadata` refers to the schema of ObjectMeta."""
    validation = version_of(kind).schema
    props = validation.open_apiv3_schema if validation is not None else None
    schema: dict[str, Any] = msgspec.to_builtins(props) if props is not None else {"type": "object"}
    properties = {
        **schema.get("properties", {}),
        "apiVersion": {"type": "string", "description": describe_field("", "apiVersion")},
        "kind": {"type": "string", "description": describe_field("", "kind")},
        "metadata": {"allOf": [{"$ref": metadata}]} if metadata.startswith("#/components") else {"$ref": metadata},
    }
    schema["properties"] = dict(sorted(properties.items()))
    return schema


def without_v3(schema: Any) -> Any:
    """A schema as version 2 can say it. What may be of several types, or anything, is said to have no type."""
    if not isinstance(schema, dict):
        return {}
    found = {key: value for key, value in schema.items() if key not in _ONLY_V3}
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("nullable"):
        for key in ("type", "properties", "items", "additionalProperties", "required", "format"):
            if schema.get("nullable") or key in ("properties", "required"):
                found.pop(key, None)
        if schema.get("x-kubernetes-embedded-resource"):
            found.pop("properties", None)
    if isinstance(found.get("properties"), dict):
        found["properties"] = {name: without_v3(each) for name, each in found["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = without_v3(found[key])
        elif key in found:
            del found[key]
    return found
