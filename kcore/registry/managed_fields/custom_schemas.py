"""The schemas of custom kinds, out of the structural schema of their definition; compiled once, not in a request."""

from __future__ import annotations

from collections.abc import Mapping

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ObjectMeta
from kcore.registry.managed_fields.schemas import ABSENT, UNTYPED, Key, Schema, Sort, schema_of

__all__ = ["custom_schema"]

_SCALARS = {
    "string": Sort.STRING,
    "integer": Sort.NUMERIC,
    "number": Sort.NUMERIC,
    "boolean": Sort.BOOLEAN,
}
_STRING = Schema(Sort.STRING, leaf=True)


def custom_schema(kind: Kind) -> Schema:
    """The schema of a kind that a definition brought, at the version that the kind is."""
    assert kind.definition is not None
    version = next(v for v in kind.definition.spec.versions if v.name == kind.version)
    props = version.schema.open_apiv3_schema if version.schema is not None else None
    if props is None:
        return _object({}, UNTYPED)
    declared = {wire: _compile(child) for wire, child in props.properties.items()}
    return _object(declared, UNTYPED if props.x_kubernetes_preserve_unknown_fields else None)


def _object(declared: Mapping[str, Schema], others: Schema | None, leaf: bool = False) -> Schema:
    """Something with kind and metadata of its own."""
    own = {"apiVersion": _STRING, "kind": _STRING, "metadata": schema_of(ObjectMeta)}
    return Schema(Sort.STRUCT, leaf, element=others, declared={**declared, **own})


def _compile(props: JSONSchemaProps) -> Schema:
    if props.x_kubernetes_int_or_string:
        return Schema(Sort.SCALAR, leaf=True)
    if props.type in _SCALARS:
        return Schema(_SCALARS[props.type], leaf=True)
    if props.type == "array":
        return _list(props)
    if props.type != "object" and not props.properties:
        return UNTYPED
    return _map(props)


def _map(props: JSONSchemaProps) -> Schema:
    leaf = props.x_kubernetes_map_type == "atomic"
    declared = {wire: _compile(child) for wire, child in props.properties.items()}
    others = UNTYPED if props.x_kubernetes_preserve_unknown_fields else None
    if props.x_kubernetes_embedded_resource:
        return _object(declared, others, leaf)
    if isinstance(props.additional_properties, JSONSchemaProps):
        return Schema(Sort.MAP, leaf, element=_compile(props.additional_properties))
    if not declared:
        return Schema(Sort.MAP, leaf, element=UNTYPED)
    return Schema(Sort.STRUCT, leaf, element=others, declared=declared)


def _list(props: JSONSchemaProps) -> Schema:
    items = props.items if isinstance(props.items, JSONSchemaProps) else JSONSchemaProps()
    element = _compile(items)
    if props.x_kubernetes_list_type == "set":
        return Schema(Sort.LIST, leaf=False, element=element)
    if props.x_kubernetes_list_type != "map":
        return Schema(Sort.LIST, leaf=True, element=element)
    keys = tuple(_key(wire, items.properties.get(wire)) for wire in sorted(props.x_kubernetes_list_map_keys))
    return Schema(Sort.LIST, leaf=False, element=element, keys=keys)


def _key(wire: str, props: JSONSchemaProps | None) -> Key:
    default = ABSENT if props is None or props.default is None else props.default
    return Key(wire, wire, default, ABSENT)
