"""Schemas of custom resources, as upstream judges them: structure, defaults, what may be written at all, and rules.

The order is upstream's. What is not structural is told beside what may not be written; defaults are tried only where
the structure is sound, and rules only where their own schema and all below it are without fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.field import FieldError, Path, forbidden, invalid
from kcore.registry.validation.internal_forms import internal_schema
from kcore.registry.validation.schema_defaults import default_errors
from kcore.registry.validation.schema_faults import faults_of
from kcore.registry.validation.schema_steps import all_below, fields_below
from kcore.registry.validation.structural_schemas import has_structural_form, structural_errors

__all__ = ["validate_schema"]

# Everything that is made of a schema walks down it, several calls a level.
_DEPTH_MAX = 150


def validate_schema(schema: JSONSchemaProps, path: Path, *, has_status: bool = False) -> Iterator[FieldError]:
    """`has_status`: the status subresource is on, so that the schema of `status` stands alone, too."""
    if _is_too_deep(schema):
        yield forbidden(path, f"schemas may not be nested in more than {_DEPTH_MAX} others")
        return
    if has_status:
        yield from _root_errors(schema, path)
    if schema.nullable:
        yield forbidden(path / "nullable", "nullable cannot be true at the root")
    unsound: list[FieldError] = []
    formed = has_structural_form(schema)
    if formed:
        unsound = structural_errors(schema, path) or [*default_errors(schema, path)]
        yield from unsound
    faults = [*faults_of(schema, path)]
    yield from faults
    if formed and not unsound and _has_rules(schema):
        from kcore.registry.validation.schema_rules import rule_errors  # CEL takes a while, and many have no rules

        yield from rule_errors(schema, path, [fault.field for fault in faults])


def _has_rules(s: JSONSchemaProps) -> bool:
    return bool(s.x_kubernetes_validations) or any(_has_rules(child) for child, _ in fields_below(s, Path("")))


def _is_too_deep(schema: JSONSchemaProps) -> bool:
    level = [schema]
    for _ in range(_DEPTH_MAX):
        level = [child for each in level for child, _ in all_below(each, Path(""))]
    return bool(level)


def _root_errors(schema: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    """What may be said at the root where status is judged by itself, by what the schema says of `status`."""
    before, after = (any(_is_given(schema, name) for name in names) for names in (_BEFORE_TYPE, _AFTER_TYPE))
    if not before and schema.type and schema.type != "object":
        why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        yield invalid(path / "type", schema.type, why)
    elif before or after:
        why = "fields are allowed at the root of the schema if the status subresource is enabled"
        yield invalid(path, internal_schema(schema), f"only [{' '.join(_AT_ROOT)}] {why}")


def _is_given(schema: JSONSchemaProps, name: str) -> bool:
    value = getattr(schema, name)
    return value is not None if name in _OPTIONAL else bool(value)


_AT_ROOT = (
    "Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum", "ExclusiveMinimum", "MaxLength",
    "MinLength", "Pattern", "MaxItems", "MinItems", "UniqueItems", "MultipleOf", "Required", "Items", "Properties",
    "ExternalDocs", "Example", "XPreserveUnknownFields", "XValidations",
)  # fmt: skip
# What may not stand at the root, by whether upstream looks at it before it looks at the type.
_BEFORE_TYPE = ("id", "schema", "ref")
_AFTER_TYPE = (
    "nullable", "enum", "max_properties", "min_properties", "all_of", "one_of", "any_of", "not_",
    "additional_properties", "pattern_properties", "dependencies", "additional_items", "definitions", "default",
    "x_kubernetes_embedded_resource", "x_kubernetes_int_or_string", "x_kubernetes_list_map_keys",
    "x_kubernetes_list_type", "x_kubernetes_map_type",
)  # fmt: skip
_OPTIONAL = frozenset(
    (
        "max_properties", "min_properties", "not_", "additional_properties", "additional_items", "default",
        "x_kubernetes_list_type", "x_kubernetes_map_type",
    )
)  # fmt: skip
