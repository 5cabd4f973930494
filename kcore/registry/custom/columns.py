"""What `kubectl get` shows of custom resources: the columns that their definition names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kcore.api.apiextensions_v1 import CustomResourceColumnDefinition
from kcore.api.kind import Kind
from kcore.api.object import CustomResource, encode_object
from kcore.api.timestamp import parse
from kcore.registry.custom.json_path import Find, JSONPathError, column_path
from kcore.registry.custom.strategy import version_of
from kcore.registry.tables.printer import NAME, Column, Printer, human_duration

__all__ = ["custom_printer"]

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_AGE = CustomResourceColumnDefinition(
    name="Age", type="date", description="When the object was created.", json_path=".metadata.creationTimestamp"
)


def custom_printer(kind: Kind) -> Printer:
    """The columns of one version; without any, the age."""
    definitions = version_of(kind).additional_printer_columns or (_AGE,)
    finds = [(each.type, _find(each.json_path)) for each in definitions]

    def row(obj: CustomResource, now: float) -> Sequence[Any]:
        tree = _decode(encode_object(obj))
        return obj.metadata.name, *(_cell(type_, find(tree), now) for type_, find in finds)

    return Printer((NAME, *map(_column, definitions)), row)


def _find(path: str) -> Find:
    try:
        return column_path(path)
    except JSONPathError:
        return lambda tree: ()


def _column(definition: CustomResourceColumnDefinition) -> Column:
    words = definition.description or f"Custom resource definition column (in JSONPath format): {definition.json_path}"
    return Column(definition.name, words, definition.type, definition.format, definition.priority)


def _cell(type_: str, values: Sequence[Any], now: float) -> Any:
    """A value as a cell of its column's type; nothing where it is of another."""
    value = values[0] if values else None
    if value is None:
        return None
    if type_ == "string":
        return value if isinstance(value, str) else _encode(value).decode()
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    if type_ == "date":
        return _date(value, now)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if type_ == "integer" else value


def _date(value: Any, now: float) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return human_duration(now - parse(value))
    except ValueError:
        return "<invalid>"
