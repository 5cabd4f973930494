"""The values that expressions reckon with.

A JSON tree is one as it stands: bool, int (int64), float (double), str, None, list, dict (any mapping, in fact). What
JSON lacks is here: unsigned integers, times, optionals. Types themselves are values as well (`types.Type`).
Opaque values are Python objects whose class names its type as `cel_type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from kcore.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    map_of,
    opaque,
    optional_of,
    type_of_type,
)

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "NONE",
    "UINT_MAX",
    "Duration",
    "Optional",
    "Timestamp",
    "UInt",
    "equal",
    "type_of",
]

INT_MAX: Final = 2**63 - 1
INT_MIN: Final = -(2**63)
UINT_MAX: Final = 2**64 - 1


class UInt(int):
    """An unsigned 64-bit number."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanos: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since 1970."""

    nanos: int


@dataclass(frozen=True, slots=True, eq=False)
class Optional:
    """A value that may be absent: `present` tells."""

    present: bool
    value: Any = None


NONE: Final = Optional(False)

_LIST, _MAP = list_of(DYN), map_of(DYN, DYN)
_TYPES: dict[type, Type] = {
    bool: BOOL,
    int: INT,
    UInt: UINT,
    float: DOUBLE,
    str: STRING,
    bytes: BYTES,
    type(None): NULL,
    list: _LIST,
    dict: _MAP,
    Timestamp: TIMESTAMP,
    Duration: DURATION,
    Optional: optional_of(DYN),
    Type: type_of_type(DYN),
}
_NUMBERS = frozenset((int, UInt, float))


def type_of(value: Any) -> Type:
    found = _TYPES.get(type(value))
    if found is not None:
        return found
    named = getattr(value, "cel_type", None)
    if isinstance(named, Type):
        return named
    if isinstance(value, list | tuple):
        return _LIST
    if isinstance(value, Type):
        return _TYPES[Type]
    return _MAP if isinstance(value, Mapping) else opaque(type(value).__name__)


def equal(a: Any, b: Any) -> bool:
    """Numbers of all kinds compare by their value; what else is of different types is different."""
    return _equal(a, b, {})


_Known: TypeAlias = dict[tuple[int, int], bool]
"""Containers that were compared. An expression can nest one list in others so that a tree of it has more nodes than
anybody could visit: `[a, a]` of `[b, b]` of ... Each pair is compared once."""


def _equal(a: Any, b: Any, known: _Known) -> bool:
    kind, other = type(a), type(b)
    if kind is other:
        if kind is list or kind is dict:
            found = known.get((id(a), id(b)))
            if found is None:
                same = _equal_lists if kind is list else _equal_maps
                found = known[id(a), id(b)] = same(a, b, known)
            return found
        if kind is Optional:
            return a.present == b.present and _equal(a.value, b.value, known)
        return bool(a == b)
    if kind in _NUMBERS and other in _NUMBERS:
        return float(a) == float(b) if float in (kind, other) else bool(a == b)
    if isinstance(a, list) and isinstance(b, list):
        # A list with an equality of its own (a set, a map) decides; it answers for both directions.
        special, plain = (a, b) if kind is not list else (b, a)
        return bool(special == plain)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return _equal_maps(a, b, known)
    if isinstance(a, Type) and isinstance(b, Type):
        return a.runtime_name == b.runtime_name
    return False


def _equal_lists(a: list[Any], b: list[Any], known: _Known) -> bool:
    return len(a) == len(b) and all(_equal(x, y, known) for x, y in zip(a, b, strict=True))


def _equal_maps(a: Mapping[Any, Any], b: Mapping[Any, Any], known: _Known) -> bool:
    if len(a) != len(b):
        return False
    return all(key in b and _equal(value, b[key], known) for key, value in a.items())
