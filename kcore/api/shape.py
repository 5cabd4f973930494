"""What a type looks like on the wire: its fields by wire name, what each holds, and how it merges.

Read once from the annotations of a Struct and kept. Decoding, strategic merge, server-side apply and OpenAPI all
ask here, so none of them looks at annotations itself.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from kcore.api.schema import ListType, MapType, Patch, Struct

__all__ = ["Field", "Form", "Shape", "fields_of", "shape_of"]


class Form(Enum):
    """The kinds of JSON values that fields hold."""

    STRUCT = "struct"
    LIST = "list"
    MAP = "map"
    STRING = "string"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT = "float64"
    BOOL = "bool"
    TIME = "date-time"
    MICRO_TIME = "micro-time"
    QUANTITY = "quantity"
    BASE64 = "byte"
    INT_OR_STRING = "int-or-string"
    JSON = "json"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands at one place. `go_name` is what Go calls the type, for messages."""

    form: Form
    go_name: str
    type: type[Struct] | None = None
    element: Shape | None = None
    """Of lists and maps."""
    alternatives: tuple[Shape, ...] = ()
    """Of EITHER: at most one for each JSON type."""

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields of a STRUCT, by wire name."""
        assert self.type is not None
        return fields_of(self.type)


class Field(NamedTuple):
    """One field of a struct. `nullable`: a Go pointer, whose absence is not a zero value."""

    name: str
    wire: str
    shape: Shape
    nullable: bool
    list_type: ListType | None = None
    map_type: MapType | None = None
    patch: Patch | None = None

    @property
    def merge_key(self) -> str:
        """The key by which strategic merge tells the elements of this list apart; empty: it is not merged so."""
        return self.patch.key if self.patch is not None and "merge" in self.patch.strategy else ""

    @property
    def strategies(self) -> tuple[str, ...]:
        return tuple(self.patch.strategy.split(",")) if self.patch is not None else ()


_FORMATS = {
    "int32": Shape(Form.INT32, "int32"),
    "int64": Shape(Form.INT64, "int64"),
    "date-time": Shape(Form.TIME, "v1.Time"),
    "micro-time": Shape(Form.MICRO_TIME, "v1.MicroTime"),
    "quantity": Shape(Form.QUANTITY, "resource.Quantity"),
    "byte": Shape(Form.BASE64, "[]uint8"),
}
_STRING = Shape(Form.STRING, "string")
_INT_OR_STRING = Shape(Form.INT_OR_STRING, "intstr.IntOrString")
_JSON = Shape(Form.JSON, "interface {}")
_PLAIN: dict[Any, Shape] = {
    str: _STRING,
    int: _FORMATS["int64"],
    float: Shape(Form.FLOAT, "float64"),
    bool: Shape(Form.BOOL, "bool"),
    Any: _JSON,
}


@cache
def fields_of(type_: type[Struct]) -> Mapping[str, Field]:
    """The fields of a Struct type by wire name, in the order in which they are written."""
    hints = get_type_hints(type_, include_extras=True)
    return {f.encode_name: _field(f.name, f.encode_name, hints[f.name]) for f in msgspec.structs.fields(type_)}


@cache
def shape_of(type_: type[Struct]) -> Shape:
    """The shape of a whole object."""
    version = type_.__module__.rpartition("_")[2]
    return Shape(Form.STRUCT, f"{version}.{type_.__name__}", type=type_)


def _field(name: str, wire: str, hint: Any) -> Field:
    shape, marks, nullable = _read(hint)
    found = {type(m): m for m in marks}
    return Field(name, wire, shape, nullable, found.get(ListType), found.get(MapType), found.get(Patch))


def _read(hint: Any) -> tuple[Shape, tuple[Any, ...], bool]:
    """The shape of a type annotation, the marks it carries, and whether it may be absent."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        shape, inner, nullable = _read(args[0])
        for mark in args[1:]:
            if isinstance(mark, msgspec.Meta) and mark.extra:
                shape = _FORMATS[mark.extra["format"]]
        return shape, (*inner, *args[1:]), nullable
    if origin in (Union, types.UnionType) and type(None) in args:
        rest = tuple(a for a in args if a is not type(None))
        shape, marks, _ = _read(Union[rest])  # noqa: UP007  # a union of one is that one
        return shape, marks, True
    if hint in _PLAIN:
        return _PLAIN[hint], (), hint is Any
    return _compound(hint), (), False


def _compound(hint: Any) -> Shape:
    origin, args = get_origin(hint), get_args(hint)
    if origin is tuple:
        element = _element(args[0])
        return Shape(Form.LIST, f"[]{element.go_name}", element=element)
    if origin is Mapping:
        element = _element(args[1])
        name = "v1.ResourceList" if element.form is Form.QUANTITY else f"map[string]{element.go_name}"
        return Shape(Form.MAP, name, element=element)
    if origin in (Union, types.UnionType):
        alternatives = tuple(_read(a)[0] for a in args)
        if {a.form for a in alternatives} == {Form.INT32, Form.STRING}:
            return _INT_OR_STRING
        return Shape(Form.EITHER, "interface {}", alternatives=alternatives)
    if isinstance(hint, type) and issubclass(hint, Struct):
        return shape_of(hint)
    raise TypeError(f"no wire form for {hint!r}")


def _element(hint: Any) -> Shape:
    return _read(hint)[0]
