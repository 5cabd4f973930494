"""Schemas of custom resources: what may be written at all, that they are structural, and that their defaults fit.

A structural schema says the type of everything outside `allOf`, `anyOf`, `oneOf` and `not`, which may only judge
values (KEP-1693). Upstream tells faults of the second kind only where there are none of the first.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required
from kcore.kit.regex import PatternError, compile_pattern
from kcore.registry.custom.pruning import prune
from kcore.registry.custom.schema import compile_schema
from kcore.registry.custom.validation import validate

__all__ = ["validate_schema"]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSTRUCTURABLE = ("is not supported", "must be a schema object and not an array")
# Everything that is made of a schema walks down it, several calls a level.
_DEPTH_MAX = 150
_METADATA = frozenset(("name", "generateName"))


def validate_schema(schema: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    if _is_too_deep(schema):
        yield forbidden(path, f"schemas may not be nested in more than {_DEPTH_MAX} others")
        return
    if schema.nullable:
        yield forbidden(path / "nullable", "nullable cannot be true at the root")
    faults = [*_faults(schema, path, _Place(root=True))]
    yield from faults
    if any(fault.detail.endswith(_UNSTRUCTURABLE) for fault in faults):
        return  # there is no structural form to be judged
    structural = [*_structural(schema, path, "root", embedded=True)]
    if not structural:
        structural = [*_incomplete(schema, path)]
    yield from structural
    if faults or structural:
        return
    defaults = [*_default_errors(schema, path)]
    yield from defaults
    if not defaults and _has_rules(schema):
        from kcore.registry.validation.schema_rules import rule_errors  # CEL takes a while, and many have no rules

        yield from rule_errors(schema, path)


def _has_rules(s: JSONSchemaProps) -> bool:
    return bool(s.x_kubernetes_validations) or any(_has_rules(child) for child, _ in _fields(s, Path("")))


def _is_too_deep(schema: JSONSchemaProps) -> bool:
    level = [schema]
    for _ in range(_DEPTH_MAX):
        level = [child for each in level for child, _ in _below(each, Path(""))]
    return bool(level)


# --- what may be written ---


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema stands: at the root, within the metadata of a resource, where defaults are not allowed."""

    root: bool = False
    metadata: bool = False
    no_defaults: str = ""

    def below(self, s: JSONSchemaProps, step: str, name: str) -> _Place:
        """The place of a schema below `s`: of a property with a name, or another one."""
        if step == "properties" and name in _META and (self.root or s.x_kubernetes_embedded_resource):
            return _Place(metadata=True, no_defaults=f"in top-level {name}" if self.root else self.no_defaults)
        if step == "additionalProperties" and self.metadata:
            return _Place(metadata=True, no_defaults="inside additionalProperties applying to object metadata")
        return _Place(metadata=self.metadata, no_defaults=self.no_defaults)


_META = ("metadata", "kind", "apiVersion")


def _faults(s: JSONSchemaProps, path: Path, place: _Place) -> Iterator[FieldError]:
    if s.default is not None and place.no_defaults:
        yield forbidden(path / "default", f"must not be set {place.no_defaults}")
    if place.metadata and s.x_kubernetes_embedded_resource:
        yield forbidden(path / "x-kubernetes-embedded-resource", "must not be used inside of resource meta")
    if s.unique_items:
        yield forbidden(
            path / "uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if s.additional_properties is not None:
        if s.properties:
            yield forbidden(path / "additionalProperties", "additionalProperties and properties are mutual exclusive")
        elif s.additional_properties is False:
            yield forbidden(path / "additionalProperties", "additionalProperties cannot be set to false")
    if s.ref:
        yield forbidden(path / "$ref", "$ref is not supported")
    for wire, given in (
        ("additionalItems", s.additional_items),
        ("patternProperties", s.pattern_properties),
        ("definitions", s.definitions),
        ("dependencies", s.dependencies),
        ("id", s.id),
    ):
        if given:
            yield forbidden(path / wire, f"{wire} is not supported")
    if isinstance(s.items, tuple):
        yield forbidden(path / "items", "items must be a schema object and not an array")
    if s.type == "array" and s.items is None:
        yield required(path / "items", "must be specified")
    if s.type and s.type not in _TYPES:
        yield not_supported(path / "type", s.type, _TYPES)
    if s.type == "null":
        yield forbidden(path / "type", "type cannot be set to null, use nullable as an alternative")
    if s.pattern:
        try:
            compile_pattern(s.pattern)
        except PatternError as e:
            yield invalid(path / "pattern", s.pattern, f"must be a valid regular expression, but isn't: {e}")
    yield from _extension_faults(s, path)
    if s.x_kubernetes_validations:
        from kcore.registry.validation.schema_rules import rule_faults

        yield from rule_faults(s, path)
    for child, at in _below(s, path):
        step, _, name = at.text[len(path.text) + 1 :].partition("[")
        yield from _faults(child, at, place.below(s, step, name[:-1]))


def _extension_faults(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    if s.x_kubernetes_preserve_unknown_fields is False:
        yield invalid(path / "x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    if s.x_kubernetes_map_type is not None:
        if s.type != "object":
            yield _wrong_type(path, s, "object", "x-kubernetes-map-type is specified")
        if s.x_kubernetes_map_type not in ("atomic", "granular"):
            yield not_supported(path / "x-kubernetes-map-type", s.x_kubernetes_map_type, ("atomic", "granular"))
    list_type = s.x_kubernetes_list_type
    if list_type is None:
        if s.x_kubernetes_list_map_keys:
            yield required(path / "x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty")
        return
    if s.type != "array":
        yield _wrong_type(path, s, "array", "x-kubernetes-list-type is specified")
    elif list_type == "set" and isinstance(s.items, JSONSchemaProps):
        yield from _set_faults(s.items, path / "items")
    if list_type not in ("atomic", "set", "map"):
        yield not_supported(path / "x-kubernetes-list-type", list_type, ("atomic", "set", "map"))
    elif list_type == "map":
        yield from _map_faults(s, path)
    elif s.x_kubernetes_list_map_keys:
        yield invalid(
            path / "x-kubernetes-list-type", list_type, "must be map if x-kubernetes-list-map-keys is non-empty"
        )


def _set_faults(items: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    """Elements of sets are told apart as a whole."""
    why = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.type == "array" and items.x_kubernetes_list_type not in (None, "atomic"):
        yield invalid(path / "x-kubernetes-list-type", items.x_kubernetes_list_type, why)
    if items.type == "object" and items.x_kubernetes_map_type != "atomic":
        yield invalid(path / "x-kubernetes-map-type", items.x_kubernetes_list_type, why)
    if items.nullable:
        yield forbidden(path / "nullable", "cannot be nullable when x-kubernetes-list-type is set")


def _wrong_type(path: Path, s: JSONSchemaProps, wanted: str, why: str) -> FieldError:
    if not s.type:
        return required(path / "type", f"must be {wanted} if {why}")
    return invalid(path / "type", s.type, f"must be {wanted} if {why}")


def _map_faults(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    keys, at = s.x_kubernetes_list_map_keys, path / "x-kubernetes-list-map-keys"
    if not keys:
        yield required(at, "must not be empty if x-kubernetes-list-type is map")
        return
    items = s.items
    if not isinstance(items, JSONSchemaProps):
        return
    if items.type != "object":
        yield invalid(
            path / "items" / "type", items.type, "must be object if parent array's x-kubernetes-list-type is map"
        )
        return
    if items.nullable:
        yield forbidden(path / "items" / "nullable", "cannot be nullable when x-kubernetes-list-type is map")
    if any(key not in items.properties for key in keys):
        yield invalid(at, keys, "entries must all be names of item properties")
    if len(set(keys)) != len(keys):
        yield invalid(at, keys, "must not contain duplicate entries")
    for key in keys:
        prop = items.properties.get(key)
        if prop is None:
            continue
        where = (path / "items" / "properties").key(key)
        if prop.type in ("array", "object"):
            yield invalid(
                where / "type", prop.type, "must be a scalar type if parent array's x-kubernetes-list-type is map"
            )
        if prop.default is None and key not in items.required:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield required(where / "default", why)
        if prop.nullable:
            why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield forbidden(where / "nullable", why)


def _below(s: JSONSchemaProps, path: Path) -> Iterator[tuple[JSONSchemaProps, Path]]:
    """Every schema right below another, with its path."""
    yield from _fields(s, path)
    yield from _judges(s, path)


def _fields(s: JSONSchemaProps, path: Path) -> Iterator[tuple[JSONSchemaProps, Path]]:
    if isinstance(s.items, JSONSchemaProps):
        yield s.items, path / "items"
    for name in sorted(s.properties):
        yield s.properties[name], (path / "properties").key(name)
    if isinstance(s.additional_properties, JSONSchemaProps):
        yield s.additional_properties, path / "additionalProperties"


def _judges(s: JSONSchemaProps, path: Path) -> Iterator[tuple[JSONSchemaProps, Path]]:
    for wire, schemas in (("allOf", s.all_of), ("anyOf", s.any_of), ("oneOf", s.one_of)):
        for i, schema in enumerate(schemas):
            yield schema, path / wire @ i
    if s.not_ is not None:
        yield s.not_, path / "not"


# --- that it is structural ---


def _structural(s: JSONSchemaProps, path: Path, level: str, *, embedded: bool = False) -> Iterator[FieldError]:
    free = s.x_kubernetes_int_or_string or bool(s.x_kubernetes_preserve_unknown_fields)
    if not s.type and (level == "root" or not free):
        words = {"root": "at the root", "field": "for specified object fields", "item": "for specified array items"}
        yield required(path / "type", f"must not be empty {words[level]}")
    if s.x_kubernetes_embedded_resource:
        if not s.x_kubernetes_preserve_unknown_fields and not s.properties:
            why = (
                "must not be empty if x-kubernetes-embedded-resource is true "
                "without x-kubernetes-preserve-unknown-fields"
            )
            yield required(path / "properties", why)
        if s.type and s.type != "object":
            yield invalid(path / "type", s.type, "must be object if x-kubernetes-embedded-resource is true")
    elif level == "root" and s.type and s.type != "object":
        yield invalid(path / "type", s.type, "must be object at the root")
    if embedded or s.x_kubernetes_embedded_resource:
        yield from _root_errors(s, path)
    for child, at in _fields(s, path):
        yield from _structural(child, at, "item" if at.text.endswith(".items") else "field")
    for child, at in _judges(s, path):
        yield from _judging(child, at, s)


def _root_errors(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    """What may be said of the fields that every object has."""
    for name in ("apiVersion", "kind"):
        if (prop := s.properties.get(name)) is not None and prop.type != "string":
            yield invalid((path / "properties").key(name) / "type", prop.type, "must be string")
    metadata = s.properties.get("metadata")
    if metadata is None:
        return
    at = (path / "properties").key("metadata")
    if metadata.type != "object":
        yield invalid(at / "type", metadata.type, "must be object")
    if not metadata.properties.keys() <= _METADATA or metadata.additional_properties is not None:
        yield forbidden(
            at, "must not specify anything other than name and generateName, but metadata is implicitly specified"
        )


def _judging(s: JSONSchemaProps, path: Path, outer: JSONSchemaProps) -> Iterator[FieldError]:
    """A schema below allOf and its like must be silent about structure. int-or-string is the one exception."""
    typed = outer.x_kubernetes_int_or_string and s.type in ("integer", "string")
    silent = (
        ("type", "" if typed else s.type),
        ("additionalProperties", s.additional_properties),
        ("default", s.default),
        ("title", s.title),
        ("description", s.description),
        ("nullable", s.nullable),
        ("x-kubernetes-preserve-unknown-fields", s.x_kubernetes_preserve_unknown_fields),
        ("x-kubernetes-embedded-resource", s.x_kubernetes_embedded_resource),
        ("x-kubernetes-int-or-string", s.x_kubernetes_int_or_string),
        ("x-kubernetes-list-map-keys", s.x_kubernetes_list_map_keys),
        ("x-kubernetes-list-type", s.x_kubernetes_list_type),
        ("x-kubernetes-map-type", s.x_kubernetes_map_type),
        ("x-kubernetes-validations", s.x_kubernetes_validations),
    )
    for wire, given in silent:
        if given:
            yield forbidden(path / wire, "must be empty to be structural")
    for child, at in _below(s, path):
        yield from _judging(child, at, s)


def _incomplete(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    """Fields that are judged must be specified."""
    for child, at in _fields(s, path):
        yield from _incomplete(child, at)
    for child, at in _judges(s, path):
        yield from _unspecified(child, at, s, path)


def _unspecified(s: JSONSchemaProps, path: Path, outer: JSONSchemaProps, top: Path) -> Iterator[FieldError]:
    if isinstance(s.items, JSONSchemaProps):
        if isinstance(outer.items, JSONSchemaProps):
            yield from _unspecified(s.items, path / "items", outer.items, top / "items")
        else:
            yield required(top / "items", f"because it is defined in {path / 'items'}")
    below = outer.additional_properties if isinstance(outer.additional_properties, JSONSchemaProps) else None
    for name in sorted(s.properties):
        where, at = (path / "properties").key(name), (top / "properties").key(name)
        target = outer.properties.get(name, below)
        if target is None:
            yield required(at, f"because it is defined in {where}")
        else:
            yield from _unspecified(s.properties[name], where, target, at)
    for child, at in _judges(s, path):
        yield from _unspecified(child, at, outer, top)


# --- defaults ---


def _default_errors(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    if s.default is not None:
        yield from _one_default(s, path / "default")
    for child, at in _fields(s, path):
        yield from _default_errors(child, at)


def _one_default(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    schema = compile_schema(s)
    pruned: list[str] = []
    value: Any = copy.deepcopy(msgspec.to_builtins(s.default))
    prune(value, schema, pruned, root=schema.embedded)
    if pruned:
        yield invalid(path, s.default, "must not have unknown fields")
        return
    yield from validate(s.default, schema, base=path.text)
