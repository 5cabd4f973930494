"""Kubernetes' protobuf encoding of API objects: read what newer client-go sends as request bodies, write a Status.

    "k8s\\0" + runtime.Unknown { 1: TypeMeta { 1: apiVersion, 2: kind }, 2: the object's own message }

`protobuf.json` holds the field numbers: message -> number -> [JSON name, type]. A type is a scalar, a message, `[]`
of either or `{}` (map from strings) of either; a message under an empty name is one that JSON writes inline. What
comes out is the tree that the same object's JSON would decode to, so that everything after it is shared with JSON.
Answers are JSON: every client that sends protobuf accepts that too. Only who accepts nothing else is told so in a
Status that it can read.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from kcore.api.json_syntax import TOO_DEEP, too_deep
from kcore.api.timestamp import format_micro, format_seconds

__all__ = ["MAGIC", "ProtobufError", "decode_protobuf", "encode_status"]

MAGIC = b"k8s\0"
_DEPTH = 100

Tree: TypeAlias = dict[str, Any]
_Fields: TypeAlias = Mapping[str, tuple[str, str]]


class ProtobufError(ValueError):
    """The bytes are no message of the kind that they say."""


@cache
def _messages() -> Mapping[str, _Fields]:
    table: Mapping[str, _Fields] = json.loads(files("kcore.api").joinpath("protobuf.json").read_bytes())
    return table


def decode_protobuf(data: bytes) -> Tree:
    """The JSON tree of an encoded object, with its kind and apiVersion. Raises ProtobufError."""
    if not data.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    envelope = dict(_fields(data[len(MAGIC) :]))
    type_meta = {number: _text(value) for number, value in _fields(_bytes(envelope.get(1, b"")))}
    api_version, kind = type_meta.get(1, ""), type_meta.get(2, "")
    tree = _message(_message_name(api_version, kind), _bytes(envelope.get(2, b"")), 0)
    return {"kind": kind, "apiVersion": api_version, **tree}


def encode_status(tree: Tree) -> bytes:
    """A Status, from its JSON tree."""
    type_meta = _field(1, b"v1") + _field(2, b"Status")
    return MAGIC + _field(1, type_meta) + _field(2, _encoded("meta/v1/Status", tree))


def _encoded(name: str, tree: Tree) -> bytes:
    """A message of texts, integers and such messages."""
    out = b""
    for number, (key, type_) in _messages()[name].items():
        value = tree.get(key)
        if value is None:
            continue
        for each in value if type_.startswith("[]") else (value,):
            if isinstance(each, int):
                out += _packed(int(number) << 3) + _packed(each)
            else:
                text = each.encode() if isinstance(each, str) else _encoded(type_.removeprefix("[]"), each)
                out += _field(int(number), text)
    return out


def _field(number: int, data: bytes) -> bytes:
    return _packed(number << 3 | 2) + _packed(len(data)) + data


def _packed(number: int) -> bytes:
    """A varint."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _message_name(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    name = f"{group.partition('.')[0] or 'core'}/{version}/{kind}"
    if name in _messages():
        return name
    # Options travel under the group of the resource that they are about.
    options = f"meta/v1/{kind}"
    if options in _messages():
        return options
    raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')


def _message(name: str, data: bytes, depth: int) -> Any:
    special = _SPECIAL.get(name)
    if special is not None:
        return special(data)
    if depth > _DEPTH:
        raise ProtobufError("the message is nested too deep")
    fields = _messages().get(name)
    if fields is None:
        raise ProtobufError(f"unknown message {name}")
    tree: Tree = {}
    items: list[Any] | None = None
    for number, value in _fields(data):
        field = fields.get(str(number))
        if field is None:
            continue
        key, type_ = field
        if type_.startswith("{}"):
            entry = dict(_fields(_bytes(value)))
            absent: bytes | int = 0 if type_[2:] in ("int", "bool") else b""
            tree.setdefault(key, {})[_text(entry.get(1, b""))] = _value(type_[2:], entry.get(2, absent), depth)
        elif type_.startswith("[]"):
            if key:
                tree.setdefault(key, []).extend(_elements(type_[2:], value, depth))
            else:
                items = items or []
                items.extend(_elements(type_[2:], value, depth))
        elif key:
            tree[key] = _value(type_, value, depth)
        else:
            tree |= _value(type_, value, depth)
    return tree if items is None else items


def _elements(type_: str, value: bytes | int, depth: int) -> Iterator[Any]:
    """One element of a repeated field, or several packed numbers."""
    if type_ in ("int", "bool") and isinstance(value, bytes):
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            yield _value(type_, number, depth)
    else:
        yield _value(type_, value, depth)


def _value(type_: str, value: bytes | int, depth: int) -> Any:
    if type_ == "string":
        return _text(value)
    if type_ == "int":
        return _signed(value)
    if type_ == "bool":
        return bool(value)
    if type_ == "bytes":
        return base64.b64encode(_bytes(value)).decode()
    if type_ == "double":
        return struct.unpack("<d", _bytes(value))[0]
    return _message(type_, _bytes(value), depth + 1)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """The fields of a message in order: number, and a varint or the bytes."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            size, position = _varint(data, position)
        if size is None or position + size > end:
            raise ProtobufError("unexpected EOF")
        yield number, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
    raise ProtobufError("unexpected EOF")


def _signed(value: bytes | int) -> int:
    if isinstance(value, bytes):
        raise ProtobufError("wrong wire type for an integer")
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >= 1 << 63 else value


def _bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("wrong wire type for bytes")
    return value


def _text(value: bytes | int) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("string field contains invalid UTF-8") from error


def _time(data: bytes, write: Callable[[float], str]) -> str | None:
    """Seconds and nanoseconds; an empty message is Go's zero time, which JSON writes as null."""
    if not data:
        return None
    parts = dict(_fields(data))
    try:
        return write(_signed(parts.get(1, 0)) + _signed(parts.get(2, 0)) / 1e9)
    except (OverflowError, OSError, ValueError) as error:
        raise ProtobufError("time out of range") from error


def _int_or_string(data: bytes) -> int | str:
    parts = dict(_fields(data))
    return _text(parts.get(3, b"")) if parts.get(1) else _signed(parts.get(2, 0))


def _raw(data: bytes) -> Any:
    raw = _bytes(dict(_fields(data)).get(1, b""))
    if too_deep(raw):
        raise ProtobufError(f"an embedded object is no JSON: {TOO_DEEP}")
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError) as error:
        raise ProtobufError(f"an embedded object is no JSON: {error}") from error


_SPECIAL: Mapping[str, Callable[[bytes], Any]] = {
    "meta/v1/Time": lambda data: _time(data, format_seconds),
    "meta/v1/MicroTime": lambda data: _time(data, format_micro),
    "meta/v1/FieldsV1": _raw,
    "RawExtension": _raw,
    "IntOrString": _int_or_string,
    "Quantity": lambda data: _text(dict(_fields(data)).get(1, b"")) or "0",
}
