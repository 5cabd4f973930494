"""Whether a value is of the type that its schema names, as go-openapi, which upstream runs, tells it."""

from __future__ import annotations

from typing import Any

from kcore.registry.custom.schema import Schema

__all__ = ["mistyped"]


def mistyped(value: Any, schema: Schema) -> tuple[str, str] | None:
    """The type (or format) that is wanted and the one that is there, where they do not agree."""
    types, format_ = schema.types, schema.format
    if not types and not format_:
        return None
    if value is None:
        return (",".join(types), "null") if types and not schema.nullable else None
    json_type, value_format = _type_of(value)
    whole = isinstance(value, float) and value.is_integer() and "integer" in types
    fits = json_type in types or whole or (json_type == "integer" and "number" in types)
    if format_ and isinstance(value, str | list):
        if not {"number", "integer"} & set(types):
            return None  # left to the format
    elif format_ and not fits and value_format != format_:
        return format_, value_format
    return None if fits else (",".join(types), json_type)


def _type_of(value: Any) -> tuple[str, str]:
    """The JSON type and the format that go-openapi finds in a decoded value."""
    if isinstance(value, bool):
        return "boolean", ""
    if isinstance(value, int):
        return "integer", "int64"
    if isinstance(value, float):
        return "number", "double"
    if isinstance(value, str):
        return "string", ""
    return ("array", "") if isinstance(value, list) else ("object", "")
