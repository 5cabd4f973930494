"""From a schema to those right below it, with their paths."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.field import Path

__all__ = ["all_below", "fields_below"]


def fields_below(s: JSONSchemaProps, path: Path) -> Iterator[tuple[JSONSchemaProps, Path]]:
    """Those that say what stands in an object, in a list or beneath a name."""
    if isinstance(s.items, JSONSchemaProps):
        yield s.items, path / "items"
    for name in sorted(s.properties):
        yield s.properties[name], (path / "properties").key(name)
    if isinstance(s.additional_properties, JSONSchemaProps):
        yield s.additional_properties, path / "additionalProperties"


def all_below(s: JSONSchemaProps, path: Path) -> Iterator[tuple[JSONSchemaProps, Path]]:
    """Those, and the ones that only judge."""
    yield from fields_below(s, path)
    for wire, schemas in (("allOf", s.all_of), ("anyOf", s.any_of), ("oneOf", s.one_of)):
        for i, schema in enumerate(schemas):
            yield schema, path / wire @ i
    if s.not_ is not None:
        yield s.not_, path / "not"
