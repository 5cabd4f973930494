"""An OpenAPI version 2 document in protobuf, the form that kubectl asks for.

The message numbers are those of gnostic's `openapiv2/OpenAPIv2.proto`. Only the messages that our documents use are
written; a table of numbers and a dozen lines of wire format do what a compiled descriptor would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

__all__ = ["encode_v2"]

_PARAMETER_TEXTS = {"query": {"in": 2, "name": 4, "type": 6}, "path": {"in": 2, "name": 4, "type": 5}}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def encode_v2(document: Mapping[str, Any]) -> bytes:
    """Encode the tree of a document."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(_named(2, path, _path_item(item)) for path, item in document["paths"].items())
    schemas = b"".join(_named(1, name, _schema(schema)) for name, schema in document["definitions"].items())
    return _text(1, document["swagger"]) + _part(2, info) + _part(8, paths) + _part(9, schemas)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _part(number: int, data: bytes) -> bytes:
    """A field whose value is bytes: a text or a message."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _text(number: int, text: str) -> bytes:
    return _part(number, text.encode())


def _texts(number: int, texts: Iterable[str]) -> bytes:
    return b"".join(_text(number, text) for text in texts)


def _flag(number: int) -> bytes:
    return _varint(number << 3) + b"\x01"


def _named(number: int, name: str, value: bytes) -> bytes:
    """An entry of what is a map in JSON: NamedPathItem, NamedSchema, NamedAny, ..."""
    return _part(number, _text(1, name) + _part(2, value))


def _extensions(number: int, tree: Mapping[str, Any]) -> bytes:
    """Vendor extensions travel as YAML."""
    return b"".join(_named(number, name, _text(2, _yaml(tree[name]))) for name in tree if name.startswith("x-"))


def _yaml(value: Any) -> str:
    if isinstance(value, str):
        return f"{value}\n"  # ours are plain words
    return yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=False)


def _path_item(item: Mapping[str, Any]) -> bytes:
    return b"".join(_part(_METHODS[method], _operation(operation)) for method, operation in item.items())


def _operation(operation: Mapping[str, Any]) -> bytes:
    responses = b"".join(
        _named(1, code, _part(1, _response(response))) for code, response in operation["responses"].items()
    )
    return b"".join(
        (
            _texts(1, operation["tags"]),
            _text(5, operation["operationId"]),
            _texts(6, operation["produces"]),
            _texts(7, operation["consumes"]),
            *(_part(8, _part(1, _parameter(parameter))) for parameter in operation["parameters"]),
            _part(9, responses),
            _extensions(13, operation),
        )
    )


def _response(response: Mapping[str, Any]) -> bytes:
    schema = _part(2, _part(1, _schema(response["schema"]))) if "schema" in response else b""
    return _text(1, response["description"]) + schema


def _parameter(parameter: Mapping[str, Any]) -> bytes:
    place = parameter["in"]
    required = parameter.get("required", False)
    if place == "body":
        flag = _flag(4) if required else b""
        return _part(1, _text(2, parameter["name"]) + _text(3, place) + flag + _part(5, _schema(parameter["schema"])))
    texts = b"".join(_text(number, parameter.get(key, "")) for key, number in _PARAMETER_TEXTS[place].items())
    return _part(2, _part(3 if place == "query" else 4, (_flag(1) if required else b"") + texts))


def _schema(schema: Mapping[str, Any]) -> bytes:
    return b"".join(_SCHEMA_PARTS[key](value) for key, value in schema.items() if key in _SCHEMA_PARTS) + _extensions(
        31, schema
    )


def _additional(value: Mapping[str, Any] | bool) -> bytes:
    if isinstance(value, bool):
        return _flag(2) if value else b""
    return _part(1, _schema(value))


_SCHEMA_PARTS: Mapping[str, Callable[[Any], bytes]] = {
    "$ref": lambda value: _text(1, value),
    "format": lambda value: _text(2, value),
    "description": lambda value: _text(4, value),
    "required": lambda value: _texts(19, value),
    "additionalProperties": lambda value: _part(21, _additional(value)),
    "type": lambda value: _part(22, _text(1, value)),
    "items": lambda value: _part(23, _part(1, _schema(value))),
    "properties": lambda value: _part(25, b"".join(_named(1, name, _schema(each)) for name, each in value.items())),
}
