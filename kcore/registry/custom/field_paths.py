"""The `fieldPath` of a validation rule: `.a.b` or `['a.b']`, from the rule's schema to where its error is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kcore.api.apiextensions_v1 import JSONSchemaProps

__all__ = ["field_path"]

_STEP = re.compile(r"\.([^.\[\]]+)|\['((?:[^'\\]|\\[abfnrtv'\\])*)'\]")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "'": "'", "\\": "\\"}


def field_path(text: str, s: JSONSchemaProps) -> str | None:
    """As errors write it; None where it leads to no field."""
    out = ""
    steps = list(_steps(text))
    if not steps or None in steps:
        return None
    schema: JSONSchemaProps | bool | None = s
    for name in steps:
        assert name is not None
        if not isinstance(schema, JSONSchemaProps):
            return None
        if schema.properties:
            schema = schema.properties.get(name)
            out = f"{out}.{name}" if out else name
        else:
            schema = schema.additional_properties
            out = f"{out}[{name}]"
        if schema is None:
            return None
    return out


def _steps(text: str) -> Iterator[str | None]:
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            yield None
            return
        name = match[1]
        yield name if name is not None else re.sub(r"\\(.)", lambda escape: _ESCAPES[escape[1]], match[2])
        at = match.end()
