"""The types that the checker reckons with. Values carry none of this; see `values`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "BOOL",
    "BYTES",
    "DOUBLE",
    "DURATION",
    "DYN",
    "ERROR",
    "INT",
    "NULL",
    "STRING",
    "TIMESTAMP",
    "UINT",
    "Field",
    "ObjectType",
    "Type",
    "is_dyn",
    "list_of",
    "map_of",
    "opaque",
    "optional_of",
    "parameter",
    "type_of_type",
]

SCALARS = frozenset(("bool", "double", "duration", "int", "timestamp", "uint"))


@dataclass(frozen=True, slots=True)
class Type:
    """`kind` says what it is, `name` what it is called: they differ for opaque types, objects and parameters alone."""

    kind: str
    name: str
    parameters: tuple[Type, ...] = ()

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        return f"{self.name}({', '.join(map(str, self.parameters))})"

    @property
    def runtime_name(self) -> str:
        """What `string(type(x))` and equality of types go by."""
        return _RUNTIME_NAMES.get(self.name, self.name)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object: the key under which values have it differs from its name where that is no identifier."""

    type: Type
    key: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ObjectType(Type):
    """A type with named fields, whose values are mappings. `construct` makes one from the fields of a literal."""

    fields: Mapping[str, Field] = field(default_factory=dict)
    construct: Callable[[dict[str, Any]], Any] | None = None

    @classmethod
    def named(
        cls,
        name: str,
        fields: Mapping[str, Field],
        construct: Callable[[dict[str, Any]], Any] | None = None,
    ) -> ObjectType:
        return cls("object", name, (), fields, construct)


def _simple(name: str) -> Type:
    return Type(name, name)


BOOL = _simple("bool")
BYTES = _simple("bytes")
DOUBLE = _simple("double")
DURATION = _simple("duration")
DYN = _simple("dyn")
ERROR = Type("error", "!error!")
INT = _simple("int")
NULL = _simple("null")
STRING = _simple("string")
TIMESTAMP = _simple("timestamp")
UINT = _simple("uint")

_RUNTIME_NAMES = {
    "null": "null_type",
    "timestamp": "google.protobuf.Timestamp",
    "duration": "google.protobuf.Duration",
}


def list_of(item: Type) -> Type:
    return Type("list", "list", (item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", "map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("opaque", "optional_type", (value,))


def type_of_type(of: Type) -> Type:
    return Type("type", "type", (of,))


def opaque(name: str) -> Type:
    """A type of which only functions know something."""
    return Type("opaque", name)


def parameter(name: str) -> Type:
    """A placeholder in a declaration: every occurrence stands for the same type."""
    return Type("param", name)


def is_dyn(of: Type) -> bool:
    """Whether nothing can be told of it before the program runs."""
    return of.kind in ("dyn", "error")
