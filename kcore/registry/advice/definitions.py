"""What is allowed in a CustomResourceDefinition, but hardly meant."""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.apiextensions_v1 import CustomResourceDefinition, JSONSchemaProps
from kcore.api.field import Path
from kcore.api.formats import FORMATS
from kcore.registry.validation.schema_steps import all_below

__all__ = ["unknown_formats"]


def unknown_formats(definition: CustomResourceDefinition) -> Iterator[str]:
    """Formats of strings that nothing checks, each as often as it is named."""
    for version in definition.spec.versions:
        if version.schema is not None and version.schema.open_apiv3_schema is not None:
            yield from _unknown(version.schema.open_apiv3_schema)


def _unknown(s: JSONSchemaProps) -> Iterator[str]:
    if s.format and s.type == "string" and s.format not in FORMATS:
        yield s.format
    for child, _ in all_below(s, Path("")):
        yield from _unknown(child)
