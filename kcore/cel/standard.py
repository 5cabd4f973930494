"""The functions and operators of the language itself, and those of optional values."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kcore.cel.arithmetic import OPERATIONS, checked_duration
from kcore.cel.conversions import double_text, to_bool, to_bytes, to_double, to_int, to_string, to_uint
from kcore.cel.errors import EvaluationError, no_such_key, no_such_overload, not_convertible
from kcore.cel.functions import Overload, function, method
from kcore.cel.times import DURATION_PARTS, TIMESTAMP_PARTS, parse_duration, parse_timestamp
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
    optional_of,
    parameter,
    type_of_type,
)
from kcore.cel.values import NONE, Duration, Optional, Timestamp, UInt, equal, type_of
from kcore.kit.regex import PatternError, compile_pattern

__all__ = ["CONSTANTS", "STANDARD", "contains", "index", "matches"]

_A, _B = parameter("A"), parameter("B")
_LIST, _MAP, _OPTIONAL = list_of(_A), map_of(_A, _B), optional_of(_A)

CONSTANTS: Mapping[str, Type] = {
    **{each.name: each for each in (BOOL, BYTES, DOUBLE, DYN, INT, STRING, UINT)},
    "list": list_of(DYN),
    "map": map_of(DYN, DYN),
    "type": type_of_type(DYN),
    "null_type": NULL,
    "google.protobuf.Timestamp": TIMESTAMP,
    "google.protobuf.Duration": DURATION,
    "optional_type": optional_of(DYN),
}
"""The types that have a name in expressions."""


# Putting lists together costs one, however long they are: doubling thirty times would fill the memory.
_ELEMENTS_MAX = 4_000_000


def _concatenate(a: list[Any], b: list[Any]) -> list[Any]:
    if len(a) + len(b) > _ELEMENTS_MAX:
        raise EvaluationError(f"list is longer than {_ELEMENTS_MAX} elements")
    return a + b


def _arithmetic() -> Iterator[Overload]:
    types = {"int64": INT, "uint64": UINT, "double": DOUBLE, "duration": DURATION, "timestamp": TIMESTAMP}
    symbols = {"add": "_+_", "subtract": "_-_", "multiply": "_*_", "divide": "_/_", "modulo": "_%_"}
    results = {"subtract_timestamp_timestamp": DURATION, "add_duration_timestamp": TIMESTAMP}
    for id_, run in OPERATIONS.items():
        verb, *names = id_.split("_")
        left, right = types[names[0]], types[names[-1]]
        yield function(symbols[verb], id_, (left, right), results.get(id_, left), run)
    yield function("_+_", "add_string", (STRING, STRING), STRING, operator.add)
    yield function("_+_", "add_bytes", (BYTES, BYTES), BYTES, operator.add)
    yield function("_+_", "add_list", (_LIST, _LIST), _LIST, _concatenate)
    yield function("-_", "negate_int64", (INT,), INT, lambda a: OPERATIONS["subtract_int64"](0, a))
    yield function("-_", "negate_double", (DOUBLE,), DOUBLE, operator.neg)


_COMPARISONS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "_<_": ("less", operator.lt),
    "_<=_": ("less_equals", operator.le),
    "_>_": ("greater", operator.gt),
    "_>=_": ("greater_equals", operator.ge),
}


def _as_doubles(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """Python compares integers and floats exactly; cel-go rounds the integer first."""
    return lambda a, b: compare(float(a), float(b))


def _comparisons() -> Iterator[Overload]:
    numbers = {"int64": INT, "uint64": UINT, "double": DOUBLE}
    others = {"bool": BOOL, "string": STRING, "bytes": BYTES, "duration": DURATION, "timestamp": TIMESTAMP}
    for symbol, (verb, run) in _COMPARISONS.items():
        for name, of in {**numbers, **others}.items():
            yield function(symbol, f"{verb}_{name}", (of, of), BOOL, run)
        for left, a in numbers.items():
            for right, b in numbers.items():
                if left != right:
                    across = _as_doubles(run) if "double" in (left, right) else run
                    yield function(symbol, f"{verb}_{left}_{right}", (a, b), BOOL, across)


def _logic() -> Iterator[Overload]:
    """What `&&`, `||` and `?:` do is the compiler's affair: they do not always look at all they are given."""
    yield function("_&&_", "logical_and", (BOOL, BOOL), BOOL, lambda a, b: a and b)
    yield function("_||_", "logical_or", (BOOL, BOOL), BOOL, lambda a, b: a or b)
    yield function("_?_:_", "conditional", (BOOL, _A, _A), _A, lambda a, b, c: b if a else c)
    yield function("!_", "logical_not", (BOOL,), BOOL, operator.not_)
    yield function("_==_", "equals", (_A, _A), BOOL, equal)
    yield function("_!=_", "not_equals", (_A, _A), BOOL, lambda a, b: not equal(a, b))


# --- containers ---


def contains(item: Any, holder: Any) -> bool:
    """`item in holder`."""
    if isinstance(holder, Mapping):
        return _is_key(item) and item in holder
    if isinstance(holder, list):
        if type(item) is str:
            return item in holder
        return any(equal(item, each) for each in holder)
    raise no_such_overload()


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int | float)


def index(holder: Any, key: Any) -> Any:
    """`holder[key]`, of whatever type they turn out to be."""
    if isinstance(holder, Optional):
        return _optional_index(holder, key)
    if isinstance(holder, list):
        if isinstance(key, float) and key.is_integer():
            key = int(key)
        if isinstance(key, float):
            raise EvaluationError(f"unsupported index value {double_text(key)} in list")
        if not isinstance(key, int) or isinstance(key, bool):
            raise EvaluationError(f"unsupported index type '{type_of(key).runtime_name}' in list")
        if not 0 <= key < len(holder):
            raise EvaluationError(f"index out of bounds: {key}")
        return holder[key]
    if isinstance(holder, Mapping):
        if not _is_key(key):
            raise no_such_overload()
        try:
            return holder[key]
        except KeyError:
            raise no_such_key(to_string(key)) from None
    if not _is_key(key):
        raise no_such_overload()
    raise no_such_key(to_string(key))


def _optional_index(holder: Any, key: Any) -> Optional:
    if isinstance(holder, Optional):
        return _optional_index(holder.value, key) if holder.present else NONE
    if isinstance(holder, list):
        inside = isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(holder)
        return Optional(True, holder[key]) if inside else NONE
    if isinstance(holder, Mapping):
        found = _is_key(key) and key in holder
        return Optional(True, holder[key]) if found else NONE
    raise no_such_overload()


def _containers() -> Iterator[Overload]:
    yield function("@in", "in_list", (_A, _LIST), BOOL, contains)
    yield function("@in", "in_map", (_A, _MAP), BOOL, contains)
    yield function("_[_]", "index_list", (_LIST, INT), _A, index)
    yield function("_[_]", "index_map", (_MAP, _A), _B, index)
    for of, name, id_, key, value in (
        (_LIST, "_[_]", "list", INT, _A),
        (_MAP, "_[_]", "map", _A, _B),
    ):
        held = optional_of(of)
        yield function(name, f"optional_{id_}_index_value", (held, key), optional_of(value), index)
        yield function("_[?_]", f"{id_}_optindex_optional_value", (of, key), optional_of(value), _optional_index)
        optional_id = f"optional_{id_}_optindex_optional_value"
        yield function("_[?_]", optional_id, (held, key), optional_of(value), _optional_index)
    for id_, of in {"string": STRING, "bytes": BYTES, "list": _LIST, "map": _MAP}.items():
        yield function("size", f"size_{id_}", (of,), INT, len)
        yield method("size", f"{id_}_size", (of,), INT, len)


# --- text ---


def matches(text: str, pattern: str) -> bool:
    try:
        return compile_pattern(pattern).search(text)
    except PatternError as e:
        raise EvaluationError(str(e)) from None


def _texts() -> Iterator[Overload]:
    yield method("contains", "contains_string", (STRING, STRING), BOOL, operator.contains)
    yield method("startsWith", "starts_with_string", (STRING, STRING), BOOL, str.startswith)
    yield method("endsWith", "ends_with_string", (STRING, STRING), BOOL, str.endswith)
    yield method("matches", "matches_string", (STRING, STRING), BOOL, matches)
    yield function("matches", "matches", (STRING, STRING), BOOL, matches)


# --- conversions ---


def _to_timestamp(value: Any) -> Timestamp:
    if not isinstance(value, str):
        return Timestamp(value * 10**9)
    try:
        return parse_timestamp(value)
    except EvaluationError:
        raise not_convertible(TIMESTAMP.runtime_name) from None


def _to_duration(value: str) -> Duration:
    try:
        return parse_duration(value)
    except EvaluationError:
        raise not_convertible(DURATION.runtime_name) from None


_CONVERSIONS: Mapping[str, tuple[Type, Callable[[Any], Any], Mapping[str, Type]]] = {
    "int": (INT, to_int, {"int64": INT, "uint64": UINT, "double": DOUBLE, "string": STRING, "timestamp": TIMESTAMP,
                          "duration": DURATION}),
    "uint": (UINT, to_uint, {"uint64": UINT, "int64": INT, "double": DOUBLE, "string": STRING}),
    "double": (DOUBLE, to_double, {"double": DOUBLE, "int64": INT, "uint64": UINT, "string": STRING}),
    "bool": (BOOL, to_bool, {"bool": BOOL, "string": STRING}),
    "bytes": (BYTES, to_bytes, {"bytes": BYTES, "string": STRING}),
    "string": (STRING, to_string, {"string": STRING, "bool": BOOL, "bytes": BYTES, "double": DOUBLE, "int64": INT,
                                   "uint64": UINT, "timestamp": TIMESTAMP, "duration": DURATION}),
    "timestamp": (TIMESTAMP, _to_timestamp, {"string": STRING, "int64": INT}),
    "duration": (DURATION, _to_duration, {"string": STRING}),
}  # fmt: skip


def _same(value: Any) -> Any:
    return value


def _conversions() -> Iterator[Overload]:
    for name, (result, run, sources) in _CONVERSIONS.items():
        for source, of in sources.items():
            yield function(name, f"{source}_to_{name}", (of,), result, run)
    yield function("timestamp", "timestamp_to_timestamp", (TIMESTAMP,), TIMESTAMP, _same)
    yield function("duration", "duration_to_duration", (DURATION,), DURATION, _same)
    yield function("duration", "int64_to_duration", (INT,), DURATION, checked_duration)
    yield function("dyn", "to_dyn", (_A,), DYN, _same)
    yield function("type", "type", (_A,), type_of_type(_A), type_of)


def _times() -> Iterator[Overload]:
    for name, run in TIMESTAMP_PARTS.items():
        yield method(name, f"timestamp_to_{name}", (TIMESTAMP,), INT, run)
        yield method(name, f"timestamp_to_{name}_with_tz", (TIMESTAMP, STRING), INT, run)
    for name, run in DURATION_PARTS.items():
        yield method(name, f"duration_to_{name}", (DURATION,), INT, run)


# --- optional values ---

_ZEROES = (None, False, 0, 0.0, "", b"")


def _of_non_zero(value: Any) -> Optional:
    zero = (len(value) == 0) if isinstance(value, list | Mapping) else any(
        value is each or (type(value) in (type(each), UInt) and value == each) for each in _ZEROES
    )  # fmt: skip
    return NONE if zero else Optional(True, value)


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _optionals() -> Iterator[Overload]:
    yield function("optional.of", "optional_of", (_A,), _OPTIONAL, lambda value: Optional(True, value))
    yield function("optional.ofNonZeroValue", "optional_ofNonZeroValue", (_A,), _OPTIONAL, _of_non_zero)
    yield function("optional.none", "optional_none", (), _OPTIONAL, lambda: NONE)
    yield method("hasValue", "optional_hasValue", (_OPTIONAL,), BOOL, lambda optional: optional.present)
    yield method("value", "optional_value", (_OPTIONAL,), _A, _value)
    # Like `&&` and `||`, these look at their argument only where they must: the compiler sees to it.
    yield method("or", "optional_or_optional", (_OPTIONAL, _OPTIONAL), _OPTIONAL, lambda a, b: a if a.present else b)
    yield method("orValue", "optional_orValue_value", (_OPTIONAL, _A), _A, lambda a, b: a.value if a.present else b)


STANDARD: tuple[Overload, ...] = (
    *_arithmetic(),
    *_comparisons(),
    *_logic(),
    *_containers(),
    *_texts(),
    *_conversions(),
    *_times(),
    *_optionals(),
)
