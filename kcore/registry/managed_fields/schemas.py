"""How each part of an object is owned: as one value, field by field, key by key, or element by element.

Schemas are made of the shapes of types (`kcore.api.shape`) once and kept. Upstream's OpenAPI says the same through
x-kubernetes-list-type, -list-map-keys and -map-type; what says nothing is granular, save for lists, which are atomic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache, cached_property
from itertools import compress
from operator import ne
from typing import Any, NamedTuple

import msgspec

from kcore.api.core_v1 import ContainerPort, ServicePort
from kcore.api.object import CustomResource
from kcore.api.schema import ListType, MapType, Struct
from kcore.api.shape import Field, Form, Shape, fields_of

__all__ = ["ABSENT", "KEY_DEFAULTS", "UNTYPED", "Key", "Schema", "Sort", "members", "schema_of"]


class Sort(Enum):
    STRING = "string"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    SCALAR = "scalar"
    """Any scalar: quantities, times, int-or-string."""
    STRUCT = "struct"
    MAP = "map"
    LIST = "list"
    UNTYPED = "untyped"
    """Whatever stands there says itself what it is: objects are maps of the like, lists are atomic."""


class Key(NamedTuple):
    """One of the fields by which elements of a list are told apart; `default` stands in where it is left out.

    `name` is its attribute in typed elements, and `omitted` the value that is left out of those.
    """

    wire: str
    name: str
    default: Any
    omitted: Any


class Attribute(NamedTuple):
    """A field of a struct: `element` is its path element, `omitted` the value that is left out (ABSENT: none is)."""

    name: str
    wire: str
    element: str
    schema: Schema
    omitted: Any


@dataclass(eq=False)
class Schema:
    """`leaf`: owned as one value."""

    sort: Sort
    leaf: bool
    element: Schema | None = None
    """Of maps and lists."""
    keys: tuple[Key, ...] = ()
    """Of lists whose elements are told apart by keys; other lists that are not leaves are sets."""
    type: type[Struct] | None = None
    """Of structs that are typed."""
    declared: Mapping[str, Schema] | None = None
    """The fields of structs that are trees (custom resources); `element` is what other fields hold, if there may be."""

    @cached_property
    def fields(self) -> Mapping[str, Schema]:
        """Of a struct, by wire name."""
        if self.type is None:
            return self.declared or {}
        return {wire: _of_field(field) for wire, field in fields_of(self.type).items()}

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Of a struct, in the order of its definition."""
        if self.type is None:
            return ()
        return tuple(
            Attribute(f.name, f.encode_name, f"f:{f.encode_name}", self.fields[f.encode_name], _omitted(f))
            for f in msgspec.structs.fields(self.type)
        )

    @cached_property
    def omissions(self) -> tuple[Any, ...]:
        """Of each attribute, the value that is left out."""
        return tuple(attribute.omitted for attribute in self.attributes)

    @cached_property
    def wholes(self) -> dict[tuple[bool, ...], Mapping[str, Any]]:
        """The paths of structs that have nothing but leaves, by which attributes they have."""
        return {}

    @cached_property
    def elements(self) -> dict[Any, str]:
        """Path elements that were made for a list's items lately, by the value of its one key."""
        return {}

    def child(self, wire: str) -> Schema | None:
        """What stands at a field or map key; None: there is no such field."""
        if self.sort is Sort.STRUCT:
            return self.fields.get(wire, self.element)
        return self.element


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""What stands at a path that an object does not have; null is something else."""

UNTYPED = Schema(Sort.UNTYPED, leaf=False)
UNTYPED.element = UNTYPED
_ATOMIC_UNTYPED = Schema(Sort.UNTYPED, leaf=True, element=UNTYPED)

_SCALARS = {
    Form.STRING: Sort.STRING,
    Form.BASE64: Sort.STRING,
    Form.INT32: Sort.NUMERIC,
    Form.INT64: Sort.NUMERIC,
    Form.FLOAT: Sort.NUMERIC,
    Form.BOOL: Sort.BOOLEAN,
}

# Upstream's `+default` of fields that are keys of lists. Other keys default to the zero value that is always written.
KEY_DEFAULTS: Mapping[tuple[type[Struct], str], Any] = {
    (ContainerPort, "protocol"): "TCP",
    (ServicePort, "protocol"): "TCP",
}


@cache
def schema_of(type_: type[Struct], leaf: bool = False) -> Schema:
    """The schema of a type; `leaf`: of a field of that type that is owned as one."""
    return Schema(Sort.STRUCT, leaf or type_.__map_type__ == "atomic", type=type_)


def members(schema: Schema, value: Any) -> Mapping[str, Any]:
    """The fields of an object, or the entries of a map, that would be written: of a tree or a typed object alike."""
    if value is None:
        return {}
    if not isinstance(value, Struct):
        return value  # type: ignore[no-any-return]
    if isinstance(value, CustomResource):
        return {"metadata": value.metadata, **value.content}
    held = msgspec.structs.astuple(value)
    present = compress(zip(schema.attributes, held, strict=True), map(ne, held, schema.omissions))
    return {attribute.wire: part for attribute, part in present}


def _omitted(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is dict:
        return {}
    return ABSENT if field.default is msgspec.NODEFAULT else field.default


def _of_field(field: Field) -> Schema:
    return _schema(field.shape, field.list_type, field.map_type)


def _schema(shape: Shape, list_type: ListType | None = None, map_type: MapType | None = None) -> Schema:
    atomic = map_type is not None and map_type.name == "atomic"
    if shape.form is Form.STRUCT:
        assert shape.type is not None
        return schema_of(shape.type, atomic)
    if shape.form is Form.MAP:
        assert shape.element is not None
        return Schema(Sort.MAP, atomic, element=_schema(shape.element))
    if shape.form is Form.LIST:
        return _list(shape, list_type)
    if shape.form is Form.JSON:
        return _ATOMIC_UNTYPED if atomic else UNTYPED
    if shape.form is Form.EITHER:
        return UNTYPED
    return Schema(_SCALARS.get(shape.form, Sort.SCALAR), leaf=True)


def _list(shape: Shape, list_type: ListType | None) -> Schema:
    assert shape.element is not None
    element = _schema(shape.element)
    if list_type is None or list_type.name == "atomic":
        return Schema(Sort.LIST, leaf=True, element=element)
    keys = tuple(_key(shape.element.type, wire) for wire in sorted(list_type.keys)) if list_type.name == "map" else ()
    return Schema(Sort.LIST, leaf=False, element=element, keys=keys)


def _key(type_: type[Struct] | None, wire: str) -> Key:
    assert type_ is not None
    field: Any = next(f for f in msgspec.structs.fields(type_) if f.encode_name == wire)
    omitted = _omitted(field)
    default = KEY_DEFAULTS.get((type_, wire), ABSENT)
    if default is ABSENT and omitted is ABSENT:
        default = field.default_factory()
    return Key(wire, field.name, ABSENT if default is None else default, omitted)
