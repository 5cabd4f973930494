"""Schemas of the API types, from their shapes. Versions 2 and 3 differ only in where references point."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from kcore.api import schema as marks
from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.api.documents import Expected
from kcore.api.kind import Kind
from kcore.api.meta_v1 import ListMeta, ObjectMeta, WatchEvent
from kcore.api.schema import Struct
from kcore.api.shape import Field, Form, Shape, fields_of
from kcore.server.openapi.choices import default_of, enum_of
from kcore.server.openapi.custom_schemas import custom_schema
from kcore.server.openapi.descriptions import describe_field, describe_type
from kcore.server.openapi.required import ALSO_REQUIRED, NOT_REQUIRED, UNIONS

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
_APIEXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
_JSON = f"{_APIEXTENSIONS}.JSON"
_SCHEMA_OR_BOOL = f"{_APIEXTENSIONS}.JSONSchemaPropsOrBool"
_SCHEMA_OR_LIST = f"{_APIEXTENSIONS}.JSONSchemaPropsOrArray"
_SCHEMA_OR_NAMES = f"{_APIEXTENSIONS}.JSONSchemaPropsOrStringArray"
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
}
_SCALARS: dict[str, dict[str, Any]] = {
    _TIME: {"type": "string", "format": "date-time"},
    _MICRO_TIME: {"type": "string", "format": "date-time"},
    _QUANTITY: {"type": "string"},
    _INT_OR_STRING: {"type": "string", "format": "int-or-string"},
    _RAW: {"type": "object"},
    _FIELDS_V1: {"type": "object"},
    _JSON: {},
    _SCHEMA_OR_BOOL: {},
    _SCHEMA_OR_LIST: {},
    _SCHEMA_OR_NAMES: {},
}
# What the second version has no words for.
_CHOICES: dict[str, dict[str, Any]] = {
    _QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
    _INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}
_V3_PREFIX = "#/components/schemas/"
_ZEROS: dict[Form, Any] = {Form.STRING: "", Form.BOOL: False, Form.INT32: 0, Form.INT64: 0, Form.STRUCT: {}}
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
        if "watch" in kind.verbs:
            _define(WatchEvent, prefix, found)
        if "list" in kind.verbs:
            _define(ListMeta, prefix, found)
            found[list_definition_name(kind)] = _list_schema(kind, prefix)
    return dict(sorted(found.items()))


def _mark(schema: dict[str, Any], group: str, version: str, kind: str) -> None:
    marked = schema.setdefault("x-kubernetes-group-version-kind", [])
    marked.append({"group": group, "kind": kind, "version": version})


def _list_schema(kind: Kind, prefix: str) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "description": describe_type(kind.list_kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": _told({"type": "string"}, "apiVersion"),
            "items": _told({"type": "array", "items": {"$ref": prefix + kind_definition_name(kind)}}, "items"),
            "kind": _told({"type": "string"}, "kind"),
            "metadata": {"$ref": prefix + definition_name(ListMeta)},
        },
    }
    _mark(schema, kind.group, kind.version, kind.list_kind)
    return schema


def _told(schema: dict[str, Any], wire: str) -> dict[str, Any]:
    return {"description": describe_field("", wire), **schema}


def _define(type_: type[Struct], prefix: str, found: dict[str, Any]) -> None:
    """Add a type and all that it reaches. Types may reach themselves (JSONSchemaProps)."""
    name = definition_name(type_)
    if name in found:
        return
    schema = found[name] = {"description": describe_type(type_.__name__), "type": "object"}
    required = _required(type_)
    properties = {
        field.wire: _property(type_, field, prefix, found, required=field.wire in required)
        for field in fields_of(type_).values()
    }
    if required:
        schema["required"] = sorted(required)
    if properties:
        schema["properties"] = dict(sorted(properties.items()))
    if type_.__map_type__ != "granular":
        schema["x-kubernetes-map-type"] = type_.__map_type__
    if unions := UNIONS.get(_short_name(type_)):
        schema["x-kubernetes-unions"] = unions


def _short_name(type_: type[Struct]) -> str:
    return f"{type_.__module__.rpartition('.')[2]}.{type_.__name__}"


def _required(type_: type[Struct]) -> set[str]:
    name = _short_name(type_)
    written = {f.encode_name for f in msgspec.structs.fields(type_) if f.default_factory in _WRITTEN}
    return (written | {*ALSO_REQUIRED.get(name, ())}) - {*NOT_REQUIRED.get(name, ())}


def _property(
    type_: type[Struct], field: Field, prefix: str, found: dict[str, Any], *, required: bool
) -> dict[str, Any]:
    schema = dict(_schema(field.shape, prefix, found))
    if field.wire == "fieldsV1":
        schema = dict(_named(_FIELDS_V1, prefix, found))
    elif type_ is JSONSchemaProps and schema.get("$ref") == prefix + _RAW:
        schema = dict(_named(_JSON, prefix, found))
    elif type_ is JSONSchemaProps and field.wire == "enum":
        schema["items"] = _named(_JSON, prefix, found)
    if prefix == _V3_PREFIX:
        _complete(schema, type_, field, required=required)
    if text := describe_field(type_.__name__, field.wire):
        schema["description"] = text
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


def _complete(schema: dict[str, Any], type_: type[Struct], field: Field, *, required: bool) -> None:
    """What only the third version says: values to choose from, and what is meant where nothing is sent. In place."""
    if values := enum_of(type_.__name__, field.wire):
        schema["enum"] = list(values)
    default = default_of(type_, field.wire)
    if default is None and required:
        default = _ZEROS.get(field.shape.form)
    if default is not None:
        schema["default"] = default
    if "$ref" in schema:  # nothing may stand beside a reference
        schema["allOf"] = [{"$ref": schema.pop("$ref")}]


def _schema(shape: Shape, prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    if shape.form is Form.STRUCT:
        assert shape.type is not None
        _define(shape.type, prefix, found)
        return {"$ref": prefix + definition_name(shape.type)}
    if shape.form is Form.EITHER:
        return _named(_either(shape), prefix, found)
    if shape.element is not None:
        element = _schema(shape.element, prefix, found)
        if shape.form is Form.LIST:
            return {"type": "array", "items": element}
        return {"type": "object", "additionalProperties": element}
    named = _NAMED.get(shape.form)
    return _PLAIN[shape.form] if named is None else _named(named, prefix, found)


def _either(shape: Shape) -> str:
    """A schema, or else something that is none."""
    other = next(a for a in shape.alternatives if a.form is not Form.STRUCT)
    if other.form is Form.BOOL:
        return _SCHEMA_OR_BOOL
    return _SCHEMA_OR_LIST if other.element is not None and other.element.form is Form.STRUCT else _SCHEMA_OR_NAMES


def _named(name: str, prefix: str, found: dict[str, Any]) -> dict[str, Any]:
    schema = _CHOICES.get(name) if prefix == _V3_PREFIX else None
    found.setdefault(name, {"description": describe_type(name.rpartition(".")[2]), **(schema or _SCALARS[name])})
    return {"$ref": prefix + name}
