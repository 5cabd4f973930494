"""That a schema is structural (KEP-1693): it says the type of everything outside `allOf`, `anyOf`, `oneOf` and `not`,
which may only judge values, and judge only what is specified outside of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.field import FieldError, Path, forbidden, invalid, required
from kcore.kit.regex import PatternError, compile_pattern
from kcore.registry.validation.schema_steps import all_below

__all__ = ["has_structural_form", "structural_errors"]

_METADATA = frozenset(("name", "generateName"))
_INT_OR_STRING = (JSONSchemaProps(type="integer"), JSONSchemaProps(type="string"))


def has_structural_form(s: JSONSchemaProps) -> bool:
    """Whether there is a structural form to be judged at all: it has no place for some things."""
    if s.id or s.schema or s.ref or s.pattern_properties or s.dependencies or s.definitions:
        return False
    if s.additional_items is not None or s.x_kubernetes_preserve_unknown_fields is False:
        return False
    if isinstance(s.items, tuple) and s.items:
        return False
    return all(has_structural_form(child) for child, _ in all_below(s, Path("")))


def structural_errors(schema: JSONSchemaProps, path: Path) -> list[FieldError]:
    """Sorted by what they say."""
    return sorted([*_structural(schema, path, "root"), *_incomplete(schema, path, schema, path)], key=str)


def _structural(s: JSONSchemaProps, path: Path, level: str) -> Iterator[FieldError]:
    if s.type == "array" and s.items is None:
        yield required(path / "items", "must be specified")
    if isinstance(s.items, JSONSchemaProps):
        yield from _structural(s.items, path / "items", "item")
    for name, prop in s.properties.items():
        yield from _structural(prop, (path / "properties").key(name), "field")
    if s.additional_properties is not None:
        if level == "root":
            yield forbidden(path / "additionalProperties", "must not be used at the root")
        if isinstance(s.additional_properties, JSONSchemaProps):
            yield from _structural(s.additional_properties, path / "additionalProperties", "field")
    # int-or-string may be spelt out: as anyOf, or as that of the first allOf.
    spelt_first = bool(s.all_of) and s.all_of[0].any_of == _INT_OR_STRING
    yield from _judges(s, path, any_of=s.any_of != _INT_OR_STRING, first_any_of=not spelt_first)
    yield from _type_errors(s, path, level)
    yield from _resource_errors(s, path, level)


def _type_errors(s: JSONSchemaProps, path: Path, level: str) -> Iterator[FieldError]:
    why = "must be false if x-kubernetes-int-or-string is true"
    for wire, given in (
        ("x-kubernetes-preserve-unknown-fields", s.x_kubernetes_preserve_unknown_fields),
        ("x-kubernetes-embedded-resource", s.x_kubernetes_embedded_resource),
    ):
        if s.x_kubernetes_int_or_string and given:
            yield invalid(path / wire, True, why)
    if s.x_kubernetes_embedded_resource and s.type != "object":
        why = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid(path / "type", s.type, why) if s.type else required(path / "type", why)
    elif not s.type and not s.x_kubernetes_int_or_string and not s.x_kubernetes_preserve_unknown_fields:
        words = {"root": "at the root", "field": "for specified object fields", "item": "for specified array items"}
        yield required(path / "type", f"must not be empty {words[level]}")
    if level == "root" and s.type and s.type != "object":
        yield invalid(path / "type", s.type, "must be object at the root")


def _resource_errors(s: JSONSchemaProps, path: Path, level: str) -> Iterator[FieldError]:
    """What may be said of the fields that every object has."""
    embedded = s.x_kubernetes_embedded_resource
    if embedded and s.additional_properties is not None:
        yield forbidden(path / "additionalProperties", "must not be used if x-kubernetes-embedded-resource is set")
    if embedded and not s.x_kubernetes_preserve_unknown_fields and not s.properties:
        why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        yield required(path / "properties", why)
    if level != "root" and not embedded:
        return
    for name in ("apiVersion", "kind"):
        if (prop := s.properties.get(name)) is not None and prop.type != "string":
            yield invalid((path / "properties").key(name) / "type", prop.type, "must be string")
    metadata, at = s.properties.get("metadata"), (path / "properties").key("metadata")
    if metadata is None:
        return
    if metadata.type != "object":
        yield invalid(at / "type", metadata.type, "must be object")
    if level == "root" and not _names_only(metadata):
        yield forbidden(
            at, "must not specify anything other than name and generateName, but metadata is implicitly specified"
        )


def _names_only(metadata: JSONSchemaProps) -> bool:
    properties = {} if metadata.properties.keys() <= _METADATA else metadata.properties
    return msgspec.structs.replace(metadata, type="", default=None, properties=properties) == JSONSchemaProps()


def _judges(s: JSONSchemaProps, path: Path, *, any_of: bool, first_any_of: bool = True) -> Iterator[FieldError]:
    """What judges values. `any_of`: whether anyOf counts, `first_any_of`: whether that of the first allOf does."""
    for i, each in enumerate(s.any_of if any_of else ()):
        yield from _judging(each, path / "anyOf" @ i)
    for i, each in enumerate(s.all_of):
        yield from _judging(each, path / "allOf" @ i, any_of=i > 0 or first_any_of)
    for i, each in enumerate(s.one_of):
        yield from _judging(each, path / "oneOf" @ i)
    if s.not_ is not None:
        yield from _judging(s.not_, path / "not")
    if s.pattern:
        try:
            compile_pattern(s.pattern)
        except PatternError as e:
            yield invalid(path / "pattern", s.pattern, f"must be a valid regular expression, but isn't: {e}")


def _judging(s: JSONSchemaProps, path: Path, *, any_of: bool = True) -> Iterator[FieldError]:
    """A schema below allOf and its like must be silent about structure."""
    yield from _judges(s, path, any_of=any_of)
    if isinstance(s.items, JSONSchemaProps):
        yield from _judging(s.items, path / "items")
    for name, prop in s.properties.items():
        yield from _judging(prop, (path / "properties").key(name))
    for wire, given, wanted in (
        ("type", s.type, "empty"),
        ("additionalProperties", s.additional_properties is not None, "undefined"),
        ("default", s.default is not None, "undefined"),
        ("title", s.title, "empty"),
        ("description", s.description, "empty"),
        ("nullable", s.nullable, "false"),
        ("x-kubernetes-preserve-unknown-fields", s.x_kubernetes_preserve_unknown_fields, "false"),
        ("x-kubernetes-embedded-resource", s.x_kubernetes_embedded_resource, "false"),
        ("x-kubernetes-int-or-string", s.x_kubernetes_int_or_string, "false"),
        ("x-kubernetes-list-map-keys", s.x_kubernetes_list_map_keys, "empty"),
        ("x-kubernetes-list-type", s.x_kubernetes_list_type is not None, "undefined"),
        ("x-kubernetes-map-type", s.x_kubernetes_map_type is not None, "undefined"),
        ("x-kubernetes-validations", s.x_kubernetes_validations, "empty"),
    ):
        if given:
            yield forbidden(path / wire, f"must be {wanted} to be structural")
    if "metadata" in s.properties:
        yield forbidden((path / "properties").key("metadata"), "must not be specified in a nested context")


def _incomplete(s: JSONSchemaProps, path: Path, outer: JSONSchemaProps, top: Path) -> Iterator[FieldError]:
    """What is judged at the root must be specified there. (Upstream asks this of no schema further down.)"""
    for wire, schemas in (("allOf", s.all_of), ("anyOf", s.any_of), ("oneOf", s.one_of)):
        for i, schema in enumerate(schemas):
            yield from _unspecified(schema, path / wire @ i, outer, top)
    if s.not_ is not None:
        yield from _unspecified(s.not_, path / "not", outer, top)


def _unspecified(s: JSONSchemaProps, path: Path, outer: JSONSchemaProps, top: Path) -> Iterator[FieldError]:
    yield from _incomplete(s, path, outer, top)
    if isinstance(s.items, JSONSchemaProps):
        if isinstance(outer.items, JSONSchemaProps):
            yield from _unspecified(s.items, path / "items", outer.items, top / "items")
        else:
            yield required(top / "items", f"because it is defined in {path / 'items'}")
    for name, prop in s.properties.items():
        where, at = (path / "properties").key(name), (top / "properties").key(name)
        target = outer.properties.get(name)
        if target is None:
            yield required(at, f"because it is defined in {where}")
        else:
            yield from _unspecified(prop, where, target, at)
