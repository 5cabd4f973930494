"""Schemas of the API types, from their shapes. Versions 2 and 3 differ only in where references point."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from kcore.api import schema as marks
from kcore.api.documents import Expected
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ListMeta, ObjectMeta
from kcore.api.schema import Struct
from kcore.api.shape import Field, Form, Shape, fields_of
from kcore.server.openapi.custom_schemas import custom_schema

__all__ = ["definition_name", "definitions", "kind_definition_name", "list_definition_name"]

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_HOMES = {
    "meta_v1": _META,
    "apiextensions_v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration_v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
}
_TIME = f"{_META}.Time"
_MICRO_TIME = f"{_META}.MicroTime"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"
_FIELDS_V1 = f"{_META}.FieldsV1"
_NAMED = {
    Form.TIME: _TIME,
    Form.MICRO_TIME: _MICRO_TIME,
    Form.QUANTITY: _QUANTITY,
    Form.INT_OR_STRING: _INT_OR_STRING,
    Form.JSON: _RAW,
}
_PLAIN: dict[Form, dict[str, Any]] = {
    Form.STRING: {"type": "string"},
    Form.BOOL: {"type": "boolean"},
    Form.INT32: {"type": "integer", "format": "int32"},
    Form.INT64: {"type": "integer", "format": "int64"},
    Form.FLOAT: {"type": "number", "format": "double"},
    Form.BASE64: {"type": "string", "format": "byte"},
    Form.EITHER: {},
}
_SCALARS: dict[str, dict[str, Any]] = {
    _TIME: {"type": "string", "format": "date-time"},
    _MICRO_TIME: {"type": "string", "format": "date-time"},
    _QUANTITY: {"type": "string"},
    _INT_OR_STRING: {"type": "string", "format": "int-or-string"},
    _RAW: {"type": "object"},
    _FIELDS_V1: {"type": "object"},
}
# Values that are written even when empty are what upstream marks as required.
_WRITTEN = (marks.empty, marks.zero, marks.zero_quantity, marks.false, marks.null, marks.empty_tuple, marks.empty_map)


def definition_name(type_: type[Struct]) -> str:
    """What upstream calls a type in OpenAPI: its Go package and name."""
    module = type_.__module__.rpartition(".")[2]
    home = _HOMES.get(module) or f"io.k8s.api.{module.replace('_', '.')}"
    return f"{home}.{type_.__name__}"


def kind_definition_name(kind: Kind) -> str:
    """What upstream calls a kind: its type, or for a custom one its group backwards, version and name."""
    if kind.definition is None:
        return definition_name(kind.type)
    return ".".join((*reversed(kind.group.split(".")), kind.version, kind.name))


def list_definition_name(kind: Kind) -> str:
    return f"{kind_definition_name(kind).rpartition('.')[0]}.{kind.list_kind}"


def definitions(kinds: Iterable[Kind], bodies: Iterable[Expected], prefix: str) -> dict[str, Any]:
    """The schemas of kinds, their lists and other bodies, and of all that they refer to.

    `prefix` is what references begin with: `#/definitions/` or `#/components/schemas/`.
    """
    found: dict[str, Any] = {}
    for body in bodies:
        _define(body.type, prefix, found)
        _mark(found[definition_name(body.type)], body.group, body.version, body.kind)
    for kind in kinds:
        if kind.definition is None:
            _define(kind.type, prefix, found)
        else:
            _define(ObjectMeta, prefix, found)
            found[kind_definition_name(kind)] = custom_schema(kind, prefix + definition_name(ObjectMeta))
        _mark(found[kind_definition_name(kind)], kind.group, kind.version, kind.name)
        if "list" in kind.verbs:
            _define(ListMeta, prefix, found)
            found[list_definition_name(kind)] = _list_schema(kind, prefix)
    return dict(sorted(found.items()))


def _mark(schema: dict[str, Any], group: str, version: str, kind: str) -> None:
    marked = schema.setdefault("x-kubernetes-group-version-kind", [])
    marked.append({"group": group, "kind": kind, "version": version})


def _list_schema(kind: Kind, prefix: str) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": prefix + kind_definition_name(kind)}},
            "kind": {"type": "string"},
            "metadata": {"$ref": prefix + definition_name(ListMeta)},
        },
    }
    _mark(schema, kind.group, kind.version, kind.list_kind)
    return schema


def _define(type_: type[Struct], prefix: str, found: dict[str, Any]) -> None:
    """Add a type and all that it reaches. Types may reach themselves (JSONSchemaProps)."""
    name = definition_name(type_)
    if name in found:
        return
    schema = found[name] = {"type": "object"}
    properties = {field.wire: _property(field, prefix, found) for field in fields_of(type_).values()}
    required = sorted(_required(type_))
    if required:
        schema["required"] = required
    if properties:
        schema["properties"] = dict(sorted(properties.items()))
    if type_.__map_type__ != "granular":
        schema["x-kubernetes-map-type"] = type_.__map_type__


def _required(type_: type[Struct]) -> Iterator[str]:
    for field in msgspec.structs.fields(type_):
        if field.default_factory in _WRITTEN:
            yield field.encode_name


def _property(field: Field, prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    schema = dict(_schema(field.shape, prefix, found))
    if field.wire == "fieldsV1":
        schema = _named(_FIELDS_V1, prefix, found)
    if field.list_type is not None:
        schema["x-kubernetes-list-type"] = field.list_type.name
        if field.list_type.keys:
            schema["x-kubernetes-list-map-keys"] = list(field.list_type.keys)
    if field.map_type is not None:
        schema["x-kubernetes-map-type"] = field.map_type.name
    if field.patch is not None:
        schema["x-kubernetes-patch-strategy"] = field.patch.strategy
        if field.patch.key:
            schema["x-kubernetes-patch-merge-key"] = field.patch.key
    return schema


def _schema(shape: Shape, prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    if shape.form is Form.STRUCT:
        assert shape.type is not None
        _define(shape.type, prefix, found)
        return {"$ref": prefix + definition_name(shape.type)}
    if shape.element is not None:
        element = _schema(shape.element, prefix, found)
        if shape.form is Form.LIST:
            return {"type": "array", "items": element}
        return {"type": "object", "additionalProperties": element}
    named = _NAMED.get(shape.form)
    return _PLAIN[shape.form] if named is None else _named(named, prefix, found)


def _named(name: str, prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    found.setdefault(name, _SCALARS[name])
    return {"$ref": prefix + name}
