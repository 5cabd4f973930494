"""What may not be written in a schema, wherever in it. What is wrong below a schema is told before its extensions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.field import FieldError, Path, forbidden, invalid, not_supported, required

__all__ = ["faults_of"]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_META = ("metadata", "kind", "apiVersion")


def faults_of(schema: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    yield from _faults(schema, path, _Place(root=True))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a schema stands: at the root, within the metadata of a resource, where defaults are not allowed."""

    root: bool = False
    metadata: bool = False
    no_defaults: str = ""

    def property(self, s: JSONSchemaProps, name: str) -> _Place:
        if name in _META and (self.root or s.x_kubernetes_embedded_resource):
            return _Place(metadata=True, no_defaults=f"in top-level {name}" if self.root else self.no_defaults)
        return self.inside()

    def additional(self) -> _Place:
        if self.metadata:
            return _Place(metadata=True, no_defaults="inside additionalProperties applying to object metadata")
        return self.inside()

    def inside(self) -> _Place:
        return _Place(metadata=self.metadata, no_defaults=self.no_defaults)


def _faults(s: JSONSchemaProps, path: Path, place: _Place) -> Iterator[FieldError]:
    yield from _unsupported(s, path, place)
    if s.unique_items:
        yield forbidden(
            path / "uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        )
    if s.properties and s.additional_properties not in (None, True):
        yield forbidden(path / "additionalProperties", "additionalProperties and properties are mutual exclusive")
    for child, at, below in _children(s, path, place):
        yield from _faults(child, at, below)
    yield from _extension_faults(s, path)
    if s.x_kubernetes_validations:
        from kcore.registry.validation.schema_rules import rule_faults  # CEL takes a while, and many have no rules

        yield from rule_faults(s, path)


def _unsupported(s: JSONSchemaProps, path: Path, place: _Place) -> Iterator[FieldError]:
    if s.type and s.type not in _TYPES:
        yield not_supported(path / "type", s.type, _TYPES)
    if s.default is not None and place.no_defaults:
        yield forbidden(path / "default", f"must not be set {place.no_defaults}")
    for wire, given in (
        ("id", bool(s.id)),
        ("additionalItems", s.additional_items is not None),
        ("patternProperties", bool(s.pattern_properties)),
        ("definitions", bool(s.definitions)),
        ("dependencies", bool(s.dependencies)),
        ("$ref", bool(s.ref)),
    ):
        if given:
            yield forbidden(path / wire, f"{wire} is not supported")
    if s.type == "null":
        yield forbidden(path / "type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(s.items, tuple) and s.items:
        yield forbidden(path / "items", "items must be a schema object and not an array")
    if place.metadata and s.x_kubernetes_embedded_resource:
        yield forbidden(path / "x-kubernetes-embedded-resource", "must not be used inside of resource meta")


def _children(s: JSONSchemaProps, path: Path, place: _Place) -> Iterator[tuple[JSONSchemaProps, Path, _Place]]:
    if isinstance(s.additional_properties, JSONSchemaProps):
        yield s.additional_properties, path / "additionalProperties", place.additional()
    for name in sorted(s.properties):
        yield s.properties[name], (path / "properties").key(name), place.property(s, name)
    inside = place.inside()
    if s.not_ is not None:
        yield s.not_, path / "not", inside
    for wire, schemas in (("allOf", s.all_of), ("oneOf", s.one_of), ("anyOf", s.any_of)):
        for i, schema in enumerate(schemas):
            yield schema, path / wire @ i, inside
    for name in sorted(s.definitions):
        yield s.definitions[name], (path / "definitions").key(name), inside
    if isinstance(s.items, tuple):
        for i, schema in enumerate(s.items):
            yield schema, path / "items" @ i, inside
    elif s.items is not None:
        yield s.items, path / "items", inside
    for name, dependency in sorted(s.dependencies.items(), key=lambda each: each[0]):
        if isinstance(dependency, JSONSchemaProps):
            yield dependency, (path / "dependencies").key(name), inside


def _extension_faults(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    if s.x_kubernetes_preserve_unknown_fields is False:
        yield invalid(path / "x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    if s.x_kubernetes_map_type is not None:
        if s.type != "object":
            yield _wrong_type(path, s, "object", "x-kubernetes-map-type is specified")
        if s.x_kubernetes_map_type not in ("atomic", "granular"):
            yield not_supported(path / "x-kubernetes-map-type", s.x_kubernetes_map_type, ("atomic", "granular"))
    yield from _list_faults(s, path, path / "x-kubernetes-list-type")


def _list_faults(s: JSONSchemaProps, path: Path, at: Path) -> Iterator[FieldError]:
    list_type = s.x_kubernetes_list_type
    if list_type is not None and s.type != "array":
        yield _wrong_type(path, s, "array", "x-kubernetes-list-type is specified")
    elif list_type == "set" and isinstance(s.items, JSONSchemaProps):
        yield from _set_faults(s.items, path / "items")
    if list_type not in (None, "atomic", "set", "map"):
        yield not_supported(at, list_type, ("atomic", "set", "map"))
    if s.x_kubernetes_list_map_keys:
        why = "must be map if x-kubernetes-list-map-keys is non-empty"
        if list_type is None:
            yield required(at, why)
        elif list_type != "map":
            yield invalid(at, list_type, why)
    if list_type == "map":
        yield from _map_faults(s, path)
    if list_type in ("set", "map") and isinstance(s.items, JSONSchemaProps):
        if s.items.nullable:
            why = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
            yield forbidden(path / "items" / "nullable", why)
        if list_type == "map":
            yield from _key_faults(s.x_kubernetes_list_map_keys, s.items, path / "items")


def _wrong_type(path: Path, s: JSONSchemaProps, wanted: str, why: str) -> FieldError:
    if not s.type:
        return required(path / "type", f"must be {wanted} if {why}")
    return invalid(path / "type", s.type, f"must be {wanted} if {why}")


def _set_faults(items: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    """Elements of sets are told apart as a whole."""
    why = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.type == "array" and items.x_kubernetes_list_type not in (None, "atomic"):
        yield invalid(path / "x-kubernetes-list-type", items.x_kubernetes_list_type, why)
    if items.type == "object" and items.x_kubernetes_map_type != "atomic":
        yield invalid(path / "x-kubernetes-map-type", items.x_kubernetes_list_type, why)


def _map_faults(s: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    keys, at, items = s.x_kubernetes_list_map_keys, path / "x-kubernetes-list-map-keys", s.items
    if not keys:
        yield required(at, "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        yield required(path / "items", "must have a schema if x-kubernetes-list-type is map")
    if not isinstance(items, JSONSchemaProps):
        return
    if items.type != "object":
        why = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid(path / "items" / "type", items.type, why)
        return
    for i, key in enumerate(keys):
        prop = items.properties.get(key)
        if prop is None:
            yield invalid(at, keys, "entries must all be names of item properties")
        elif prop.type in ("array", "object"):
            where = (path / "items" / "properties").key(key) / "type"
            yield invalid(where, items.type, "must be a scalar type if parent array's x-kubernetes-list-type is map")
        if key in keys[:i]:
            yield invalid(at, keys, "must not contain duplicate entries")


def _key_faults(keys: tuple[str, ...], items: JSONSchemaProps, path: Path) -> Iterator[FieldError]:
    """Every element has to have its keys."""
    for key in keys:
        prop = items.properties.get(key)
        if prop is None:
            continue
        where = (path / "properties").key(key)
        if prop.default is None and key not in items.required:
            why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            yield required(where / "default", why)
        if prop.nullable:
            why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            yield forbidden(where / "nullable", why)
