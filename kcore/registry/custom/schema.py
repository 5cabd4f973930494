"""The schema of one version, compiled: a tree of nodes that says what may stand where.

The structural part (types, properties, items, additionalProperties, extensions) leads pruning and defaulting; value
validations beneath `allOf`, `anyOf`, `oneOf` and `not` only judge (KEP-1693).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.kit.regex import Pattern, compile_pattern

__all__ = ["NO_DEFAULT", "Schema", "compile_schema"]

NO_DEFAULT: Any = object()


@dataclass(slots=True, eq=False)
class Schema:
    """One node. `additional` is True or a node where unnamed properties may stand."""

    types: tuple[str, ...] = ()
    format: str = ""
    nullable: bool = False
    properties: Mapping[str, Schema] = field(default_factory=dict)
    additional: Schema | bool | None = None
    items: Schema | None = None
    required: Sequence[str] = ()
    enum: Sequence[Any] | None = None
    default: Any = NO_DEFAULT
    preserve: bool = False
    embedded: bool = False
    list_type: str = ""
    list_keys: Sequence[str] = ()
    pattern_text: str = ""
    pattern: Pattern | None = None
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    multiple_of: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool = False
    min_properties: int | None = None
    max_properties: int | None = None
    all_of: Sequence[Schema] = ()
    any_of: Sequence[Schema] = ()
    one_of: Sequence[Schema] = ()
    not_: Schema | None = None
    judges: bool = False
    """Whether anyOf, oneOf, allOf or not stand here."""
    has_rules: bool = False
    """Whether x-kubernetes-validations stand here or below."""
    has_embedded: bool = False
    """Whether an embedded resource stands here or below."""
    has_unique: bool = False
    """Whether a list that is a set or a map stands here or below."""
    has_defaults: bool = False
    """Whether anything below has a default."""

    @property
    def below(self) -> Schema | None:
        """The schema of properties without a name of their own."""
        return self.additional if isinstance(self.additional, Schema) else None


def compile_schema(props: JSONSchemaProps) -> Schema:
    """Raises PatternError for a pattern that is none."""
    additional = props.additional_properties
    items = props.items if isinstance(props.items, JSONSchemaProps) else None
    schema = Schema(
        types=("integer", "string") if props.x_kubernetes_int_or_string else (props.type,) if props.type else (),
        format=props.format,
        nullable=props.nullable,
        properties={name: compile_schema(each) for name, each in sorted(props.properties.items())},
        additional=compile_schema(additional) if isinstance(additional, JSONSchemaProps) else additional,
        items=compile_schema(items) if items is not None else None,
        required=props.required,
        enum=props.enum or None,
        default=NO_DEFAULT if props.default is None else props.default,
        preserve=bool(props.x_kubernetes_preserve_unknown_fields),
        embedded=props.x_kubernetes_embedded_resource,
        list_type=props.x_kubernetes_list_type or "",
        list_keys=props.x_kubernetes_list_map_keys,
        pattern_text=props.pattern,
        pattern=compile_pattern(props.pattern) if props.pattern else None,
        min_length=props.min_length,
        max_length=props.max_length,
        minimum=props.minimum,
        maximum=props.maximum,
        exclusive_minimum=props.exclusive_minimum,
        exclusive_maximum=props.exclusive_maximum,
        multiple_of=props.multiple_of,
        min_items=props.min_items,
        max_items=props.max_items,
        unique_items=props.unique_items,
        min_properties=props.min_properties,
        max_properties=props.max_properties,
        all_of=[compile_schema(each) for each in props.all_of],
        any_of=[compile_schema(each) for each in props.any_of],
        one_of=[compile_schema(each) for each in props.one_of],
        not_=compile_schema(props.not_) if props.not_ is not None else None,
    )
    children = [*schema.properties.values(), *(each for each in (schema.items, schema.below) if each is not None)]
    schema.judges = bool(schema.all_of or schema.any_of or schema.one_of or schema.not_)
    schema.has_rules = bool(props.x_kubernetes_validations) or any(each.has_rules for each in children)
    schema.has_embedded = schema.embedded or any(each.has_embedded for each in children)
    schema.has_unique = schema.list_type in ("set", "map") or any(each.has_unique for each in children)
    schema.has_defaults = any(each.default is not NO_DEFAULT or each.has_defaults for each in children)
    return schema
