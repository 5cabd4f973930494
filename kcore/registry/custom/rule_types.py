"""What a schema is to the expressions of its rules: the types of its fields, how large they may be, and their values.

A field has the type of its schema where there is one; what is int-or-string, or keeps unknown fields without a type, is
dyn or not there at all. Names that are no identifiers are escaped (`a-b` is `a__dash__b`). Values are the JSON tree as
it stands, but where a schema says more: numbers are doubles, dates timestamps, and lists that are sets or maps have an
equality and a `+` of their own.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from kcore.api.apiextensions_v1 import JSONSchemaProps
from kcore.cel.errors import CelError
from kcore.cel.times import parse_date, parse_duration, parse_timestamp
from kcore.cel.tokens import RESERVED
from kcore.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Field,
    ObjectType,
    Type,
    list_of,
    map_of,
)
from kcore.cel.values import equal

__all__ = ["REQUEST_BYTES_MAX", "Convert", "Declaration", "converter", "declare", "escape"]

REQUEST_BYTES_MAX = 3 * 1024 * 1024

_NAME = re.compile(r"[a-zA-Z_./-][a-zA-Z0-9_./-]*")
_ESCAPES = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}


def escape(name: str) -> str | None:
    """A property's name as an identifier; None where it cannot be one."""
    if name in RESERVED:
        return f"__{name}__"
    if _NAME.fullmatch(name) is None:
        return None
    return re.sub(r"__|[./-]", lambda match: _ESCAPES[match[0]], name)


# --- types and sizes ---


@dataclass(frozen=True, slots=True)
class Declaration:
    """A type, the largest size of its values, and the least bytes that one takes in a request."""

    type: Type
    largest: int = 0
    least_bytes: int = 1
    items: Declaration | None = None
    fields: Mapping[str, Declaration] = field(default_factory=dict)

    def size_of(self, path: Sequence[str]) -> int | None:
        """The largest size of what stands at a path from a variable of this type."""
        found: Declaration | None = self
        for step in path[1:]:
            if found is None or step == "@indices":
                return None
            if step in ("@items", "@values"):
                found = found.items
            elif step == "@keys":
                found = _KEY if found.type.kind == "map" else None
            else:
                found = found.fields.get(step)
        return found.largest if found is not None else None


# Upstream takes keys for empty.
_KEY = Declaration(STRING)
_TEXT = JSONSchemaProps(type="string")
_METADATA = JSONSchemaProps(type="object", properties={"name": _TEXT, "generateName": _TEXT})

# Types of strings with a format, the least bytes of one, and the largest size.
_FORMATS: Mapping[str, tuple[Type, int, int]] = {
    "duration": (DURATION, 3, 32),
    "date": (TIMESTAMP, 12, 12),
    "date-time": (TIMESTAMP, 21, 32),
}


def declare(s: JSONSchemaProps, name: str, *, root: bool = False) -> Declaration | None:
    """What a schema declares, or None where nothing is known of it. `root`: it is that of a resource."""
    if s.x_kubernetes_int_or_string:
        largest = 4 * max(s.max_length, 0) if s.max_length is not None else REQUEST_BYTES_MAX - 2
        return Declaration(DYN, largest, 1)
    if root:
        s = _with_metadata(s)
    if s.type == "array":
        return _list(s, name)
    if s.type == "object":
        return _map(s, s.additional_properties, name) if s.additional_properties else _object(s, name)
    if s.type == "string":
        return _string(s)
    plain = {"boolean": (BOOL, 4), "number": (DOUBLE, 1), "integer": (INT, 1)}.get(s.type)
    return Declaration(plain[0], 0, plain[1]) if plain is not None else None


def _with_metadata(s: JSONSchemaProps) -> JSONSchemaProps:
    """Every resource has these, whatever its schema says."""
    given = s.properties.get("metadata")
    named = given.properties if given is not None and given.type == "object" else {}
    if not {"name", "generateName"} <= named.keys():
        given = _METADATA
    assert given is not None
    properties = {**s.properties, "apiVersion": _TEXT, "kind": _TEXT, "metadata": given}
    return msgspec.structs.replace(s, properties=properties)


def _list(s: JSONSchemaProps, name: str) -> Declaration | None:
    if not isinstance(s.items, JSONSchemaProps):
        return None
    items = declare(s.items, f"{name}.@idx", root=s.items.x_kubernetes_embedded_resource)
    if items is None:
        return None
    fitting = (REQUEST_BYTES_MAX - 2) // (items.least_bytes + 1)
    largest = max(s.max_items, 0) if s.max_items is not None else fitting
    return Declaration(list_of(items.type), largest, 2, items)


def _map(s: JSONSchemaProps, below: JSONSchemaProps | bool, name: str) -> Declaration | None:
    if not isinstance(below, JSONSchemaProps):
        return _object(s, name)
    values = declare(below, f"{name}.@elem", root=below.x_kubernetes_embedded_resource)
    if values is None:
        return None
    fitting = (REQUEST_BYTES_MAX - 2) // (values.least_bytes + 6)
    largest = max(s.max_properties, 0) if s.max_properties is not None else fitting
    return Declaration(map_of(STRING, values.type), largest, 2, values)


def _object(s: JSONSchemaProps, name: str) -> Declaration:
    fields: dict[str, Declaration] = {}
    types: dict[str, Field] = {}
    least = 2
    for key, prop in s.properties.items():
        declared = declare(prop, f"{name}.{key}", root=prop.x_kubernetes_embedded_resource)
        if declared is None:
            continue
        escaped = escape(key)
        if escaped is not None:
            fields[escaped] = declared
            types[escaped] = Field(declared.type, key)
        if key in s.required and prop.default is None:
            least += len(key) + declared.least_bytes + 4
    return Declaration(ObjectType.named(name, types), 0, least, fields=fields)


def _string(s: JSONSchemaProps) -> Declaration:
    if s.format in _FORMATS:
        type_, least, largest = _FORMATS[s.format]
        return Declaration(type_, largest, least)
    binary = s.format == "byte"
    if s.max_length is not None:
        largest = max(s.max_length, 0) * (1 if binary else 4)
    elif s.enum and not binary:
        largest = max((len(each.encode()) for each in s.enum if isinstance(each, str)), default=0)
    else:
        largest = REQUEST_BYTES_MAX - 2
    return Declaration(BYTES if binary else STRING, largest, 2)


# --- values ---

Convert: TypeAlias = Callable[[Any], Any]


class SetList(list[Any]):
    """A list that is a set: the order of its elements does not count, and `+` adds what is not there yet."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list) or len(self) != len(other):
            return False
        return all(any(equal(each, item) for item in other) for each in self)

    __hash__ = None

    def __add__(self, other: Any) -> SetList:
        if not isinstance(other, list):
            return NotImplemented
        return SetList([*self, *(each for each in other if not any(equal(each, item) for item in self))])


class MapList(list[Any]):
    """A list that is a map: elements are told apart by their keys, and `+` puts the new one in the old one's place."""

    __slots__ = ("keys",)

    def __init__(self, items: Sequence[Any], keys: Sequence[str]) -> None:
        super().__init__(items)
        self.keys = keys

    def _key(self, item: Any) -> tuple[Any, ...]:
        return tuple(item.get(key) for key in self.keys) if isinstance(item, Mapping) else ()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list) or len(self) != len(other):
            return False
        others = {self._key(item): item for item in other}
        return all(self._key(item) in others and equal(item, others[self._key(item)]) for item in self)

    __hash__ = None

    def __add__(self, other: Any) -> MapList:
        if not isinstance(other, list):
            return NotImplemented
        found = {self._key(item): item for item in self}
        found.update((self._key(item), item) for item in other)
        return MapList(list(found.values()), self.keys)


def converter(s: JSONSchemaProps) -> Convert | None:
    """How a value of the schema becomes one of the expressions'; None where it is one already."""
    if s.type == "number":
        return lambda value: float(value) if type(value) is int else value
    if s.type == "string":
        parse = _PARSERS.get(s.format)
        return _lenient(parse) if parse is not None else None
    if s.type == "array" and isinstance(s.items, JSONSchemaProps):
        return _list_converter(s, converter(s.items))
    if s.type == "object":
        return _object_converter(s)
    return None


_PARSERS: Mapping[str, Convert] = {
    "duration": parse_duration,
    "date": parse_date,
    "date-time": parse_timestamp,
    "byte": lambda text: base64.b64decode(text, validate=True),
}


def _lenient(parse: Convert) -> Convert:
    """What does not fit its format is judged elsewhere."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return parse(value)
        except (CelError, binascii.Error, ValueError):
            return value

    return convert


def _list_converter(s: JSONSchemaProps, items: Convert | None) -> Convert | None:
    kind, keys = s.x_kubernetes_list_type, s.x_kubernetes_list_map_keys
    if kind not in ("set", "map") and items is None:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        made = [items(item) for item in value] if items is not None else value
        if kind == "set":
            return SetList(made)
        return MapList(made, keys) if kind == "map" else made

    return convert


def _object_converter(s: JSONSchemaProps) -> Convert | None:
    below = s.additional_properties
    values = converter(below) if isinstance(below, JSONSchemaProps) else None
    fields = {name: made for name, prop in s.properties.items() if (made := converter(prop)) is not None}
    if values is None and not fields:
        return None

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if values is not None:
            return {key: values(each) for key, each in value.items()}
        made = dict(value)
        for name, change in fields.items():
            if name in made:
                made[name] = change(made[name])
        return made

    return convert
